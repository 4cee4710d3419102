//! Functions: what they are, how they change, what they reserve.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::super::toolbox::{
    Tags, at, digest, fits, here, iso, map, number, page, put, refuse, text, uuid_of,
};
use super::super::{ACCOUNT, Answer, Refusal, World, ec2};
use super::model::Broken;
use super::names::{LATEST, NAME, NAMESPACED, Named, at_most, is_alias, named};
use super::{CONCURRENCY, State, UNRESERVED, arn, conflict, gone, invalid, settings, tags};

/// The largest package that a request may hold.
const LARGEST_PACKAGE: usize = 52_428_800;

/// A function.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Function {
    settings: Map<String, Value>,
    digest: String,
    size: usize,
    pub(super) tags: Tags,
    reserved: Option<i64>,
    /// The statements of its policy, as they were added.
    #[serde(deserialize_with = "statements")]
    pub(super) policy: Vec<Value>,
    modified: f64,
    /// Another one after each change.
    revision: String,
    /// Until when it is being made, and until when it is being changed.
    pending: f64,
    changing: f64,
    /// The subnet without free addresses that the last change failed for.
    full: Option<String>,
}

/// Earlier versions kept statements by their ids.
fn statements<'de, D: Deserializer<'de>>(kept: D) -> Result<Vec<Value>, D::Error> {
    Ok(match Value::deserialize(kept)? {
        Value::Array(statements) => statements,
        Value::Object(by_id) => by_id.into_iter().map(|(_, statement)| statement).collect(),
        _ => Vec::new(),
    })
}

/// What AWS is doing with a function.
#[derive(Clone, Copy, PartialEq)]
enum Doing {
    Nothing,
    Making,
    Changing,
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

    /// How long a call may take, in seconds.
    pub(super) fn timeout(&self) -> i64 {
        self.settings.get("Timeout").and_then(Value::as_i64).unwrap_or(3)
    }

    fn is_outside(&self) -> bool {
        let place = self.settings.get("VpcConfig");
        place.is_none_or(|place| place["VpcId"] == "")
    }

    fn doing(&self, now: f64) -> Doing {
        match (self.pending > now, self.changing > now) {
            (true, _) => Doing::Making,
            (false, true) => Doing::Changing,
            (false, false) => Doing::Nothing,
        }
    }

    /// The id of its revision: another one once AWS is done with a change.
    pub(super) fn revision(&self, now: f64) -> String {
        self.revision_when(self.doing(now))
    }

    fn revision_when(&self, doing: Doing) -> String {
        match doing {
            Doing::Nothing => uuid_of(&self.revision),
            Doing::Making | Doing::Changing => self.revision.clone(),
        }
    }

    /// Makes a new revision.
    pub(super) fn revise(&mut self, now: f64) {
        self.revision = uuid_of(&format!("{}|{now}", self.revision));
    }

    /// Refuses a change of another revision than the last.
    pub(super) fn is_at(&self, input: &Value, now: f64, call: &str) -> Result<(), Refusal> {
        match text(input, "RevisionId").is_none_or(|wanted| wanted == self.revision(now)) {
            true => Ok(()),
            false => Err(refuse(
                412,
                "PreconditionFailedException",
                format!(
                    "The Revision Id provided does not match the latest Revision Id. Call the \
                     {call} API to retrieve the latest Revision Id"
                ),
            )),
        }
    }

