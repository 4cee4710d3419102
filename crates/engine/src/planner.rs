//! Makes a plan from the blueprint and a snapshot. Pure: nothing is asked of the cloud but what its
//! kinds are like.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::diff::{FieldChange, diff, diff_tags};
use super::graph;
use super::owners::{Owners, Standing};
use super::plan::{Action, Change, FORMAT, Plan, Purpose, Refused, left_alone};
use super::provider::Provider;
use super::survey::Snapshot;
use crate::model::address::Address;
use crate::model::desired::{Blueprint, Desired};
use crate::model::error::{ErrorClass, OpError};
use crate::model::live::{Found, Live, Owner, Phase};
use crate::model::meta::Meta;
use crate::model::scope::{Scope, is_protected};
use crate::model::text::{Outputs, Ref, each_ref, resolve};

mod follows;
mod losses;
mod renames;
mod replace;
mod targets;
mod unseen;

use replace::{Forced, reason_of_user, reason_to_replace};
use unseen::{hint_to_see, unseen_need};

/// A plan that cannot be made.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PlanError {
    /// A spec that its kind does not take: a bug.
    #[error("{0}")]
    Spec(OpError),
    /// Resources that refer to each other in a circle.
    #[error("these resources form a circular reference: {}", list(.0))]
    Circle(Vec<Address>),
    /// A target that names nothing.
    #[error("no resource matches the target `{0}`")]
    NoSuchTarget(String),
}

fn list(addresses: &[Address]) -> String {
    addresses.iter().map(Address::to_string).collect::<Vec<_>>().join(", ")
}

/// Makes the plan. Pure: nothing is asked of the cloud but what its kinds are like.
pub fn plan(
    provider: &dyn Provider,
    blueprint: &Blueprint,
    snapshot: &Snapshot,
    purpose: Purpose,
    targets: &[String],
) -> Result<Plan, PlanError> {
    let kinds: Kinds = provider.kinds().into_iter().map(|meta| (meta.kind, meta)).collect();
    let mut forced = Forced::new();
    let mut plan = loop {
        let plan = draft(provider, &kinds, blueprint, snapshot, purpose, &forced)?;
        // A delete-first replacement cannot delete the old object while others use it, and those wait
        // for the new one: one of them is replaced as well, and the plan is made again.
        let meta = |address: &Address| kinds.get(address.kind.as_str());
        let blocks_delete = |used: &Address, user: &Address| {
            let kind = used.kind.as_str();
            meta(used).is_some_and(|meta| meta.use_blocks_delete)
                && meta(user).is_none_or(|meta| !meta.does_not_block.contains(&kind))
        };
        match graph::tangled(&plan.changes, &blocks_delete) {
            Some((user, used)) if !forced.contains_key(&user) => {
                let why = reason_of_user(&plan, &used);
                forced.insert(user, (used, why));
            }
            Some(_) | None => break plan,
        }
    };
    if !targets.is_empty() {
        targets::narrow(&mut plan, blueprint, targets)?;
        plan.targets = targets.to_vec();
    }
    renames::note(&mut plan, &kinds);
    losses::refuse(&mut plan, blueprint, snapshot, &kinds);
    Ok(plan)
}

type Kinds = BTreeMap<&'static str, &'static Meta>;

