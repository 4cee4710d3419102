//! The sandbox's Certificate Manager: certificates that a DNS record proves.
//!
//! Quirks kept: the record to make is not known at once; a list leaves out all keys but RSA up to
//! 2,048 bits unless asked for others; a certificate in use is not deleted; the algorithm of a key
//! is spelled with an underscore in requests and with a hyphen in answers. A certificate is issued
//! once a hosted zone of the account holds its records, in a strict sandbox a minute later.

mod certificate;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::constraints::{Broken, one_of};
use super::shelf::{Shelf, kept};
use super::toolbox::{
    KEY_VALUE, Tags, add_tags, at, here, list, need, now, number, page, put, remove_tags, tag_list,
    tag_pairs, text, texts, uuid,
};
use super::{ACCOUNT, Answer, Call, Refusal, World, apigateway, elb, route53};

use certificate::{Certificate, record};

/// What Certificate Manager keeps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Certificates by region and ARN.
    certificates: Shelf<Certificate>,
}

kept!(State { certificates });

const INVALID: &str = "ValidationException";
/// The codes for a bad tag and for too many.
const TAGS: (&str, &str) = ("InvalidTagException", "TooManyTagsException");

const KEYS: [&str; 7] = [
    "RSA_1024",
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "EC_prime256v1",
    "EC_secp384r1",
    "EC_secp521r1",
];
/// The keys of a list that does not ask for any.
const USUAL_KEYS: [&str; 2] = ["RSA_1024", "RSA_2048"];

/// The most names of a certificate.
const MOST_NAMES: usize = 10;
/// How long a strict sandbox takes to find the records, in seconds.
const TO_FIND: f64 = 60.0;
/// How long load balancers do not take a certificate that has just been issued, in seconds.
const UNSEEN: f64 = 10.0;
/// How long a token makes a request the same, in seconds.
const SAME: f64 = 3600.0;

const DOMAIN: &str =
    r"(\*\.)?(((?!-)[A-Za-z0-9-]{0,62}[A-Za-z0-9])\.)+((?!-)[A-Za-z0-9-]{1,62}[A-Za-z0-9])";

fn is_domain(name: &str) -> bool {
    let rest = name.strip_prefix("*.").unwrap_or(name);
    let labels: Vec<&str> = rest.split('.').collect();
    let fits = |label: &&str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    name.len() <= 253 && labels.len() > 1 && labels.iter().all(fits)
}

/// What uses a certificate, by ARN.
fn users(world: &World, arn: &str) -> Vec<String> {
    let mut users: Vec<String> = elb::users_of_certificate(&world.elb, arn).cloned().collect();
    users.extend(apigateway::users_of_certificate(&world.apigateway, arn));
    users.sort();
    users.dedup();
    users
}

/// Whether a certificate is issued, if the sandbox knows it.
pub(crate) fn is_issued(world: &World, arn: &str) -> Option<bool> {
    let region = arn.split(':').nth(3).unwrap_or_default();
    let found = world.acm.certificates.get(&at(region, arn));
    found.map(|found| found.is_issued(world.base.now()))
}

/// Whether load balancers take a certificate, if the sandbox knows it: in a strict sandbox only some
/// seconds after it was issued.
pub(crate) fn is_seen(world: &World, arn: &str) -> Option<bool> {
    let region = arn.split(':').nth(3).unwrap_or_default();
    let found = world.acm.certificates.get(&at(region, arn));
    let lag = if world.base.strict { UNSEEN } else { 0.0 };
    found.map(|found| found.is_issued(world.base.now() - lag))
}

/// Whether a certificate stands for a name, if the sandbox knows it.
pub(crate) fn covers(world: &World, arn: &str, name: &str) -> Option<bool> {
    let region = arn.split(':').nth(3).unwrap_or_default();
    let found = world.acm.certificates.get(&at(region, arn))?;
    // A wildcard stands for one label.
    let above = name.split_once('.').map(|(_, above)| format!("*.{above}"));
    Some(found.names.iter().any(|own| own == name || Some(own) == above.as_ref()))
}

/// Issues a certificate at once, whatever its records. Whether it is there.
pub(crate) fn issue(world: &mut World, arn: &str) -> bool {
    let (now, region) = (world.base.now(), arn.split(':').nth(3).unwrap_or_default());
    match world.acm.certificates.get_mut(&at(region, arn)) {
        Some(found) => {
            found.issued = Some(now.floor());
            true
        }
        None => false,
    }
}

