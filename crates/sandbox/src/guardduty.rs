//! The sandbox's GuardDuty: detectors.
//!
//! Quirks kept: A region has one detector. GuardDuty turns on the features that the creation does
//! not name. A missing detector is a bad request.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::shelf::{Shelf, kept};
use super::toolbox::{
    Tags, add_tags, flag, iso, list, map, need, refuse, remove_tags, text, texts,
};
use super::wire::rest::RestRoute;
use super::{ACCOUNT, Answer, Base, Call, Refusal, World};

/// The paths of GuardDuty's operations.
pub(crate) const ROUTES: &[RestRoute] = &[
    ("POST", "/detector", "CreateDetector"),
    ("GET", "/detector", "ListDetectors"),
    ("GET", "/detector/{detectorId}", "GetDetector"),
    ("POST", "/detector/{detectorId}", "UpdateDetector"),
    ("DELETE", "/detector/{detectorId}", "DeleteDetector"),
    ("GET", "/tags/{resourceArn+}", "ListTagsForResource"),
    ("POST", "/tags/{resourceArn+}", "TagResource"),
    ("DELETE", "/tags/{resourceArn+}", "UntagResource"),
];

/// The state of GuardDuty: the detector of each region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    detectors: Shelf<Detector>,
}

kept!(State { detectors });

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Detector {
    id: String,
    enabled: bool,
    frequency: String,
    /// Whether each feature is on.
    features: BTreeMap<String, bool>,
    made: String,
    tags: Tags,
}

const INVALID: &str = "BadRequestException";
const FOUNDATION: &[&str] = &["CLOUD_TRAIL", "DNS_LOGS", "FLOW_LOGS"];
/// The features that are on in a new detector unless the call turns them off.
const FEATURES: &[&str] = &[
    "EBS_MALWARE_PROTECTION",
    "EKS_AUDIT_LOGS",
    "LAMBDA_NETWORK_LOGS",
    "RDS_LOGIN_EVENTS",
    "S3_DATA_EVENTS",
];
/// The features that only some regions have. They are on in a new detector too.
const REGIONAL: &[&str] = &["AI_ANALYST", "AI_PROTECTION"];
/// The sandbox's region that has the regional features.
const HOME: &str = "us-east-1";
/// The features that are off unless the call turns them on.
const OPTIONAL: &[&str] = &["EKS_RUNTIME_MONITORING", "RUNTIME_MONITORING"];

/// The number of live objects.
pub(crate) fn counts(state: &State) -> Vec<(&'static str, usize)> {
    vec![("detectors", state.detectors.len())]
}

/// Answers a call.
pub(crate) fn call(world: &mut World, call: &Call) -> Answer {
    let (input, region) = (&call.input, call.region.as_str());
    let World { base, guardduty: state, .. } = world;
    match call.operation.as_str() {
        "CreateDetector" => create(state, base, region, input),
        "ListDetectors" => {
            let ids = state.detectors.get(region).map(|detector| &detector.id);
            Ok(json!({ "detectorIds": ids.into_iter().collect::<Vec<_>>() }))
        }
        "GetDetector" => Ok(view(find(state, region, input)?)),
        "UpdateDetector" => {
            let detector = find(state, region, input)?;
            let mut changed = detector.clone();
            set(&mut changed, input)?;
            *detector = changed;
            Ok(json!({}))
        }
        "DeleteDetector" => {
            find(state, region, input)?;
            state.detectors.remove(region);
            Ok(json!({}))
        }
        "ListTagsForResource" => Ok(json!({ "tags": tagged(state, region, input)?.tags })),
        "TagResource" => {
            let codes = (INVALID, INVALID);
            add_tags(&mut tagged(state, region, input)?.tags, map(input, "tags"), codes)?;
            Ok(json!({}))
        }
        "UntagResource" => {
            let keys = match text(input, "tagKeys") {
                Some(key) => vec![key.to_owned()],
                None => texts(input, "tagKeys"),
            };
            remove_tags(&mut tagged(state, region, input)?.tags, &keys);
            Ok(json!({}))
        }
        _ => Err(Refusal::not_covered(&call.service, &call.operation)),
    }
}

fn create(state: &mut State, base: &mut Base, region: &str, input: &Value) -> Answer {
    if state.detectors.contains_key(region) {
        let message = "The request is rejected because a detector already exists for the current \
                       account.";
        return Err(Refusal::new(INVALID, message));
    }
    let mut detector = Detector {
        id: format!("{:016x}{:016x}", base.number(), base.number()),
        frequency: "SIX_HOURS".into(),
        made: iso(base.now()),
        ..Detector::default()
    };
    let regional = if region == HOME { REGIONAL } else { &[] };
    let on = FEATURES.iter().chain(regional).map(|name| ((*name).to_owned(), true));
    let off = OPTIONAL.iter().map(|name| ((*name).to_owned(), false));
    detector.features = on.chain(off).collect();
    set(&mut detector, input)?;
    add_tags(&mut detector.tags, map(input, "tags"), (INVALID, INVALID))?;
    let id = detector.id.clone();
    state.detectors.insert(region.to_owned(), detector);
    Ok(json!({ "detectorId": id }))
}

