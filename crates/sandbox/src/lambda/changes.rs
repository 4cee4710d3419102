//! Creation, change and deletion of functions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::constraints::Broken;
use super::super::toolbox::{at, flag, map, refuse, text};
use super::super::{Answer, Refusal, World, ec2};
use super::functions::{Doing, Function, find, missing};
use super::names::{LATEST, NAME, NAMESPACED, Named, at_most, is_alias, read_name};
use super::{conflict, function_arn, invalid, settings, tags, versions};

/// The largest package in a request.
const LARGEST_PACKAGE: usize = 52_428_800;

/// How long a change takes in a strict sandbox, in seconds. It takes longer in a VPC.
fn takes(world: &World, outside: bool) -> f64 {
    match (world.base.strict, outside) {
        (false, _) => 0.0,
        (true, true) => 4.0,
        (true, false) => 60.0,
    }
}

/// The function that a request is going to change.
fn changed<'a, 'b>(
    world: &'a mut World,
    region: &str,
    input: &'b Value,
) -> Result<(&'b str, &'a mut Function), Refusal> {
    let named = read_name(region, input, &NAME)?;
    Ok((named.name, find(world, region, &named)?))
}

/// The digest and size of the archive in a request, and the archive in Base64.
fn archive(code: &Value) -> Result<(String, usize, String), Refusal> {
    let archive = text(code, "ZipFile").and_then(|text| STANDARD.decode(text).ok());
    match archive {
        Some(archive) if archive.len() > LARGEST_PACKAGE => {
            let message = format!("Zipped size must be smaller than {LARGEST_PACKAGE} bytes");
            Err(refuse(413, "RequestEntityTooLargeException", message))
        }
        Some(archive) if archive.starts_with(b"PK") => Ok((
            STANDARD.encode(Sha256::digest(&archive)),
            archive.len(),
            STANDARD.encode(&archive),
        )),
        Some(_) | None => Err(invalid(
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        )),
    }
}

/// Moves a function to the subnets that a request names.
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
    let Named { name, .. } = read_name(region, input, &NAME)?;
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
    (function.digest, function.size, function.package) = archive(&input["Code"])?;
    tags::add(&mut function.tags, map(input, "Tags"))?;
    move_to(world, region, name, &mut function, input)?;
    let now = world.base.now();
    function.modified = now.floor();
    function.revision = function_arn(region, name);
    function.revise(now);
    function.pending = now + takes(world, function.is_outside());
    let mut view = function.view(region, &Named { name, qualifier: None }, Doing::Making);
    if flag(input, "Publish") == Some(true) {
        view["Version"] = json!(function.publish(None, now).to_string());
    }
    world.lambda.functions.insert(at(region, name), function);
    Ok(view)
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
    // Lambda accepts a change that will fail, and leaves the function as it is.
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
    let (digest, size, package) = archive(input)?;
    let (name, function) = changed(world, region, input)?;
    function.at_rest(region, name, now)?;
    function.is_at(input, now, "GetFunction/GetAlias")?;
    (function.digest, function.size, function.package) = (digest, size, package);
    function.full = None;
    if let Some(processor) = input.get("Architectures") {
        function.settings.insert("Architectures".to_owned(), processor.clone());
    }
    function.changing = now + duration;
    function.modified = now.floor();
    function.revise(now);
    if flag(input, "Publish") == Some(true) {
        let number = function.publish(None, now).to_string();
        let named = Named { name, qualifier: Some(&number) };
        let version = function.seen(named.qualifier).ok_or_else(|| missing(&named.arn(region)))?;
        let mut view = version.view(region, &named, Doing::Making);
        view["Version"] = json!(number);
        return Ok(view);
    }
    Ok(function.view(region, &Named { name, qualifier: None }, Doing::Changing))
}

pub(super) fn delete(world: &mut World, region: &str, input: &Value) -> Answer {
    let Named { name, qualifier } = read_name(region, input, &NAMESPACED)?;
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
    let now = world.base.now();
    let function = find(world, region, &Named { name, qualifier: None })?;
    match qualifier {
        Some(version) => versions::delete(function, version, now)?,
        None => {
            world.lambda.functions.remove(&at(region, name));
            ec2::shared::leave(&world.base, &mut world.ec2, region, name);
        }
    }
    Ok(Value::Null)
}
