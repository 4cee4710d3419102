//! Access control lists of buckets: canned, in headers, or as a document.

use super::checks::{argument, refuse_acl};
use super::{Ask, Bucket, NAMESPACE, OWNER, configs, empty};
use crate::Refusal;
use crate::wire::Response;
use crate::wire::xml::{Element, escape};

const GROUPS: &str = "http://acs.amazonaws.com/groups/";
const EVERYONE: &str = "global/AllUsers";
const ALL_OF_AWS: &str = "global/AuthenticatedUsers";
const LOG_DELIVERY: &str = "s3/LogDelivery";

/// Each canned ACL and its grants to groups, beside the grant to the owner.
const CANNED: &[(&str, &[(&str, &str)])] = &[
    ("private", &[]),
    ("public-read", &[(EVERYONE, "READ")]),
    ("public-read-write", &[(EVERYONE, "READ"), (EVERYONE, "WRITE")]),
    ("authenticated-read", &[(ALL_OF_AWS, "READ")]),
    ("log-delivery-write", &[(LOG_DELIVERY, "WRITE"), (LOG_DELIVERY, "READ_ACP")]),
    ("bucket-owner-read", &[]),
    ("bucket-owner-full-control", &[]),
    ("aws-exec-read", &[]),
];

/// Each header with the permission that it grants.
const HEADERS: [(&str, &str); 5] = [
    ("x-amz-grant-full-control", "FULL_CONTROL"),
    ("x-amz-grant-read", "READ"),
    ("x-amz-grant-read-acp", "READ_ACP"),
    ("x-amz-grant-write", "WRITE"),
    ("x-amz-grant-write-acp", "WRITE_ACP"),
];

/// The ACL of a bucket by default.
pub(super) fn default() -> String {
    document(&grant(&user(OWNER), "FULL_CONTROL"))
}

/// Sets the ACL of a bucket. S3 checks the ACL first, and then whether the bucket has ACLs.
pub(super) fn put(bucket: &mut Bucket, ask: &Ask<'_>) -> Result<Response, Refusal> {
    let header = |name| ask.request.header(name);
    let granted = HEADERS.iter().any(|(name, _)| header(name).is_some());
    let has_body = !ask.request.body.is_empty();
    let list = match (header("x-amz-acl"), granted, has_body) {
        (Some(_), _, true) => {
            let message = "This request does not support content";
            return Err(Refusal::new("UnexpectedContent", message));
        }
        (Some(_), true, false) => {
            let message = "Specifying both Canned ACLs and Header Grants is not allowed";
            return Err(Refusal::new("InvalidRequest", message));
        }
        (Some(name), false, false) => canned(name)?,
        (None, true, _) => by_headers(ask)?,
        (None, false, true) => checked(&ask.xml().map_err(|_| malformed())?)?,
        (None, false, false) => {
            let message = "Your request was missing a required header";
            let refusal = Refusal::new("MissingSecurityHeader", message);
            return Err(refusal.about("MissingHeaderName", "x-amz-acl"));
        }
    };
    refuse_acl(bucket)?;
    let public = [EVERYONE, ALL_OF_AWS].iter().any(|group| list.contains(group));
    if public && configs::blocks(bucket, "BlockPublicAcls") {
        return Err(Refusal::new("AccessDenied", "Access Denied").with_status(403));
    }
    bucket.configs.insert("acl".to_owned(), document(&list));
    Ok(empty(200))
}

fn document(grants: &str) -> String {
    format!(
        "<AccessControlPolicy {NAMESPACE}><Owner><ID>{OWNER}</ID></Owner>\
         <AccessControlList>{grants}</AccessControlList></AccessControlPolicy>"
    )
}

fn grant(grantee: &str, permission: &str) -> String {
    format!("<Grant>{grantee}<Permission>{permission}</Permission></Grant>")
}

const SCHEMA: &str = "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";

fn user(id: &str) -> String {
    format!("<Grantee {SCHEMA} xsi:type=\"CanonicalUser\"><ID>{}</ID></Grantee>", escape(id))
}

fn group(uri: &str) -> String {
    format!("<Grantee {SCHEMA} xsi:type=\"Group\"><URI>{}</URI></Grantee>", escape(uri))
}

fn canned(name: &str) -> Result<String, Refusal> {
    let Some((_, groups)) = CANNED.iter().find(|(known, _)| *known == name) else {
        return Err(argument("", "x-amz-acl", name));
    };
    let others = groups.iter().map(|(of, what)| grant(&group(&format!("{GROUPS}{of}")), what));
    Ok(grant(&user(OWNER), "FULL_CONTROL") + &others.collect::<String>())
}

/// The grants of headers such as `id="..", uri=".."`.
fn by_headers(ask: &Ask<'_>) -> Result<String, Refusal> {
    let mut grants = String::new();
    for (name, permission) in HEADERS {
        let Some(value) = ask.request.header(name) else { continue };
        for one in value.split(',') {
            let (kind, who) = one.trim().split_once('=').unwrap_or_default();
            let who = who.trim_matches('"');
            let grantee = match kind {
                "uri" => group(is_group(who, "uri")?),
                "id" => user(is_id(who, "id")?),
                _ => return Err(argument("Argument format not recognized", name, value)),
            };
            grants.push_str(&grant(&grantee, permission));
        }
    }
    Ok(grants)
}

/// The grants of a document.
fn checked(wanted: &Element) -> Result<String, Refusal> {
    const USER_ID: &str = "CanonicalUser/ID";
    let owner = wanted.text_at(&["Owner", "ID"]).ok_or_else(malformed)?;
    let list = wanted.child("AccessControlList").ok_or_else(malformed)?;
    let known = |permission: &str| HEADERS.iter().any(|(_, known)| *known == permission);
    let mut grants = String::new();
    for one in list.all("Grant") {
        let permission = one.text_at(&["Permission"]).filter(|text| known(text));
        let permission = permission.ok_or_else(malformed)?;
        let grantee = one.child("Grantee").ok_or_else(malformed)?;
        let is = |kind: &str| grantee.attributes.contains(&format!("\"{kind}\""));
        let grantee = if is("Group") {
            group(is_group(grantee.text_at(&["URI"]).ok_or_else(malformed)?, "Group/URI")?)
        } else if is("CanonicalUser") {
            user(is_id(grantee.text_at(&["ID"]).ok_or_else(malformed)?, USER_ID)?)
        } else {
            return Err(malformed());
        };
        grants.push_str(&grant(&grantee, permission));
    }
    is_id(owner, USER_ID)?;
    Ok(grants)
}

fn is_group<'a>(uri: &'a str, at: &str) -> Result<&'a str, Refusal> {
    let known = [EVERYONE, ALL_OF_AWS, LOG_DELIVERY];
    if uri.strip_prefix(GROUPS).is_some_and(|name| known.contains(&name)) {
        Ok(uri)
    } else {
        Err(argument("Invalid group uri", at, uri))
    }
}

/// Canonical ids have 64 hexadecimal digits.
fn is_id<'a>(id: &'a str, at: &str) -> Result<&'a str, Refusal> {
    if id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(id)
    } else {
        Err(argument("Invalid id", at, id))
    }
}

fn malformed() -> Refusal {
    Refusal { code: "MalformedACLError".to_owned(), ..crate::wire::xml::malformed() }
}
