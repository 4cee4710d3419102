//! Launch templates and their versions, which never change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{iso_millis, text};
use super::super::{ACCOUNT, Answer, Refusal, World};
use super::input::{items, list, missing_parameter};
use super::listing::{self, Listing};
use super::{Cx, Region, found, invalid};

/// A launch template.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Template {
    name: String,
    /// The data of each version, as the call sent it.
    versions: BTreeMap<u64, Value>,
    default: u64,
    made: f64,
}

impl Template {
    fn latest(&self) -> u64 {
        self.versions.keys().next_back().copied().unwrap_or_default()
    }

    /// The number that a version stands for.
    fn number(&self, version: &str) -> Option<u64> {
        match version {
            "$Default" => Some(self.default),
            "$Latest" => Some(self.latest()),
            number => number.parse().ok().filter(|it| self.versions.contains_key(it)),
        }
    }
}

/// The data of a version, in the members of RunInstances.
pub(crate) fn data(world: &World, region: &str, id: &str, version: &str) -> Option<Value> {
    let template = world.ec2.regions.get(region)?.templates.get(id)?;
    template.versions.get(&template.number(version)?).cloned()
}

/// The name of a template.
pub(crate) fn name<'w>(world: &'w World, region: &str, id: &str) -> Option<&'w str> {
    Some(world.ec2.regions.get(region)?.templates.get(id)?.name.as_str())
}

fn render(here: &Region, id: &str, one: &Template) -> Value {
    json!({
        "launchTemplateId": id,
        "launchTemplateName": one.name,
        "createTime": iso_millis(one.made),
        "createdBy": format!("arn:aws:iam::{ACCOUNT}:user/sandbox"),
        "defaultVersionNumber": one.default,
        "latestVersionNumber": one.latest(),
        "tagSet": here.tag_set(id),
    })
}

fn render_version(id: &str, one: &Template, number: u64) -> Value {
    json!({
        "launchTemplateId": id,
        "launchTemplateName": one.name,
        "versionNumber": number,
        "defaultVersion": number == one.default,
        "createTime": iso_millis(one.made),
        "createdBy": format!("arn:aws:iam::{ACCOUNT}:user/sandbox"),
        "launchTemplateData": render_data(&one.versions[&number]),
    })
}

fn render_data(data: &Value) -> Value {
    let member = |name: &str| data.get(name).cloned().unwrap_or_default();
    let lower = |value: &Value| -> Value {
        let lowered = value.as_object().into_iter().flatten().map(|(name, value)| {
            let mut letters = name.chars();
            let first = letters.next().map(|first| first.to_ascii_lowercase());
            (first.into_iter().chain(letters).collect::<String>(), value.clone())
        });
        lowered.collect()
    };
    let volumes = items(data, "BlockDeviceMapping").into_iter().map(|one| {
        json!({
            "deviceName": one.get("DeviceName"),
            "ebs": one.get("Ebs").map(&lower),
        })
    });
    let tags = items(data, "TagSpecification").into_iter().map(|one| {
        let tags: Vec<Value> = items(one, "Tag").into_iter().map(&lower).collect();
        json!({ "resourceType": one.get("ResourceType"), "tagSet": tags })
    });
    json!({
        "imageId": member("ImageId"),
        "instanceType": member("InstanceType"),
        "securityGroupIdSet": list(data, "SecurityGroupId"),
        "iamInstanceProfile": data.get("IamInstanceProfile").map(&lower),
        "userData": member("UserData"),
        "blockDeviceMappingSet": volumes.collect::<Vec<_>>(),
        "metadataOptions": data.get("MetadataOptions").map(&lower),
        "tagSpecificationSet": tags.collect::<Vec<_>>(),
    })
}

/// The data of the request, which must not be empty.
fn given(cx: &Cx<'_>) -> Result<Value, Refusal> {
    let data = cx.call.input.get("LaunchTemplateData").filter(|data| data.is_object());
    let data = data.cloned().ok_or_else(|| missing_parameter("LaunchTemplateData"))?;
    for spec in items(&data, "TagSpecification") {
        let kind = text(spec, "ResourceType").unwrap_or_default();
        if !["instance", "volume", "network-interface"].contains(&kind) {
            return Err(invalid(format!("'{kind}' is not a valid taggable resource type.")));
        }
    }
    Ok(data)
}

