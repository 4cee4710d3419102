//! What is left of an environment after a destroy: three searches that do not depend on each other, and
//! what AWS itself holds for a while.
//!
//! The lists of each service find objects by their tags and names. The index of tags finds objects of
//! types of which payctl has no kind, or that a list leaves out. The names that an environment had find
//! objects without tags, as a late write makes them. The index lags behind: what it lists counts only if
//! it is not an echo of something that is gone.

use std::collections::BTreeSet;

use futures::future::{BoxFuture, join_all, try_join_all};

use super::census::{self, Indexed};
use super::clients::{Aws, retry_read};
use super::kinds::{HOLDERS, PROBES, find_meta};
use super::provider::AwsProvider;
use payctl_engine::model::address::Address;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Owner, Phase};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::Output;
use payctl_engine::provider::{Provider as _, Target};
use payctl_engine::survey::Snapshot;

/// How AWS keeps the deleted objects of a kind for a stated time.
#[derive(Clone, Copy)]
pub struct Holder {
    /// The kind.
    pub kind: &'static str,
    /// What asking needs.
    pub permits: &'static [Permit],
    /// Asks until when AWS holds one of them, by its id or its ARN.
    pub ask: for<'a> fn(&'a Aws, &'a str) -> Asked<'a>,
}

/// How to ask a service whether an object exists that a kind cannot read by its ARN.
#[derive(Clone, Copy)]
pub struct Probe {
    /// The service, as ARNs name it.
    pub service: &'static str,
    /// Whether it also tells of the service's kinds; otherwise only of types without a kind.
    pub of_kinds: bool,
    /// Asks whether the object of an ARN exists.
    pub ask: for<'a> fn(&'a Aws, &'a str) -> BoxFuture<'a, Result<bool, OpError>>,
}

/// Those of some names that exist.
pub type Here<'a> = BoxFuture<'a, Result<BTreeSet<String>, OpError>>;

/// Objects of a kind that services create again by themselves after they were deleted.
#[derive(Clone, Copy)]
pub struct Late {
    /// The kind.
    pub kind: &'static str,
    /// What finding and deleting them needs.
    pub permits: &'static [Permit],
    /// Finds those of the names that exist again without any tag.
    pub find: for<'a> fn(&'a Aws, &'a BTreeSet<String>) -> Here<'a>,
    /// Deletes one of them. Already gone is success.
    pub delete: for<'a> fn(&'a Aws, &'a str) -> BoxFuture<'a, Result<(), OpError>>,
}

/// What the search in the index needs beside the reads of the kinds.
pub(super) const PERMITS: &[Permit] = &[Permit::delete(&["ec2:DescribeTags"], &["*"])];

/// The time until which AWS holds a deleted object, and the reason.
pub type Asked<'a> = BoxFuture<'a, Result<Option<(String, &'static str)>, OpError>>;

/// A deleted object that AWS holds, and then deletes by itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Held {
    /// Its address.
    pub address: Address,
    /// What AWS knows it by.
    pub id: String,
    /// When AWS will have deleted it.
    pub until: String,
    /// Why it waits.
    pub why: &'static str,
}

/// An object that is left.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Leftover {
    /// Its address, if one is known.
    pub address: Option<Address>,
    /// What AWS knows it by.
    pub id: String,
    /// The search that found it.
    pub found_by: Search,
}

/// A way to find what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Search {
    /// The lists of each service.
    Lists,
    /// The index of all tags.
    Index,
    /// The names that the environment had.
    Names,
}

/// An object that a destroy deleted.
#[derive(Clone, Copy, Debug)]
pub struct Deleted<'a> {
    /// Its address.
    pub address: &'a Address,
    /// The object as it was.
    pub live: &'a Live,
}

