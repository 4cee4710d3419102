//! The tags of all kinds.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::toolbox::text;
use super::super::{Answer, Refusal};
use super::input::{items, list, missing_parameter};
use super::listing::{self, Listing};
use super::{Cx, KINDS, Region, invalid, missing};

/// The tags of one object.
pub(super) type Tags = BTreeMap<String, String>;

const MOST: usize = 50;

impl Region {
    /// The tags in an answer.
    pub(super) fn tag_set(&self, id: &str) -> Value {
        let tags = self.tags.get(id).into_iter().flatten();
        tags.map(|(key, value)| json!({ "key": key, "value": value })).collect()
    }

    /// Whether an object with this id exists that can have tags.
    fn can_tag(&self, id: &str) -> bool {
        match prefix(id) {
            "vpc" => self.vpcs.contains_key(id),
            "subnet" => self.subnets.contains_key(id),
            "igw" => self.gateways.contains_key(id),
            "rtb" => self.tables.contains_key(id),
            "eipalloc" => self.addresses.contains_key(id),
            "nat" => self.nats.contains_key(id),
            "i" => self.instances.contains_key(id),
            "sg" => self.groups.contains_key(id),
            "sgr" => self.rules.contains_key(id),
            "vpce" => self.endpoints.contains_key(id),
            "fl" => self.flow_logs.contains_key(id),
            "eni" => self.interface_holder(id).is_some(),
            "lt" => self.templates.contains_key(id),
            "acl" => self.vpcs.values().any(|vpc| vpc.acl == id),
            _ => false,
        }
    }
}

impl Cx<'_> {
    /// A new id with the tags of the request's specifications.
    pub(super) fn make(&mut self, prefix: &str) -> Result<String, Refusal> {
        let kind = KINDS.iter().find(|kind| kind.0 == prefix).map_or("", |kind| kind.1);
        let tags = self.new_tags(&[kind])?.remove(kind).unwrap_or_default();
        let id = self.base.id(prefix);
        self.tag(&id, tags);
        Ok(id)
    }

    /// Adds tags to a new object.
    pub(super) fn tag(&mut self, id: &str, tags: Tags) {
        if !tags.is_empty() {
            self.here.tags.insert(id.to_owned(), tags);
        }
    }

    /// The tags of the request's specifications, by type.
    pub(super) fn new_tags(&self, allowed: &[&str]) -> Result<BTreeMap<String, Tags>, Refusal> {
        let mut specified: BTreeMap<String, Tags> = BTreeMap::new();
        for one in self.items("TagSpecification") {
            let kind = text(one, "ResourceType").unwrap_or_default();
            if !allowed.contains(&kind) {
                return Err(invalid(format!(
                    "'{kind}' is not a valid taggable resource type for this operation."
                )));
            }
            let tags = specified.entry(kind.to_owned()).or_default();
            for tag in items(one, "Tag") {
                let (key, value) = checked(tag)?;
                if tags.insert(key.clone(), value).is_some() {
                    return Err(invalid(format!("Duplicate tag key '{key}' specified.")));
                }
            }
            within_limit(tags)?;
        }
        Ok(specified)
    }
}

fn checked(tag: &Value) -> Result<(String, String), Refusal> {
    let key = text(tag, "Key").ok_or_else(|| missing_parameter("Tag.Key"))?;
    let value = text(tag, "Value").unwrap_or_default();
    if key.is_empty() || key.chars().count() > 128 {
        return Err(invalid("Tag keys must have 1 to 128 characters"));
    }
    if value.chars().count() > 256 {
        return Err(invalid("Tag values must have at most 256 characters"));
    }
    if key.to_lowercase().starts_with("aws:") {
        return Err(invalid("Tag keys starting with 'aws:' are reserved for internal use"));
    }
    Ok((key.to_owned(), value.to_owned()))
}

fn within_limit(tags: &Tags) -> Result<(), Refusal> {
    if tags.len() > MOST {
        Err(Refusal::new("TagLimitExceeded", "More than 50 tags on one resource"))
    } else {
        Ok(())
    }
}

/// The part of an id before the dash.
fn prefix(id: &str) -> &str {
    id.split_once('-').map_or("", |(prefix, _)| prefix)
}

/// The objects that a call names. All must exist.
fn named_resources(cx: &Cx<'_>) -> Result<Vec<String>, Refusal> {
    let ids = list(&cx.call.input, "ResourceId");
    if ids.is_empty() {
        return Err(missing_parameter("ResourceId"));
    }
    match ids.iter().find(|id| !cx.here.can_tag(id)) {
        Some(id) => Err(missing(prefix(id), id)),
        None => Ok(ids),
    }
}

pub(super) fn create(cx: &mut Cx<'_>) -> Answer {
    let ids = named_resources(cx)?;
    let new: Tags = cx.items("Tag").into_iter().map(checked).collect::<Result<_, _>>()?;
    if new.is_empty() {
        return Err(missing_parameter("Tag"));
    }
    for id in &ids {
        let mut all = cx.here.tags.get(id).cloned().unwrap_or_default();
        all.extend(new.clone());
        within_limit(&all)?;
    }
    for id in ids {
        cx.here.tags.entry(id).or_default().extend(new.clone());
    }
    Ok(json!({ "return": true }))
}

/// Removes keys. A key with a value goes only if it has that value. A call without keys removes all
/// tags.
pub(super) fn delete(cx: &mut Cx<'_>) -> Answer {
    let named = named_resources(cx)?;
    let unwanted = cx.items("Tag");
    for id in named {
        let Some(tags) = cx.here.tags.get_mut(&id) else { continue };
        tags.retain(|key, value| {
            !unwanted.is_empty()
                && !unwanted.iter().any(|tag| {
                    text(tag, "Key") == Some(key)
                        && text(tag, "Value").is_none_or(|wanted| wanted == value)
                })
        });
    }
    Ok(json!({ "return": true }))
}

const LISTING: Listing = Listing {
    set: "tagSet",
    ask: "",
    id: "resourceId",
    prefix: "",
    filters: &[
        ("key", "key"),
        ("resource-id", "resourceId"),
        ("resource-type", "resourceType"),
        ("value", "value"),
    ],
};

pub(super) fn describe(cx: &mut Cx<'_>) -> Answer {
    let mut all = Vec::new();
    for (id, tags) in &cx.here.tags {
        let kind = KINDS.iter().find(|kind| kind.0 == prefix(id)).map_or("", |kind| kind.1);
        for (key, value) in tags {
            all.push(json!({
                "resourceId": id,
                "resourceType": kind,
                "key": key,
                "value": value,
                // For the `tag:KEY` filter.
                "tagSet": [{ "key": key, "value": value }],
            }));
        }
    }
    let mut answer = listing::answer(cx, &LISTING, all)?;
    for tag in answer["tagSet"].as_array_mut().into_iter().flatten() {
        if let Some(members) = tag.as_object_mut() {
            members.remove("tagSet");
        }
    }
    Ok(answer)
}
