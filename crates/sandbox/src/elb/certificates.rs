//! The certificates of secure listeners: one that answers by default, and others by name.

use serde_json::{Value, json};

use super::super::toolbox::{list, need, text};
use super::super::{Answer, Refusal, World, acm};
use super::listeners::Listener;
use super::{INVALID, State, invalid, listed, missing};

/// The most certificates of a listener beside its default.
const MOST: usize = 25;

/// Refuses a certificate that is of another region, or that ACM has not issued yet, or only just. One that the
/// sandbox knows nothing of is taken as imported.
pub(super) fn check(world: &World, region: &str, arn: &str) -> Result<(), Refusal> {
    if !arn.starts_with(&format!("arn:aws:acm:{region}:")) {
        let message = format!("Certificate '{arn}' not found");
        return Err(Refusal::new("CertificateNotFound", message));
    }
    match acm::is_seen(world, arn) {
        Some(false) => Err(Refusal::new(
            "UnsupportedCertificate",
            format!(
                "The certificate '{arn}' must have a fully-qualified domain name, a supported \
                 signature, and a supported key size."
            ),
        )),
        Some(true) | None => Ok(()),
    }
}

/// The secure listener of a request.
fn find<'s>(state: &'s mut State, input: &Value) -> Result<&'s mut Listener, Refusal> {
    let arn = need(input, "ListenerArn", INVALID)?;
    let listener = state.listeners.get_mut(arn).ok_or_else(|| missing(arn))?;
    if listener.certificate.is_some() {
        Ok(listener)
    } else {
        Err(invalid("Certificates cannot be specified for HTTP and TCP listeners"))
    }
}

fn named(input: &Value) -> Vec<String> {
    let arns = list(input, "Certificates").iter();
    arns.filter_map(|one| text(one, "CertificateArn")).map(str::to_owned).collect()
}

pub(super) fn add(world: &mut World, region: &str, input: &Value) -> Answer {
    let arns = named(input);
    for arn in &arns {
        check(world, region, arn)?;
    }
    let listener = find(&mut world.elb, input)?;
    let mut all = listener.more.clone();
    all.extend(arns.iter().cloned());
    all.sort();
    all.dedup();
    if all.len() > MOST {
        return Err(Refusal::new(
            "TooManyCertificates",
            "You've reached the limit on the number of certificates per load balancer",
        ));
    }
    listener.more = all;
    let added = arns.iter().map(|arn| json!({ "CertificateArn": arn, "IsDefault": false }));
    Ok(json!({ "Certificates": added.collect::<Vec<_>>() }))
}

pub(super) fn remove(state: &mut State, input: &Value) -> Answer {
    let arns = named(input);
    let listener = find(state, input)?;
    if let Some(default) = listener.certificate.as_ref().filter(|arn| arns.contains(arn)) {
        let message = format!("The default certificate '{default}' cannot be removed");
        return Err(Refusal::new("OperationNotPermitted", message));
    }
    listener.more.retain(|arn| !arns.contains(arn));
    Ok(json!({}))
}

pub(super) fn describe(state: &State, input: &Value) -> Answer {
    let arn = need(input, "ListenerArn", INVALID)?;
    let listener = state.listeners.get(arn).ok_or_else(|| missing(arn))?;
    let default = listener.certificate.iter().map(|arn| (arn, true));
    let all = default.chain(listener.more.iter().map(|arn| (arn, false)));
    let shown = all.enumerate().map(|(at, (arn, is_default))| {
        let one = json!({ "CertificateArn": arn, "IsDefault": is_default });
        (format!("{at:03}"), one)
    });
    Ok(listed(input, "Certificates", shown.collect()))
}