fn draft(
    provider: &dyn Provider,
    kinds: &Kinds,
    blueprint: &Blueprint,
    snapshot: &Snapshot,
    purpose: Purpose,
    forced: &Forced,
) -> Result<Plan, PlanError> {
    let mut planner = Planner {
        provider,
        blueprint,
        snapshot,
        kinds,
        forced,
        blind: BTreeSet::new(),
        predicted: BTreeMap::new(),
        replaced: BTreeSet::new(),
        adopted: BTreeSet::new(),
        owners: Owners::of(snapshot, kinds),
        plan: Plan {
            format: FORMAT,
            scope: blueprint.scope.clone(),
            purpose,
            targets: Vec::new(),
            changes: Vec::new(),
            unchanged: Vec::new(),
            refused: Vec::new(),
            notes: Vec::new(),
            unseen: snapshot.unseen.clone(),
            left_alone: left_alone(snapshot),
            beyond: Vec::new(),
            staying: BTreeMap::new(),
            outputs: BTreeMap::new(),
        },
    };
    let mut kept = BTreeMap::new();
    if purpose == Purpose::Apply {
        let needs = blueprint.resources.values().map(|want| (want.address.clone(), needs(want)));
        for address in graph::in_order(&needs.collect()).map_err(PlanError::Circle)? {
            let want = &blueprint.resources[&address];
            if let Some(id) = planner.desired(want)? {
                kept.insert(address, id);
            }
        }
    }
    planner.surplus(&kept);
    planner.order_deletions();
    follows::find(&mut planner.plan, &planner.predicted);
    Ok(planner.plan)
}

struct Planner<'a> {
    provider: &'a dyn Provider,
    blueprint: &'a Blueprint,
    snapshot: &'a Snapshot,
    kinds: &'a Kinds,
    owners: Owners<'a>,
    plan: Plan,
    forced: &'a Forced,
    /// Resources that were refused since payctl could not read them: their outputs are not known.
    blind: BTreeSet<Address>,
    /// What is known already of the outputs of new objects.
    predicted: BTreeMap<Address, Outputs>,
    /// What is replaced.
    replaced: BTreeSet<Address>,
    /// The objects that the config has given another logical name: their address of before, and their id.
    adopted: BTreeSet<(Address, String)>,
}

