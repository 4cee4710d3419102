//! What stands for a loan, of everything that was found.

use std::collections::{BTreeMap, BTreeSet};

use super::{ATTACHMENT, CLUSTER, Lent, Loan, VPC, Whose, secret_of};
use crate::aws::lent::{Asked, By};
use crate::config::{Loaded, Problem};
use payctl_engine::model::address::Address;
use payctl_engine::model::live::{Found, Live, Phase};
use payctl_engine::model::text::{Output, Outputs};

impl Loan {
    /// The objects that it stands for, of everything that was found; or why it stands for none: the reason
    /// and the fix. `vpc` is the VPC that several of them must be in.
    fn take(
        &self,
        found: &BTreeMap<Asked, Vec<Found>>,
        vpc: Option<&str>,
    ) -> Result<Vec<(Address, Live)>, (String, String)> {
        let all = self.asks().filter_map(|asked| found.get(&asked)).flatten();
        match &self.whose {
            Whose::Env(lender) => {
                let brought = all.filter(|found| self.brings(&found.address));
                let mut brought: Vec<_> =
                    brought.map(|found| (found.address.clone(), found.live.clone())).collect();
                let main = &self.main;
                brought.extend(self.secret(found, &brought));
                match brought.iter().filter(|(address, _)| address == main).count() {
                    1 => Ok(brought),
                    0 => Err((
                        format!("{lender} has no {main} here"),
                        format!("apply {lender} first, or check the account and the region"),
                    )),
                    number => Err((
                        format!("{lender} has {number} of {main} here"),
                        format!("apply {lender}: that leaves one of them"),
                    )),
                }
            }
            Whose::Others(by) => {
                let all: Vec<&Live> = all.map(|found| &found.live).collect();
                let taken = match self.several {
                    true => several(&self.main, by, &all, vpc.unwrap_or_default())?,
                    false => vec![(self.main.clone(), only(&self.main.kind, by, &all)?.clone())],
                };
                let unfit = taken.iter().find_map(|(_, live)| match &live.phase {
                    Phase::Ready => None,
                    Phase::Pending(why) | Phase::Deleting(why) | Phase::Failed(why) => {
                        Some(format!("{} {} cannot be used: {why}", self.main.kind, live.id))
                    }
                });
                match unfit {
                    Some(unfit) => Err((unfit, "name another one, or ask its owner".to_owned())),
                    None => Ok(taken),
                }
            }
        }
    }

    /// What stands for the secret of a database: the secret whose fields name the cluster.
    fn secret(
        &self,
        found: &BTreeMap<Asked, Vec<Found>>,
        brought: &[(Address, Live)],
    ) -> Option<(Address, Live)> {
        let (_, cluster) = brought
            .iter()
            .find(|(address, _)| self.main.kind == CLUSTER && *address == self.main)?;
        let id = cluster.outputs.get(&Output::Id)?;
        let all = self.asks().filter_map(|asked| found.get(&asked)).flatten();
        let mut attached = all.filter(|found| found.address.kind == ATTACHMENT);
        let live = &attached.find(|found| found.live.spec["cluster"] == **id)?.live;
        let arn = live.spec["secret"].as_str()?.to_owned();
        let outputs = Outputs::from([(Output::Arn, arn)]);
        Some((secret_of(&self.main.name), Live { outputs, ..live.clone() }))
    }
}

/// The only object that was found.
fn only<'a>(kind: &str, by: &By, all: &[&'a Live]) -> Result<&'a Live, (String, String)> {
    match all {
        [one] => Ok(one),
        [] => Err((
            format!("there is no {kind} with {by} here"),
            "correct it, or check the account and the region".to_owned(),
        )),
        several => {
            let ids = several.iter().map(|live| live.id.as_str()).collect::<Vec<_>>().join(", ");
            Err((
                format!("{} of {kind} have {by} here: {ids}", several.len()),
                "name the right one by its id or its name, or by more tags".to_owned(),
            ))
        }
    }
}

/// The subnets of a VPC that were found, in the order of their zones.
fn several(
    main: &Address,
    by: &By,
    all: &[&Live],
    vpc: &str,
) -> Result<Vec<(Address, Live)>, (String, String)> {
    let field = |live: &Live, key: &str| live.spec[key].as_str().unwrap_or_default().to_owned();
    let (mut here, elsewhere): (Vec<&Live>, Vec<&Live>) =
        all.iter().copied().partition(|live| field(live, "vpc") == vpc);
    let elsewhere: Vec<&str> = elsewhere.iter().map(|live| live.id.as_str()).collect();
    let missing = |ids: &BTreeSet<String>| {
        let is_here = |id: &String| here.iter().any(|live| live.id == *id);
        let missing = ids.iter().filter(|id| !is_here(id)).map(String::as_str);
        missing.collect::<Vec<_>>().join(", ")
    };
    let lacking = match by {
        By::Ids(ids) => Some(missing(ids)).filter(|missing| !missing.is_empty()),
        By::Name(_) | By::Tags(_) => here.is_empty().then(|| by.to_string()),
    };
    if let Some(lacking) = lacking {
        let also = match elsewhere.as_slice() {
            [] => String::new(),
            ids => format!("; in other VPCs: {}", ids.join(", ")),
        };
        let message = format!(
            "{vpc} has no subnet with {}{also}",
            match by {
                By::Ids(_) => format!("the id {lacking}"),
                By::Name(_) | By::Tags(_) => lacking,
            }
        );
        return Err((message, "correct it, or check the account and the region".to_owned()));
    }
    here.sort_by_key(|live| (field(live, "zone"), live.id.clone()));
    let numbered = here.into_iter().enumerate().map(|(at, live)| {
        let name = format!("{}-{}", main.name, at + 1);
        (Address::new(main.kind.as_str(), name), live.clone())
    });
    Ok(numbered.collect())
}

/// What is lent, of everything that was found. The problems are loans that are not there, or not clear.
pub fn taken(
    loaded: &Loaded,
    loans: &[Loan],
    found: &BTreeMap<Asked, Vec<Found>>,
) -> Result<Lent, Vec<Problem>> {
    let (mut lent, mut problems) = (Lent::new(), Vec::new());
    for loan in loans {
        let vpc = lent.get(&Address::new(VPC, "main")).map(|vpc| vpc.id.clone());
        if loan.several && vpc.is_none() {
            // The problem is the VPC.
            continue;
        }
        match loan.take(found, vpc.as_deref()) {
            Ok(taken) => lent.extend(taken),
            Err((message, fix)) => problems.push(loaded.problem(&loan.path, message, fix)),
        }
    }
    if problems.is_empty() { Ok(lent) } else { Err(problems) }
}
