//! The sandbox's S3: buckets with their sub-configurations, objects with their versions.
//!
//! It answers path-style and virtual-hosted requests. As on AWS, new buckets block public access,
//! encrypt with AES256 and disable ACLs by default. A bucket with versions or delete markers cannot
//! be deleted. The creation of an existing bucket of the same owner succeeds in us-east-1 and is a
//! conflict elsewhere. Object Lock protects objects that are written while a default is set. The
//! sandbox does not support parts of multipart uploads, copies, ranges, or ACLs and locks of single
//! objects.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::shelf::{Shelf, kept};
use super::toolbox::Tags;
use super::wire::xml::{self, Element, Lists};
use super::wire::{Request, Response, Route, encode, form};
use super::{Refusal, World};

mod acl;
mod bucket;
mod checks;
mod configs;
mod lifecycle;
mod listing;
mod notifications;
mod object;
mod policy;
#[cfg(test)]
mod tests;
mod uploads;
mod web;

/// The canonical id of the account, which owns all buckets and objects.
const OWNER: &str = "5a4d00000000000000000000000000000000000000000000000000000000a11c";

/// How long the name of a deleted bucket stays taken on a strict sandbox, in seconds.
const NAME_TAKEN: f64 = 30.0;

/// The state of S3.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Buckets by name.
    pub buckets: Shelf<Bucket>,
    /// When buckets were deleted, by name.
    pub deleted: Shelf<f64>,
}

kept!(State { buckets, deleted });

/// A bucket.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Bucket {
    /// Its region.
    pub region: String,
    /// The location constraint of its creation, if that has another name than the region.
    pub constraint: Option<String>,
    /// When it was created, in seconds since the epoch.
    pub created: f64,
    /// Sub-configurations as XML, by the name of their query parameter.
    pub configs: BTreeMap<String, String>,
    /// The smallest size of objects that its lifecycle rules move, if a call has set it.
    pub least: Option<String>,
    /// The bucket policy.
    pub policy: Option<String>,
    /// Versions by key, newest last. A list is never empty.
    pub objects: BTreeMap<String, Vec<Version>>,
    /// Multipart uploads that are under way.
    pub uploads: Vec<uploads::Upload>,
}

/// One version of an object, or a delete marker.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Version {
    /// `null` if it was written without versioning.
    pub id: String,
    /// When it was written, in seconds since the epoch.
    pub modified: f64,
    /// The content in base64, or `None` for a delete marker.
    pub body: Option<String>,
    /// The number of bytes.
    pub size: usize,
    /// A digest of the content. It is not the MD5 that AWS returns, so nothing may rely on that.
    pub etag: String,
    /// `content-type` and `x-amz-meta-*`, as the client sent them.
    pub headers: BTreeMap<String, String>,
    /// The mode and the end of its lock, in seconds since the epoch.
    pub lock: Option<(String, f64)>,
}

/// The number of live objects.
pub(crate) fn counts(state: &State) -> Vec<(&'static str, usize)> {
    let versions = state.buckets.values().flat_map(|bucket| bucket.objects.values());
    vec![("buckets", state.buckets.len()), ("versions", versions.map(Vec::len).sum())]
}

/// The tags of a region's buckets, by ARN.
pub(crate) fn all_tags(state: &State, region: &str) -> Vec<(String, Tags)> {
    let here = state.buckets.iter().filter(|(_, bucket)| bucket.region == region);
    let tags = |bucket: &Bucket| {
        let document = Element::parse(bucket.configs.get("tagging")?).ok()?;
        let set = document.child("TagSet")?;
        let pair = |tag: &Element| {
            Some((tag.text_at(&["Key"])?.to_owned(), tag.text_at(&["Value"])?.to_owned()))
        };
        Some(set.all("Tag").filter_map(pair).collect())
    };
    here.filter_map(|(name, bucket)| Some((format!("arn:aws:s3:::{name}"), tags(bucket)?)))
        .collect()
}

/// Lets a service deliver logs to a bucket: the service adds itself to the policy, unless it is
/// there. The answer says whether the bucket exists.
pub(crate) fn admit_log_delivery(state: &mut State, name: &str, region: &str) -> bool {
    let Some(bucket) = state.buckets.get_mut(name) else { return false };
    policy::admit_log_delivery(bucket, name, region);
    true
}

/// The parts of a request.
struct Ask<'a> {
    request: &'a Request,
    bucket: String,
    key: String,
    query: BTreeMap<String, String>,
    region: Option<&'a str>,
}

impl<'a> Ask<'a> {
    fn of(request: &'a Request, region: Option<&'a str>) -> Self {
        let (bucket, key) = place(request);
        let query = form::pairs(request.query()).into_iter().collect();
        Self { request, bucket, key, query, region }
    }

