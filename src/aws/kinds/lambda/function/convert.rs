//! A live function from the answer of GetFunction.

use std::collections::BTreeMap;

use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::types::{
    FunctionConfiguration, LastUpdateStatus, State, TracingMode, VpcConfigResponse,
};

use super::{Function, Network};
use payctl_engine::model::live::{Live, Phase};
use payctl_engine::model::text::{Output, Outputs, Text};

/// The function of an answer.
pub(super) fn to_live(answer: GetFunctionOutput) -> Option<Live<Function>> {
    let now = answer.configuration?;
    let reserved = answer.concurrency.and_then(|found| found.reserved_concurrent_executions);
    let name = now.function_name.clone()?;
    let arn = now.function_arn.clone().unwrap_or_default();
    Some(Live {
        id: name.clone(),
        phase: phase_of(&now),
        spec: spec(name.clone(), now, reserved),
        outputs: Outputs::from([(Output::Arn, arn), (Output::Name, name)]),
        tags: answer.tags.unwrap_or_default().into_iter().collect(),
    })
}

pub(super) fn spec(name: String, now: FunctionConfiguration, reserved: Option<i32>) -> Function {
    let failed_update = failure(&now);
    let architecture = now.architectures.unwrap_or_default().into_iter().next();
    let variables = now.environment.and_then(|found| found.variables).unwrap_or_default();
    let tracing = now.tracing_config.and_then(|found| found.mode);
    let dead_letter = now.dead_letter_config.and_then(|found| found.target_arn);
    Function {
        name,
        description: now.description.unwrap_or_default(),
        role: now.role.unwrap_or_default().into(),
        runtime: now.runtime.map(|runtime| runtime.as_str().to_owned()).unwrap_or_default(),
        handler: now.handler.unwrap_or_default(),
        architecture: architecture.map_or("x86_64".into(), |found| found.as_str().to_owned()),
        memory: unsigned(now.memory_size).unwrap_or(128),
        timeout: unsigned(now.timeout).unwrap_or(3),
        disk: unsigned(now.ephemeral_storage.map(|found| found.size)).unwrap_or(512),
        code: now.code_sha256.unwrap_or_default(),
        environment: variables
            .into_iter()
            .map(|(name, value)| (name, Text::from(value)))
            .collect::<BTreeMap<_, _>>(),
        environment_key: some(now.kms_key_arn),
        network: now.vpc_config.and_then(network),
        dead_letter: some(dead_letter),
        tracing: tracing == Some(TracingMode::Active),
        reserved_concurrency: unsigned(reserved),
        failed_update,
    }
}

/// Outside of a VPC the lists are empty.
fn network(found: VpcConfigResponse) -> Option<Network> {
    let texts = |ids: Option<Vec<String>>| ids.unwrap_or_default().into_iter().map(Text::from);
    let subnets: std::collections::BTreeSet<Text> = texts(found.subnet_ids).collect();
    let security_groups = texts(found.security_group_ids).collect();
    (!subnets.is_empty()).then_some(Network { subnets, security_groups })
}

fn some(text: Option<String>) -> Option<Text> {
    text.filter(|text| !text.is_empty()).map(Text::from)
}

fn unsigned(number: Option<i32>) -> Option<u32> {
    number.and_then(|number| u32::try_from(number).ok())
}

/// Why the last change failed, if it did.
fn failure(now: &FunctionConfiguration) -> Option<String> {
    let code = now.last_update_status_reason_code.as_ref().map(|code| code.as_str());
    let failed = now.last_update_status == Some(LastUpdateStatus::Failed);
    failed.then(|| reason(code, now.last_update_status_reason.as_deref()))
}

fn reason(code: Option<&str>, words: Option<&str>) -> String {
    let parts: Vec<&str> = code.into_iter().chain(words).collect();
    if parts.is_empty() { "AWS gave no reason".to_owned() } else { parts.join(": ") }
}

/// A function that has been idle for weeks is inactive: the next call or change wakes it.
fn phase_of(now: &FunctionConfiguration) -> Phase {
    let changing = now.last_update_status == Some(LastUpdateStatus::InProgress);
    match &now.state {
        Some(State::Failed) => {
            let code = now.state_reason_code.as_ref().map(|code| code.as_str());
            Phase::Failed(reason(code, now.state_reason.as_deref()))
        }
        Some(State::Deleting) => Phase::Deleting("Deleting".to_owned()),
        // Lambda is making it inactive, and it stays.
        Some(state @ (State::Pending | State::Deactivating)) => {
            Phase::Pending(state.as_str().to_owned())
        }
        _ if changing => Phase::Pending("update InProgress".to_owned()),
        _ => Phase::Ready,
    }
}

/// Whether the function can be moved to other groups: a failed function cannot be changed.
pub(super) fn can_move(now: &FunctionConfiguration) -> bool {
    matches!(phase_of(now), Phase::Ready | Phase::Pending(_))
        && now.state != Some(State::Pending)
        && failure(now).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured() -> aws_sdk_lambda::types::builders::FunctionConfigurationBuilder {
        FunctionConfiguration::builder().function_name("dev-payment-lambda-validation")
    }

    #[test]
    fn a_function_becoming_inactive_is_not_being_deleted() {
        let at = |state| phase_of(&configured().state(state).build());
        assert_eq!(at(State::Deactivating), Phase::Pending("Deactivating".into()));
        assert_eq!(at(State::Inactive), Phase::Ready);
        assert_eq!(at(State::Deleting), Phase::Deleting("Deleting".into()));
    }

    #[test]
    fn omitted_members_are_read_as_defaults() {
        let bare = GetFunctionOutput::builder().configuration(configured().build()).build();
        let spec = to_live(bare).unwrap().spec;
        assert_eq!((spec.memory, spec.timeout, spec.disk), (128, 3, 512));
        assert_eq!((spec.architecture.as_str(), spec.network), ("x86_64", None));
        assert_eq!((spec.reserved_concurrency, spec.failed_update), (None, None));
    }

    #[test]
    fn a_function_without_vpc_has_empty_lists() {
        let nowhere = VpcConfigResponse::builder().vpc_id("").set_subnet_ids(Some(vec![])).build();
        let outside = configured().vpc_config(nowhere).build();
        let answer = GetFunctionOutput::builder().configuration(outside).build();
        assert_eq!(to_live(answer).unwrap().spec.network, None);
    }

    #[test]
    fn the_state_decides_the_phase() {
        let check = |state, update, expected: Phase| {
            let found = configured().state(state).last_update_status(update).build();
            assert_eq!(phase_of(&found), expected);
        };
        check(State::Active, LastUpdateStatus::Successful, Phase::Ready);
        check(State::Inactive, LastUpdateStatus::Successful, Phase::Ready);
        let changing = Phase::Pending("update InProgress".into());
        check(State::Active, LastUpdateStatus::InProgress, changing);
        let starting = Phase::Pending("Pending".into());
        check(State::Pending, LastUpdateStatus::InProgress, starting);
        let corpse = Phase::Failed("AWS gave no reason".into());
        check(State::Failed, LastUpdateStatus::Successful, corpse);
        check(State::Active, LastUpdateStatus::Failed, Phase::Ready);
    }

    #[test]
    fn a_failed_update_is_a_difference() {
        let failed = configured()
            .last_update_status(LastUpdateStatus::Failed)
            .last_update_status_reason("the subnet is full")
            .build();
        assert_eq!(failure(&failed).as_deref(), Some("the subnet is full"));
        assert!(!can_move(&failed));
    }
}
