//! The permissions for calls whose resource is in the path of the request: API Gateway and S3.

use super::super::toolbox::{list, text};
use super::super::wire::Request;
use super::super::{Call, s3};
use super::Need;
use super::tagged::given;

/// The needs of a call to API Gateway, which checks the method and the path.
pub(super) fn of_gateway(request: &Request, call: &Call) -> Vec<Need> {
    let Call { operation, input, region, .. } = call;
    let arn = |path: &str| format!("arn:aws:apigateway:{region}::{path}");
    let path = request.path();
    let path = path.strip_prefix("/v2").unwrap_or(path);
    let mut needs = vec![Need::new(format!("apigateway:{}", request.method), arn(path))];
    let patches = list(input, "patchOperations").iter();
    let policy = patches.filter_map(|patch| text(patch, "path")).any(|path| path == "/policy");
    if policy || (operation == "CreateRestApi" && input.get("policy").is_some()) {
        needs.push(Need::new("apigateway:UpdateRestApiPolicy", arn(path)));
    }
    if operation.starts_with("Create") && !given(input).is_empty() {
        let method = if request.path().starts_with("/v2") { "POST" } else { "PUT" };
        needs.push(Need::new(format!("apigateway:{method}"), arn("/tags/0")));
    }
    needs
}

/// The needs of a request to S3. To delete objects by version, a caller needs the permission for
/// versions.
pub(super) fn of_s3(request: &Request, operation: &str) -> Vec<Need> {
    let (bucket, key) = s3::place(request);
    let arn = format!("arn:aws:s3:::{bucket}");
    let on = |action: &str| Need::new(format!("s3:{action}"), arn.clone());
    let inside = |action: &str| Need::new(format!("s3:{action}"), format!("{arn}/any"));
    let body = std::str::from_utf8(&request.body).unwrap_or_default();
    match operation {
        "ListBuckets" => vec![Need::new("s3:ListAllMyBuckets", "*")],
        "CreateBucket" => {
            let mut needs = vec![on("CreateBucket")];
            if request.header("x-amz-object-ownership").is_some() {
                needs.push(on("PutBucketOwnershipControls"));
            }
            if request.header("x-amz-bucket-object-lock-enabled").is_some() {
                needs.extend([on("PutBucketObjectLockConfiguration"), on("PutBucketVersioning")]);
            }
            if body.contains("<Tag>") {
                needs.push(on("TagResource"));
            }
            needs
        }
        "DeleteObjects" => vec![inside("DeleteObject"), inside("DeleteObjectVersion")],
        "CreateMultipartUpload" => vec![inside("PutObject")],
        _ if !key.is_empty() => vec![inside(operation)],
        "HeadBucket" | "ListObjects" | "ListObjectsV2" => vec![on("ListBucket")],
        "ListObjectVersions" => vec![on("ListBucketVersions")],
        "ListMultipartUploads" => vec![on("ListBucketMultipartUploads")],
        "GetBucketEncryption" => vec![on("GetEncryptionConfiguration")],
        "PutBucketEncryption" | "DeleteBucketEncryption" => vec![on("PutEncryptionConfiguration")],
        "GetBucketLifecycleConfiguration" => vec![on("GetLifecycleConfiguration")],
        "PutBucketLifecycleConfiguration" | "DeleteBucketLifecycle" => {
            vec![on("PutLifecycleConfiguration")]
        }
        "GetObjectLockConfiguration" => vec![on("GetBucketObjectLockConfiguration")],
        "PutObjectLockConfiguration" => vec![on("PutBucketObjectLockConfiguration")],
        "GetPublicAccessBlock" => vec![on("GetBucketPublicAccessBlock")],
        "PutPublicAccessBlock" | "DeletePublicAccessBlock" => {
            vec![on("PutBucketPublicAccessBlock")]
        }
        "DeleteBucketTagging" => vec![on("PutBucketTagging")],
        operation => vec![on(operation)],
    }
}