impl<'a> Planner<'a> {
    fn meta(&self, address: &Address) -> Result<&'static Meta, PlanError> {
        self.kinds.get(address.kind.as_str()).copied().ok_or_else(|| {
            PlanError::Spec(OpError::new(
                address.to_string(),
                ErrorClass::Bug,
                "UnknownKind",
                format!("this version of payctl has no kind `{}`", address.kind),
            ))
        })
    }

    /// Plans one wanted resource; returns the id of the live object that stands for it.
    fn desired(&mut self, want: &Desired) -> Result<Option<String>, PlanError> {
        let meta = self.meta(&want.address)?;
        if let Some(error) = self.snapshot.unseen(&want.address.kind) {
            let (reason, hint) = (format!("payctl cannot read it: {error}"), hint_to_see(error));
            self.refuse(want, reason, hint);
            self.blind.insert(want.address.clone());
            return Ok(None);
        }
        let spec = self.known(want, meta, false)?;
        let stands = self.stands_for(want, meta, &spec);
        if let Some(needed) = unseen_need(want, &self.blind) {
            let reason = format!("it refers to {needed}, which payctl cannot read");
            self.refuse(want, reason, String::new());
            return Ok(self.keep_blindly(want, stands.map(|(live, _)| live)));
        }
        let Some((live, fields)) = stands else {
            let spec = self.known(want, meta, true)?;
            return Ok(self.absent(want, meta, &spec));
        };
        let forced = self.forced.get(&want.address);
        let lost = self.lost_with(want, meta);
        if let Some((because, cause)) = reason_to_replace(meta, live, &fields, forced, lost) {
            if self.replace(want, meta, live, fields, because, cause) {
                self.replaced.insert(want.address.clone());
                self.predict(want, meta, &spec, meta.keeps_identity());
            } else {
                // It stays as it is, as the whole environment does.
                self.keep_outputs(meta, &want.address, live, &[]);
            }
            return Ok(Some(live.id.clone()));
        }
        if is_protected(&live.tags) && !is_protected(&want.tags) {
            self.unprotect(want, meta, live, fields);
            return Ok(Some(live.id.clone()));
        }
        self.note_source(want, meta, live);
        self.note_under_way(want, meta, live);
        self.keep_outputs(meta, &want.address, live, &fields);
        let tagged = self.blueprint.scope.owned(&live.tags).filter(|_| meta.tagged);
        let before = tagged.filter(|address| *address != want.address);
        let because = match (&live.phase, before) {
            (_, Some(before)) => {
                self.adopted.insert((before.clone(), live.id.clone()));
                Some(format!("it was {before}: its tag gets the new address"))
            }
            (Phase::Pending(status), None) if fields.is_empty() => Some(format!(
                "AWS is still working on it ({status}); payctl waits until it is ready"
            )),
            _ => None,
        };
        if fields.is_empty() && because.is_none() {
            self.plan.unchanged.push(want.address.clone());
            self.plan.staying.insert(want.address.clone(), live.spec.clone());
        } else {
            let change = self.change(want, Action::Update, Some(live.clone()), fields, because);
            self.plan.changes.push(change);
        }
        Ok(Some(live.id.clone()))
    }

    /// What was found under an address.
    fn found(&self, address: &Address) -> &'a [Found] {
        self.snapshot.get(address).map(Vec::as_slice).unwrap_or_default()
    }

    /// The object of the wanted name that is there under an address of before: the config calls it by
    /// another logical name now. A name that AWS keeps unique and cannot change tells which it is.
    fn renamed(&self, want: &Desired, meta: &Meta) -> Option<&'a Found> {
        if !meta.goes_by_name() {
            return None;
        }
        let is_it = |found: &&Found| {
            found.owner == Owner::Ours
                && found.address.kind == want.address.kind
                && !self.blueprint.resources.contains_key(&found.address)
                && found.live.spec.get("name").and_then(Value::as_str) == Some(want.name.as_str())
        };
        self.snapshot.values().flatten().find(is_it)
    }

    /// The object of ours that stands for a wanted resource, and what differs. There may be several,
    /// after a crash or two runs at once: the one that need not be replaced, that most depends on,
    /// and that needs least.
    fn stands_for(
        &self,
        want: &Desired,
        meta: &Meta,
        spec: &Value,
    ) -> Option<(&'a Live, Vec<FieldChange>)> {
        let here = self.found(&want.address);
        let renamed = if here.is_empty() { self.renamed(want, meta) } else { None };
        let ours = here.iter().chain(renamed).filter(|found| {
            let takes = || meta.takes_over(spec, &found.live.spec);
            (found.owner == Owner::Ours || found.owner == Owner::Nobody && takes())
                && !matches!(found.live.phase, Phase::Deleting(_))
        });
        let fields = |live: &Live| {
            let mut fields = diff(meta, spec, &live.spec);
            if meta.tagged {
                fields.extend(diff_tags(&want.tags, &live.tags));
            }
            fields
        };
        let best = ours.map(|found| (found, fields(&found.live))).min_by_key(|(found, fields)| {
            let fixed = fields.iter().any(|field| meta.is_immutable(&field.path));
            let failed = matches!(found.live.phase, Phase::Failed(_));
            let Standing { weight, is_used, .. } = self.owners.standing(found);
            (failed, fixed, Reverse(weight), !is_used, fields.len(), found.live.id.clone())
        });
        best.map(|(found, fields)| (&found.live, fields))
    }

    /// Plans a wanted resource of which there is nothing of ours: it may be one that serves
    /// everybody, its name may be taken, or it is made.
    fn absent(&mut self, want: &Desired, meta: &Meta, spec: &Value) -> Option<String> {
        let found = self.found(&want.address);
        if let Some(Found { live, .. }) = found.iter().find(|found| found.owner == Owner::Shared) {
            self.keep_outputs(meta, &want.address, live, &[]);
            self.plan.unchanged.push(want.address.clone());
            self.plan.staying.insert(want.address.clone(), live.spec.clone());
            return Some(live.id.clone());
        }
        let foreign = found.iter().find_map(|found| match &found.owner {
            Owner::Foreign(owner) => Some((owner.clone(), &found.live)),
            Owner::Nobody if !meta.takes_over(spec, &found.live.spec) => {
                Some((Scope::describe_owner(&found.live.tags), &found.live))
            }
            Owner::Ours | Owner::Disputed(_) | Owner::Shared | Owner::Nobody => None,
        });
        if let Some((owner, live)) = foreign {
            self.refuse(
                want,
                format!("the name {} is taken: it belongs to {owner}", live.id),
                "give this resource another `name`, or remove the other object".to_owned(),
            );
        } else {
            let fields = diff(meta, spec, &Value::Null);
            let change = self.change(want, Action::Create, None, fields, None);
            self.plan.changes.push(change);
        }
        self.predict(want, meta, spec, true);
        None
    }

    /// Plans the deletion of everything of ours that nothing stands for. What AWS is deleting
    /// already is waited for: others can only go after it.
    fn surplus(&mut self, kept: &BTreeMap<Address, String>) {
        for found in self.snapshot.values().flatten() {
            let Found { address, owner, live } = found;
            let is_adopted = self.adopted.contains(&(address.clone(), live.id.clone()));
            if *owner != Owner::Ours || kept.get(address) == Some(&live.id) || is_adopted {
                continue;
            }
            let meta = self.kinds.get(address.kind.as_str());
            let dying = matches!(live.phase, Phase::Deleting(_));
            if dying && meta.is_some_and(|meta| meta.listed_after_delete) {
                continue;
            }
            let want = self.blueprint.resources.get(address);
            let because = match (self.plan.purpose, kept.contains_key(address)) {
                // The new one is waiting for that itself.
                (Purpose::Apply, false) if want.is_some() => continue,
                _ if dying => Some("AWS is deleting it already".to_owned()),
                (Purpose::Destroy, _) => None,
                (Purpose::Apply, true) => Some("a second object for this address".to_owned()),
                (Purpose::Apply, false) => Some("it is no longer in the config".to_owned()),
            };
            // A second key that two runs made, and that nothing with data uses, has never held any.
            // An object of a kind that could not be read may use it.
            let is_second =
                kept.contains_key(address) && meta.is_some_and(|meta| meta.can_duplicate);
            let is_blind = self.snapshot.unseen.iter().any(|unseen| !unseen.is_unsupported());
            let is_empty = is_second && !is_blind && !self.owners.standing(found).holds_data;
            let data = meta.and_then(|meta| meta.data).filter(|_| !dying && !is_empty);
            let regain = meta.and_then(|meta| meta.regain).filter(|_| data.is_some());
            let mut uses = self.owners.used_by(address, live);
            if let Some(want) = want {
                uses.extend(needs(want));
            }
            self.plan.outputs.entry(address.clone()).or_insert_with(|| live.outputs.clone());
            self.plan.changes.push(Change {
                name: want.map_or_else(|| name_of(live), |want| want.name.clone()),
                component: meta.map(|meta| meta.section.to_owned()).unwrap_or_default(),
                origin: want.map(|want| want.origin.clone()).unwrap_or_default(),
                because,
                irreversible: data.map(str::to_owned),
                regain: regain.and_then(|regain| regain(&live.spec)),
                live: Some(live.clone()),
                uses,
                ..Change::new(address.clone(), Action::Delete)
            });
        }
    }

    /// Puts what nothing refers to, and what yet must go before something else, in its order.
    fn order_deletions(&mut self) {
        let deleted = self.plan.changes.iter().filter(|change| change.action == Action::Delete);
        let mut by_kind: BTreeMap<String, BTreeSet<Address>> = BTreeMap::new();
        for Change { address, .. } in deleted {
            by_kind.entry(address.kind.clone()).or_default().insert(address.clone());
        }
        for change in self.plan.changes.iter_mut().filter(|it| it.action == Action::Delete) {
            let meta = self.kinds.get(change.address.kind.as_str());
            let firsts = meta.map(|meta| meta.delete_after).unwrap_or_default();
            let firsts = firsts.iter().filter_map(|kind| by_kind.get(*kind));
            change.delete_after = firsts.flatten().cloned().collect();
        }
    }

    fn change(
        &self,
        want: &Desired,
        action: Action,
        live: Option<Live>,
        fields: Vec<FieldChange>,
        because: Option<String>,
    ) -> Change {
        let mut uses: BTreeSet<Address> =
            live.as_ref().map(|live| self.owners.used_by(&want.address, live)).unwrap_or_default();
        uses.extend(want.after.iter().cloned());
        Change {
            name: want.name.clone(),
            component: want.component.clone(),
            origin: want.origin.clone(),
            fields,
            because,
            want: Some(want.clone()),
            live,
            needs: needs(want),
            uses,
            ..Change::new(want.address.clone(), action)
        }
    }

    fn refuse(&mut self, want: &Desired, reason: String, hint: String) {
        let (address, origin) = (want.address.clone(), want.origin.clone());
        self.plan.refused.push(Refused { address, origin, reason, hint });
    }

    /// The wanted spec, in its canonical form, with every output that is known: of what stays, and of
    /// new objects as far as it follows from their names. An object is lost with what it is a part of, so
    /// for one that exists, the outputs of a new object it is a part of count as unknown.
    fn known(&self, want: &Desired, meta: &Meta, is_new: bool) -> Result<Value, PlanError> {
        let stays = |reference: &Ref| self.output(&self.plan.outputs, reference);
        let known =
            |reference: &Ref| stays(reference).or_else(|| self.output(&self.predicted, reference));
        let mut spec = want.spec.clone();
        for (field, value) in spec.as_object_mut().into_iter().flatten() {
            let is_part = !is_new && meta.part_of.contains(&field.as_str());
            *value = if is_part { resolve(value, &stays) } else { resolve(value, &known) };
        }
        self.provider.canonical(&want.address.kind, &spec).map_err(PlanError::Spec)
    }

    fn output(&self, of: &BTreeMap<Address, Outputs>, reference: &Ref) -> Option<String> {
        of.get(&reference.to)?.get(&reference.output).cloned()
    }

    /// Keeps what is known of the outputs of a new object.
    fn predict(&mut self, want: &Desired, meta: &Meta, spec: &Value, keeps_identity: bool) {
        if keeps_identity {
            let outputs = meta.predict(&self.blueprint.scope, &want.name, spec);
            self.predicted.insert(want.address.clone(), outputs);
        }
    }

    /// The replaced object that a live one is a part of, if there is one.
    fn lost_with(&self, want: &Desired, meta: &Meta) -> Option<Address> {
        let mut lost = None;
        for field in meta.part_of {
            each_ref(want.spec.get(field).unwrap_or(&Value::Null), &mut |reference| {
                if self.replaced.contains(&reference.to) {
                    lost = Some(reference.to.clone());
                }
            });
        }
        lost
    }

    fn keep_outputs(
        &mut self,
        meta: &Meta,
        address: &Address,
        live: &Live,
        fields: &[FieldChange],
    ) {
        let mut outputs = live.outputs.clone();
        for (field, output) in meta.changed_outputs {
            if fields.iter().any(|change| change.path.split('.').next() == Some(field)) {
                outputs.remove(output);
            }
        }
        self.plan.outputs.insert(address.clone(), outputs);
    }
}

/// What a wanted resource refers to or waits for.
pub(crate) fn needs(want: &Desired) -> BTreeSet<Address> {
    let mut needs = want.after.clone();
    each_ref(&want.spec, &mut |reference| {
        needs.insert(reference.to.clone());
    });
    needs
}

fn name_of(live: &Live) -> String {
    let name =
        live.tags.get("Name").or_else(|| live.outputs.get(&crate::model::text::Output::Name));
    name.unwrap_or(&live.id).clone()
}