pub(super) fn create(cx: &mut Cx<'_>) -> Answer {
    if let Some(token) = cx.replay()? {
        return Ok(token.answer);
    }
    let (name, data) = (cx.need("LaunchTemplateName")?, given(cx)?);
    let fits = |c: char| c.is_ascii_alphanumeric() || "().-/_".contains(c);
    if !(3..=128).contains(&name.len()) || !name.chars().all(fits) {
        let message = format!("Invalid launch template name '{name}'.");
        return Err(Refusal::new("InvalidLaunchTemplateName.MalformedException", message));
    }
    if cx.here.templates.values().any(|one| one.name == name) {
        let message = "Launch template name already in use.";
        return Err(Refusal::new("InvalidLaunchTemplateName.AlreadyExistsException", message));
    }
    let id = cx.make("lt")?;
    let versions = BTreeMap::from([(1, data)]);
    let one = Template { name: name.to_owned(), versions, default: 1, made: cx.now() };
    cx.here.templates.insert(id.clone(), one.clone());
    let answer = json!({ "launchTemplate": render(cx.here, &id, &one) });
    cx.remember(vec![id], &answer);
    Ok(answer)
}

/// The id of the template that the request names, by id or by name.
fn named(cx: &Cx<'_>) -> Result<String, Refusal> {
    let Some(name) = cx.text("LaunchTemplateName") else {
        let id = cx.need("LaunchTemplateId")?;
        return found(&cx.here.templates, "lt", id).map(|_| id.to_owned());
    };
    let known = cx.here.templates.iter().find(|(_, one)| one.name == name);
    known.map(|(id, _)| id.clone()).ok_or_else(|| {
        let message = "At least one of the launch templates specified in the request does not \
                       exist.";
        Refusal::new("InvalidLaunchTemplateName.NotFoundException", message)
    })
}

pub(super) fn create_version(cx: &mut Cx<'_>) -> Answer {
    if let Some(token) = cx.replay()? {
        return Ok(token.answer);
    }
    let (id, data) = (named(cx)?, given(cx)?);
    let Some(one) = cx.here.templates.get_mut(&id) else { return Ok(Value::Null) };
    let number = one.latest() + 1;
    one.versions.insert(number, data);
    let answer = json!({ "launchTemplateVersion": render_version(&id, one, number) });
    cx.remember(vec![id], &answer);
    Ok(answer)
}

pub(super) fn modify(cx: &mut Cx<'_>) -> Answer {
    let (id, version) = (named(cx)?, cx.need("SetDefaultVersion")?);
    let number = cx.here.templates[&id].number(version);
    let number = number.ok_or_else(|| no_version(version))?;
    if let Some(one) = cx.here.templates.get_mut(&id) {
        one.default = number;
    }
    Ok(json!({ "launchTemplate": render(cx.here, &id, &cx.here.templates[&id]) }))
}

pub(super) fn delete(cx: &mut Cx<'_>) -> Answer {
    let id = named(cx)?;
    let answer = json!({ "launchTemplate": render(cx.here, &id, &cx.here.templates[&id]) });
    cx.here.templates.remove(&id);
    cx.here.tags.remove(&id);
    Ok(answer)
}

fn no_version(version: &str) -> Refusal {
    let message = format!("Could not find the specified version {version} for the template.");
    Refusal::new("InvalidLaunchTemplateId.VersionNotFound", message)
}

const LISTING: Listing = Listing {
    set: "launchTemplates",
    ask: "LaunchTemplateId",
    id: "launchTemplateId",
    prefix: "lt",
    filters: &[("launch-template-name", "launchTemplateName")],
};

pub(super) fn describe(cx: &mut Cx<'_>) -> Answer {
    let all = cx.here.templates.iter().map(|(id, one)| render(cx.here, id, one)).collect();
    listing::answer(cx, &LISTING, all)
}

/// The latest or default versions of all templates; numbers name versions of one template alone.
fn of_all(cx: &Cx<'_>, wanted: &[String]) -> Answer {
    if wanted.is_empty() || wanted.iter().any(|version| !version.starts_with('$')) {
        let message = "The request must contain the parameter launchTemplateId or \
                       launchTemplateName, or versions that are $Latest or $Default.";
        return Err(Refusal::new("MissingParameter", message));
    }
    let all = cx.here.templates.iter().flat_map(|(id, one)| {
        let numbers = wanted.iter().filter_map(|version| one.number(version));
        numbers.map(move |number| render_version(id, one, number))
    });
    Ok(json!({ "launchTemplateVersionSet": all.collect::<Vec<_>>() }))
}

pub(super) fn describe_versions(cx: &mut Cx<'_>) -> Answer {
    let wanted = cx.list("LaunchTemplateVersion");
    if cx.text("LaunchTemplateId").is_none() && cx.text("LaunchTemplateName").is_none() {
        return of_all(cx, &wanted);
    }
    let id = named(cx)?;
    let (id, one) = (id.as_str(), &cx.here.templates[&id]);
    let mut shown = Vec::new();
    for version in &wanted {
        let number = one.number(version).ok_or_else(|| no_version(version))?;
        shown.push(render_version(id, one, number));
    }
    if wanted.is_empty() {
        shown.extend(one.versions.keys().map(|number| render_version(id, one, *number)));
    }
    Ok(json!({ "launchTemplateVersionSet": shown }))
}
