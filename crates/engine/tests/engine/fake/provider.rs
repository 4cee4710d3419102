//! The fake cloud as the engine sees it.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use payctl_engine::model::address::Address;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Owner, Tags};
use payctl_engine::model::meta::Meta;
use payctl_engine::model::scope::Scope;
use payctl_engine::model::text::Output;
use payctl_engine::provider::{Provider, Sweep, Target};
use serde_json::{Value, json};

use super::kinds::{ACCOUNT, KINDS, PART, meta_of};
use super::state::{Object, State};
use super::{FakeCloud, Sort};

fn name_of(spec: &Value) -> Option<&str> {
    spec.get("name").and_then(Value::as_str)
}

impl Provider for FakeCloud {
    fn kinds(&self) -> Vec<&'static Meta> {
        KINDS.to_vec()
    }

    fn limit(&self, service: &str) -> usize {
        match service {
            "one" => 3,
            _ => 8,
        }
    }

    fn canonical(&self, _: &str, spec: &Value) -> Result<Value, OpError> {
        let mut spec = spec.clone();
        if let Some(links) = spec.get_mut("links").and_then(Value::as_array_mut) {
            links.sort_by_key(Value::to_string);
            links.dedup();
        }
        Ok(spec)
    }

    fn survey<'a>(
        &'a self,
        kind: &'a str,
        wanted: &'a BTreeMap<String, Address>,
        _: Option<&'a Sweep>,
    ) -> BoxFuture<'a, Result<Vec<Found>, OpError>> {
        let blind = self.state().faults.blind.iter().find(|(blind, _)| *blind == kind).cloned();
        if let Some((_, None)) = blind {
            return Box::pin(std::future::pending());
        }
        let view = self.view;
        Box::pin(self.operate("Survey", kind, Sort::Read, move |state, scope| {
            if let Some((_, Some(class))) = blind {
                return Err(OpError::new("Survey", class, "Blind", "it cannot be seen"));
            }
            state.tick();
            let lags = state.faults.survey_lags;
            let mut found = Vec::new();
            for object in state.objects.iter_mut().filter(|object| object.address.kind == kind) {
                if !lags {
                    object.hidden = 0;
                }
                let Some(live) = object.look(view) else { continue };
                let wanted_as = name_of(&object.spec).and_then(|name| wanted.get(name));
                let claim = match (scope.owned(&object.tags), wanted_as) {
                    (Some(address), _) => Some((address, Owner::Ours)),
                    (None, _) if !meta_of(kind).tagged => {
                        Some((object.address.clone(), Owner::Ours))
                    }
                    (None, _) if kind == ACCOUNT.kind => {
                        Some((object.address.clone(), Owner::Shared))
                    }
                    (None, Some(address)) => {
                        let owner = Scope::describe_owner(&object.tags);
                        Some((address.clone(), Owner::Foreign(owner)))
                    }
                    (None, None) => None,
                };
                found.extend(claim.map(|(address, owner)| Found { address, owner, live }));
            }
            Ok(found)
        }))
    }

    fn read<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Option<Live>, OpError>> {
        let view = self.view;
        Box::pin(self.operate("Read", &target.address.kind, Sort::Read, move |state, _| {
            state.tick();
            let id = target.id.as_deref().unwrap_or_default();
            Ok(state.at(id).ok().and_then(|object| object.look(view)))
        }))
    }

    fn glance<'a>(
        &'a self,
        target: &'a Target,
        planned: &'a Live,
    ) -> BoxFuture<'a, Result<Option<Live>, OpError>> {
        Box::pin(async move {
            let live = self.read(target).await?;
            // What a kind with a lighter look does not read again is as it was planned.
            let is_light = meta_of(&target.address.kind).told;
            Ok(live.map(|live| match is_light {
                true => Live { tags: live.tags, phase: live.phase, ..planned.clone() },
                false => live,
            }))
        })
    }

    fn holder<'a>(
        &'a self,
        target: &'a Target,
        _: &'a Live,
    ) -> BoxFuture<'a, Result<Option<Tags>, OpError>> {
        let holders = |state: &mut State, _: &Scope| Ok(state.holders.clone());
        Box::pin(self.operate("Read", &target.address.kind, Sort::Read, holders))
    }

    fn create<'a>(
        &'a self,
        target: &'a Target,
        spec: &'a Value,
    ) -> BoxFuture<'a, Result<String, OpError>> {
        let name = format!("Create {}", target.address);
        Box::pin(async move {
            let effect = |state: &mut State, _: &Scope| {
                let kind = &target.address.kind;
                let taken = name_of(spec).is_some_and(|name| {
                    state.objects.iter().any(|other| {
                        other.address.kind == *kind && name_of(&other.spec) == Some(name)
                    })
                });
                if state.faults.full == Some(kind.as_str()) {
                    let message = "the account can hold no more of them";
                    return Err(OpError::new("Create", ErrorClass::Quota, "Full", message));
                }
                if taken {
                    let message = "the name is taken";
                    return Err(OpError::new("Create", ErrorClass::Exists, "Exists", message));
                }
                state.check_links(&target.address, spec)?;
                if state.faults.not_yet > 0 {
                    state.faults.not_yet -= 1;
                    let message = "it is not visible yet";
                    return Err(OpError::new("Create", ErrorClass::NotYet, "NotYet", message));
                }
                let form = meta_of(kind).predicted.iter().find(|(output, _)| *output == Output::Id);
                let id = match (form, name_of(spec)) {
                    (Some((_, form)), Some(name)) => form.replace("{name}", name),
                    (Some(_) | None, Some(_) | None) => state.id(),
                };
                let mut object =
                    Object::new(id.clone(), target.address.clone(), spec.clone(), Tags::new());
                // Creation sets only what it must; the rest is for `update`.
                let is_whole = meta_of(kind).told;
                if !is_whole {
                    object.spec["size"] = json!(0);
                }
                if meta_of(kind).tagged {
                    object.tags = target.tags.clone();
                }
                object.hidden = state.lag();
                object.flaps = state.faults.flaps;
                let split = state.faults.split;
                object.made_in = self.view;
                object.unseen = u32::try_from(state.draw(split + 1)).unwrap_or_default();
                let pending = state.faults.pending;
                if !is_whole {
                    object.pending = u32::try_from(state.draw(pending + 1)).unwrap_or_default();
                }
                let corpse = state.faults.corpse;
                // A corpse that may hold data is a person's business.
                let may_break = meta_of(kind).data.is_none() && !is_whole;
                let breaks = may_break && state.happens(corpse);
                object.failed = breaks.then(|| "it broke".to_owned());
                state.objects.push(object);
                Ok(id)
            };
            self.operate(&name, &target.address.kind, Sort::Create, effect).await
        })
    }

    fn update<'a>(
        &'a self,
        target: &'a Target,
        spec: &'a Value,
        live: &'a Live,
    ) -> BoxFuture<'a, Result<(), OpError>> {
        let name = format!("Update {}", target.address);
        Box::pin(async move {
            let effect = |state: &mut State, _: &Scope| {
                state.check_links(&target.address, spec)?;
                let (lag, flaps) = (state.lag(), state.faults.flaps);
                let object = state.at(&live.id)?;
                object.flaps = flaps;
                let fixed = meta_of(&target.address.kind).immutable;
                if let Some(path) = fixed.iter().find(|path| object.spec[**path] != spec[**path]) {
                    let message = format!("{} cannot change {path}", target.address);
                    state.violations.push(message.clone());
                    return Err(OpError::new("Update", ErrorClass::Invalid, "Immutable", message));
                }
                object.stale = Some((lag, object.spec.clone()));
                object.spec = spec.clone();
                Ok(())
            };
            self.operate(&name, &target.address.kind, Sort::Repeatable, effect).await
        })
    }

    fn retag<'a>(
        &'a self,
        target: &'a Target,
        live: &'a Live,
        set: &'a Tags,
        unset: &'a [String],
    ) -> BoxFuture<'a, Result<(), OpError>> {
        let name = format!("Retag {}", target.address);
        Box::pin(async move {
            let effect = |state: &mut State, scope: &Scope| {
                let object = state.at(&live.id)?;
                object.tags.extend(set.clone());
                object.tags.retain(|key, _| !unset.contains(key));
                // The config may have given it another logical name.
                object.address = scope.owned(&object.tags).unwrap_or(object.address.clone());
                Ok(())
            };
            self.operate(&name, &target.address.kind, Sort::Repeatable, effect).await
        })
    }

    fn delete<'a>(
        &'a self,
        target: &'a Target,
        live: &'a Live,
    ) -> BoxFuture<'a, Result<(), OpError>> {
        let name = format!("Delete {}", target.address);
        Box::pin(async move {
            let effect = |state: &mut State, scope: &Scope| {
                let blocks = meta_of(&target.address.kind).use_blocks_delete;
                let dependent = state.objects.iter().find(|other| {
                    blocks && other.id != live.id && State::links(&other.spec).contains(&live.id)
                });
                if let Some(dependent) = dependent {
                    let message = format!("{} uses {}", dependent.address, target.address);
                    state.refusals += 1;
                    return Err(OpError::new("Delete", ErrorClass::Busy, "InUse", message));
                }
                // Its parts go with it.
                state.objects.retain(|other| {
                    other.address.kind != PART.kind || !State::links(&other.spec).contains(&live.id)
                });
                let looks = state.lag().max(state.faults.dying) + 1;
                let at_once = meta_of(&target.address.kind).gone_at_once;
                let object = state.at(&live.id)?;
                let foreign =
                    meta_of(&target.address.kind).tagged && scope.owned(&object.tags).is_none();
                object.deleting = Some(object.deleting.unwrap_or(looks));
                if foreign {
                    state.violations.push(format!("{} is not ours", target.address));
                }
                if at_once {
                    state.objects.retain(|object| object.id != live.id);
                }
                Ok(())
            };
            self.operate(&name, &target.address.kind, Sort::Repeatable, effect).await
        })
    }
}
