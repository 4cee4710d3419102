//! The rotation of a secret: the function that changes the password, and its schedule.
//!
//! AWS quirks: AWS rotates at once when a rotation is set up, unless the call forbids it; even then
//! AWS tests the function with its own version. Days and schedule expressions are alternatives, and
//! answers contain one of them. AWS refuses a new function or one with new permissions for a while.
//! A cancelled rotation still names its function.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::primitives::{DateTime, DateTimeFormat as Format};
use aws_sdk_secretsmanager::types::RotationRulesType;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::secret::{Secret, described, from_tags, listed, tags_of};
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::{Drawn, Flow, schedule};
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Owner, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};
use payctl_engine::model::verdict::{Asked, Verdict};

/// The rotation of a secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotation {
    /// The ARN of the secret.
    pub secret: Text,
    /// The ARN of the function.
    pub function: Text,
    /// When: `rate(30 days)` or `cron(0 4 1 * ? *)`.
    pub schedule: String,
    /// How long AWS may take to begin, `3h`; until the end of the day if none.
    pub window: Option<String>,
}

/// Tells the id of a rotation from that of its secret.
const SUFFIX: &str = "#rotation";

/// How many seconds late a rotation may be: AWS may begin it until the end of its day.
const GRACE: i64 = 86_400;

/// A schedule of so many days.
pub(crate) fn every(days: u32) -> String {
    format!("rate({days} day{})", if days == 1 { "" } else { "s" })
}

impl Resource for Rotation {
    const META: Meta = Meta {
        drawn: Drawn::badge("trigger", "rotation", &["secret"]).with(flows),
        notes: &[
            "AWS rotates the password only on the schedule, not when the rotation is set up. It \
             tests the function at once but does not wait for the result: watch the function's \
             errors.",
            "ECS tasks read a secret when they start: payctl's rotation function starts new tasks \
             of the services in RESTART_SERVICES. Since there is one user, old tasks cannot open \
             new connections until then, for some minutes.",
            "The function needs network access to the database and to Secrets Manager.",
            "A destroy cancels the rotation before it deletes the secret.",
        ],
        immutable: &["secret"],
        replace: Replace::DeleteFirst,
        tagged: false,
        deadline: Duration::from_secs(600),
        read_lag: Duration::from_secs(30),
        transient: &[
            ("AccessDeniedException", "cannot invoke the specified Lambda function"),
            ("InvalidRequestException", "previous rotation"),
            ("InvalidRequestException", "Previous rotation"),
        ],
        check: Some(Asked::of("the secret was rotated in time")),
        permits: &[
            Permit::look(&["secretsmanager:ListSecrets"], &["*"]),
            Permit::look(
                &["secretsmanager:DescribeSecret"],
                &["secretsmanager:{here}:secret:{seen}"],
            ),
            Permit::set(
                &["secretsmanager:RotateSecret"],
                &["secretsmanager:{here}:secret:{secretsmanager.secret}*"],
            ),
            Permit::set(&["lambda:InvokeFunction"], &["lambda:{here}:function:{lambda.function}"]),
            Permit::delete(
                &["secretsmanager:CancelRotateSecret"],
                &["secretsmanager:{here}:secret:{secretsmanager.secret}*"],
            ),
        ],
        section: "secrets",
        asked: &["schedule"],
        typical: Typical::seconds(10, 5, 2).calls(4, 4, 3),
        pricing: Pricing::Free("AWS charges for the secret, and for the runs of the function."),
        ..Meta::new(
            "secretsmanager.rotation",
            "secretsmanager",
            "The rotation of a secret: its function and its schedule.",
        )
    };

    fn sample() -> Self {
        Self {
            secret: Text::reference(Address::new("secretsmanager.secret", "sample"), Output::Arn),
            function: Text::reference(Address::new("lambda.function", "sample"), Output::Arn),
            schedule: every(30),
            window: None,
        }
    }