    fn region(&self) -> &'a str {
        self.region.unwrap_or("us-east-1")
    }

    fn param(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn limit(&self, name: &str) -> Result<usize, Refusal> {
        let Some(text) = self.param(name) else { return Ok(1000) };
        let message = || format!("Provided {name} not an integer or within integer range");
        let limit: usize = text.parse().map_err(|_| Refusal::new("InvalidArgument", message()))?;
        Ok(limit.min(1000))
    }

    /// The content, without the frames of a streaming upload.
    fn body(&self) -> Result<Vec<u8>, Refusal> {
        let header = |name| self.request.header(name).unwrap_or_default();
        let framed = header("content-encoding").contains("aws-chunked")
            || header("x-amz-content-sha256").starts_with("STREAMING-");
        if framed {
            unframe(&self.request.body).ok_or_else(|| {
                Refusal::new("IncompleteBody", "The request body terminated unexpectedly")
            })
        } else {
            Ok(self.request.body.clone())
        }
    }

    fn xml(&self) -> Result<Element, Refusal> {
        let body = self.body()?;
        Element::parse(std::str::from_utf8(&body).map_err(|_| xml::malformed())?)
    }
}

/// Decodes aws-chunked frames: `size[;signature]\r\n`, bytes, `\r\n`, up to a frame of size zero.
/// It does not check trailers.
fn unframe(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let line = std::str::from_utf8(&rest[..end]).ok()?;
        let size = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Some(content);
        }
        content.extend_from_slice(rest.get(..size)?);
        rest = rest[size..].strip_prefix(b"\r\n")?;
    }
}

/// The bucket and the key, each empty if there is none.
pub(super) fn place(request: &Request) -> (String, String) {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let path = request.path().trim_start_matches('/');
    if let Some(bucket) = virtual_host(request.header("host").unwrap_or_default()) {
        return (bucket.to_owned(), decode(path));
    }
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    (decode(bucket), decode(key))
}

/// The bucket in a host such as `bucket.s3.eu-west-1.amazonaws.com` or `bucket.localhost:4566`.
fn virtual_host(host: &str) -> Option<&str> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let bucket = match name.strip_suffix(".localhost") {
        Some(before) => before.strip_suffix(".s3").unwrap_or(before),
        None => name.rfind(".s3.").or_else(|| name.rfind(".s3-")).map(|at| &name[..at])?,
    };
    (bucket != "s3").then_some(bucket)
}

/// Query parameters that belong to an operation and do not name one.
const PARAMETERS: &[&str] = &[
    "bucket-region",
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "key-marker",
    "list-type",
    "marker",
    "max-buckets",
    "max-keys",
    "max-uploads",
    "partNumber",
    "prefix",
    "start-after",
    "upload-id-marker",
    "version-id-marker",
    "versionId",
    "x-id",
];

/// The operation that a request asks for.
pub(crate) fn operation(request: &Request) -> String {
    let ask = Ask::of(request, None);
    let method = request.method.as_str();
    let selector = ask.query.keys().map(String::as_str).find(|name| {
        let lower = name.to_ascii_lowercase();
        !PARAMETERS.contains(name)
            && !lower.starts_with("x-amz-")
            && !lower.starts_with("response-")
    });
    let on = (ask.bucket.is_empty(), ask.key.is_empty());
    let name = match (method, on, selector) {
        ("GET", (true, _), None) => "ListBuckets",
        ("PUT", (false, true), None) => "CreateBucket",
        ("HEAD", (false, true), None) => "HeadBucket",
        ("DELETE", (false, true), None) => "DeleteBucket",
        ("GET", (false, true), None) if ask.param("list-type") == Some("2") => "ListObjectsV2",
        ("GET", (false, true), None) => "ListObjects",
        ("GET", (false, true), Some("location")) => "GetBucketLocation",
        ("GET", (false, true), Some("versions")) => "ListObjectVersions",
        ("GET", (false, true), Some("uploads")) => "ListMultipartUploads",
        ("POST", (false, true), Some("delete")) => "DeleteObjects",
        ("GET", (false, true), Some("policy")) => "GetBucketPolicy",
        ("PUT", (false, true), Some("policy")) => "PutBucketPolicy",
        ("DELETE", (false, true), Some("policy")) => "DeleteBucketPolicy",
        ("GET", (false, true), Some("policyStatus")) => "GetBucketPolicyStatus",
        (_, (false, true), Some(selector)) => {
            let config = configs::operation(method, selector);
            return config.unwrap_or_else(|| format!("{method}?{selector}"));
        }
        ("PUT", (false, false), None) if request.header("x-amz-copy-source").is_none() => {
            "PutObject"
        }
        ("GET", (false, false), None) => "GetObject",
        ("HEAD", (false, false), None) => "HeadObject",
        ("DELETE", (false, false), None) => "DeleteObject",
        ("GET", (false, false), Some("retention")) => "GetObjectRetention",
        ("POST", (false, false), Some("uploads")) => "CreateMultipartUpload",
        ("DELETE", (false, false), Some("uploadId")) => "AbortMultipartUpload",
        _ => "",
    };
    match (name, selector) {
        ("", Some(selector)) => format!("{method}?{selector}"),
        ("", None) => format!("{method} {}", request.path()),
        _ => name.to_owned(),
    }
}

