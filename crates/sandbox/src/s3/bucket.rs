//! Buckets: creation, location, lists and deletion.

use serde_json::json;

use super::{
    Ask, Bucket, NAME_TAKEN, NAMESPACE, State, checks, configs, document, empty, listing, owner,
    stored,
};
use crate::toolbox::iso_millis;
use crate::wire::Response;
use crate::wire::xml::Element;
use crate::{Refusal, World};

pub(super) fn list(state: &State, ask: &Ask<'_>) -> Result<Response, Refusal> {
    let limit = ask.limit("max-buckets")?.max(1);
    if let Some(region) = ask.param("bucket-region").filter(|region| !is_region(region)) {
        let message = format!("Argument value {region} is not a valid AWS Region");
        return Err(checks::invalid(message).about("ArgumentName", "bucket-region"));
    }
    let prefix = ask.param("prefix").unwrap_or_default();
    let after = ask.param("continuation-token").map(listing::place_of).transpose()?;
    let after = after.unwrap_or_default();
    let wanted = |(name, bucket): &(&String, &Bucket)| {
        let here = ask.param("bucket-region").is_none_or(|region| region == bucket.region);
        here && name.starts_with(prefix) && **name > after
    };
    let all: Vec<_> = state.buckets.iter().filter(wanted).collect();
    let shown = &all[..limit.min(all.len())];
    let buckets: Vec<_> = shown
        .iter()
        .map(|(name, bucket)| {
            json!({
                "Name": name,
                "CreationDate": iso_millis(bucket.created),
                "BucketRegion": bucket.region,
                "BucketArn": format!("arn:aws:s3:::{name}"),
            })
        })
        .collect();
    let next =
        shown.last().filter(|_| shown.len() < all.len()).map(|(name, _)| listing::token(name));
    let answer = json!({
        "Owner": owner(),
        "Buckets": { "Bucket": buckets },
        "ContinuationToken": next,
        "Prefix": ask.param("prefix"),
    });
    Ok(document("ListAllMyBucketsResult", &answer))
}

pub(super) fn create(world: &mut World, ask: &Ask<'_>) -> Result<Response, Refusal> {
    let name = &ask.bucket;
    if !is_valid(name) {
        let refusal = Refusal::new("InvalidBucketName", "The specified bucket is not valid.");
        return Err(refusal.about("BucketName", name));
    }
    let wish = if ask.request.body.is_empty() { Element::default() } else { ask.xml()? };
    let constraint = wish.text_at(&["LocationConstraint"]).filter(|text| !text.is_empty());
    let region = place(ask.region(), constraint)?;
    let mut response = empty(200);
    response.set(
        "location",
        match region.as_str() {
            "us-east-1" => format!("/{name}"),
            _ => format!("http://{name}.s3.amazonaws.com/"),
        },
    );
    response.set("x-amz-bucket-arn", format!("arn:aws:s3:::{name}"));
    if let Some(bucket) = world.s3.buckets.get(name) {
        let tagged = wish.child("Tags").is_some_and(|tags| !tags.children.is_empty());
        if bucket.region == "us-east-1" && region == "us-east-1" && !tagged {
            return Ok(response);
        }
        let message = "Your previous request to create the named bucket succeeded and you already \
                       own it.";
        let refusal = Refusal::new("BucketAlreadyOwnedByYou", message).with_status(409);
        return Err(refusal.about("BucketName", name));
    }
    let now = world.base.now();
    let deleted = world.s3.deleted.get(name);
    if world.base.strict && deleted.is_some_and(|deleted| now - deleted < NAME_TAKEN) {
        let message = "A conflicting conditional operation is currently in progress against this \
                       resource. Please try again.";
        return Err(Refusal::new("OperationAborted", message).with_status(409));
    }
    let constraint = constraint.filter(|text| *text != region).map(str::to_owned);
    let mut bucket = Bucket { region, constraint, created: now, ..Bucket::default() };
    let header = |name| ask.request.header(name);
    let ownership = header("x-amz-object-ownership").unwrap_or("BucketOwnerEnforced");
    if !checks::OWNERSHIPS.contains(&ownership) {
        let message = format!("Invalid x-amz-object-ownership header: {ownership}");
        return Err(checks::invalid(message).about("ArgumentName", "x-amz-object-ownership"));
    }
    let locked = header("x-amz-bucket-object-lock-enabled") == Some("true");
    bucket.configs = configs::of_a_new_bucket(ownership, locked, wish.child("Tags"))?;
    world.s3.deleted.remove(name);
    world.s3.buckets.insert(name.clone(), bucket);
    Ok(response)
}