/// Proves the names of certificates whose records have appeared.
pub(crate) fn settle(world: &mut World) {
    let World { acm, route53, base, .. } = world;
    let takes = if base.strict { TO_FIND } else { 0.0 };
    let now = base.now();
    let waits =
        acm.certificates.values_mut().filter(|one| one.issued.is_none() && !one.is_given_up(now));
    for mut one in waits {
        let is_proven = |domain: &String| {
            let (name, value) = record(domain);
            route53::has_cname(route53, &name, &value)
        };
        if one.method == "DNS" && one.names.iter().all(is_proven) {
            one.issued = Some((now + takes).floor());
        }
    }
}

/// The number of live objects.
pub(crate) fn counts(state: &State) -> Vec<(&'static str, usize)> {
    vec![("certificates", state.certificates.len())]
}

/// The tags of the certificates of a region, by ARN.
pub(crate) fn all_tags<'a>(
    state: &'a State,
    region: &'a str,
) -> impl Iterator<Item = (String, Cow<'a, Tags>)> + 'a {
    here(&state.certificates, region).map(|(arn, one)| (arn.to_owned(), Cow::Borrowed(&one.tags)))
}

/// Answers a call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    let (input, region) = (&call.input, call.region.as_str());
    match call.operation.as_str() {
        "RequestCertificate" => {
            let answer = request(world, region, input)?;
            settle(world);
            Ok(answer)
        }
        "DescribeCertificate" => {
            let (arn, found) = find(world, region, input)?;
            Ok(json!({ "Certificate": found.described(world, &arn) }))
        }
        "ListCertificates" => list_all(world, region, input),
        "DeleteCertificate" => {
            let (arn, _) = find(world, region, input)?;
            if !users(world, &arn).is_empty() {
                let message = format!("Certificate {arn} in account {ACCOUNT} is in use.");
                return Err(Refusal::new("ResourceInUseException", message));
            }
            world.acm.certificates.remove(&at(region, &arn));
            Ok(Value::Null)
        }
        "AddTagsToCertificate" => {
            let more = tag_list(input, "Tags", KEY_VALUE);
            add_tags(&mut change(world, region, input)?.tags, more, TAGS)?;
            Ok(Value::Null)
        }
        "RemoveTagsFromCertificate" => {
            let given = list(input, "Tags");
            let tags = &mut change(world, region, input)?.tags;
            // A tag with a value goes only if it has this value.
            let goes = |tag: &&Value| {
                let key = text(tag, "Key").unwrap_or_default();
                text(tag, "Value").is_none_or(|value| tags.get(key).is_some_and(|it| it == value))
            };
            let keys = given.iter().filter(goes).filter_map(|tag| text(tag, "Key"));
            let keys: Vec<String> = keys.map(str::to_owned).collect();
            remove_tags(tags, &keys);
            Ok(Value::Null)
        }
        "ListTagsForCertificate" => {
            let (_, found) = find(world, region, input)?;
            Ok(json!({ "Tags": tag_pairs(&found.tags, KEY_VALUE) }))
        }
        "UpdateCertificateOptions" => {
            let options = options(input)?;
            change(world, region, input)?.options.extend(options);
            Ok(Value::Null)
        }
        _ => Err(Refusal::not_covered(&call.service, &call.operation)),
    }
}

/// The options that a request gives.
fn options(input: &Value) -> Result<BTreeMap<String, String>, Refusal> {
    let given = input.get("Options").unwrap_or(&Value::Null);
    let mut broken = Broken::default();
    let mut all = BTreeMap::new();
    for (key, member) in [
        (
            "CertificateTransparencyLoggingPreference",
            "options.certificateTransparencyLoggingPreference",
        ),
        ("Export", "options.export"),
    ] {
        let value = text(given, key);
        broken.one_of(member, value, &["ENABLED", "DISABLED"]);
        all.extend(value.map(|value| (key.to_owned(), value.to_owned())));
    }
    broken.refuse()?;
    Ok(all)
}

