//! Helpers of the EC2 kinds: filters by ownership, tags, derived client tokens.
//!
//! EC2 does not have unique names, so payctl finds objects by their ownership tags. It uses filters
//! even for single ids: a filter without a match returns an empty list, but an unknown id is an
//! error. Filter values are patterns, and some emulators ignore some filters, so this module checks
//! every answer again.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_ec2::types::{
    Filter, NetworkInterface, NetworkInterfaceStatus, ResourceType, Tag, TagSpecification,
    UnsuccessfulItem,
};
use futures::future::BoxFuture;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::aws::clients::Aws;
use crate::aws::error::{listed, op};
use crate::aws::resource::{Cx, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Owner, Tags};
use payctl_engine::model::scope::{Scope, TAG_ADDRESS, TAG_ENV, TAG_PROJECT};

/// How long changes may take until every EC2 read shows them. Waiting ends with the first read that
/// does, so that a long time costs nothing.
pub(super) const SETTLE: Duration = Duration::from_secs(30);

/// One filter of a describe call.
pub(crate) fn filter<V: Into<String>>(
    name: impl Into<String>,
    values: impl IntoIterator<Item = V>,
) -> Filter {
    let values = values.into_iter().map(Into::into).collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}

/// Everything that belongs to the environment; if several share the answers, to any of the project.
pub(super) fn ours(aws: &Aws) -> Vec<Filter> {
    if aws.is_shared {
        let project = filter(format!("tag:{TAG_PROJECT}"), [&aws.scope.project]);
        return vec![project, filter("tag-key", [TAG_ENV])];
    }
    own(&aws.scope)
}

fn own(scope: &Scope) -> Vec<Filter> {
    vec![
        filter(format!("tag:{TAG_PROJECT}"), [&scope.project]),
        filter(format!("tag:{TAG_ENV}"), [&scope.env]),
    ]
}

/// The objects of the environment with one address.
pub(super) fn at(scope: &Scope, address: &Address) -> Vec<Filter> {
    let mut filters = own(scope);
    filters.push(filter(format!("tag:{TAG_ADDRESS}"), [address.to_string()]));
    filters
}

/// Keeps the objects that this environment really owns. An object with only an id does not have a
/// name that could contradict its tags; its `Name` is a tag too.
pub(super) fn found<S>(cx: &Survey<'_>, lives: Vec<Live<S>>) -> Vec<Found<S>> {
    let claim = |live: Live<S>| {
        let address = cx.aws.scope.owned(&live.tags)?;
        Some(Found { address, owner: Owner::Ours, live })
    };
    lives.into_iter().filter_map(claim).collect()
}

/// Picks the object that an operation is about.
pub(super) fn pick<S>(cx: &Cx<'_>, lives: Vec<Live<S>>) -> Option<Live<S>> {
    lives.into_iter().find(|live| live.id == cx.id())
}

/// A describe call.
pub(super) type Describe<T> =
    for<'a> fn(&'a Aws, Vec<Filter>) -> BoxFuture<'a, Result<Vec<T>, OpError>>;

/// Describes the object of this id, in one call with all that are described at the same moment. The answer
/// holds those as well.
pub(super) async fn with_others<T: Clone + Send + Sync + 'static>(
    aws: &Aws,
    by: &'static str,
    id: &str,
    describe: Describe<T>,
) -> Result<Vec<T>, OpError> {
    let own = aws.clone();
    let ask = move |ids: Vec<String>| async move { describe(&own, vec![filter(by, ids)]).await };
    Ok(aws.together.ask(by, id.to_owned(), ask).await?.to_vec())
}

/// Reads one object, in one call with all that are read at the same moment.
pub(super) async fn read<S: Clone + Send + Sync + 'static>(
    cx: &Cx<'_>,
    by: &'static str,
    find: Describe<Live<S>>,
) -> Result<Option<Live<S>>, OpError> {
    Ok(pick(cx, with_others(cx.aws, by, cx.id(), find).await?))
}

/// Tags as read, without those that AWS itself sets.
pub(super) fn tags(list: Option<Vec<Tag>>) -> Tags {
    let pair = |tag: Tag| Some((tag.key?, tag.value.unwrap_or_default()));
    let pairs = list.unwrap_or_default().into_iter().filter_map(pair);
    pairs.filter(|(key, _)| !key.starts_with("aws:")).collect()
}

/// The tags of an object that is being created.
pub(super) fn tagged(kind: ResourceType, tags: &Tags) -> TagSpecification {
    TagSpecification::builder().resource_type(kind).set_tags(Some(list(tags))).build()
}