fn find<'a>(
    state: &'a mut State,
    region: &str,
    input: &Value,
) -> Result<&'a mut Detector, Refusal> {
    let id = need(input, "detectorId", INVALID)?;
    state.detectors.get_mut(region).filter(|detector| detector.id == id).ok_or_else(|| {
        let message = "The request is rejected because the input detectorId is not owned by the \
                       current account.";
        Refusal::new(INVALID, message)
    })
}

fn tagged<'a>(
    state: &'a mut State,
    region: &str,
    input: &Value,
) -> Result<&'a mut Detector, Refusal> {
    let arn = need(input, "resourceArn", INVALID)?;
    let is_it = |detector: &&mut Detector| {
        arn == format!("arn:aws:guardduty:{region}:{ACCOUNT}:detector/{}", detector.id)
    };
    let detector = state.detectors.get_mut(region).filter(is_it);
    detector.ok_or_else(|| refuse(404, "ResourceNotFoundException", "No such resource."))
}

fn set(detector: &mut Detector, input: &Value) -> Result<(), Refusal> {
    detector.enabled = flag(input, "enable").unwrap_or(detector.enabled);
    if let Some(frequency) = text(input, "findingPublishingFrequency") {
        if !["FIFTEEN_MINUTES", "ONE_HOUR", "SIX_HOURS"].contains(&frequency) {
            return Err(Refusal::new(INVALID, "The findingPublishingFrequency is not valid."));
        }
        frequency.clone_into(&mut detector.frequency);
    }
    let named = |name: &str| {
        list(input, "features").iter().any(|feature| text(feature, "name") == Some(name))
    };
    if OPTIONAL.iter().all(|name| named(name)) {
        let message = "The request is rejected because both EKS_RUNTIME_MONITORING and \
                       RUNTIME_MONITORING were given.";
        return Err(Refusal::new(INVALID, message));
    }
    for feature in list(input, "features") {
        let name = text(feature, "name").unwrap_or_default();
        let Some(on) = detector.features.get_mut(name) else {
            return Err(Refusal::new(INVALID, format!("The feature '{name}' is not valid.")));
        };
        *on = text(feature, "status") == Some("ENABLED");
    }
    Ok(())
}

fn view(detector: &Detector) -> Value {
    let status = |on: bool| if on { "ENABLED" } else { "DISABLED" };
    let foundation = FOUNDATION.iter().map(|name| (*name, true));
    let features = detector.features.iter().map(|(name, on)| (name.as_str(), *on));
    let features = foundation.chain(features);
    let features = features.map(|(name, on)| json!({ "name": name, "status": status(on) }));
    json!({
        "createdAt": detector.made,
        "findingPublishingFrequency": detector.frequency,
        "serviceRole": format!(
            "arn:aws:iam::{ACCOUNT}:role/aws-service-role/guardduty.amazonaws.com/\
             AWSServiceRoleForAmazonGuardDuty"
        ),
        "status": status(detector.enabled),
        "features": features.collect::<Vec<_>>(),
        "tags": detector.tags,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toolbox::testing::{ask, code};

    fn guard(world: &mut World, operation: &str, input: Value) -> Answer {
        ask(world, "guardduty", operation, input)
    }

    #[test]
    fn an_account_has_one_detector() {
        let mut world = World::default();
        let made = guard(&mut world, "CreateDetector", json!({ "enable": true })).unwrap();
        assert_eq!(code(guard(&mut world, "CreateDetector", json!({ "enable": true }))), INVALID);
        let listed = guard(&mut world, "ListDetectors", json!({})).unwrap();
        assert_eq!(listed["detectorIds"], json!([made["detectorId"]]));
        guard(&mut world, "DeleteDetector", made.clone()).unwrap();
        assert_eq!(code(guard(&mut world, "GetDetector", made)), INVALID);
    }

    #[test]
    fn features_that_are_not_named_stay_on() {
        let mut world = World::default();
        let off = json!([{ "name": "S3_DATA_EVENTS", "status": "DISABLED" }]);
        let made = json!({ "enable": true, "features": off });
        let made = guard(&mut world, "CreateDetector", made).unwrap();
        let view = guard(&mut world, "GetDetector", made).unwrap();
        let on = |wanted: &str| {
            let mut features = view["features"].as_array().unwrap().iter();
            features.find(|one| one["name"] == wanted).unwrap()["status"] == "ENABLED"
        };
        assert!(!on("S3_DATA_EVENTS") && on("EKS_AUDIT_LOGS") && !on("RUNTIME_MONITORING"));
    }
}
