//! Custom domain names of REST APIs, and the base paths under which APIs answer there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{Tags, at, digest, here, map, now, put, text, texts};
use super::super::{Answer, Refusal, World, acm};
use super::patch::patches;
use super::{State, bad, conflict, gone, listed, need, tag};

/// A domain name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Domain {
    certificate: String,
    policy: String,
    addresses: String,
    pub tags: Tags,
    /// Mappings by base path; that of the root is empty.
    mappings: BTreeMap<String, Mapping>,
    /// Until when it takes a change in.
    changing: f64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Mapping {
    api: String,
    stage: Option<String>,
}

/// The base path of the root in a path and in an answer.
const ROOT: &str = "(none)";
const POLICIES: [&str; 2] = ["TLS_1_0", "TLS_1_2"];
/// How long a strict sandbox takes for another certificate, in seconds.
const TIME: f64 = 60.0;

impl Domain {
    fn view(&self, region: &str, name: &str, now: f64) -> Value {
        let id = &digest(&format!("{region}|{name}"))[..10];
        let mut view = json!({
            "domainName": name,
            "domainNameArn": format!("arn:aws:apigateway:{region}::/domainnames/{name}"),
            "regionalCertificateArn": self.certificate,
            "regionalDomainName": format!("d-{id}.execute-api.{region}.amazonaws.com"),
            "regionalHostedZoneId": "Z1UJRXOUMOOFQ8",
            "endpointConfiguration": {
                "types": ["REGIONAL"], "ipAddressType": self.addresses,
            },
            "domainNameStatus": if self.changing > now { "UPDATING" } else { "AVAILABLE" },
            "securityPolicy": self.policy,
            "routingMode": "BASE_PATH_MAPPING_ONLY",
        });
        if !self.tags.is_empty() {
            view["tags"] = json!(self.tags);
        }
        view
    }
}

impl Mapping {
    fn view(&self, path: &str) -> Value {
        let shown = if path.is_empty() { ROOT } else { path };
        let mut view = json!({ "basePath": shown, "restApiId": self.api });
        put(&mut view, "stage", self.stage.clone());
        view
    }
}

/// The domain names that show a certificate to clients, by ARN.
pub(super) fn users<'a>(
    state: &'a State,
    certificate: &'a str,
) -> impl Iterator<Item = String> + 'a {
    let shows = state.domains.iter().filter(move |(_, one)| one.certificate == certificate);
    shows.filter_map(|(place, _)| {
        let (region, name) = place.split_once('|')?;
        Some(format!("arn:aws:apigateway:{region}::/domainnames/{name}"))
    })
}

/// Refuses to delete an API or a stage that a base path leads to.
pub(super) fn is_unmapped(
    state: &State,
    region: &str,
    api: &str,
    stage: Option<&str>,
) -> Result<(), Refusal> {
    let leads = |one: &Mapping| {
        one.api == api && stage.is_none_or(|stage| one.stage.as_deref() == Some(stage))
    };
    match here(&state.domains, region).any(|(_, one)| one.mappings.values().any(leads)) {
        true => Err(bad(
            "Please remove all base path mappings related to the RestApi in your domain first",
        )),
        false => Ok(()),
    }
}

pub(super) fn call(
    world: &mut World,
    operation: &str,
    region: &str,
    input: &Value,
) -> Option<Answer> {
    Some(match operation {
        "CreateDomainName" => create(world, region, input),
        "GetDomainNames" => {
            let now = now(&world.base);
            let all = here(&world.apigateway.domains, region);
            let all = all.map(|(name, one)| (name.to_owned(), one.view(region, name, now)));
            Ok(listed(all.collect(), input))
        }
        "GetDomainName" => {
            let now = now(&world.base);
            find(&mut world.apigateway, region, input)
                .map(|(name, one)| one.view(region, name, now))
        }
        "UpdateDomainName" => update(world, region, input),
        "DeleteDomainName" => find(&mut world.apigateway, region, input)
            .map(|(name, _)| at(region, name))
            .map(|place| {
                world.apigateway.domains.remove(&place);
                Value::Null
            }),
        "CreateBasePathMapping" => create_mapping(&mut world.apigateway, region, input),
        "GetBasePathMappings" => find(&mut world.apigateway, region, input).map(|(_, one)| {
            let all = one.mappings.iter().map(|(path, it)| (path.clone(), it.view(path)));
            listed(all.collect(), input)
        }),
        "GetBasePathMapping" => {
            mapping(&mut world.apigateway, region, input).map(|(path, _, it)| it.view(&path))
        }
        "UpdateBasePathMapping" => update_mapping(&mut world.apigateway, region, input),
        "DeleteBasePathMapping" => delete_mapping(&mut world.apigateway, region, input),
        _ => return None,
    })
}

/// Refuses a certificate that cannot stand for a name.
fn check(world: &World, region: &str, name: &str, certificate: &str) -> Result<(), Refusal> {
    if !certificate.starts_with(&format!("arn:aws:acm:{region}:")) {
        return Err(bad(format!(
            "Invalid certificate ARN: {certificate}. Certificate must be in '{region}'."
        )));
    }
    if acm::is_issued(world, certificate) == Some(false) {
        return Err(bad(format!("The certificate {certificate} is not issued yet.")));
    }
    match acm::covers(world, certificate, name) {
        Some(false) => Err(bad(format!(
            "The domain name {name} is not covered by the certificate {certificate}."
        ))),
        Some(true) | None => Ok(()),
    }
}

fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = need(input, "domainName")?;
    let endpoint = input.get("endpointConfiguration").unwrap_or(&Value::Null);
    if texts(endpoint, "types") != ["REGIONAL"] {
        return Err(Refusal::not_covered("apigateway", "domain names that are not regional"));
    }
    if name != name.to_lowercase() || !name.contains('.') {
        return Err(bad(format!("The domain name {name} is not valid.")));
    }
    let certificate = need(input, "regionalCertificateArn")?;
    check(world, region, name, certificate)?;
    let policy = text(input, "securityPolicy").unwrap_or("TLS_1_2");
    if !POLICIES.contains(&policy) {
        return Err(bad(format!("Invalid security policy: {policy}")));
    }
    if world.apigateway.domains.contains_key(&at(region, name)) {
        return Err(conflict("The domain name you provided already exists."));
    }
    let mut made = Domain {
        certificate: certificate.to_owned(),
        policy: policy.to_owned(),
        addresses: text(endpoint, "ipAddressType").unwrap_or("ipv4").to_owned(),
        ..Domain::default()
    };
    tag(&mut made.tags, map(input, "tags"))?;
    let view = made.view(region, name, now(&world.base));
    world.apigateway.domains.insert(at(region, name), made);
    Ok(view)
}

fn find<'a, 'b>(
    state: &'a mut State,
    region: &str,
    input: &'b Value,
) -> Result<(&'b str, &'a mut Domain), Refusal> {
    let name = need(input, "domain")?;
    let found = state.domains.get_mut(&at(region, name));
    let found = found.ok_or_else(|| gone("Invalid domain name identifier specified"))?;
    Ok((name, found))
}

fn update(world: &mut World, region: &str, input: &Value) -> Answer {
    let today = now(&world.base);
    let takes = if world.base.strict { TIME } else { 0.0 };
    let (name, found) = find(&mut world.apigateway, region, input)?;
    let mut changed = found.clone();
    for patch in patches(input)? {
        match (patch.op, patch.path().as_slice()) {
            ("replace", ["regionalCertificateArn"]) => {
                changed.certificate = patch.text().to_owned();
                changed.changing = today + takes;
            }
            ("replace", ["securityPolicy"]) if POLICIES.contains(&patch.text()) => {
                changed.policy = patch.text().to_owned();
            }
            ("replace", ["endpointConfiguration", "ipAddressType"]) => {
                changed.addresses = patch.text().to_owned();
            }
            _ => {
                return Err(patch.refused(&[
                    "/regionalCertificateArn",
                    "/securityPolicy",
                    "/endpointConfiguration/ipAddressType",
                ]));
            }
        }
    }
    check(world, region, name, &changed.certificate)?;
    let view = changed.view(region, name, today);
    world.apigateway.domains.insert(at(region, name), changed);
    Ok(view)
}

/// Refuses a mapping to what is not there.
fn check_mapping(state: &State, region: &str, to: &Mapping) -> Result<(), Refusal> {
    let api = state.apis.get(&at(region, &to.api));
    let api = api.ok_or_else(|| bad("Invalid REST API identifier specified"))?;
    match &to.stage {
        Some(stage) if !api.stages.contains_key(stage) => {
            Err(bad("Invalid stage identifier specified"))
        }
        Some(_) | None => Ok(()),
    }
}

fn create_mapping(state: &mut State, region: &str, input: &Value) -> Answer {
    find(state, region, input)?;
    let path = base_path(text(input, "basePath").unwrap_or_default());
    if path.contains('/') {
        return Err(bad(
            "API Gateway V1 doesn't support the slash character (/) in base path mappings. To \
             create a multi-level base path mapping, use API Gateway V2.",
        ));
    }
    let stage = text(input, "stage").filter(|stage| !stage.is_empty()).map(str::to_owned);
    let made = Mapping { api: need(input, "restApiId")?.to_owned(), stage };
    check_mapping(state, region, &made)?;
    let (_, domain) = find(state, region, input)?;
    if domain.mappings.contains_key(path) {
        return Err(conflict("Base path already exists for this domain name"));
    }
    let view = made.view(path);
    domain.mappings.insert(path.to_owned(), made);
    Ok(view)
}

/// A base path as it is kept.
fn base_path(given: &str) -> &str {
    if given == ROOT { "" } else { given }
}

/// The mapping of a request, its base path and its domain.
fn mapping<'a, 'b>(
    state: &'a mut State,
    region: &str,
    input: &'b Value,
) -> Result<(String, &'a mut Domain, Mapping), Refusal> {
    let path = base_path(need(input, "path")?).to_owned();
    let (_, domain) = find(state, region, input)?;
    let found = domain.mappings.get(&path).cloned();
    let found = found.ok_or_else(|| gone("Invalid base path mapping identifier specified"))?;
    Ok((path, domain, found))
}

fn update_mapping(state: &mut State, region: &str, input: &Value) -> Answer {
    let (old, _, mut found) = mapping(state, region, input)?;
    let mut path = old.clone();
    for patch in patches(input)? {
        match (patch.op, patch.path().as_slice()) {
            ("replace", ["basePath"]) => path = base_path(patch.text()).to_owned(),
            ("replace", ["restapiId" | "restApiId"]) => found.api = patch.text().to_owned(),
            ("replace", ["stage"]) => {
                found.stage = Some(patch.text().to_owned()).filter(|stage| !stage.is_empty());
            }
            _ => return Err(patch.refused(&["/basePath", "/restapiId", "/stage"])),
        }
    }
    check_mapping(state, region, &found)?;
    let (_, domain) = find(state, region, input)?;
    if path != old && domain.mappings.contains_key(&path) {
        return Err(conflict("Base path already exists for this domain name"));
    }
    let view = found.view(&path);
    domain.mappings.remove(&old);
    domain.mappings.insert(path, found);
    Ok(view)
}

fn delete_mapping(state: &mut State, region: &str, input: &Value) -> Answer {
    let (path, domain, _) = mapping(state, region, input)?;
    domain.mappings.remove(&path);
    Ok(Value::Null)
}
