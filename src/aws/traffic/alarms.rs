//! The states of alarms.

use aws_sdk_cloudwatch::types::{MetricAlarm, StateValue};
use aws_smithy_types::date_time::Format;

use crate::aws::clients::Aws;
use crate::aws::error::op;
use payctl_engine::model::error::OpError;
use payctl_engine::traffic::{Alarm, AlarmState};

/// The alarms of these names, each of them. AWS leaves out those that it does not have. One call takes
/// 100 names, more than a shift may watch.
pub(super) async fn read(aws: &Aws, names: &[String]) -> Result<Vec<Alarm>, OpError> {
    let call = aws.cloudwatch.describe_alarms().set_alarm_names(Some(names.to_vec()));
    let answer = call.max_records(100).send().await.map_err(op("DescribeAlarms"))?;
    let found = answer.metric_alarms.unwrap_or_default();
    let state = |name: &String| {
        let one = found.iter().find(|one| one.alarm_name() == Some(name));
        one.map_or_else(|| absent(name), |one| told(name, one))
    };
    Ok(names.iter().map(state).collect())
}

fn absent(name: &str) -> Alarm {
    let (reason, since) = (String::new(), String::new());
    Alarm { name: name.to_owned(), state: AlarmState::Absent, reason, since }
}

fn told(name: &str, one: &MetricAlarm) -> Alarm {
    let state = match one.state_value() {
        Some(StateValue::Ok) => AlarmState::Ok,
        Some(StateValue::Alarm) => AlarmState::Alarm,
        _ => AlarmState::Insufficient,
    };
    let since = one.state_transitioned_timestamp().or(one.state_updated_timestamp());
    let since = since.and_then(|since| since.fmt(Format::DateTime).ok());
    Alarm {
        name: name.to_owned(),
        state,
        reason: one.state_reason().unwrap_or_default().to_owned(),
        since: since.unwrap_or_default(),
    }
}