/// What the lists and the names show of an environment that should be gone. The survey asked for the
/// names of everything that was deleted.
pub fn surveyed(snapshot: &Snapshot, deleted: &[Deleted<'_>]) -> Vec<Leftover> {
    let left = snapshot.values().flatten().filter_map(|found| {
        let Found { address, owner, live } = found;
        let is_dying = matches!(live.phase, Phase::Deleting(_));
        // Nobody else could have the name before: whoever has it now came after the deletion.
        let had = || deleted.iter().any(|gone| gone.address == address);
        let is_bare = || live.tags.is_empty() && had();
        let found_by = match owner {
            Owner::Ours if !is_dying => Search::Lists,
            Owner::Nobody | Owner::Foreign(_) if is_bare() => Search::Names,
            Owner::Ours
            | Owner::Nobody
            | Owner::Foreign(_)
            | Owner::Disputed(_)
            | Owner::Shared => return None,
        };
        Some(Leftover { address: Some(address.clone()), id: live.id.clone(), found_by })
    });
    left.collect()
}

/// What AWS holds of the deleted objects, each with the time of its end.
pub async fn held(aws: &Aws, deleted: &[Deleted<'_>]) -> Result<Vec<Held>, OpError> {
    let asked = deleted.iter().filter_map(|gone| {
        let holder = HOLDERS.iter().find(|holder| holder.kind == gone.address.kind)?;
        Some(async move { hold(aws, holder, gone.address, &gone.live.id).await })
    });
    Ok(try_join_all(asked).await?.into_iter().flatten().collect())
}

async fn hold(
    aws: &Aws,
    holder: &Holder,
    address: &Address,
    id: &str,
) -> Result<Option<Held>, OpError> {
    let held = retry_read(|| (holder.ask)(aws, id)).await?;
    let to_held = |(until, why)| Held { address: address.clone(), id: id.to_owned(), until, why };
    Ok(held.map(to_held))
}

/// What the index of tags lists of the environment: what is left, and what AWS holds.
pub async fn indexed(
    provider: &AwsProvider,
    deleted: &[Deleted<'_>],
) -> Result<(Vec<Leftover>, Vec<Held>), OpError> {
    let aws = provider.aws();
    let mut listed = census::listed(aws).await?;
    listed.retain(|one| !deleted.iter().any(|gone| is_same(&one.arn, gone.live)));
    let (mut left, mut held) = (Vec::new(), Vec::new());
    for (one, judged) in join_all(listed.iter().map(|one| judge(provider, one))).await {
        match judged? {
            Standing::Gone | Standing::Unread => {}
            Standing::Held(kept) => held.push(kept),
            Standing::There => left.push(Leftover {
                address: aws.scope.owned(&one.tags),
                id: one.arn.clone(),
                found_by: Search::Index,
            }),
        }
    }
    Ok((left, held))
}

/// What is behind an entry of the index.
enum Standing {
    Gone,
    Held(Held),
    There,
    /// The credentials may not read it.
    Unread,
}

/// Whether nothing is behind an entry of the index, or only what AWS deletes by itself.
pub(super) async fn is_gone(provider: &AwsProvider, one: &Indexed) -> bool {
    matches!(stand(provider, one).await, Ok(Standing::Gone | Standing::Held(_)))
}

async fn judge<'a>(
    provider: &AwsProvider,
    one: &'a Indexed,
) -> (&'a Indexed, Result<Standing, OpError>) {
    (one, stand(provider, one).await)
}

async fn stand(provider: &AwsProvider, one: &Indexed) -> Result<Standing, OpError> {
    let aws = provider.aws();
    let Some(address) = aws.scope.owned(&one.tags) else { return Ok(Standing::There) };
    // Tags may come from another object, as those of a volume do: only a type that the kind lists is
    // the kind's.
    let meta = find_meta(&address.kind);
    let is_one_of = |types: &[&str]| is_of_type(&one.arn, types);
    if meta.is_some_and(|meta| is_one_of(meta.kept_types)) {
        return Ok(Standing::Gone);
    }
    let is_of_kind = meta.is_some_and(|meta| is_one_of(meta.types));
    let probe = PROBES.iter().find(|probe| one.arn.split(':').nth(2) == Some(probe.service));
    if !is_of_kind || probe.is_some_and(|probe| probe.of_kinds) {
        let exists = match probe {
            Some(probe) => retry_read(|| (probe.ask)(aws, &one.arn)).await?,
            None => true,
        };
        return Ok(if exists { Standing::There } else { Standing::Gone });
    }
    if let Some(holder) = HOLDERS.iter().find(|holder| holder.kind == address.kind)
        && let Some(held) = hold(aws, holder, &address, &one.arn).await?
    {
        return Ok(Standing::Held(held));
    }
    // The index still lists what is gone. Asking for the object itself tells.
    let short = one.arn.rsplit(['/', ':']).next().unwrap_or(&one.arn);
    let mut is_read = true;
    for id in ids_in(&one.arn) {
        let target = Target {
            address: address.clone(),
            name: short.to_owned(),
            id: Some(id.to_owned()),
            tags: one.tags.clone(),
        };
        // A kind that knows its objects by something else refuses the id.
        match provider.read(&target).await {
            Ok(Some(live))
                if aws.scope.owned(&live.tags).is_some()
                    && !matches!(live.phase, Phase::Deleting(_)) =>
            {
                return Ok(Standing::There);
            }
            Err(error) if error.class == ErrorClass::Denied => is_read = false,
            Ok(_) | Err(_) => {}
        }
    }
    Ok(if is_read { Standing::Gone } else { Standing::Unread })
}

/// What the id of an object may be by its ARN: all of it, its end, or what stands behind the type, as in
/// `log-group:/aws/lambda/app` and `parameter/app/key`.
fn ids_in(arn: &str) -> BTreeSet<&str> {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or(arn);
    let behind = resource.find(['/', ':']).map_or("", |at| &resource[at..]);
    let mut ids: BTreeSet<&str> = [arn, behind, behind.get(1..).unwrap_or_default()].into();
    ids.extend(arn.rsplit(['/', ':']).next());
    ids.remove("");
    ids
}

/// Whether an ARN is that of an object.
pub fn is_same(arn: &str, live: &Live) -> bool {
    let own = live.outputs.get(&Output::Arn).map_or(live.id.as_str(), String::as_str);
    let short = arn.rsplit(['/', ':']).next().unwrap_or(arn);
    arn == own || arn == live.id || short == live.id
}

/// Whether an ARN is of one of these types: `sqs`, or `ec2:vpc` for the first word of the resource. A
/// type after a slash follows an id: `apigateway:restapis/stages`.
pub(super) fn is_of_type(arn: &str, types: &[&str]) -> bool {
    let mut parts = arn.splitn(6, ':').skip(2);
    let (Some(service), Some(rest)) = (parts.next(), parts.nth(2)) else { return false };
    let words: Vec<&str> = rest.trim_start_matches('/').split(['/', ':']).collect();
    types.iter().any(|name| match name.split_once(':') {
        None => *name == service,
        Some((wanted, path)) => {
            let mut path = path.split('/');
            wanted == service
                && path.next() == words.first().copied()
                && path.next().is_none_or(|second| words.get(2) == Some(&second))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_tells_what_the_id_may_be() {
        let has = |arn: &str, id: &str| assert!(ids_in(arn).contains(id), "{:?}", ids_in(arn));
        has("arn:aws:ec2:us-east-1:1:vpc/vpc-1", "vpc-1");
        has("arn:aws:s3:::bucket", "bucket");
        has("arn:aws:logs:us-east-1:1:log-group:/aws/lambda/app", "/aws/lambda/app");
        has("arn:aws:ssm:us-east-1:1:parameter/app/key", "/app/key");
        has("arn:aws:ssm:us-east-1:1:parameter/key", "key");
        has("arn:aws:sns:us-east-1:1:alerts", "arn:aws:sns:us-east-1:1:alerts");
    }

    #[test]
    fn an_arn_tells_its_type() {
        let check = |arn: &str, types: &[&str], expected| {
            assert_eq!(is_of_type(arn, types), expected, "{arn} {types:?}");
        };
        check("arn:aws:ec2:us-east-1:1:vpc/vpc-1", &["ec2:vpc"], true);
        check("arn:aws:ec2:us-east-1:1:volume/vol-1", &["ec2:instance"], false);
        check("arn:aws:sqs:us-east-1:1:jobs", &["sqs"], true);
        check("arn:aws:lambda:us-east-1:1:function:f", &["lambda:function"], true);
        check("arn:aws:apigateway:us-east-1::/restapis/a", &["apigateway:restapis"], true);
        let stage = "arn:aws:apigateway:us-east-1::/restapis/a/stages/b";
        check(stage, &["apigateway:restapis/stages"], true);
        check("arn:aws:apigateway:us-east-1::/restapis/a", &["apigateway:restapis/stages"], false);
        let balancer = "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/web/1";
        check(balancer, &["elasticloadbalancing:loadbalancer"], true);
        check("arn:aws:rds:us-east-1:1:cluster:a", &["rds:cluster"], true);
        check("arn:aws:rds:us-east-1:1:cluster-snapshot:a", &["rds:cluster"], false);
    }
}