/// Answers one request.
pub(crate) fn handle(world: &mut World, request: &Request, route: &Route) -> Response {
    let ask = Ask::of(request, route.region.as_deref());
    match answer(world, &ask, &route.operation) {
        Ok(mut response) => {
            let id = encode::request_id();
            response.set("x-amz-request-id", id.clone());
            response.set("x-amz-id-2", id);
            response
        }
        Err(refusal) => {
            let mut response = encode::refuse(route, &refusal);
            if let Some(bucket) = world.s3.buckets.get(&ask.bucket) {
                response.set("x-amz-bucket-region", bucket.region.clone());
            }
            if refusal.code == "NoSuchKey" && object::is_deleted(&world.s3, &ask) {
                response.set("x-amz-delete-marker", "true".to_owned());
            }
            response
        }
    }
}

/// Checks the owner that the caller expects.
fn check_owner(ask: &Ask<'_>) -> Result<(), Refusal> {
    match ask.request.header("x-amz-expected-bucket-owner") {
        None | Some(crate::ACCOUNT) => Ok(()),
        Some(id) if id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(Refusal::new("AccessDenied", "Access Denied").with_status(403))
        }
        Some(id) => {
            let message = format!(
                "The value of the expected bucket owner parameter must be an AWS Account ID... [{id}]"
            );
            Err(Refusal::new("InvalidBucketOwnerAWSAccountID", message))
        }
    }
}

fn answer(world: &mut World, ask: &Ask<'_>, operation: &str) -> Result<Response, Refusal> {
    match operation {
        "ListBuckets" => return bucket::list(&world.s3, ask),
        "CreateBucket" => return bucket::create(world, ask),
        _ => {}
    }
    let Some(found) = world.s3.buckets.get_mut(&ask.bucket) else {
        let message = "The specified bucket does not exist";
        let refusal = Refusal::new("NoSuchBucket", message).with_status(404);
        return Err(refusal.about("BucketName", &*ask.bucket));
    };
    check_owner(ask)?;
    if operation == "GetBucketLocation" {
        return Ok(bucket::location(found));
    }
    if ask.region.is_some_and(|region| region != found.region) {
        let message = "The bucket you are attempting to access must be addressed using the \
                       specified endpoint. Please send all future requests to this endpoint.";
        return Err(Refusal::new("PermanentRedirect", message).with_status(301));
    }
    match operation {
        "HeadBucket" => Ok(bucket::head(ask, found)),
        "DeleteBucket" => bucket::delete(world, ask),
        "GetBucketPolicy" => policy::get(found, &ask.bucket),
        "GetBucketPolicyStatus" => policy::status(found, &ask.bucket),
        "PutBucketPolicy" => policy::put(found, ask),
        "DeleteBucketPolicy" => {
            found.policy = None;
            Ok(empty(204))
        }
        "ListObjectsV2" | "ListObjects" => listing::objects(found, ask),
        "ListObjectVersions" => listing::versions(found, ask),
        "ListMultipartUploads" => uploads::list(found, ask),
        "CreateMultipartUpload" => Ok(uploads::create(found, ask, world.base.now())),
        "AbortMultipartUpload" => uploads::abort(found, ask),
        "PutObject" => object::put(world, ask),
        "GetObject" | "HeadObject" => object::get(found, ask, operation == "HeadObject"),
        "DeleteObject" => object::delete(world, ask),
        "GetObjectRetention" => object::retention(found, ask),
        "DeleteObjects" => object::delete_many(world, ask),
        other => configs::answer(world, ask, other),
    }
}

const NAMESPACE: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";

fn document(root: &str, content: &Value) -> Response {
    let mut text = String::new();
    xml::write_content(&mut text, content, Lists::Flat);
    stored(&format!("<{root} {NAMESPACE}>{text}</{root}>"))
}

fn stored(xml: &str) -> Response {
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{xml}").into_bytes();
    let mut response = Response { status: 200, body, ..Response::default() };
    response.set("content-type", "application/xml");
    response
}

fn empty(status: u16) -> Response {
    Response { status, ..Response::default() }
}

fn owner() -> Value {
    json!({ "ID": OWNER })
}

/// A time such as `Sat, 31 Jan 2026 12:00:00 GMT`.
fn http_date(seconds: f64) -> String {
    let form = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    OffsetDateTime::from_unix_timestamp(seconds as i64)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .format(&form)
        .unwrap_or_default()
}
