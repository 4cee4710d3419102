//! Helpers of the sandbox's services: inputs, tags, pages, regions, ids and times.
//!
//! Each service has one map of regional objects, with keys `region|name` ([`at`]).

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Base, Refusal};

/// Tags by key.
pub(crate) type Tags = BTreeMap<String, String>;

/// An error with its HTTP status.
pub(crate) fn refuse(status: u16, code: &str, message: impl Into<String>) -> Refusal {
    Refusal { status, ..Refusal::new(code, message) }
}

/// A text member.
pub(crate) fn text<'a>(input: &'a Value, key: &str) -> Option<&'a str> {
    input.get(key).and_then(Value::as_str)
}

/// A required text member that must not be empty.
pub(crate) fn need<'a>(input: &'a Value, key: &str, code: &str) -> Result<&'a str, Refusal> {
    text(input, key).filter(|text| !text.is_empty()).ok_or_else(|| {
        Refusal::new(code, format!("Value at '{key}' failed to satisfy constraint: is required"))
    })
}

/// A number, sent as a number or as text.
pub(crate) fn number(input: &Value, key: &str) -> Option<i64> {
    let value = input.get(key)?;
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// A boolean, sent as a boolean or as text.
pub(crate) fn flag(input: &Value, key: &str) -> Option<bool> {
    let value = input.get(key)?;
    value.as_bool().or_else(|| value.as_str().map(|text| text.eq_ignore_ascii_case("true")))
}

/// The items of a list. A missing list has none.
pub(crate) fn list<'a>(input: &'a Value, key: &str) -> &'a [Value] {
    input.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A list of texts.
pub(crate) fn texts(input: &Value, key: &str) -> Vec<String> {
    list(input, key).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A single value, or the values of a list.
pub(crate) fn many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    }
}

/// A map of texts.
pub(crate) fn map(input: &Value, key: &str) -> BTreeMap<String, String> {
    let Some(entries) = input.get(key).and_then(Value::as_object) else { return BTreeMap::new() };
    let entry = |(key, value): (&String, &Value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (key.clone(), value)
    };
    entries.iter().map(entry).collect()
}

/// A number that must be in a range, if it is given.
pub(crate) fn within(
    input: &Value,
    key: &str,
    range: RangeInclusive<i64>,
    code: &str,
) -> Result<Option<i64>, Refusal> {
    match number(input, key) {
        Some(number) if !range.contains(&number) => Err(Refusal::new(
            code,
            format!("{key} must be between {} and {}, not {number}.", range.start(), range.end()),
        )),
        found => Ok(found),
    }
}

/// Whether a name has an allowed length, and only letters, digits and these other characters.
pub(crate) fn is_name(name: &str, lengths: RangeInclusive<usize>, others: &str) -> bool {
    lengths.contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

/// Tags sent as a list of pairs, with the names of the two members.
pub(crate) fn tag_list(input: &Value, key: &str, (name, value): (&str, &str)) -> Tags {
    let pairs = list(input, key).iter().filter_map(|pair| {
        Some((text(pair, name)?.to_owned(), text(pair, value).unwrap_or_default().to_owned()))
    });
    pairs.collect()
}

/// Tags as a list of pairs, with the names of the two members.
pub(crate) fn tag_pairs(tags: &Tags, (name, value): (&str, &str)) -> Vec<Value> {
    tags.iter().map(|(key, text)| json!({ name: key, value: text })).collect()
}

/// The usual names of the members of a tag.
pub(crate) const KEY_VALUE: (&str, &str) = ("Key", "Value");

/// Adds tags if AWS would accept them. The codes are those for an invalid tag and for too many
/// tags.
pub(crate) fn add_tags(
    tags: &mut Tags,
    more: Tags,
    (invalid, too_many): (&str, &str),
) -> Result<(), Refusal> {
    let allowed = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c);
    for (key, value) in &more {
        let reason = if key.is_empty() || key.chars().count() > 128 {
            "the key must have 1 to 128 characters"
        } else if value.chars().count() > 256 {
            "the value must have at most 256 characters"
        } else if key.to_lowercase().starts_with("aws:") {
            "keys that start with aws: are reserved"
        } else if !key.chars().chain(value.chars()).all(allowed) {
            "only letters, digits, spaces and _ . : / = + - @ are allowed"
        } else {
            continue;
        };
        return Err(Refusal::new(invalid, format!("Invalid tag '{key}': {reason}.")));
    }
    let mut merged = tags.clone();
    merged.extend(more);
    if merged.len() > 50 {
        return Err(Refusal::new(too_many, "A resource can have at most 50 tags."));
    }
    *tags = merged;
    Ok(())
}