fn list(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Sets tags.
pub(super) async fn add_tags(aws: &Aws, id: &str, set: &Tags) -> Result<(), OpError> {
    let call = aws.ec2.create_tags().resources(id).set_tags(Some(list(set)));
    call.send().await.map_err(op("CreateTags")).map(drop)
}

/// Removes tags.
pub(super) async fn remove_tags(aws: &Aws, id: &str, unset: &[String]) -> Result<(), OpError> {
    // A key without a value removes the tag whatever its value.
    let keys = unset.iter().map(|key| Tag::builder().key(key).build()).collect();
    let call = aws.ec2.delete_tags().resources(id).set_tags(Some(keys));
    call.send().await.map_err(op("DeleteTags")).map(drop)
}

/// The error of a refused deletion. If it waits for network interfaces of deleted functions, the
/// error says so. Interfaces that AWS has already released are deleted here.
pub(super) async fn held_by_functions(aws: &Aws, held: Filter, refused: OpError) -> OpError {
    if refused.class != ErrorClass::Busy {
        return refused;
    }
    let filters = vec![held, filter("description", [format!("{FUNCTION_INTERFACE}*")])];
    let call = aws.ec2.describe_network_interfaces().set_filters(Some(filters));
    let Ok(found) = call.send().await.map_err(op("DescribeNetworkInterfaces")) else {
        return refused;
    };
    let is_function = |one: &NetworkInterface| {
        one.description().is_some_and(|words| words.starts_with(FUNCTION_INTERFACE))
    };
    let mut left: Vec<_> = found.network_interfaces.unwrap_or_default();
    left.retain(is_function);
    for one in &left {
        if let (Some(NetworkInterfaceStatus::Available), Some(id)) =
            (one.status(), one.network_interface_id())
        {
            let call = aws.ec2.delete_network_interface().network_interface_id(id);
            // AWS may delete it first: the next read shows that.
            drop(call.send().await);
        }
    }
    if left.is_empty() {
        return refused;
    }
    let message = format!(
        "{} Lambda network interfaces remain; AWS takes 5 to 40 minutes to delete them",
        left.len()
    );
    OpError { code: WAITS_FOR_FUNCTIONS.to_owned(), message, ..refused }
}

/// How the description of a function's interface begins.
const FUNCTION_INTERFACE: &str = "AWS Lambda VPC ENI";

/// The status that people see while a deletion waits for them.
const WAITS_FOR_FUNCTIONS: &str = "waiting for Lambda network interfaces (AWS takes 5 to 40 \
                                   minutes)";

/// How long the deletion of an object with network interfaces may take.
pub(super) const INTERFACES: Duration = Duration::from_secs(45 * 60);

/// The id in the answer of a create call.
pub(super) fn made(op: &'static str, id: Option<String>) -> Result<String, OpError> {
    id.ok_or_else(|| {
        let message = "AWS did not return the id of the new object";
        OpError::new(op, ErrorClass::Service, "NoId", message)
    })
}

/// How long one client token stays the same. EC2 remembers tokens for a day but lists dead objects
/// for about an hour only, and some not at all; if a token never changed, EC2 would answer with an
/// object that is long gone. A second call for the same object comes within seconds, or finds it by
/// its tags.
const TOKEN_LIFE: u64 = 120;

/// A client token that a second call for the same object repeats, also after a crash.
pub(super) fn token(cx: &Cx<'_>, sent: &impl Serialize, dead: &[String]) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    token_of(&cx.aws.scope, cx.address, sent, dead, now / TOKEN_LIFE)
}

fn token_of(
    scope: &Scope,
    address: &Address,
    sent: &impl Serialize,
    dead: &[String],
    period: u64,
) -> String {
    let parts = serde_json::to_vec(&(scope, address, sent, dead, period));
    let digest = Sha256::digest(parts.expect("specs serialise"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An address range as AWS writes it: host bits zero, IPv6 compressed. Any other text stays as it
/// is.
pub(super) fn canonical_cidr(text: &str) -> String {
    let Some((address, length)) = text.split_once('/') else { return text.to_owned() };
    let (Ok(address), Ok(length)) = (address.parse::<IpAddr>(), length.parse::<u32>()) else {
        return text.to_owned();
    };
    let masked = match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(length)).unwrap_or(0);
            IpAddr::from((v4.to_bits() & mask).to_be_bytes())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(length)).unwrap_or(0);
            IpAddr::from((v6.to_bits() & mask).to_be_bytes())
        }
    };
    format!("{masked}/{length}")
}

/// The first error that a successful answer lists.
pub(super) fn refused(
    op: &'static str,
    items: Option<Vec<UnsuccessfulItem>>,
) -> Result<(), OpError> {
    match items.unwrap_or_default().into_iter().find_map(|item| item.error) {
        Some(error) => {
            let code = error.code.as_deref().unwrap_or("Unknown");
            Err(listed(op, code, error.message.as_deref().unwrap_or("AWS gave no message")))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_written_as_aws_writes_them() {
        let check = |text, canonical| assert_eq!(canonical_cidr(text), canonical);
        check("100.68.0.18/18", "100.68.0.0/18");
        check("0.0.0.0/0", "0.0.0.0/0");
        check("10.1.2.3/32", "10.1.2.3/32");
        check("2001:DB8:0:0::1/64", "2001:db8::/64");
        check("::/0", "::/0");
        check("pl-1234", "pl-1234");
    }

    #[test]
    fn tokens_depend_on_the_request_and_on_dead_objects() {
        let scope = Scope {
            project: "payment".into(),
            env: "dev".into(),
            account: "123456789012".into(),
            region: "us-east-1".into(),
            partition: "aws".into(),
        };
        let address = Address::new("ec2.nat_gateway", "a");
        let token =
            |sent: &str, dead: &[String], period| token_of(&scope, &address, &sent, dead, period);
        let first = token("subnet-1", &[], 1);
        assert_eq!(first.len(), 64);
        assert_eq!(first, token("subnet-1", &[], 1));
        assert_ne!(first, token("subnet-2", &[], 1));
        assert_ne!(first, token("subnet-1", &["nat-1".into()], 1));
        assert_ne!(first, token("subnet-1", &[], 2));
    }

    #[test]
    fn tags_of_aws_are_dropped() {
        let tag = |key: &str| Tag::builder().key(key).value("v").build();
        let read = tags(Some(vec![tag("aws:ec2:x"), tag("Team")]));
        assert_eq!(read, Tags::from([("Team".to_owned(), "v".to_owned())]));
    }
}