/// The region of a new bucket, from the region of the endpoint and the location constraint. `EU` is
/// an old name of eu-west-1.
fn place(endpoint: &str, constraint: Option<&str>) -> Result<String, Refusal> {
    let incompatible = |which: &str| {
        let message = format!(
            "The {which} location constraint is incompatible for the region specific endpoint \
             this request was sent to."
        );
        Refusal::new("IllegalLocationConstraintException", message)
    };
    let region = match constraint {
        Some("EU") => Some("eu-west-1"),
        other => other,
    };
    match (endpoint, region, constraint) {
        ("us-east-1", None, _) => Ok(endpoint.to_owned()),
        ("us-east-1", Some(region), _) if region != endpoint && is_region(region) => {
            Ok(region.to_owned())
        }
        ("us-east-1", _, wrong) => {
            let message = "The specified location-constraint is not valid";
            let refusal = Refusal::new("InvalidLocationConstraint", message);
            Err(refusal.about("LocationConstraint", wrong.unwrap_or_default()))
        }
        (_, Some(region), _) if region == endpoint => Ok(endpoint.to_owned()),
        (_, _, other) => Err(incompatible(other.unwrap_or("unspecified"))),
    }
}

/// Whether AWS has a region with this name.
fn is_region(name: &str) -> bool {
    const PLACES: &[(&str, &[&str])] = &[
        ("af", &["south-1"]),
        (
            "ap",
            &[
                "east-1",
                "east-2",
                "northeast-1",
                "northeast-2",
                "northeast-3",
                "south-1",
                "south-2",
                "southeast-1",
                "southeast-2",
                "southeast-3",
                "southeast-4",
                "southeast-5",
                "southeast-6",
                "southeast-7",
            ],
        ),
        ("ca", &["central-1", "west-1"]),
        (
            "eu",
            &[
                "central-1",
                "central-2",
                "north-1",
                "south-1",
                "south-2",
                "west-1",
                "west-2",
                "west-3",
            ],
        ),
        ("il", &["central-1"]),
        ("me", &["central-1", "south-1"]),
        ("mx", &["central-1"]),
        ("sa", &["east-1"]),
        ("us", &["east-1", "east-2", "west-1", "west-2"]),
    ];
    let (area, place) = name.split_once('-').unwrap_or_default();
    PLACES.iter().any(|(known, places)| *known == area && places.contains(&place))
}

fn is_valid(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    (3..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| inner(*byte) || b".-".contains(byte))
        && inner(bytes[0])
        && inner(bytes[bytes.len() - 1])
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
        && !["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|prefix| name.starts_with(prefix))
        && !["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"]
            .iter()
            .any(|suffix| name.ends_with(suffix))
}

pub(super) fn head(ask: &Ask<'_>, bucket: &Bucket) -> Response {
    let mut response = empty(200);
    response.set("x-amz-bucket-region", bucket.region.clone());
    response.set("x-amz-bucket-arn", format!("arn:aws:s3:::{}", ask.bucket));
    response.set("x-amz-access-point-alias", "false".to_owned());
    response.set("content-type", "application/xml");
    response
}

/// The location of a bucket. For us-east-1 it is empty.
pub(super) fn location(bucket: &Bucket) -> Response {
    let region = if bucket.region == "us-east-1" { "" } else { &bucket.region };
    let region = bucket.constraint.as_deref().unwrap_or(region);
    stored(&format!("<LocationConstraint {NAMESPACE}>{region}</LocationConstraint>"))
}

pub(super) fn delete(world: &mut World, ask: &Ask<'_>) -> Result<Response, Refusal> {
    let is_empty = |bucket: &Bucket| bucket.objects.is_empty();
    if !world.s3.buckets.get(&ask.bucket).is_some_and(is_empty) {
        let versioned =
            world.s3.buckets.get(&ask.bucket).and_then(configs::versioning_status).is_some();
        let message = if versioned {
            "The bucket you tried to delete is not empty. You must delete all versions in the \
                 bucket."
        } else {
            "The bucket you tried to delete is not empty"
        };
        let refusal = Refusal::new("BucketNotEmpty", message).with_status(409);
        return Err(refusal.about("BucketName", &*ask.bucket));
    }
    world.s3.buckets.remove(&ask.bucket);
    if world.base.strict {
        world.s3.deleted.insert(ask.bucket.clone(), world.base.now());
    }
    Ok(empty(204))
}
