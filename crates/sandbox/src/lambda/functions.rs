//! Functions: what they are, how they change, what they reserve.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::super::toolbox::{
    Tags, add_tags, at, fits, here, is_name, iso, map, number, page, put, text,
};
use super::super::{ACCOUNT, Answer, Refusal, World, ec2};
use super::{
    CONCURRENCY, State, TAGS, UNRESERVED, arn, conflict, gone, invalid, name_in, settings,
};

/// A function.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Function {
    settings: Map<String, Value>,
    digest: String,
    size: usize,
    pub(super) tags: Tags,
    reserved: Option<i64>,
    /// The statements of its policy.
    pub(super) policy: BTreeMap<String, Value>,
    modified: f64,
    /// Until when it is being made, and until when it is being changed.
    pending: f64,
    changing: f64,
    /// The subnet without free addresses that the last change failed for.
    full: Option<String>,
}

impl Function {
    /// The key of its variables.
    pub(super) fn key(&self) -> Option<String> {
        self.settings.get("KMSKeyArn").and_then(Value::as_str).map(str::to_owned)
    }

    pub(super) fn has_policy(&self) -> bool {
        !self.policy.is_empty()
    }

    /// Whether its policy lets a service call it for one of the account's objects.
    pub(super) fn permits(&self, service: &str, source: &str) -> bool {
        self.policy.values().any(|statement| {
            let condition = &statement["Condition"];
            let account = text(&condition["StringEquals"], "AWS:SourceAccount");
            let pattern = text(&condition["ArnLike"], "AWS:SourceArn");
            statement["Principal"]["Service"] == service
                && statement["Action"] == "lambda:InvokeFunction"
                && account.is_none_or(|account| account == ACCOUNT)
                && pattern.is_none_or(|pattern| fits(pattern, source))
        })
    }

    /// How long a call may take, in seconds.
    pub(super) fn timeout(&self) -> i64 {
        self.settings.get("Timeout").and_then(Value::as_i64).unwrap_or(3)
    }

    pub(super) fn active_since(&self) -> f64 {
        self.pending
    }

    fn is_outside(&self) -> bool {
        !self.settings.contains_key("VpcConfig")
    }

    fn view(&self, region: &str, name: &str, now: f64) -> Value {
        let mut view = Value::Object(self.settings.clone());
        let nowhere = json!({ "SubnetIds": [], "SecurityGroupIds": [], "VpcId": "" });
        if self.is_outside() {
            view["VpcConfig"] = nowhere;
        }
        view["FunctionName"] = json!(name);
        view["FunctionArn"] = json!(arn(region, name));
        view["CodeSha256"] = json!(self.digest);
        view["CodeSize"] = json!(self.size);
        view["Version"] = json!("$LATEST");
        view["LastModified"] = json!(iso(self.modified).replace('Z', ".000+0000"));
        view["LoggingConfig"] =
            json!({ "LogFormat": "Text", "LogGroup": format!("/aws/lambda/{name}") });
        let (state, update) = (self.pending > now, self.changing > now);
        view["State"] = json!(if state { "Pending" } else { "Active" });
        view["LastUpdateStatus"] = json!(if update { "InProgress" } else { "Successful" });
        if let Some(subnet) = self.full.as_ref().filter(|_| !update) {
            view["LastUpdateStatus"] = json!("Failed");
            view["LastUpdateStatusReasonCode"] = json!("SubnetOutOfIPAddresses");
            let reason = format!("Subnet {subnet} has no IP addresses available.");
            view["LastUpdateStatusReason"] = json!(reason);
        }
        view
    }

    /// Refuses a change during another one.
    pub(super) fn at_rest(&self, region: &str, name: &str, now: f64) -> Result<(), Refusal> {
        let arn = arn(region, name);
        if self.pending > now {
            return Err(conflict(format!(
                "The operation cannot be performed at this time. The function is currently in the \
                 following state: Pending: {arn}"
            )));
        }
        match self.changing > now {
            true => Err(conflict(format!(
                "The operation cannot be performed at this time. An update is in progress for \
                 resource: {arn}"
            ))),
            false => Ok(()),
        }
    }
}

/// How long something takes in a strict sandbox, in seconds; longer in a network.
fn takes(world: &World, outside: bool) -> f64 {
    match (world.base.strict, outside) {
        (false, _) => 0.0,
        (true, true) => 4.0,
        (true, false) => 60.0,
    }
}

/// How many calls nobody has set aside.
pub(super) fn unreserved(state: &State, region: &str) -> i64 {
    let reserved = here(&state.functions, region).filter_map(|(_, function)| function.reserved);
    CONCURRENCY - reserved.sum::<i64>()
}

/// The function that a request is about.
pub(super) fn find<'a>(
    world: &'a mut World,
    region: &str,
    input: &Value,
) -> Result<(String, &'a mut Function), Refusal> {
    let name = name_in(text(input, "FunctionName").unwrap_or_default()).to_owned();
    match world.lambda.functions.get_mut(&at(region, &name)) {
        Some(function) => Ok((name, function)),
        None => Err(gone(&arn(region, &name))),
    }
}

/// The digest and size of the archive in a request.
fn archive(code: &Value) -> Result<(String, usize), Refusal> {
    let archive = text(code, "ZipFile").and_then(|text| STANDARD.decode(text).ok());
    match archive.filter(|archive| archive.starts_with(b"PK")) {
        Some(archive) => Ok((STANDARD.encode(Sha256::digest(&archive)), archive.len())),
        None => Err(invalid("Could not unzip uploaded file. Please check your file.")),
    }
}

