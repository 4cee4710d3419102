//! Rotation. The sandbox keeps only its configuration, because it does not run functions.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{number, put, text};
use super::super::{Answer, Refusal, lambda};
use super::{INVALID, Secret};

/// The rotation of a secret.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Rotation {
    on: bool,
    function: Option<String>,
    days: Option<i64>,
    schedule: Option<String>,
    window: Option<String>,
    next: Option<f64>,
}

/// The service that calls rotation functions.
const SERVICE: &str = "secretsmanager.amazonaws.com";

impl Rotation {
    /// Adds the rotation to DescribeSecret. A cancelled rotation still names its function.
    pub(super) fn describe(&self, view: &mut Value) {
        let Some(function) = &self.function else { return };
        view["RotationEnabled"] = self.on.into();
        view["RotationLambdaARN"] = function.as_str().into();
        let mut rules = json!({});
        put(&mut rules, "AutomaticallyAfterDays", self.days);
        put(&mut rules, "ScheduleExpression", self.schedule.clone());
        put(&mut rules, "Duration", self.window.clone());
        view["RotationRules"] = rules;
        put(view, "NextRotationDate", self.next.filter(|_| self.on));
    }
}

fn invalid(message: &str) -> Refusal {
    Refusal::new(INVALID, message)
}

/// Configures the rotation. The token is the id of the version that the rotation would create.
pub(super) fn rotate(
    secret: &mut Secret,
    functions: &lambda::State,
    region: &str,
    input: &Value,
    (token, today): (String, f64),
) -> Answer {
    let function = text(input, "RotationLambdaARN").map(str::to_owned);
    let function = function.or_else(|| secret.rotation.function.clone());
    let Some(function) = function else {
        let message = "No Lambda rotation function ARN is associated with this secret.";
        return Err(Refusal::new("InvalidRequestException", message));
    };
    if !function.starts_with("arn:") || !function.contains(":function:") {
        return Err(invalid("RotationLambdaARN is not the ARN of a function."));
    }
    if !lambda::may_be_called(functions, region, &function, SERVICE, &secret.arn) {
        let message = "Secrets Manager cannot invoke the specified Lambda function. Ensure that \
                       the function policy grants access to the principal \
                       secretsmanager.amazonaws.com.";
        return Err(Refusal::new("AccessDeniedException", message));
    }
    if secret.versions.is_empty() {
        let message = "You can't rotate a secret that has no value.";
        return Err(Refusal::new("InvalidRequestException", message));
    }
    let current = |stages: &std::collections::BTreeSet<String>| stages.contains("AWSCURRENT");
    let mut versions = secret.versions.values().map(|version| &version.stages);
    if versions.any(|stages| stages.contains("AWSPENDING") && !current(stages)) {
        let message = "A previous rotation isn't complete. That rotation will be reattempted.";
        return Err(Refusal::new("InvalidRequestException", message));
    }
    if let Some(rules) = input.get("RotationRules") {
        let days = number(rules, "AutomaticallyAfterDays");
        let schedule = text(rules, "ScheduleExpression");
        if days.is_some() && schedule.is_some() {
            let message = "You can't specify both AutomaticallyAfterDays and ScheduleExpression.";
            return Err(invalid(message));
        }
        if days.is_some_and(|days| !(1..=1000).contains(&days)) {
            return Err(invalid("AutomaticallyAfterDays must be between 1 and 1000."));
        }
        let known = |schedule: &str| schedule.starts_with("rate(") || schedule.starts_with("cron(");
        if schedule.is_some_and(|schedule| !known(schedule)) {
            return Err(invalid("ScheduleExpression must be a rate or a cron expression."));
        }
        let window = text(rules, "Duration");
        let hours = |window: &str| {
            window.strip_suffix('h').is_some_and(|hours| hours.parse::<u32>().is_ok())
        };
        if window.is_some_and(|window| !hours(window)) {
            return Err(invalid("Duration must be a number of hours, such as 3h."));
        }
        secret.rotation.days = days;
        secret.rotation.schedule = schedule.map(str::to_owned);
        secret.rotation.window = window.map(str::to_owned);
    }
    secret.rotation.on = true;
    secret.rotation.function = Some(function);
    let days = secret.rotation.days.unwrap_or(1);
    secret.rotation.next = Some(today + days as f64 * 86_400.0);
    let mut answer = secret.named();
    answer["VersionId"] = token.into();
    Ok(answer)
}

/// Turns the rotation off.
pub(super) fn cancel(secret: &mut Secret) -> Answer {
    if secret.rotation.function.is_none() {
        let message = "You can't cancel the rotation of a secret that has none.";
        return Err(Refusal::new("InvalidRequestException", message));
    }
    secret.rotation.on = false;
    Ok(secret.named())
}
