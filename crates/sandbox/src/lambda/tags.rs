//! The tags of functions and event source mappings.

use serde_json::{Value, json};

use super::super::constraints::{Broken, missing};
use super::super::toolbox::{Tags, add_tags, at, map, remove_tags, text, texts};
use super::super::{Answer, Refusal, World};
use super::names::{is_account, is_region, is_word};
use super::{functions, gone, invalid};

const INVALID: &str = "InvalidParameterValueException";

const RESOURCE: &str = r"arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)";

/// Adds tags.
pub(super) fn add(tags: &mut Tags, more: Tags) -> Result<(), Refusal> {
    const MANY: &str = "TooManyTags";
    add_tags(tags, more, (INVALID, MANY)).map_err(|refusal| match refusal.code.as_str() {
        MANY => invalid("Number of tags exceeds resource tag limit."),
        _ => refusal,
    })
}

/// The objects that can have tags.
enum Tagged<'a> {
    Function(&'a str),
    Mapping(&'a str),
    /// An object of a kind that the sandbox does not have, with the name of the kind.
    Other(&'static str),
}

/// The object that an ARN names, if the ARN fits the model.
fn tagged(arn: &str) -> Result<Tagged<'_>, Refusal> {
    let parts: Vec<&str> = arn.split(':').collect();
    let fits = match parts[..] {
        ["arn", partition, "lambda", region, account, ref rest @ ..]
            if partition.starts_with("aws") && is_region(region) && is_account(account) =>
        {
            rest
        }
        _ => &[],
    };
    match *fits {
        ["function", name] if is_word(name, "") => Ok(Tagged::Function(name)),
        ["function", name, qualifier] if is_word(name, "") && is_word(qualifier, "$") => {
            Err(invalid(
                "Tags on function aliases and versions are not supported. Please specify a \
                 function ARN.",
            ))
        }
        ["event-source-mapping", id] if is_uuid(id) => Ok(Tagged::Mapping(id)),
        ["capacity-provider", name] if is_word(name, "") => Ok(Tagged::Other("Capacity provider")),
        ["layer", name] if is_word(name, "") => Ok(Tagged::Other("Layer")),
        ["code-signing-config", id] if id.starts_with("csc-") && id.len() == 21 => {
            Ok(Tagged::Other("Code signing config"))
        }
        _ => {
            let mut broken = Broken::default();
            let rule = format!("Member must satisfy regular expression pattern: {RESOURCE}");
            broken.note("resource", arn, &rule);
            Err(Refusal::new("ValidationException", broken.message()))
        }
    }
}

fn is_uuid(text: &str) -> bool {
    let hex = text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    hex && text.split('-').map(str::len).eq([8, 4, 4, 4, 12])
}

/// Changes the tags of the object that a request names. A change of a function's tags makes a
/// revision.
fn change(
    world: &mut World,
    region: &str,
    input: &Value,
    change: impl FnOnce(&mut Tags) -> Result<(), Refusal>,
) -> Answer {
    let now = world.base.now();
    change(of(world, region, input)?)?;
    if let Tagged::Function(name) = tagged(text(input, "Resource").unwrap_or_default())?
        && let Some(function) = world.lambda.functions.get_mut(&at(region, name))
    {
        function.revise(now);
    }
    Ok(Value::Null)
}

/// The tags of the object that a request names.
fn of<'a>(world: &'a mut World, region: &str, input: &Value) -> Result<&'a mut Tags, Refusal> {
    let arn = text(input, "Resource").unwrap_or_default();
    let state = &mut world.lambda;
    let (found, what) = match tagged(arn)? {
        Tagged::Function(name) => {
            let found = state.functions.get_mut(&at(region, name));
            return found.map(|it| &mut it.tags).ok_or_else(|| functions::missing(arn));
        }
        Tagged::Mapping(id) => {
            let found = state.mappings.get_mut(&at(region, id)).filter(|it| !it.is_going());
            (found.map(|it| &mut it.tags), "Event source mapping")
        }
        Tagged::Other(what) => (None, what),
    };
    found.ok_or_else(|| gone(format!("{what} not found: {arn}")))
}

pub(super) fn set(world: &mut World, region: &str, input: &Value) -> Answer {
    let more = map(input, "Tags");
    change(world, region, input, |tags| {
        if more.is_empty() {
            Err(invalid("An error occurred and the request cannot be processed."))
        } else {
            add(tags, more)
        }
    })
}

pub(super) fn unset(world: &mut World, region: &str, input: &Value) -> Answer {
    let keys = match text(input, "tagKeys") {
        Some(one) => vec![one.to_owned()],
        None => texts(input, "tagKeys"),
    };
    if keys.is_empty() {
        return Err(missing("ValidationException", "tagKeys"));
    }
    change(world, region, input, |tags| {
        remove_tags(tags, &keys);
        Ok(())
    })
}

pub(super) fn list(world: &mut World, region: &str, input: &Value) -> Answer {
    Ok(json!({ "Tags": of(world, region, input)? }))
}