/// Moves a function to where a request wants it.
fn move_to(
    world: &mut World,
    region: &str,
    name: &str,
    function: &mut Function,
    input: &Value,
) -> Result<bool, Refusal> {
    let Some((subnets, groups)) = settings::place(input)? else { return Ok(false) };
    if subnets.is_empty() {
        ec2::shared::leave(&world.base, &mut world.ec2, region, name);
        return Ok(function.settings.remove("VpcConfig").is_some());
    }
    let vpc = ec2::shared::enter(&mut world.base, &mut world.ec2, region, name, &subnets, &groups);
    let vpc = vpc.map_err(|what| {
        invalid(format!("Error occurred while DescribeNetworkInterfaces: no {what}"))
    })?;
    let place = json!({ "SubnetIds": subnets, "SecurityGroupIds": groups, "VpcId": vpc });
    let before = function.settings.insert("VpcConfig".to_owned(), place.clone());
    Ok(before != Some(place))
}

pub(super) fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let name = text(input, "FunctionName").unwrap_or_default();
    if !is_name(name, 1..=64, "-_") {
        return Err(Refusal::new("ValidationException", "1 to 64 letters, digits, - and _"));
    }
    if world.lambda.functions.contains_key(&at(region, name)) {
        return Err(conflict(format!("Function already exist: {name}")));
    }
    settings::complete(input)?;
    let mut function = Function { settings: settings::defaults(), ..Function::default() };
    settings::assign(world, region, &mut function.settings, input)?;
    (function.digest, function.size) = archive(&input["Code"])?;
    add_tags(&mut function.tags, map(input, "Tags"), TAGS)?;
    move_to(world, region, name, &mut function, input)?;
    let now = world.base.now();
    function.modified = now.floor();
    function.pending = now + takes(world, function.is_outside());
    let view = function.view(region, name, now);
    world.lambda.functions.insert(at(region, name), function);
    Ok(view)
}

pub(super) fn list(world: &World, region: &str, input: &Value) -> Answer {
    let now = world.base.now();
    let all = here(&world.lambda.functions, region).map(|(name, function)| {
        let mut view = function.view(region, name, now);
        // A list tells nothing of these.
        for key in ["State", "LastUpdateStatus"] {
            view[key] = Value::Null;
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
    let now = world.base.now();
    let (name, function) = find(world, region, input)?;
    let mut answer = json!({
        "Configuration": function.view(region, &name, now),
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
    let now = world.base.now();
    let (name, function) = find(world, region, input)?;
    Ok(function.view(region, &name, now))
}

pub(super) fn configure(world: &mut World, region: &str, input: &Value) -> Answer {
    let now = world.base.now();
    let (name, function) = find(world, region, input)?;
    function.at_rest(region, &name, now)?;
    let mut function = function.clone();
    let place = settings::place(input)?.unwrap_or_default();
    let full = ec2::shared::full(&world.ec2, region, &place.0, &place.1);
    function.full = full.map(str::to_owned);
    let mut moved = function.full.is_some();
    // A change that will fail is accepted, and leaves the function as it is.
    if !moved {
        settings::assign(world, region, &mut function.settings, input)?;
        moved = move_to(world, region, &name, &mut function, input)?;
    }
    function.changing = now + takes(world, function.is_outside() || !moved);
    function.modified = now.floor();
    let view = function.view(region, &name, now);
    world.lambda.functions.insert(at(region, &name), function);
    Ok(view)
}

pub(super) fn load(world: &mut World, region: &str, input: &Value) -> Answer {
    let now = world.base.now();
    let duration = takes(world, true);
    let (digest, size) = archive(input)?;
    let (name, function) = find(world, region, input)?;
    function.at_rest(region, &name, now)?;
    (function.digest, function.size, function.full) = (digest, size, None);
    if let Some(processor) = input.get("Architectures") {
        function.settings.insert("Architectures".to_owned(), processor.clone());
    }
    function.changing = now + duration;
    function.modified = now.floor();
    Ok(function.view(region, &name, now))
}

pub(super) fn delete(world: &mut World, region: &str, input: &Value) -> Answer {
    let (name, _) = find(world, region, input)?;
    world.lambda.functions.remove(&at(region, &name));
    ec2::shared::leave(&world.base, &mut world.ec2, region, &name);
    Ok(Value::Null)
}

pub(super) fn reserve(world: &mut World, region: &str, input: &Value) -> Answer {
    let now = world.base.now();
    let free = unreserved(&world.lambda, region);
    let wanted = number(input, "ReservedConcurrentExecutions").unwrap_or_default();
    let (name, function) = find(world, region, input)?;
    function.at_rest(region, &name, now)?;
    if free + function.reserved.unwrap_or_default() - wanted < UNRESERVED {
        return Err(invalid(format!(
            "Specified ReservedConcurrentExecutions for function decreases account's \
             UnreservedConcurrentExecution below its minimum value of [{UNRESERVED}]."
        )));
    }
    function.reserved = Some(wanted);
    Ok(json!({ "ReservedConcurrentExecutions": wanted }))
}

pub(super) fn share(world: &mut World, region: &str, input: &Value) -> Answer {
    let (_, function) = find(world, region, input)?;
    function.reserved = None;
    Ok(Value::Null)
}
