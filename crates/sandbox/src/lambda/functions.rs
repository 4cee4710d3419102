//! Functions and their descriptions.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use super::super::constraints::Broken;
use super::super::toolbox::{
    Tags, at, digest, fits, here, iso, number, page, put, refuse, text, uuid_of,
};
use super::super::{ACCOUNT, Answer, Refusal, World};
use super::aliases::Alias;
use super::names::{LATEST, NAMESPACED, Named, read_name};
use super::policies;
use super::provisioned::Provisioned;
use super::versions::{self, Version};
use super::{State, conflict, function_arn, gone};

/// A function.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Function {
    pub(super) settings: Map<String, Value>,
    pub(super) digest: String,
    pub(super) size: usize,
    pub(super) tags: Tags,
    pub(super) reserved: Option<i64>,
    /// The statements of its policy, in the order in which they were added.
    #[serde(deserialize_with = "statements")]
    pub(super) policy: Vec<Value>,
    pub(super) modified: f64,
    /// The revision id. Each change makes a new one.
    pub(super) revision: String,
    /// Until when Lambda creates it, and until when Lambda changes it.
    pub(super) pending: f64,
    pub(super) changing: f64,
    /// The full subnet that made the last change fail.
    pub(super) full: Option<String>,
    /// Published versions, and the number of the last one, which may be gone.
    pub(super) versions: BTreeMap<u64, Version>,
    pub(super) published: u64,
    pub(super) aliases: BTreeMap<String, Alias>,
    /// Provisioned concurrency, by version or alias.
    pub(super) provisioned: BTreeMap<String, Provisioned>,
}

/// An earlier version of the sandbox kept statements by id.
fn statements<'de, D: Deserializer<'de>>(kept: D) -> Result<Vec<Value>, D::Error> {
    Ok(match Value::deserialize(kept)? {
        Value::Array(statements) => statements,
        Value::Object(by_id) => by_id.into_iter().map(|(_, statement)| statement).collect(),
        _ => Vec::new(),
    })
}

/// Lambda's work on a function.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Doing {
    Nothing,
    Making,
    Changing,
}

impl Function {
    /// The KMS key of its variables.
    pub(super) fn key(&self) -> Option<String> {
        self.settings.get("KMSKeyArn").and_then(Value::as_str).map(str::to_owned)
    }

    /// Whether the policy of a qualifier lets a service call it for one of the account's objects.
    pub(super) fn permits(&self, qualifier: Option<&str>, service: &str, source: &str) -> bool {
        policies::of(self, qualifier).into_iter().flatten().any(|statement| {
            let condition = &statement["Condition"];
            let account = text(&condition["StringEquals"], "AWS:SourceAccount");
            let pattern = text(&condition["ArnLike"], "AWS:SourceArn");
            statement["Principal"]["Service"] == service
                && statement["Action"] == "lambda:InvokeFunction"
                && account.is_none_or(|account| account == ACCOUNT)
                && pattern.is_none_or(|pattern| fits(pattern, source))
        })
    }

    /// The timeout of a call, in seconds.
    pub(super) fn timeout(&self) -> i64 {
        self.settings.get("Timeout").and_then(Value::as_i64).unwrap_or(3)
    }

    pub(super) fn active_since(&self) -> f64 {
        self.pending
    }

    pub(super) fn is_outside(&self) -> bool {
        let place = self.settings.get("VpcConfig");
        place.is_none_or(|place| place["VpcId"] == "")
    }

    pub(super) fn doing(&self, now: f64) -> Doing {
        match (self.pending > now, self.changing > now) {
            (true, _) => Doing::Making,
            (false, true) => Doing::Changing,
            (false, false) => Doing::Nothing,
        }
    }

    /// The revision id. It changes when Lambda has completed a change.
    pub(super) fn revision(&self, now: f64) -> String {
        self.revision_when(self.doing(now))
    }

    fn revision_when(&self, doing: Doing) -> String {
        match doing {
            Doing::Nothing => uuid_of(&self.revision),
            Doing::Making | Doing::Changing => self.revision.clone(),
        }
    }

    /// Begins a new revision.
    pub(super) fn revise(&mut self, now: f64) {
        self.revision = uuid_of(&format!("{}|{now}", self.revision));
    }

    /// Refuses a change of a revision that is not the last one.
    pub(super) fn is_at(&self, input: &Value, now: f64, call: &str) -> Result<(), Refusal> {
        is_at(input, &self.revision(now), call)
    }

    pub(super) fn view(&self, region: &str, named: &Named<'_>, doing: Doing) -> Value {
        let mut view = Value::Object(self.settings.clone());
        let name = named.name;
        view["FunctionName"] = json!(name);
        view["FunctionArn"] = json!(named.arn(region));
        view["CodeSha256"] = json!(self.digest);
        view["CodeSize"] = json!(self.size);
        view["Version"] = json!(LATEST);
        view["LastModified"] = json!(iso(self.modified).replace('Z', ".000+0000"));
        view["RevisionId"] = json!(self.revision_when(doing));
        if view.pointer("/LoggingConfig/LogGroup").is_none() {
            view["LoggingConfig"]["LogGroup"] = json!(format!("/aws/lambda/{name}"));
        }
        let runtime = digest(text(&view, "Runtime").unwrap_or_default());
        let runtime = format!("arn:aws:lambda:{region}::runtime:{runtime}");
        view["RuntimeVersionConfig"] = json!({ "RuntimeVersionArn": runtime });
        let (code, reason) = ("Creating", "The function is being created.");
        view["State"] = json!("Active");
        match doing {
            Doing::Making => {
                view["State"] = json!("Pending");
                view["StateReasonCode"] = json!(code);
                view["StateReason"] = json!(reason);
            }
            Doing::Changing => {
                view["LastUpdateStatus"] = json!("InProgress");
                view["LastUpdateStatusReasonCode"] = json!(code);
                view["LastUpdateStatusReason"] = json!(reason);
            }
            Doing::Nothing => view["LastUpdateStatus"] = json!("Successful"),
        }
        if let Some(subnet) = self.full.as_ref().filter(|_| doing == Doing::Nothing) {
            view["LastUpdateStatus"] = json!("Failed");
            view["LastUpdateStatusReasonCode"] = json!("SubnetOutOfIPAddresses");
            let reason = format!("Subnet {subnet} has no IP addresses available.");
            view["LastUpdateStatusReason"] = json!(reason);
        }
        view
    }