/// Removes tags. Unknown keys do not matter.
pub(crate) fn remove_tags(tags: &mut Tags, keys: &[String]) {
    tags.retain(|key, _| !keys.contains(key));
}

/// One page of a list that is sorted by its keys, and the token of the next page.
pub(crate) fn page<T>(
    items: Vec<(String, T)>,
    token: Option<&str>,
    limit: usize,
) -> (Vec<T>, Option<String>) {
    let mut rest = items.into_iter().filter(|(key, _)| token.is_none_or(|last| &**key > last));
    let page: Vec<(String, T)> = rest.by_ref().take(limit.max(1)).collect();
    let next = match rest.next() {
        Some(_) => page.last().map(|(key, _)| key.clone()),
        None => None,
    };
    (page.into_iter().map(|(_, item)| item).collect(), next)
}

/// Sets a member if there is a value.
pub(crate) fn put(object: &mut Value, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        object[key] = value.into();
    }
}

/// The key of a regional object.
pub(crate) fn at(region: &str, name: &str) -> String {
    format!("{region}|{name}")
}

/// The objects of a region, by name.
pub(crate) fn here<'a, T>(
    map: &'a BTreeMap<String, T>,
    region: &'a str,
) -> impl Iterator<Item = (&'a str, &'a T)> {
    here_with(map, region, "")
}

/// The objects of a region whose names start with a prefix, without a look at the others.
pub(crate) fn here_with<'a, T>(
    map: &'a BTreeMap<String, T>,
    region: &'a str,
    prefix: &str,
) -> impl Iterator<Item = (&'a str, &'a T)> {
    let start = at(region, prefix);
    map.range(start.clone()..)
        .take_while(move |(key, _)| key.starts_with(&start))
        .map(move |(key, item)| (&key[region.len() + 1..], item))
}

/// Whether the text fits the pattern, where `*` is any text and `?` any character.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('*') => {
            let mut tails = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            tails.any(|at| fits(rest.as_str(), &text[at..]))
        }
        Some(first) => {
            let mut tail = text.chars();
            match tail.next() {
                Some(have) if first == '?' || first == have => fits(rest.as_str(), tail.as_str()),
                _ => false,
            }
        }
    }
}

/// Bytes in hex.
pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The hex digest of a text, for ids that stay the same.
pub(crate) fn digest(text: &str) -> String {
    hex(Sha256::digest(text))
}

/// A number from 0 up to 1, always the same for the same request.
pub(crate) fn draw(request_id: &str) -> f64 {
    let number = u32::from_str_radix(&digest(request_id)[..8], 16).unwrap_or_default();
    f64::from(number) / (f64::from(u32::MAX) + 1.0)
}

/// An id in the form of a UUID, always the same for the same seed.
pub(crate) fn uuid_of(seed: &str) -> String {
    let hex = digest(seed);
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]];
    parts.join("-")
}

/// A new UUID.
pub(crate) fn uuid(base: &mut Base) -> String {
    uuid_of(&base.id("uuid"))
}

/// Seconds since the epoch, to the millisecond, as JSON services write times.
pub(crate) fn now(base: &Base) -> f64 {
    (base.now() * 1000.0).round() / 1000.0
}

/// A time as query services write it.
pub(crate) fn iso(seconds: f64) -> String {
    let format = &time::format_description::well_known::Rfc3339;
    time::OffsetDateTime::from_unix_timestamp(seconds as i64)
        .ok()
        .and_then(|time| time.format(format).ok())
        .unwrap_or_default()
}

/// The same with milliseconds, as EC2 and S3 write it.
pub(crate) fn iso_millis(seconds: f64) -> String {
    let format =
        time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].000Z");
    time::OffsetDateTime::from_unix_timestamp(seconds as i64)
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
        .format(&format)
        .unwrap_or_default()
}