    fn variants() -> Vec<Self> {
        vec![
            Self { schedule: every(7), ..Self::sample() },
            Self {
                function: Text::reference(Address::new("lambda.function", "sample-b"), Output::Arn),
                schedule: "cron(0 4 1 * ? *)".into(),
                window: Some("3h".into()),
                ..Self::sample()
            },
            Self { schedule: every(1), ..Self::sample() },
        ]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        // The list lags behind, so payctl reads wanted objects by name.
        let mut ids: BTreeSet<String> = cx.wanted.keys().cloned().collect();
        let secrets = listed(cx).await?;
        let rotated = secrets.iter().filter(|secret| secret.rotation_enabled.unwrap_or_default());
        ids.extend(rotated.filter_map(|secret| secret.name.clone()));
        let seen = try_join_all(ids.iter().map(|id| describe(cx.aws, Some(cx), id))).await?;
        let found = seen.into_iter().flatten().filter_map(|secret| {
            let tags = from_tags(secret.tags.as_deref().unwrap_or_default());
            let (of, owner) = cx.ours(secret.name().unwrap_or_default(), &tags)?;
            if owner != Owner::Ours || of.kind != Secret::META.kind {
                return None;
            }
            let address = Address::new(Self::META.kind, of.name);
            Some(Found { address, owner, live: to_live(secret)? })
        });
        Ok(found.collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        Ok(describe(cx.aws, None, secret_of(cx.id())).await?.and_then(to_live))
    }

    async fn holder(cx: &Cx<'_>, _: &Live<Self>) -> Result<Option<Tags>, OpError> {
        tags_of(cx.aws, secret_of(cx.id())).await
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        self.rotate(cx.aws).await?;
        Ok(format!("{}{SUFFIX}", self.secret.known()))
    }

    async fn update(&self, cx: &Cx<'_>, _: &Live<Self>) -> Result<(), OpError> {
        self.rotate(cx.aws).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let call = cx.aws.secretsmanager.cancel_rotate_secret().secret_id(secret_of(&live.id));
        call.send().await.map_err(op("CancelRotateSecret")).or_gone().map(drop)
    }

    async fn check(cx: &Cx<'_>, live: &Live<Self>) -> Result<Verdict, OpError> {
        let secret = described(cx.aws, None, secret_of(&live.id)).await?;
        let due = secret.and_then(|secret| secret.next_rotation_date);
        let Some(due) = due else {
            return Ok(Verdict::NotRun("AWS does not say when the next rotation is due".into()));
        };
        let now = DateTime::from(cx.aws.now());
        let day = due.fmt(Format::DateTime).unwrap_or_default();
        Ok(if now.secs() > due.secs() + GRACE {
            Verdict::Failed(format!("the rotation that was due by {day} did not happen"))
        } else {
            Verdict::Passed(format!("the next rotation is due by {day}"))
        })
    }
}

impl Rotation {
    async fn rotate(&self, aws: &Aws) -> Result<(), OpError> {
        let rules = RotationRulesType::builder().set_duration(self.window.clone());
        let rules = match whole_days(&self.schedule) {
            Some(days) => rules.automatically_after_days(days),
            None => rules.schedule_expression(&self.schedule),
        };
        aws.secretsmanager
            .rotate_secret()
            .secret_id(self.secret.known())
            .rotation_lambda_arn(self.function.known())
            .rotate_immediately(false)
            .rotation_rules(rules.build())
            .send()
            .await
            .map_err(op("RotateSecret"))
            .map(drop)
    }
}

/// The days of a schedule like `rate(30 days)`; `None` for any other.
fn whole_days(schedule: &str) -> Option<i64> {
    let (number, unit) = schedule.strip_prefix("rate(")?.strip_suffix(')')?.split_once(' ')?;
    number.parse().ok().filter(|_| matches!(unit, "day" | "days"))
}

/// The ARN of the secret, from the id of its rotation.
fn secret_of(id: &str) -> &str {
    id.strip_suffix(SUFFIX).unwrap_or(id)
}

async fn describe(
    aws: &Aws,
    survey: Option<&Survey<'_>>,
    secret: &str,
) -> Result<Option<DescribeSecretOutput>, OpError> {
    let found = described(aws, survey, secret).await?;
    Ok(found.filter(|secret| secret.deleted_date.is_none()))
}

/// The rotation of a secret, if it is on.
fn to_live(secret: DescribeSecretOutput) -> Option<Live<Rotation>> {
    secret.rotation_enabled.filter(|on| *on)?;
    let arn = secret.arn.unwrap_or_default();
    let rules = secret.rotation_rules.unwrap_or_else(|| RotationRulesType::builder().build());
    let days = rules.automatically_after_days.and_then(|days| u32::try_from(days).ok());
    let schedule = rules.schedule_expression.or_else(|| days.map(every)).unwrap_or_default();
    Some(Live {
        id: format!("{arn}{SUFFIX}"),
        spec: Rotation {
            secret: arn.into(),
            function: secret.rotation_lambda_arn.unwrap_or_default().into(),
            schedule,
            window: rules.duration,
        },
        outputs: Outputs::new(),
        tags: Tags::new(),
        phase: Phase::Ready,
    })
}

/// When the secret calls its function.
fn flows(spec: &Value) -> Vec<Flow> {
    let when = spec.get("schedule").and_then(Value::as_str).map(schedule).unwrap_or_default();
    Flow::out(spec, "/function", &when)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_a_rate_schedule() {
        assert_eq!((every(1), every(30)), ("rate(1 day)".into(), "rate(30 days)".into()));
        assert_eq!(whole_days(&every(30)), Some(30));
        assert_eq!(whole_days("rate(12 hours)"), None);
        assert_eq!(whole_days("cron(0 4 1 * ? *)"), None);
    }

    #[test]
    fn both_schedule_forms_are_read_back() {
        let live = |rules: RotationRulesType| {
            let secret = DescribeSecretOutput::builder().rotation_enabled(true);
            to_live(secret.rotation_rules(rules).build()).unwrap().spec.schedule
        };
        let rules = RotationRulesType::builder;
        assert_eq!(live(rules().automatically_after_days(30).build()), "rate(30 days)");
        let both = rules().automatically_after_days(30).schedule_expression("cron(0 4 1 * ? *)");
        assert_eq!(live(both.build()), "cron(0 4 1 * ? *)");
    }

    #[test]
    fn a_cancelled_rotation_is_none() {
        let secret = DescribeSecretOutput::builder().rotation_lambda_arn("arn:f");
        assert!(to_live(secret.rotation_enabled(false).build()).is_none());
    }
}
