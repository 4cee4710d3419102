//! The sandbox's Parameter Store.
//!
//! Quirks kept: Tags and `Overwrite` exclude each other. Every overwrite creates a version. The
//! public parameters under `/aws/service/` name the images of Amazon Linux. At the root a name is
//! the same with and without its slash. `/aws/reference/secretsmanager/` reads secrets.

mod names;
#[cfg(test)]
mod tests;
mod values;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::names::{place_of, plain};
use super::shelf::{Shelf, kept};
use super::toolbox::{
    KEY_VALUE, Tags, add_tags, digest, flag, here, list, need, now, page, put, remove_tags,
    tag_list, tag_pairs, text, texts, within,
};
use super::{ACCOUNT, Answer, Call, Refusal, World, kms};

/// The state of Parameter Store.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Parameters by region and name.
    parameters: Shelf<Parameter>,
}

kept!(State { parameters });

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Parameter {
    kind: String,
    value: String,
    description: Option<String>,
    key: Option<String>,
    pattern: Option<String>,
    tier: String,
    version: u64,
    modified: f64,
    tags: Tags,
}

/// The public parameters of Amazon Linux images.
const IMAGES: &[&str] = &[
    "al2023-ami-kernel-default-arm64",
    "al2023-ami-kernel-default-x86_64",
    "al2023-ami-minimal-kernel-default-arm64",
    "al2023-ami-minimal-kernel-default-x86_64",
    "amzn2-ami-hvm-arm64-gp2",
    "amzn2-ami-hvm-x86_64-gp2",
];

const IMAGES_PATH: &str = "/aws/service/ami-amazon-linux-latest/";

const INVALID: &str = "ValidationException";

/// The number of live objects.
pub(crate) fn counts(state: &State) -> Vec<(&'static str, usize)> {
    vec![("parameters", state.parameters.len())]
}

/// The id of the image that a public parameter names. It never changes.
pub(crate) fn public_image(region: &str, name: &str) -> Option<String> {
    let image = name.strip_prefix(IMAGES_PATH)?;
    let known = IMAGES.contains(&image);
    known.then(|| format!("ami-0{}", &digest(&format!("{region} {image}"))[..16]))
}

