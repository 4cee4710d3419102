//! Buckets themselves.

use serde_json::json;

use super::{
    Ask, Bucket, NAME_TAKEN, NAMESPACE, State, configs, document, empty, iso, owner, stored,
};
use crate::wire::Response;
use crate::wire::xml::Element;
use crate::{Refusal, World};

pub(super) fn list(state: &State, ask: &Ask<'_>) -> Result<Response, Refusal> {
    let limit = ask.limit("max-buckets")?.max(1);
    let prefix = ask.param("prefix").unwrap_or_default();
    let after = ask.param("continuation-token").unwrap_or_default();
    let wanted = |(name, bucket): &(&String, &Bucket)| {
        let here = ask.param("bucket-region").is_none_or(|region| region == bucket.region);
        here && name.starts_with(prefix) && name.as_str() > after
    };
    let all: Vec<_> = state.buckets.iter().filter(wanted).collect();
    let shown = &all[..limit.min(all.len())];
    let buckets: Vec<_> = shown
        .iter()
        .map(|(name, bucket)| {
            json!({
                "Name": name,
                "CreationDate": iso(bucket.created),
                "BucketRegion": bucket.region,
            })
        })
        .collect();
    let next = shown.last().filter(|_| shown.len() < all.len()).map(|(name, _)| name);
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
        return Err(Refusal::new("InvalidBucketName", "The specified bucket is not valid."));
    }
    let wish = if ask.request.body.is_empty() { Element::default() } else { ask.xml()? };
    let region = place(ask.region(), wish.text_at(&["LocationConstraint"]))?;
    let mut response = empty(200);
    response.set("location", format!("/{name}"));
    response.set("x-amz-bucket-arn", format!("arn:aws:s3:::{name}"));
    if let Some(bucket) = world.s3.buckets.get(name) {
        if bucket.region == "us-east-1" && region == "us-east-1" {
            return Ok(response);
        }
        let message = "Your previous request to create the named bucket succeeded and you already \
                       own it.";
        return Err(Refusal::new("BucketAlreadyOwnedByYou", message).with_status(409));
    }
    let now = world.base.now();
    let deleted = world.s3.deleted.get(name);
    if world.base.strict && deleted.is_some_and(|deleted| now - deleted < NAME_TAKEN) {
        let message = "A conflicting conditional operation is currently in progress against this \
                       resource. Please try again.";
        return Err(Refusal::new("OperationAborted", message).with_status(409));
    }
    let mut bucket = Bucket { region, created: now, ..Bucket::default() };
    let header = |name| ask.request.header(name);
    let ownership = header("x-amz-object-ownership").unwrap_or("BucketOwnerEnforced");
    let locked = header("x-amz-bucket-object-lock-enabled") == Some("true");
    bucket.configs = configs::of_a_new_bucket(ownership, locked, wish.child("Tags"))?;
    world.s3.deleted.remove(name);
    world.s3.buckets.insert(name.clone(), bucket);
    Ok(response)
}

/// Where a bucket comes to be, from the endpoint's region and the constraint given.
fn place(endpoint: &str, constraint: Option<&str>) -> Result<String, Refusal> {
    let incompatible = |which: &str| {
        let message = format!(
            "The {which} location constraint is incompatible for the region specific endpoint \
             this request was sent to."
        );
        Refusal::new("IllegalLocationConstraintException", message)
    };
    match (endpoint, constraint.filter(|constraint| !constraint.is_empty())) {
        ("us-east-1", None) => Ok(endpoint.to_owned()),
        ("us-east-1", Some("us-east-1")) => {
            let message = "The specified location-constraint is not valid";
            Err(Refusal::new("InvalidLocationConstraint", message))
        }
        ("us-east-1", Some(other)) => Ok(other.to_owned()),
        (_, None) => Err(incompatible("unspecified")),
        (endpoint, Some(constraint)) if endpoint == constraint => Ok(endpoint.to_owned()),
        (_, Some(other)) => Err(incompatible(other)),
    }
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
    response
}

/// Nothing at all for us-east-1, as ever.
pub(super) fn location(bucket: &Bucket) -> Response {
    let region = if bucket.region == "us-east-1" { "" } else { &bucket.region };
    stored(&format!("<LocationConstraint {NAMESPACE}>{region}</LocationConstraint>"))
}

pub(super) fn delete(world: &mut World, ask: &Ask<'_>) -> Result<Response, Refusal> {
    let is_empty = |bucket: &Bucket| bucket.objects.is_empty();
    if !world.s3.buckets.get(&ask.bucket).is_some_and(is_empty) {
        let message = "The bucket you tried to delete is not empty. You must delete all versions \
                       in the bucket.";
        return Err(Refusal::new("BucketNotEmpty", message).with_status(409));
    }
    world.s3.buckets.remove(&ask.bucket);
    if world.base.strict {
        world.s3.deleted.insert(ask.bucket.clone(), world.base.now());
    }
    Ok(empty(204))
}