    fn view(&self, region: &str, named: &Named<'_>, doing: Doing) -> Value {
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

    /// Refuses a change during another one.
    pub(super) fn at_rest(&self, region: &str, name: &str, now: f64) -> Result<(), Refusal> {
        let arn = arn(region, name);
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

/// How large the packages of a region's functions are.
pub(super) fn total(state: &State, region: &str) -> usize {
    here(&state.functions, region).map(|(_, function)| function.size).sum()
}

/// The function that a request is about. There are no versions but the last.
pub(super) fn find<'a>(
    world: &'a mut World,
    region: &str,
    named: &Named<'_>,
) -> Result<&'a mut Function, Refusal> {
    let found = world.lambda.functions.get_mut(&at(region, named.name));
    let found = found.filter(|_| named.qualifier.is_none_or(|qualifier| qualifier == LATEST));
    found.ok_or_else(|| missing(&named.arn(region)))
}

/// The function that a request changes.
fn changed<'a, 'b>(
    world: &'a mut World,
    region: &str,
    input: &'b Value,
) -> Result<(&'b str, &'a mut Function), Refusal> {
    let named = named(region, input, &NAME)?;
    Ok((named.name, find(world, region, &named)?))
}

pub(super) fn missing(arn: &str) -> Refusal {
    gone(format!("Function not found: {arn}"))
}

/// The digest and size of the archive in a request.
fn archive(code: &Value) -> Result<(String, usize), Refusal> {
    let archive = text(code, "ZipFile").and_then(|text| STANDARD.decode(text).ok());
    match archive {
        Some(archive) if archive.len() > LARGEST_PACKAGE => {
            let message = format!("Zipped size must be smaller than {LARGEST_PACKAGE} bytes");
            Err(refuse(413, "RequestEntityTooLargeException", message))
        }
        Some(archive) if archive.starts_with(b"PK") => {
            Ok((STANDARD.encode(Sha256::digest(&archive)), archive.len()))
        }
        Some(_) | None => Err(invalid(
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        )),
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
    let vpc = if subnets.is_empty() {
        ec2::shared::leave(&world.base, &mut world.ec2, region, name);
        String::new()
    } else {
        let (base, ec2) = (&mut world.base, &mut world.ec2);
        let vpc = ec2::shared::enter(base, ec2, region, name, &subnets, &groups);
        vpc.map_err(|what| invalid(format!("Error occurred while {what}")))?
    };
    let place = json!({
        "SubnetIds": subnets, "SecurityGroupIds": groups, "VpcId": vpc,
        "Ipv6AllowedForDualStack": false,
    });
    let before = function.settings.insert("VpcConfig".to_owned(), place.clone());
    Ok(before != Some(place))
}

pub(super) fn create(world: &mut World, region: &str, input: &Value) -> Answer {
    let mut broken = Broken::default();
    NAME.check(text(input, "FunctionName").unwrap_or_default(), &mut broken);
    settings::check(input, &mut broken);
    broken.refuse()?;
    let Named { name, .. } = named(region, input, &NAME)?;
    if name.len() > 64 {
        let mut broken = Broken::default();
        broken.note("functionName", name, &at_most(64));
        return Err(invalid(broken.message()));
    }
    if world.lambda.functions.contains_key(&at(region, name)) {
        return Err(conflict(format!("Function already exist: {name}")));
    }
    settings::complete(input)?;
    let mut function = Function { settings: settings::defaults(), ..Function::default() };
    settings::assign(world, region, &mut function.settings, input)?;
    (function.digest, function.size) = archive(&input["Code"])?;
    tags::add(&mut function.tags, map(input, "Tags"))?;
    move_to(world, region, name, &mut function, input)?;
    let now = world.base.now();
    function.modified = now.floor();
    function.revision = arn(region, name);
    function.revise(now);
    function.pending = now + takes(world, function.is_outside());
    let view = function.view(region, &Named { name, qualifier: None }, Doing::Making);
    world.lambda.functions.insert(at(region, name), function);
    Ok(view)
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
            // A list tells nothing of these.
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
    let named = named(region, input, &NAMESPACED)?;
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
    let named = named(region, input, &NAMESPACED)?;
    let now = world.base.now();
    let function = find(world, region, &named)?;
    Ok(function.view(region, &named, function.doing(now)))
}

pub(super) fn configure(world: &mut World, region: &str, input: &Value) -> Answer {
    let mut broken = Broken::default();
    settings::check(input, &mut broken);
    broken.refuse()?;
    let now = world.base.now();
    let (name, function) = changed(world, region, input)?;
    function.at_rest(region, name, now)?;
    function.is_at(input, now, "GetFunction/GetAlias")?;
    let mut function = function.clone();
    let place = settings::place(input)?.unwrap_or_default();
    let full = ec2::shared::full(&world.ec2, region, &place.0, &place.1);
    function.full = full.map(str::to_owned);
    let mut moved = function.full.is_some();
    // A change that will fail is accepted, and leaves the function as it is.
    if !moved {
        settings::assign(world, region, &mut function.settings, input)?;
        moved = move_to(world, region, name, &mut function, input)?;
    }
    function.changing = now + takes(world, function.is_outside() || !moved);
    function.modified = now.floor();
    function.revise(now);
    let view = function.view(region, &Named { name, qualifier: None }, Doing::Changing);
    world.lambda.functions.insert(at(region, name), function);
    Ok(view)
}

pub(super) fn load(world: &mut World, region: &str, input: &Value) -> Answer {
    let now = world.base.now();
    let duration = takes(world, true);
    let mut broken = Broken::default();
    settings::check(input, &mut broken);
    broken.refuse()?;
    let (digest, size) = archive(input)?;
    let (name, function) = changed(world, region, input)?;
    function.at_rest(region, name, now)?;
    function.is_at(input, now, "GetFunction/GetAlias")?;
    (function.digest, function.size, function.full) = (digest, size, None);
    if let Some(processor) = input.get("Architectures") {
        function.settings.insert("Architectures".to_owned(), processor.clone());
    }
    function.changing = now + duration;
    function.modified = now.floor();
    function.revise(now);
    Ok(function.view(region, &Named { name, qualifier: None }, Doing::Changing))
}

pub(super) fn delete(world: &mut World, region: &str, input: &Value) -> Answer {
    let Named { name, qualifier } = named(region, input, &NAMESPACED)?;
    match qualifier {
        Some(LATEST) => {
            let message = "$LATEST version cannot be deleted without deleting the function.";
            return Err(invalid(message));
        }
        Some(alias) if is_alias(alias) => {
            return Err(invalid("Deletion of aliases is not currently supported."));
        }
        Some(_) | None => {}
    }
    find(world, region, &Named { name, qualifier: None })?;
    // A version that is not there is as good as deleted.
    if qualifier.is_none() {
        world.lambda.functions.remove(&at(region, name));
        ec2::shared::leave(&world.base, &mut world.ec2, region, name);
    }
    Ok(Value::Null)
}

/// The function whose concurrency a request is about: never a version of it.
fn whole<'a, 'b>(
    world: &'a mut World,
    region: &str,
    input: &'b Value,
) -> Result<(&'b str, &'a mut Function), Refusal> {
    let Named { name, qualifier } = named(region, input, &NAME)?;
    if qualifier.is_some() {
        return Err(invalid(
            "This operation is permitted on Lambda functions only. Aliases and versions do not \
             support this operation. Please specify either a function name or an unqualified \
             function ARN.",
        ));
    }
    Ok((name, find(world, region, &Named { name, qualifier: Some(LATEST) })?))
}

pub(super) fn reserve(world: &mut World, region: &str, input: &Value) -> Answer {
    let now = world.base.now();
    let free = unreserved(&world.lambda, region);
    let wanted = number(input, "ReservedConcurrentExecutions").unwrap_or_default();
    let (name, function) = whole(world, region, input)?;
    function.at_rest(region, name, now)?;
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
    let (_, function) = whole(world, region, input)?;
    function.reserved = None;
    Ok(Value::Null)
}