    /// Refuses a change while another one is in progress.
    pub(super) fn at_rest(&self, region: &str, name: &str, now: f64) -> Result<(), Refusal> {
        let arn = function_arn(region, name);
        match self.doing(now) {
            Doing::Making => Err(conflict(format!(
                "The operation cannot be performed at this time. The function is currently in the \
                 following state: Pending: {arn}"
            ))),
            Doing::Changing => Err(conflict(format!(
                "The operation cannot be performed at this time. An update is in progress for \
                 resource: {arn}"
            ))),
            Doing::Nothing => Ok(()),
        }
    }
}

/// The size of all packages of a region's functions.
pub(super) fn total(state: &State, region: &str) -> usize {
    let size = |function: &Function| {
        function.size + function.versions.values().map(|version| version.was.size).sum::<usize>()
    };
    here(&state.functions, region).map(|(_, function)| size(function)).sum()
}

/// The function that a request names, by its name or its latest version.
pub(super) fn find<'a>(
    world: &'a mut World,
    region: &str,
    named: &Named<'_>,
) -> Result<&'a mut Function, Refusal> {
    let found = world.lambda.functions.get_mut(&at(region, named.name));
    let found = found.filter(|_| named.qualifier.is_none_or(|qualifier| qualifier == LATEST));
    found.ok_or_else(|| missing(&named.arn(region)))
}

/// Refuses a request about another revision than the last.
pub(super) fn is_at(input: &Value, revision: &str, call: &str) -> Result<(), Refusal> {
    match text(input, "RevisionId").is_none_or(|wanted| wanted == revision) {
        true => Ok(()),
        false => Err(refuse(
            412,
            "PreconditionFailedException",
            format!(
                "The Revision Id provided does not match the latest Revision Id. Call the {call} \
                 API to retrieve the latest Revision Id"
            ),
        )),
    }
}

pub(super) fn missing(arn: &str) -> Refusal {
    gone(format!("Function not found: {arn}"))
}

pub(super) fn list(world: &World, region: &str, input: &Value) -> Answer {
    let mut broken = Broken::default();
    broken.one_of("functionVersion", text(input, "FunctionVersion"), &["ALL"]);
    broken.refuse()?;
    let versions = text(input, "FunctionVersion").is_some();
    let now = world.base.now();
    let all = here(&world.lambda.functions, region).flat_map(|(name, function)| {
        let views = match versions {
            true => versions::all(function, region, name, now),
            false => {
                let named = Named { name, qualifier: None };
                vec![in_list(function.view(region, &named, function.doing(now)))]
            }
        };
        views.into_iter().enumerate().map(move |(at, view)| (format!("{name}:{at:020}"), view))
    });
    let limit = number(input, "MaxItems").unwrap_or(50).clamp(1, 50) as usize;
    let (functions, next) = page(all.collect(), text(input, "Marker"), limit);
    let mut answer = json!({ "Functions": functions });
    put(&mut answer, "NextMarker", next);
    Ok(answer)
}

/// A description without what a list does not tell.
pub(super) fn in_list(mut view: Value) -> Value {
    if let Some(view) = view.as_object_mut() {
        view.retain(|key, _| {
            !["State", "LastUpdateStatus", "RuntimeVersionConfig"]
                .iter()
                .any(|left_out| key.starts_with(left_out))
        });
    }
    view
}

/// The function that a request is about, and the description of what its qualifier means.
fn described<'a>(
    world: &'a mut World,
    region: &str,
    input: &Value,
) -> Result<(&'a Function, Value), Refusal> {
    let named = read_name(region, input, &NAMESPACED)?;
    let now = world.base.now();
    let unknown = || missing(&named.arn(region));
    let whole = Named { qualifier: None, ..named };
    let function = find(world, region, &whole).map_err(|_| unknown())?;
    let view = function.view_of(region, &named, now).ok_or_else(unknown)?;
    Ok((function, view))
}

pub(super) fn get(world: &mut World, region: &str, input: &Value) -> Answer {
    let (function, view) = described(world, region, input)?;
    let mut answer = json!({
        "Configuration": view,
        "Code": { "RepositoryType": "S3", "Location": "https://sandbox.invalid/code" },
    });
    if !function.tags.is_empty() {
        answer["Tags"] = json!(function.tags);
    }
    if let Some(reserved) = function.reserved {
        answer["Concurrency"] = json!({ "ReservedConcurrentExecutions": reserved });
    }
    Ok(answer)
}

pub(super) fn configuration(world: &mut World, region: &str, input: &Value) -> Answer {
    Ok(described(world, region, input)?.1)
}
