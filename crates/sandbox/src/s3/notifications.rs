//! The notifications of a bucket: queues, topics and functions.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Ask, checks};
use crate::toolbox::uuid;
use crate::wire::xml::{Element, malformed};
use crate::{Call, Refusal, World, lambda, sns, sqs};

/// Each kind of receiver: the element of its configuration, the element of its ARN, and the
/// service.
const RECEIVERS: [(&str, &str, &str); 3] = [
    ("QueueConfiguration", "Queue", "sqs"),
    ("TopicConfiguration", "Topic", "sns"),
    ("CloudFunctionConfiguration", "CloudFunction", "lambda"),
];

/// Checks a configuration and adds AWS's defaults. S3 checks the form first, and then whether the
/// receivers exist, unless the call skips that.
pub(super) fn check(
    world: &mut World,
    ask: &Ask<'_>,
    document: &mut Element,
) -> Result<(), Refusal> {
    let mut receivers = Vec::new();
    let mut ids = BTreeSet::new();
    for one in &mut document.children {
        let Some((_, element, service)) =
            RECEIVERS.iter().find(|(configuration, ..)| *configuration == one.name)
        else {
            continue;
        };
        check_filter(one)?;
        let arn = one.text_at(&[element]).unwrap_or_default().to_owned();
        if !arn.starts_with("arn:") || arn.split(':').nth(2) != Some(service) {
            return Err(checks::argument("The ARN could not be parsed", element, &arn));
        }
        if one.text_at(&["Id"]).is_none_or(str::is_empty) {
            one.children.retain(|child| child.name != "Id");
            one.children.insert(0, Element::with_text("Id", uuid(&mut world.base)));
        }
        if !ids.insert(one.text_at(&["Id"]).unwrap_or_default().to_owned()) {
            let message = "Same ID used for multiple configurations. IDs must be unique";
            return Err(checks::invalid(message));
        }
        receivers.push((*service, arn));
    }
    if ask.request.header("x-amz-skip-destination-validation") == Some("true") {
        return Ok(());
    }
    let faults = receivers.iter().filter_map(|(service, arn)| fault(world, ask, service, arn));
    let faults: Vec<(String, String)> = faults.collect();
    if faults.is_empty() {
        return Ok(());
    }
    let message = "Unable to validate the following destination configurations";
    let refusal = faults.into_iter().zip(1..).fold(
        checks::invalid(message),
        |refusal, ((name, value), place)| {
            let refusal = refusal.about(&format!("ArgumentName{place}"), name);
            refusal.about(&format!("ArgumentValue{place}"), value)
        },
    );
    Err(refusal)
}

/// The rules of a filter have a name and a value. S3 returns the names capitalized.
fn check_filter(one: &mut Element) -> Result<(), Refusal> {
    let keys = one.children.iter_mut().filter(|child| child.name == "Filter");
    let keys = keys.flat_map(|filter| &mut filter.children).filter(|child| child.name == "S3Key");
    for rule in keys.flat_map(|key| &mut key.children) {
        rule.child("Value").ok_or_else(malformed)?;
        let name = rule.children.iter_mut().find(|child| child.name == "Name");
        let name = name.ok_or_else(malformed)?;
        name.text = match name.text.to_ascii_lowercase().as_str() {
            "prefix" => "Prefix".to_owned(),
            "suffix" => "Suffix".to_owned(),
            _ => {
                let message = "filter rule name must be either prefix or suffix";
                return Err(checks::argument(message, "FilterRule.Name", &name.text));
            }
        };
    }
    Ok(())
}

/// The fault of a receiver, if there is one: the name of the receiver, and the reason.
fn fault(world: &mut World, ask: &Ask<'_>, service: &str, arn: &str) -> Option<(String, String)> {
    let region = arn.split(':').nth(3).unwrap_or_default();
    let absent =
        |what: &str| Some((arn.to_owned(), format!("The destination {what} does not exist")));
    match service {
        "sqs" if sqs::visibility(&world.sqs, region, arn).is_none() => absent("queue"),
        "sns" => {
            let call = Call {
                service: "sns".into(),
                operation: "GetTopicAttributes".into(),
                input: json!({ "TopicArn": arn }),
                region: region.into(),
            };
            sns::call(world, &call).err().and_then(|_| absent("topic"))
        }
        "lambda" => {
            let source = format!("arn:aws:s3:::{}", ask.bucket);
            let called = "s3.amazonaws.com";
            if lambda::may_be_called(&world.lambda, region, arn, called, &source) {
                None
            } else {
                let why = format!("Not authorized to invoke function [{arn}]");
                Some((format!("{arn}, null"), why))
            }
        }
        _ => None,
    }
}