/// The tags of a region's parameters, by ARN.
pub(crate) fn all_tags<'a>(
    state: &'a State,
    region: &'a str,
) -> impl Iterator<Item = (String, Cow<'a, Tags>)> + 'a {
    here(&state.parameters, region)
        .map(move |(name, parameter)| (arn(region, name), Cow::Borrowed(&parameter.tags)))
}

/// Answers a call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    let (input, region) = (&call.input, call.region.as_str());
    let state = &mut world.ssm;
    match call.operation.as_str() {
        "PutParameter" => put_parameter(world, region, input),
        "GetParameter" => values::get(world, region, input),
        "GetParameters" => values::get_some(world, region, input),
        "GetParametersByPath" => by_path(state, region, input),
        "DescribeParameters" => describe(state, region, input),
        "DeleteParameter" => {
            let name = need(input, "Name", INVALID)?;
            let removed = state.parameters.remove(&place_of(state, region, name));
            removed.map(|_| json!({})).ok_or_else(|| {
                let message = format!("The parameter {name} does not exist.");
                Refusal::new("ParameterNotFound", message)
            })
        }
        "DeleteParameters" => {
            let (mut deleted, mut invalid) = (Vec::new(), Vec::new());
            for name in values::ten(input)? {
                match state.parameters.remove(&place_of(state, region, &name)) {
                    Some(_) => deleted.push(name),
                    None => invalid.push(name),
                }
            }
            Ok(json!({ "DeletedParameters": deleted, "InvalidParameters": invalid }))
        }
        "AddTagsToResource" => {
            let more = tag_list(input, "Tags", KEY_VALUE);
            let codes = (INVALID, "TooManyTagsError");
            add_tags(&mut tagged(state, region, input)?.tags, more, codes)?;
            Ok(json!({}))
        }
        "RemoveTagsFromResource" => {
            remove_tags(&mut tagged(state, region, input)?.tags, &texts(input, "TagKeys"));
            Ok(json!({}))
        }
        "ListTagsForResource" => {
            let tags = &tagged(state, region, input)?.tags;
            Ok(json!({ "TagList": tag_pairs(tags, KEY_VALUE) }))
        }
        _ => Err(Refusal::not_covered(&call.service, &call.operation)),
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(INVALID, message)
}

fn arn(region: &str, name: &str) -> String {
    let slash = if name.starts_with('/') { "" } else { "/" };
    format!("arn:aws:ssm:{region}:{ACCOUNT}:parameter{slash}{name}")
}

fn put_parameter(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = plain(need(input, "Name", INVALID)?, region);
    names::valid(name)?;
    let value = need(input, "Value", INVALID)?;
    let overwrite = flag(input, "Overwrite").unwrap_or(false);
    if overwrite && !list(input, "Tags").is_empty() {
        return Err(invalid(
            "Invalid request: tags and overwrite can't be used together. To create a parameter \
             with tags, please remove overwrite flag. To update tags for an existing parameter, \
             please use AddTagsToResource or RemoveTagsFromResource.",
        ));
    }
    let place = place_of(&world.ssm, region, name);
    let old = world.ssm.parameters.get(&place);
    if old.is_some() && !overwrite {
        return Err(Refusal::new(
            "ParameterAlreadyExists",
            "The parameter already exists. To overwrite this value, set the overwrite option in \
             the request to true.",
        ));
    }
    let mut new = old.cloned().unwrap_or_default();
    match text(input, "Type") {
        Some(kind @ ("String" | "StringList" | "SecureString")) => new.kind = kind.to_owned(),
        Some(kind) => {
            let message = format!("{kind} is not a type of parameter.");
            return Err(Refusal::new("UnsupportedParameterType", message));
        }
        None if old.is_none() => {
            return Err(invalid("A parameter type is required when you create a parameter."));
        }
        None => {}
    }
    new.tier = tier(input, value, &new.tier)?.to_owned();
    if value.contains("{{") && value.contains("}}") {
        return Err(invalid("Parameter value: can't nest parameters ({{ }})."));
    }
    new.key = match text(input, "KeyId").or(new.key.as_deref()) {
        _ if new.kind != "SecureString" => None,
        Some(key) if kms::usable(&world.kms, region, key).is_none() => {
            let message = format!("The KMS key {key} is not usable.");
            return Err(Refusal::new("InvalidKeyId", message));
        }
        key => Some(key.unwrap_or("alias/aws/ssm").to_owned()),
    };
    if let Some(description) = text(input, "Description") {
        new.description = Some(description.to_owned()).filter(|text| !text.is_empty());
    }
    if let Some(pattern) = text(input, "AllowedPattern").filter(|pattern| !pattern.is_empty()) {
        new.pattern = Some(pattern.to_owned());
    }
    let codes = (INVALID, "TooManyTagsError");
    add_tags(&mut new.tags, tag_list(input, "Tags", KEY_VALUE), codes)?;
    new.value = value.to_owned();
    new.version += 1;
    new.modified = now(&world.base);
    let answer = json!({ "Version": new.version, "Tier": new.tier });
    world.ssm.parameters.insert(place, new);
    Ok(answer)
}

fn tier<'a>(input: &'a Value, value: &str, old: &'a str) -> Result<&'a str, Refusal> {
    let limit = |tier| if tier == "Advanced" { 8192 } else { 4096 };
    let tier = match text(input, "Tier").unwrap_or(if old.is_empty() { "Standard" } else { old }) {
        "Intelligent-Tiering" if value.len() > 4096 || old == "Advanced" => "Advanced",
        "Intelligent-Tiering" => "Standard",
        "Standard" if old == "Advanced" => {
            return Err(invalid(
                "This parameter uses the advanced-parameter tier. You can't downgrade a parameter \
                 from the advanced-parameter tier to the standard-parameter tier.",
            ));
        }
        tier @ ("Standard" | "Advanced") => tier,
        other => return Err(invalid(format!("{other} is not a tier."))),
    };
    if value.len() > limit(tier) {
        Err(invalid(format!(
            "{tier} tier parameters support a maximum parameter value of {} characters.",
            limit(tier)
        )))
    } else {
        Ok(tier)
    }
}

fn is_below(name: &str, path: &str, recursive: bool) -> bool {
    let rest = name.strip_prefix(path.trim_end_matches('/')).and_then(|r| r.strip_prefix('/'));
    rest.is_some_and(|rest| recursive || !rest.contains('/'))
}

fn by_path(state: &State, region: &str, input: &Value) -> Answer {
    let path = need(input, "Path", INVALID)?;
    if !path.starts_with('/') {
        return Err(invalid("The parameter doesn't meet the parameter name requirements."));
    }
    let recursive = flag(input, "Recursive").unwrap_or(false);
    let decrypt = flag(input, "WithDecryption").unwrap_or(false);
    let public = IMAGES.iter().map(|image| format!("{IMAGES_PATH}{image}"));
    let own = here(&state.parameters, region).map(|(name, _)| name.to_owned());
    let names = public.chain(own).filter(|name| is_below(name, path, recursive));
    let views = names.filter_map(|name| {
        let parameter = values::view(state, region, &name, decrypt)?;
        Some((name, parameter))
    });
    let limit = within(input, "MaxResults", 1..=10, INVALID)?.unwrap_or(10);
    let (parameters, next) = page(views.collect(), text(input, "NextToken"), limit as usize);
    let mut answer = json!({ "Parameters": parameters });
    put(&mut answer, "NextToken", next);
    Ok(answer)
}

fn fits(name: &str, parameter: &Parameter, filter: &Value) -> Result<bool, Refusal> {
    let values = texts(filter, "Values");
    let option = text(filter, "Option").unwrap_or("Equals");
    let compare = |actual: &str| {
        values.iter().any(|value| match option {
            "BeginsWith" => actual.starts_with(value.as_str()),
            "Contains" => actual.contains(value.as_str()),
            _ => actual == value,
        })
    };
    Ok(match text(filter, "Key").unwrap_or_default() {
        "Name" => compare(name),
        "Type" => compare(&parameter.kind),
        "Tier" => compare(&parameter.tier),
        "DataType" => compare("text"),
        "KeyId" => parameter.key.as_deref().is_some_and(compare),
        "Path" => {
            let recursive = option == "Recursive";
            values.iter().any(|path| is_below(name, path, recursive))
        }
        key => match key.strip_prefix("tag:") {
            Some(tag) => {
                let value = parameter.tags.get(tag);
                value.is_some_and(|value| values.is_empty() || compare(value))
            }
            None => {
                let message = format!("The filter key {key} is not valid.");
                return Err(Refusal::new("InvalidFilterKey", message));
            }
        },
    })
}

fn describe(state: &State, region: &str, input: &Value) -> Answer {
    let limit = within(input, "MaxResults", 1..=50, INVALID)?.unwrap_or(50);
    let filters = list(input, "ParameterFilters").iter().chain(list(input, "Filters"));
    let filters: Vec<&Value> = filters.collect();
    let mut found = Vec::new();
    for (name, parameter) in here(&state.parameters, region) {
        let mut wanted = true;
        for filter in &filters {
            wanted = wanted && fits(name, parameter, filter)?;
        }
        if wanted {
            found.push((name.to_owned(), metadata(region, name, parameter)));
        }
    }
    let (found, next) = page(found, text(input, "NextToken"), limit as usize);
    let mut answer = json!({ "Parameters": found });
    put(&mut answer, "NextToken", next);
    Ok(answer)
}

fn metadata(region: &str, name: &str, parameter: &Parameter) -> Value {
    let mut view = json!({
        "Name": name,
        "ARN": arn(region, name),
        "Type": parameter.kind,
        "LastModifiedDate": parameter.modified,
        "LastModifiedUser": format!("arn:aws:iam::{ACCOUNT}:user/sandbox"),
        "Version": parameter.version,
        "Tier": parameter.tier,
        "Policies": [],
        "DataType": "text",
    });
    put(&mut view, "Description", parameter.description.clone());
    put(&mut view, "KeyId", parameter.key.clone());
    put(&mut view, "AllowedPattern", parameter.pattern.clone());
    view
}

fn tagged<'a>(
    state: &'a mut State,
    region: &str,
    input: &Value,
) -> Result<&'a mut Parameter, Refusal> {
    if text(input, "ResourceType") != Some("Parameter") {
        let message = "The sandbox tags resources of the type Parameter only.";
        return Err(Refusal::new("InvalidResourceType", message));
    }
    let place = place_of(state, region, need(input, "ResourceId", INVALID)?);
    state
        .parameters
        .get_mut(&place)
        .ok_or_else(|| Refusal::new("InvalidResourceId", "The resource ID is not valid."))
}