/// Calls and objects for tests.
#[cfg(test)]
pub(crate) mod testing {
    use super::super::{Answer, World, dispatch};
    use super::*;

    /// The region of the tests' calls.
    pub(crate) const REGION: &str = "eu-west-1";

    /// One call.
    pub(crate) fn ask(world: &mut World, service: &str, operation: &str, input: Value) -> Answer {
        ask_in(world, REGION, service, operation, input)
    }

    /// One call in a region.
    pub(crate) fn ask_in(
        world: &mut World,
        region: &str,
        service: &str,
        operation: &str,
        input: Value,
    ) -> Answer {
        let call = crate::Call {
            service: service.into(),
            operation: operation.into(),
            input,
            region: region.into(),
        };
        dispatch(world, &call)
    }

    /// A load balancer of the tests.
    pub(crate) struct Balancer {
        pub arn: String,
        pub vpc: String,
    }

    /// Creates an internal load balancer in a network of its own.
    pub(crate) fn make_balancer(world: &mut World) -> Balancer {
        let mut ec2 = |operation: &str, input: Value, path: &str| {
            let made = ask(world, "ec2", operation, input).expect(operation);
            id(&made, path)
        };
        let vpc = ec2("CreateVpc", json!({ "CidrBlock": "10.9.0.0/16" }), "/vpc/vpcId");
        let subnets = ["a", "b"].iter().enumerate().map(|(at, zone)| {
            let input = json!({
                "VpcId": vpc, "CidrBlock": format!("10.9.{at}.0/24"),
                "AvailabilityZone": format!("{REGION}{zone}"),
            });
            ec2("CreateSubnet", input, "/subnet/subnetId")
        });
        let subnets: Vec<String> = subnets.collect();
        let input = json!({ "VpcId": vpc, "GroupName": "lb", "GroupDescription": "lb" });
        let group = ec2("CreateSecurityGroup", input, "/groupId");
        let input = json!({
            "Name": "main", "Scheme": "internal", "Subnets": subnets, "SecurityGroups": [group],
        });
        let made = ask(world, "elasticloadbalancing", "CreateLoadBalancer", input);
        let made = made.expect("CreateLoadBalancer");
        let arn = made["LoadBalancers"][0]["LoadBalancerArn"].as_str().expect("an ARN");
        Balancer { arn: arn.to_owned(), vpc }
    }

    /// The id at a path in an answer.
    pub(crate) fn id(answer: &Value, path: &str) -> String {
        answer.pointer(path).and_then(Value::as_str).expect(path).to_owned()
    }

    /// The code of a refusal.
    pub(crate) fn code(answer: Answer) -> String {
        answer.expect_err("AWS refuses this").code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(more: &[(&str, &str)]) -> Result<Tags, String> {
        let more = more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let mut tags = Tags::new();
        add_tags(&mut tags, more.collect(), ("Bad", "Many")).map_err(|refusal| refusal.code)?;
        Ok(tags)
    }

    #[test]
    fn tags_are_refused_as_aws_refuses_them() {
        assert!(add(&[("payctl:env", "dev 1/2")]).is_ok());
        assert_eq!(add(&[("branch", "a#b")]), Err("Bad".into()));
        assert_eq!(add(&[("aws:x", "1")]), Err("Bad".into()));
        assert_eq!(add(&[("k", &"v".repeat(257))]), Err("Bad".into()));
        let many: Vec<String> = (0..51).map(|n| n.to_string()).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|key| (&**key, "")).collect();
        assert_eq!(add(&many), Err("Many".into()));
        assert!(add(&many[..50]).is_ok());
    }

    #[test]
    fn pages_cover_each_item_once() {
        let items = || (0..5).map(|n| (n.to_string(), n)).collect::<Vec<_>>();
        let (first, token) = page(items(), None, 2);
        let (second, more) = page(items(), token.as_deref(), 2);
        let (third, none) = page(items(), more.as_deref(), 2);
        assert_eq!((first, second, third, none), (vec![0, 1], vec![2, 3], vec![4], None));
    }

    #[test]
    fn times_are_formatted_as_rfc_3339() {
        assert_eq!(iso(0.5), "1970-01-01T00:00:00Z");
    }
}
