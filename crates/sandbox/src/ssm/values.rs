//! The value of a name: a parameter, an image of Amazon Linux, or a secret.

use serde_json::{Value, json};

use super::names::{place_of, plain, well_formed};
use super::{INVALID, State, arn, invalid, public_image};
use crate::toolbox::{at, digest, flag, iso, need, text, texts};
use crate::{Answer, Refusal, World, secretsmanager};

/// The path of the secrets of Secrets Manager.
const SECRETS: &str = "/aws/reference/secretsmanager/";

fn not_found(message: String) -> Refusal {
    Refusal::new("ParameterNotFound", message)
}

/// One parameter.
pub(super) fn get(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "Name", INVALID)?;
    let found = read(world, region, name, decrypts(input))?;
    Ok(json!({ "Parameter": found }))
}

/// Up to ten parameters. The answer lists names without a parameter.
pub(super) fn get_some(world: &mut World, region: &str, input: &Value) -> Answer {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for name in ten(input)? {
        match read(world, region, &name, decrypts(input)) {
            Ok(parameter) => found.push(parameter),
            Err(refusal) if refusal.code == "ParameterNotFound" => missing.push(name),
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(json!({ "Parameters": found, "InvalidParameters": missing }))
}

fn decrypts(input: &Value) -> bool {
    flag(input, "WithDecryption").unwrap_or(false)
}

/// The names of a call for several parameters.
pub(super) fn ten(input: &Value) -> Result<Vec<String>, Refusal> {
    let names = texts(input, "Names");
    if (1..=10).contains(&names.len()) {
        Ok(names)
    } else {
        Err(invalid("Member must have 1 to 10 names."))
    }
}

fn read(world: &mut World, region: &str, reference: &str, decrypt: bool) -> Answer {
    if let Some(id) = plain(reference, region).strip_prefix(SECRETS) {
        return secret(world, region, id, decrypt);
    }
    well_formed(split(plain(reference, region)).0)?;
    let missing = || not_found(format!("The parameter {reference} does not exist."));
    view(&world.ssm, region, reference, decrypt).ok_or_else(missing)
}

/// A secret in the form of a parameter.
fn secret(world: &mut World, region: &str, id: &str, decrypt: bool) -> Answer {
    if !decrypt {
        let message = "WithDecryption flag must be True for retrieving a Secret Manager secret.";
        return Err(invalid(message));
    }
    let name = format!("{SECRETS}{id}");
    let secret = secretsmanager::read(world, region, &json!({ "SecretId": id }));
    let Some((secret, value)) = secret.ok().and_then(|secret| {
        let value = text(&secret, "SecretString")?.to_owned();
        Some((secret, value))
    }) else {
        return Err(not_found(format!(
            "An error occurred (ParameterNotFound) when referencing Secrets Manager: Secret {name} \
             not found."
        )));
    };
    let created = secret["CreatedDate"].as_f64().unwrap_or_default();
    let source = json!({
        "ARN": secret["ARN"],
        "name": secret["Name"],
        "versionId": secret["VersionId"],
        "secretString": value,
        "versionStages": secret["VersionStages"],
        "createdDate": iso(created),
    });
    Ok(json!({
        "Name": name,
        "Type": "SecureString",
        "Value": value,
        "Version": 0,
        "SourceResult": source.to_string(),
        "LastModifiedDate": created,
        "ARN": arn(region, &name),
        "DataType": "text",
    }))
}

/// A name and the version after it. A version that is not a number does not exist.
fn split(reference: &str) -> (&str, Option<u64>) {
    match reference.split_once(':') {
        Some((name, version)) => (name, Some(version.parse().unwrap_or(0))),
        None => (reference, None),
    }
}

/// A parameter by name or ARN. It has the name that the call uses.
pub(super) fn view(state: &State, region: &str, reference: &str, decrypt: bool) -> Option<Value> {
    let (name, version) = split(plain(reference, region));
    if let Some(image) = public_image(region, name) {
        return Some(json!({
            "Name": name,
            "Type": "String",
            "Value": image,
            "Version": 1,
            "LastModifiedDate": 1_700_000_000.0,
            "ARN": format!("arn:aws:ssm:{region}::parameter{name}"),
            "DataType": "text",
        }));
    }
    let place = place_of(state, region, name);
    let parameter = state.parameters.get(&place)?;
    if version.is_some_and(|version| version != parameter.version) {
        return None;
    }
    let value = if parameter.kind == "SecureString" && !decrypt {
        format!("encrypted:{}", digest(&parameter.value))
    } else {
        parameter.value.clone()
    };
    let own = place.strip_prefix(&at(region, "")).unwrap_or(name);
    Some(json!({
        "Name": if reference.starts_with("arn:") { own } else { name },
        "Type": parameter.kind,
        "Value": value,
        "Version": parameter.version,
        "LastModifiedDate": parameter.modified,
        "ARN": arn(region, name),
        "DataType": "text",
    }))
}
