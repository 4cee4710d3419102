//! Functions and their descriptions.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use super::super::constraints::Broken;
use super::super::toolbox::{
    Tags, at, digest, fits, here, iso, number, page, put, refuse, text, uuid_of,
};
use super::super::{ACCOUNT, Answer, Refusal, World};
use super::names::{LATEST, NAMESPACED, Named, read_name};
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

    pub(super) fn has_policy(&self) -> bool {
        !self.policy.is_empty()
    }

    /// Whether its policy allows a service to call it for an object of the account.
    pub(super) fn permits(&self, service: &str, source: &str) -> bool {
        self.policy.iter().any(|statement| {
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
        if text(input, "RevisionId").is_none_or(|wanted| wanted == self.revision(now)) {
            Ok(())
        } else {
            Err(refuse(
                412,
                "PreconditionFailedException",
                format!(
                    "The Revision Id provided does not match the latest Revision Id. Call the \
                     {call} API to retrieve the latest Revision Id"
                ),
            ))
        }
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
    here(&state.functions, region).map(|(_, function)| function.size).sum()
}

/// The function that a request names. Only the latest version exists.
pub(super) fn find<'a>(
    world: &'a mut World,
    region: &str,
    named: &Named<'_>,
) -> Result<&'a mut Function, Refusal> {
    let found = world.lambda.functions.get_mut(&at(region, named.name));
    let found = found.filter(|_| named.qualifier.is_none_or(|qualifier| qualifier == LATEST));
    found.ok_or_else(|| missing(&named.arn(region)))
}

pub(super) fn missing(arn: &str) -> Refusal {
    gone(format!("Function not found: {arn}"))
}

pub(super) fn list(world: &World, region: &str, input: &Value) -> Answer {
    let mut broken = Broken::default();
    broken.one_of("functionVersion", text(input, "FunctionVersion"), &["ALL"]);
    broken.refuse()?;
    let qualifier = text(input, "FunctionVersion").map(|_| LATEST);
    let now = world.base.now();
    let all = here(&world.lambda.functions, region).map(|(name, function)| {
        let mut view = function.view(region, &Named { name, qualifier }, function.doing(now));
        if let Some(view) = view.as_object_mut() {
            // A list leaves these members out.
            view.retain(|key, _| {
                !["State", "LastUpdateStatus", "RuntimeVersionConfig"]
                    .iter()
                    .any(|left_out| key.starts_with(left_out))
            });
        }
        (name.to_owned(), view)
    });
    let limit = number(input, "MaxItems").unwrap_or(50).clamp(1, 50) as usize;
    let (functions, next) = page(all.collect(), text(input, "Marker"), limit);
    let mut answer = json!({ "Functions": functions });
    put(&mut answer, "NextMarker", next);
    Ok(answer)
}

pub(super) fn get(world: &mut World, region: &str, input: &Value) -> Answer {
    let named = read_name(region, input, &NAMESPACED)?;
    let now = world.base.now();
    let function = find(world, region, &named)?;
    let mut answer = json!({
        "Configuration": function.view(region, &named, function.doing(now)),
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
    let named = read_name(region, input, &NAMESPACED)?;
    let now = world.base.now();
    let function = find(world, region, &named)?;
    Ok(function.view(region, &named, function.doing(now)))
}