fn request(world: &mut World, region: &str, input: &Value) -> Answer {
    let domain = need(input, "DomainName", INVALID)?;
    let others = texts(input, "SubjectAlternativeNames");
    let mut broken = Broken::default();
    let pattern = format!("Member must satisfy regular expression pattern: {DOMAIN}");
    if !is_domain(domain) {
        broken.note("domainName", domain, &pattern);
    }
    if let Some(other) = others.iter().find(|other| !is_domain(other)) {
        broken.note("subjectAlternativeNames", format!("[{other}]"), &pattern);
    }
    let method = text(input, "ValidationMethod").unwrap_or("EMAIL");
    if method == "HTTP" {
        return Err(Refusal::not_covered("acm", "validation by HTTP"));
    }
    broken.one_of("validationMethod", Some(method), &["EMAIL", "DNS"]);
    let key = text(input, "KeyAlgorithm").unwrap_or("RSA_2048");
    if !KEYS.contains(&key) {
        broken.note("keyAlgorithm", key, &one_of(&KEYS));
    }
    broken.refuse()?;
    let mut names = vec![domain.to_owned()];
    for other in others {
        if !names.contains(&other) {
            names.push(other);
        }
    }
    if names.len() > MOST_NAMES {
        let message = format!("The maximum number of domain names is {MOST_NAMES}.");
        return Err(Refusal::new("LimitExceededException", message));
    }
    let mut tags = Tags::new();
    add_tags(&mut tags, tag_list(input, "Tags", KEY_VALUE), TAGS)?;
    let usual = [("CertificateTransparencyLoggingPreference", "ENABLED"), ("Export", "DISABLED")];
    let usual = usual.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let mut all_options = BTreeMap::from(usual);
    all_options.extend(options(input)?);
    let made = Certificate {
        domain: domain.to_owned(),
        names,
        method: method.to_owned(),
        token: text(input, "IdempotencyToken").map(str::to_owned),
        key: key.to_owned(),
        options: all_options,
        tags,
        made: now(&world.base),
        issued: None,
    };
    let is_same = |old: &Certificate| {
        made.token.is_some()
            && (&old.token, &old.names) == (&made.token, &made.names)
            && made.made - old.made < SAME
    };
    let same = here(&world.acm.certificates, region).find(|(_, old)| is_same(old));
    if let Some((arn, _)) = same {
        return Ok(json!({ "CertificateArn": arn }));
    }
    let id = uuid(&mut world.base);
    let arn = format!("arn:aws:acm:{region}:{ACCOUNT}:certificate/{id}");
    world.acm.certificates.insert(at(region, &arn), made);
    Ok(json!({ "CertificateArn": arn }))
}

/// The ARN of a request.
fn named(input: &Value) -> Result<&str, Refusal> {
    let arn = need(input, "CertificateArn", INVALID)?;
    if arn.starts_with("arn:aws") && arn.contains(":acm:") && arn.contains(":certificate/") {
        Ok(arn)
    } else {
        Err(Refusal::new("InvalidArnException", format!("Invalid certificate arn: {arn}")))
    }
}

fn missing(arn: &str) -> Refusal {
    Refusal::new("ResourceNotFoundException", format!("Could not find certificate {arn}."))
}

fn find<'w>(
    world: &'w World,
    region: &str,
    input: &Value,
) -> Result<(String, &'w Certificate), Refusal> {
    let arn = named(input)?;
    let found = world.acm.certificates.get(&at(region, arn)).ok_or_else(|| missing(arn))?;
    Ok((arn.to_owned(), found))
}

fn change<'w>(
    world: &'w mut World,
    region: &str,
    input: &Value,
) -> Result<&'w mut Certificate, Refusal> {
    let arn = named(input)?;
    world.acm.certificates.get_mut(&at(region, arn)).ok_or_else(|| missing(arn))
}

fn list_all(world: &World, region: &str, input: &Value) -> Answer {
    if text(input, "SortBy").is_some() != text(input, "SortOrder").is_some() {
        let message = "SortBy and SortOrder must be specified together.";
        return Err(Refusal::new("InvalidArgsException", message));
    }
    let includes = input.get("Includes").unwrap_or(&Value::Null);
    let keys = texts(includes, "keyTypes");
    let statuses = texts(input, "CertificateStatuses");
    let now = world.base.now();
    let mut all: Vec<(&str, &Certificate)> = here(&world.acm.certificates, region)
        .filter(|(_, one)| {
            if keys.is_empty() {
                USUAL_KEYS.contains(&one.key.as_str())
            } else {
                keys.contains(&one.key)
            }
        })
        .filter(|(_, one)| {
            statuses.is_empty() || statuses.iter().any(|status| status == one.status(now))
        })
        .collect();
    all.sort_by(|(_, one), (_, other)| one.made.total_cmp(&other.made));
    if text(input, "SortOrder") != Some("ASCENDING") {
        all.reverse();
    }
    let shown = all.into_iter().enumerate();
    let shown = shown.map(|(at, (arn, one))| (format!("{at:05}"), one.listed(world, arn)));
    let limit = number(input, "MaxItems").unwrap_or(100).clamp(1, 1000) as usize;
    let (certificates, next) = page(shown.collect(), text(input, "NextToken"), limit);
    let mut answer = json!({ "CertificateSummaryList": certificates });
    put(&mut answer, "NextToken", next);
    Ok(answer)
}
