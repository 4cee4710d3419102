//! EventBridge rules of the default bus, with their targets folded in.
//!
//! AWS quirks: PutRule replaces the whole rule, also one of another owner, and ignores tags on an
//! existing one; so creation checks first. PutTargets and RemoveTargets report errors of single
//! targets inside a successful answer. A target's retry policy comes back only if it was sent, so
//! payctl always sends it. A rule with targets cannot be deleted.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_eventbridge::types::{
    DeadLetterConfig, InputTransformer, RetryPolicy, Rule as Listed, RuleState, Tag,
    Target as AwsTarget,
};
use futures::future::{join, try_join_all};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::schedule;
use crate::aws::clients::Aws;
use crate::aws::costs::{Costs, to};
use crate::aws::error::{Gone, listed, op, taken};
use crate::aws::measured::Gauge;
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::{Drawn, Flow, Lane, schedule};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Traffic, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};
use payctl_money::Decimal;
use payctl_money::bill::Charge;
use payctl_money::load::{Driver, Passed};

/// A rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// The name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// When it fires, `rate(...)` or `cron(...)`.
    pub schedule: Option<String>,
    /// On which events it fires.
    pub pattern: Option<Value>,
    /// Whether it fires at all.
    pub enabled: bool,
    /// Its targets by id.
    pub targets: BTreeMap<String, Target>,
}

/// A target of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Target {
    /// The ARN of a function, topic or queue.
    pub arn: Text,
    /// Its input.
    pub input: Input,
    /// How often delivery is tried again.
    pub retries: i32,
    /// How many seconds delivery is tried.
    pub max_age: i32,
    /// The ARN of the dead-letter queue.
    pub dead_letter: Option<Text>,
}

/// The input of a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Input {
    /// The event.
    Event,
    /// This text.
    Text(String),
    /// The part of the event under this path.
    Path(String),
    /// A text with parts of the event in it.
    Template {
        /// Paths into the event, by name.
        paths: BTreeMap<String, String>,
        /// The text, with the names in angle brackets.
        text: String,
    },
}

/// AWS's defaults for a target.
pub(crate) const RETRIES: i32 = 185;
/// The same, in seconds.
pub(crate) const MAX_AGE: i32 = 86_400;

/// Whether a pattern waits for events that AWS charges for: those of a source that is not AWS's own.
fn is_own(pattern: &Value) -> bool {
    let sources = pattern["source"].as_array().into_iter().flatten();
    sources.filter_map(Value::as_str).any(|source| !source.starts_with("aws."))
}

impl Resource for Rule {
    const META: Meta = Meta {
        drawn: Drawn::a_box(Lane::Entry, "event", "event rule").with(flows),
        notes: &[
            "AWS does not check that a target allows EventBridge: rejected events go to the \
             dead-letter queue or are lost. payctl checks this in the config.",
            "A changed or deleted rule may still trigger for a moment.",
        ],
        immutable: &["name"],
        replace: Replace::DeleteFirst,
        deadline: Duration::from_secs(300),
        read_lag: Duration::from_secs(30),
        transient: &[
            ("ValidationException", "cannot be assumed by principal"),
            ("ValidationException", "since it has targets"),
        ],
        told: true,
        gone_at_once: true,
        permits: &[
            Permit::look(&["events:ListRules"], &["*"]),
            Permit::look(
                &["events:ListTagsForResource", "events:ListTargetsByRule"],
                &["events:{here}:rule/{seen}"],
            ),
            Permit::set(&["events:DescribeRule"], &["events:{here}:rule/{seen}"]),
            Permit::set(
                &["events:PutRule", "events:PutTargets", "events:TagResource"],
                &["events:{here}:rule/{name}"],
            ),
            Permit::change(
                &["events:RemoveTargets", "events:UntagResource"],
                &["events:{here}:rule/{name}"],
            ),
            Permit::delete(
                &["events:DeleteRule", "events:RemoveTargets"],
                &["events:{here}:rule/{name}"],
            ),
        ],
        names: Some(NameRule::new(
            "rule",
            64,
            r"^[._A-Za-z0-9-]{1,64}$",
            "a rule's name is 1 to 64 letters, digits and . _ -",
        )),
        arn: Some("events:{here}:rule/{name}"),
        section: "events",
        predicted: &[(Output::Arn, "{arn}"), (Output::Id, "{arn}"), (Output::Name, "{name}")],
        asked: &["schedule", "enabled"],
        typical: Typical::seconds(2, 2, 2).calls(3, 8, 4),
        serves: true,
        felt: &[("enabled", Traffic::Outage)],
        pricing: Pricing::Charged(
            "AWS charges for events of your own; schedules and events of AWS cost nothing.",
        ),
        types: &["events:rule"],
        ..Meta::new("events.rule", "events", "An EventBridge rule with its targets.")
    };

    fn sample() -> Self {
        let queue = Text::reference(Address::new("sqs.queue", "sample"), Output::Arn);
        let target = Target {
            arn: queue,
            input: Input::Event,
            retries: RETRIES,
            max_age: MAX_AGE,
            dead_letter: None,
        };
        Self {
            name: "sample-rule".into(),
            description: "Every day".into(),
            schedule: Some("rate(1 day)".into()),
            pattern: None,
            enabled: true,
            targets: BTreeMap::from([("queue".to_owned(), target)]),
        }
    }

    fn variants() -> Vec<Self> {
        let sample = Self::sample();
        let with = |change: fn(Target) -> Target| {
            let targets = sample.targets.iter();
            targets.map(|(id, target)| (id.clone(), change(target.clone()))).collect()
        };
        let topic = Text::reference(Address::new("sns.topic", "sample"), Output::Arn);
        let second = Target { arn: topic, ..sample.targets["queue"].clone() };
        let paths = BTreeMap::from([("status".to_owned(), "$.detail.status".to_owned())]);
        let template = Input::Template { paths, text: r#"{"status":<status>}"#.into() };
        let mut both = sample.targets.clone();
        both.insert("topic".into(), Target { input: template, ..second });
        vec![
            Self {
                schedule: None,
                pattern: Some(json!({
                    "source": ["payment"], "detail": { "status": ["failed", "refunded"] },
                })),
                description: String::new(),
                ..sample.clone()
            },
            Self { enabled: false, targets: both, ..sample.clone() },
            Self {
                targets: with(|target| Target {
                    input: Input::Text(r#"{"report":"daily"}"#.into()),
                    retries: 3,
                    max_age: 3600,
                    dead_letter: Some(target.arn.clone()),
                    ..target
                }),
                ..sample.clone()
            },
            Self { targets: BTreeMap::new(), ..sample },
        ]
    }

    fn begins(&self, cx: &Costs<'_>) -> Vec<(Driver, Decimal)> {
        let runs = match (&self.schedule, &self.pattern) {
            (Some(schedule), _) => schedule::runs(schedule) * cx.share(),
            (None, Some(pattern)) if is_own(pattern) => cx.assume.payments_per_month,
            (None, _) => Decimal::ZERO,
        };
        vec![(Driver::Messages, if self.enabled { runs } else { Decimal::ZERO })]
    }

    fn passes(&self, cx: &Costs<'_>) -> Vec<Passed<Address>> {
        let messages = cx.load(Driver::Messages);
        let targets = self.targets.values();
        targets.flat_map(|target| to(&target.arn, Driver::Messages, messages)).collect()
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        let own = self.pattern.as_ref().filter(|pattern| is_own(pattern));
        let events = own.map(|_| cx.load(Driver::Messages));
        events.map(|events| Charge::usage("events", "events.custom", events)).into_iter().collect()
    }

    fn gauges(&self, _: &str, _: &Costs<'_>) -> Vec<Gauge> {
        let dimensions = vec![("RuleName", self.name.clone())];
        vec![Gauge::sum(Driver::Messages, "AWS/Events", &["TriggeredRules"], dimensions)]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let mut candidates = Vec::new();
        let mut token = None;
        loop {
            let call = cx.aws.eventbridge.list_rules().limit(100).set_next_token(token.take());
            let page = call.send().await.map_err(op("ListRules"))?;
            let ours = |rule: &Listed| {
                rule.managed_by.is_none() && cx.is_candidate(rule.name().unwrap_or_default())
            };
            candidates.extend(page.rules.unwrap_or_default().into_iter().filter(ours));
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        let found = candidates.into_iter().map(|rule| async move {
            let name = rule.name().unwrap_or_default();
            let arn = rule.arn().unwrap_or_default();
            let (tags, targets) =
                join(cx.tags(arn, tags_of(cx.aws, arn)), Box::pin(targets_of(cx.aws, name))).await;
            let Some(tags) = cx.if_permitted(name, tags)? else { return Ok(None) };
            let Some((address, owner)) = cx.claim(name, &tags) else { return Ok(None) };
            let Some(targets) = targets? else { return Ok(None) };
            let live = to_live(&rule, &targets, tags);
            Ok(Some(Found { address, owner, live }))
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let name = name_in(cx.id());
        let rule = describe(cx.aws, name);
        let (rule, (tags, targets)) =
            join(rule, join(tags_of(cx.aws, cx.id()), targets_of(cx.aws, name))).await;
        let (Some(rule), Some(tags), Some(targets)) = (rule?, tags?, targets?) else {
            return Ok(None);
        };
        Ok(Some(to_live(&rule, &targets, tags)))
    }

    async fn glance(cx: &Cx<'_>, planned: Live<Self>) -> Result<Option<Live<Self>>, OpError> {
        Ok(tags_of(cx.aws, cx.id()).await?.map(|tags| Live { tags, ..planned }))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        if describe(cx.aws, &self.name).await?.is_some() {
            return Err(taken("PutRule", "a rule"));
        }
        let tags = cx.tags.iter().map(to_tag).collect();
        let arn = self.put(cx.aws, Some(tags)).await?;
        self.put_targets(cx.aws, &BTreeMap::new()).await?;
        Ok(arn)
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let targets = live.spec.targets.clone();
        if (Self { targets, ..self.clone() }) != live.spec {
            self.put(cx.aws, None).await?;
        }
        // A rule has at most five targets, so payctl removes old ones first.
        let gone = live.spec.targets.keys().filter(|id| !self.targets.contains_key(*id));
        remove(cx.aws, &self.name, gone.cloned().collect()).await?;
        self.put_targets(cx.aws, &live.spec.targets).await
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        let call = cx
            .aws
            .eventbridge
            .tag_resource()
            .resource_arn(&live.id)
            .set_tags(Some(set.iter().map(to_tag).collect()));
        call.send().await.map_err(op("TagResource")).map(drop)
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        let call = cx
            .aws
            .eventbridge
            .untag_resource()
            .resource_arn(&live.id)
            .set_tag_keys(Some(unset.to_vec()));
        call.send().await.map_err(op("UntagResource")).map(drop)
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let name = name_in(&live.id);
        // Also targets that were added after the plan: with them AWS would not delete the rule.
        let targets = targets_of(cx.aws, name).await?.unwrap_or_default();
        remove(cx.aws, name, targets.into_iter().map(|target| target.id).collect()).await?;
        let send = cx.aws.eventbridge.delete_rule().name(name).send();
        send.await.map_err(op("DeleteRule")).or_gone().map(drop)
    }
}

/// The name at the end of a rule's ARN.
fn name_in(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

fn to_tag((key, value): (&String, &String)) -> Tag {
    Tag::builder().key(key).value(value).build().expect("a tag with key and value is complete")
}

/// The failure of one target.
fn of_one(
    name: &'static str,
    target: Option<String>,
    code: Option<String>,
    message: Option<String>,
) -> OpError {
    let target = target.unwrap_or_default();
    let message = message.unwrap_or_default();
    listed(name, &code.unwrap_or_default(), format!("target {target}: {message}"))
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>, OpError> {
    let send = aws.eventbridge.list_tags_for_resource().resource_arn(arn).send();
    let answer = send.await.map_err(op("ListTagsForResource")).or_gone()?;
    let pairs = |tag: Tag| (tag.key, tag.value);
    Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().map(pairs).collect()))
}

/// All targets; there are five at most, and they come in one page.
async fn targets_of(aws: &Aws, rule: &str) -> Result<Option<Vec<AwsTarget>>, OpError> {
    let send = aws.eventbridge.list_targets_by_rule().rule(rule).send();
    let answer = send.await.map_err(op("ListTargetsByRule")).or_gone()?;
    Ok(answer.map(|answer| answer.targets.unwrap_or_default()))
}

async fn remove(aws: &Aws, rule: &str, ids: Vec<String>) -> Result<(), OpError> {
    if ids.is_empty() {
        return Ok(());
    }
    let send = aws.eventbridge.remove_targets().rule(rule).set_ids(Some(ids)).send();
    let Some(answer) = send.await.map_err(op("RemoveTargets")).or_gone()? else { return Ok(()) };
    let failed = answer.failed_entries.unwrap_or_default().into_iter().next();
    failed.map_or(Ok(()), |entry| {
        let error = of_one("RemoveTargets", entry.target_id, entry.error_code, entry.error_message);
        Err::<(), _>(error).or_gone().map(drop)
    })
}

async fn describe(aws: &Aws, name: &str) -> Result<Option<Listed>, OpError> {
    let send = aws.eventbridge.describe_rule().name(name).send();
    let found = send.await.map_err(op("DescribeRule")).or_gone()?;
    Ok(found.map(|rule| {
        Listed::builder()
            .set_name(rule.name)
            .set_arn(rule.arn)
            .set_description(rule.description)
            .set_event_pattern(rule.event_pattern)
            .set_schedule_expression(rule.schedule_expression)
            .set_state(rule.state)
            .build()
    }))
}

fn to_live(rule: &Listed, targets: &[AwsTarget], tags: Tags) -> Live<Rule> {
    let name = rule.name().unwrap_or_default().to_owned();
    let arn = rule.arn().unwrap_or_default().to_owned();
    // A text that is not JSON differs from every pattern, so payctl replaces it.
    let pattern = rule
        .event_pattern()
        .map(|text| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())));
    Live {
        id: arn.clone(),
        spec: Rule {
            name: name.clone(),
            description: rule.description().unwrap_or_default().to_owned(),
            schedule: rule.schedule_expression().map(str::to_owned).filter(|text| !text.is_empty()),
            pattern,
            enabled: rule.state() != Some(&RuleState::Disabled),
            targets: targets.iter().map(|one| (one.id.clone(), Target::from_aws(one))).collect(),
        },
        outputs: Outputs::from([
            (Output::Arn, arn.clone()),
            (Output::Id, arn),
            (Output::Name, name),
        ]),
        tags,
        phase: Phase::Ready,
    }
}

impl Rule {
    /// Adds or replaces the targets that differ.
    async fn put_targets(&self, aws: &Aws, now: &BTreeMap<String, Target>) -> Result<(), OpError> {
        let differs = |(id, target): &(&String, &Target)| now.get(*id) != Some(target);
        let new = self.targets.iter().filter(differs).map(|(id, target)| target.to_aws(id));
        let new: Vec<AwsTarget> = new.collect();
        if new.is_empty() {
            return Ok(());
        }
        let call = aws.eventbridge.put_targets().rule(&self.name).set_targets(Some(new));
        let answer = call.send().await.map_err(op("PutTargets"))?;
        let failed = answer.failed_entries.unwrap_or_default().into_iter().next();
        failed.map_or(Ok(()), |entry| {
            Err(of_one("PutTargets", entry.target_id, entry.error_code, entry.error_message))
        })
    }

    /// Makes or replaces the rule, without its targets; the ARN.
    async fn put(&self, aws: &Aws, tags: Option<Vec<Tag>>) -> Result<String, OpError> {
        let state = if self.enabled { RuleState::Enabled } else { RuleState::Disabled };
        let made = aws
            .eventbridge
            .put_rule()
            .name(&self.name)
            .set_description(Some(self.description.clone()).filter(|text| !text.is_empty()))
            .set_schedule_expression(self.schedule.clone())
            .set_event_pattern(self.pattern.as_ref().map(Value::to_string))
            .state(state)
            .set_tags(tags)
            .send()
            .await
            .map_err(op("PutRule"))?;
        made.rule_arn.ok_or_else(|| {
            OpError::new("PutRule", ErrorClass::Service, "NoArn", "AWS did not return an ARN")
        })
    }
}

impl Target {
    fn to_aws(&self, id: &str) -> AwsTarget {
        let dead_letter = self.dead_letter.as_ref();
        let retries = RetryPolicy::builder()
            .maximum_retry_attempts(self.retries)
            .maximum_event_age_in_seconds(self.max_age);
        let target = AwsTarget::builder()
            .id(id)
            .arn(self.arn.known())
            .retry_policy(retries.build())
            .set_dead_letter_config(
                dead_letter.map(|queue| DeadLetterConfig::builder().arn(queue.known()).build()),
            );
        let target = match &self.input {
            Input::Event => target,
            Input::Text(text) => target.input(text),
            Input::Path(path) => target.input_path(path),
            Input::Template { paths, text } => {
                let paths: HashMap<String, String> = paths.clone().into_iter().collect();
                let transformer = InputTransformer::builder()
                    .set_input_paths_map((!paths.is_empty()).then_some(paths))
                    .input_template(text);
                target.input_transformer(transformer.build().expect("it has its template"))
            }
        };
        target.build().expect("a target with id and ARN is complete")
    }

    fn from_aws(target: &AwsTarget) -> Self {
        let retry = target.retry_policy();
        let retries = retry.and_then(|retry| retry.maximum_retry_attempts);
        let max_age = retry.and_then(|retry| retry.maximum_event_age_in_seconds);
        let dead_letter = target.dead_letter_config().and_then(|config| config.arn());
        let input = match (target.input(), target.input_path(), target.input_transformer()) {
            (Some(text), ..) => Input::Text(text.to_owned()),
            (None, Some(path), _) => Input::Path(path.to_owned()),
            (None, None, Some(transformer)) => Input::Template {
                paths: transformer
                    .input_paths_map()
                    .cloned()
                    .unwrap_or_default()
                    .into_iter()
                    .collect(),
                text: transformer.input_template().to_owned(),
            },
            (None, None, None) => Input::Event,
        };
        Self {
            arn: target.arn().into(),
            input,
            retries: retries.unwrap_or(RETRIES),
            max_age: max_age.unwrap_or(MAX_AGE),
            dead_letter: dead_letter.map(Text::from),
        }
    }
}

/// When, or what for, it calls its targets.
fn flows(spec: &Value) -> Vec<Flow> {
    let schedule = spec.get("schedule").and_then(Value::as_str).map(schedule);
    let sources = spec.pointer("/pattern/source").and_then(Value::as_array).into_iter().flatten();
    let sources: Vec<&str> =
        sources.filter_map(Value::as_str).map(|name| name.trim_start_matches("aws.")).collect();
    let label = match (schedule, &sources[..]) {
        (Some(schedule), _) => schedule,
        (None, []) => "events".to_owned(),
        (None, [one]) => format!("{one} events"),
        (None, [one, two]) => format!("{one}, {two} events"),
        (None, [one, ..]) => format!("{one} events and {} more", sources.len() - 1),
    };
    let targets = spec.get("targets").and_then(Value::as_object);
    let of = |target: &Value| {
        let lost = Flow::out(target, "/dead_letter", "dead letters");
        Flow::out(target, "/arn", &label).into_iter().chain(lost).collect::<Vec<_>>()
    };
    targets.into_iter().flat_map(|all| all.values()).flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_survive_the_round_trip() {
        let paths = BTreeMap::from([("id".to_owned(), "$.id".to_owned())]);
        for input in [
            Input::Event,
            Input::Text("{}".into()),
            Input::Path("$.detail".into()),
            Input::Template { paths, text: "<id>".into() },
            Input::Template { paths: BTreeMap::new(), text: "\"fixed\"".into() },
        ] {
            let target = Target {
                arn: "arn:aws:sqs:us-east-1:000000000000:q".into(),
                input,
                retries: 0,
                max_age: 60,
                dead_letter: Some("arn:aws:sqs:us-east-1:000000000000:d".into()),
            };
            assert_eq!(Target::from_aws(&target.to_aws("t")), target);
        }
    }

    #[test]
    fn omitted_target_settings_are_the_defaults_of_aws() {
        let plain = AwsTarget::builder().id("t").arn("arn:aws:sqs:x").build().unwrap();
        let target = Target::from_aws(&plain);
        assert_eq!((target.retries, target.max_age), (RETRIES, MAX_AGE));
    }
}
