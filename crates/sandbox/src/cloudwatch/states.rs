//! The states of alarms and what happened to them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::alarms::Alarm;
use super::metrics::moment;
use super::{INVALID, State};
use crate::constraints::{Broken, one_of};
use crate::toolbox::{at, here, need, page, refuse, text, texts, within};
use crate::wire::cbor::time;
use crate::{Answer, Refusal};

/// The state of an alarm.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    value: String,
    reason: String,
    data: Option<String>,
    updated: f64,
    /// Since when it has this value.
    entered: f64,
}

impl Default for Status {
    fn default() -> Self {
        Self {
            value: "INSUFFICIENT_DATA".into(),
            reason: "Unchecked: Initial alarm creation".into(),
            data: None,
            updated: 0.0,
            entered: 0.0,
        }
    }
}

/// A state that an alarm comes into.
pub(super) struct Change {
    pub(super) value: String,
    pub(super) reason: String,
    pub(super) data: Option<String>,
    pub(super) when: f64,
}

/// Something that happened to an alarm.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Happened {
    alarm: String,
    when: f64,
    sort: String,
    summary: String,
    data: Value,
}

const VALUES: [&str; 3] = ["INSUFFICIENT_DATA", "ALARM", "OK"];
const CONFIGURATION: &str = "ConfigurationUpdate";
const STATE: &str = "StateUpdate";
/// How much of the past is kept.
const KEPT: usize = 1000;

impl Status {
    pub(super) fn new(now: f64) -> Self {
        Self { updated: now, entered: now, ..Self::default() }
    }

    pub(super) fn value(&self) -> &str {
        &self.value
    }

    fn is(&self, value: &str) -> bool {
        self.value == value
    }

    /// Puts the state into the view of an alarm.
    pub(super) fn show(&self, view: &mut Value) {
        view["StateValue"] = json!(self.value);
        view["StateReason"] = json!(self.reason);
        view["StateUpdatedTimestamp"] = time(self.updated);
        view["StateTransitionedTimestamp"] = time(self.entered);
        if let Some(data) = &self.data {
            view["StateReasonData"] = json!(data);
        }
    }

    fn told(&self) -> Value {
        json!({ "stateValue": self.value, "stateReason": self.reason })
    }
}

fn note(state: &mut State, region: &str, one: Happened) {
    let all = state.history.entry(region.to_owned()).or_default();
    all.insert(0, one);
    all.truncate(KEPT);
}

/// Notes that an alarm was made, changed or deleted.
pub(super) fn configured(state: &mut State, region: &str, name: &str, what: &str, now: f64) {
    let one = Happened {
        alarm: name.to_owned(),
        when: now,
        sort: CONFIGURATION.into(),
        summary: format!("Alarm \"{name}\" {}d", what.to_lowercase()),
        data: json!({ "version": "1.0", "type": what }),
    };
    note(state, region, one);
}

pub(super) fn set(state: &mut State, region: &str, input: &Value, now: f64) -> Answer {
    let name = need(input, "AlarmName", INVALID)?;
    let value = need(input, "StateValue", INVALID)?;
    if !VALUES.contains(&value) {
        let mut broken = Broken::default();
        broken.note("stateValue", value, &one_of(&VALUES));
        return Err(Refusal::new(INVALID, broken.message()));
    }
    let Some(reason) = text(input, "StateReason").filter(|text| text.chars().count() < 1024) else {
        return Err(Refusal::new(INVALID, "StateReason must have at most 1023 characters"));
    };
    let alarm = state.alarms.get_mut(&at(region, name));
    let alarm: &mut Alarm = alarm.ok_or_else(|| refuse(404, "ResourceNotFound", ""))?;
    alarm.evaluated = now;
    let data = text(input, "StateReasonData").map(str::to_owned);
    let one = Change { value: value.to_owned(), reason: reason.to_owned(), data, when: now };
    change(state, region, name, one);
    Ok(Value::Null)
}

/// Puts an alarm into a state.
pub(super) fn change(state: &mut State, region: &str, name: &str, one: Change) {
    let Some(alarm) = state.alarms.get_mut(&at(region, name)) else { return };
    let old = alarm.status.clone();
    let Change { value, reason, data, when } = one;
    let entered = if old.is(&value) { old.entered } else { when };
    alarm.status = Status { value, reason, data, updated: when, entered };
    let new = alarm.status.clone();
    if !old.is(&new.value) {
        let one = Happened {
            alarm: name.to_owned(),
            when,
            sort: STATE.into(),
            summary: format!("Alarm updated from {} to {}", old.value, new.value),
            data: json!({ "version": "1.0", "oldState": old.told(), "newState": new.told() }),
        };
        note(state, region, one);
    }
}

pub(super) fn history(state: &State, region: &str, input: &Value) -> Answer {
    let (name, sort) = (text(input, "AlarmName"), text(input, "HistoryItemType"));
    let (from, until) = (moment(input, "StartDate"), moment(input, "EndDate"));
    let types = texts(input, "AlarmTypes");
    let fits = |one: &&Happened| {
        name.is_none_or(|name| one.alarm == name)
            && sort.is_none_or(|sort| one.sort == sort)
            && from.is_none_or(|from| one.when >= from)
            && until.is_none_or(|until| one.when <= until)
            && (types.is_empty() || types.iter().any(|kind| kind == "MetricAlarm"))
    };
    let mut all: Vec<&Happened> =
        state.history.get(region).into_iter().flatten().filter(fits).collect();
    if text(input, "ScanBy") == Some("TimestampAscending") {
        all.reverse();
    }
    let shown = all.into_iter().enumerate().map(|(at, one)| {
        let item = json!({
            "AlarmName": one.alarm,
            "AlarmType": "MetricAlarm",
            "Timestamp": time(one.when),
            "HistoryItemType": one.sort,
            "HistorySummary": one.summary,
            "HistoryData": one.data.to_string(),
        });
        (format!("{at:05}"), item)
    });
    let limit = within(input, "MaxRecords", 1..=100, INVALID)?.unwrap_or(100);
    let (items, next) = page(shown.collect(), text(input, "NextToken"), limit as usize);
    Ok(json!({ "AlarmHistoryItems": items, "NextToken": next }))
}

/// Forgets alarms.
pub(super) fn delete(state: &mut State, region: &str, input: &Value, now: f64) -> Answer {
    for name in texts(input, "AlarmNames") {
        if state.alarms.remove(&at(region, &name)).is_some() {
            configured(state, region, &name, "Delete", now);
        }
    }
    Ok(Value::Null)
}

/// The alarms of a region in a state.
pub(super) fn with_status<'a>(
    state: &'a State,
    region: &'a str,
    value: Option<&'a str>,
) -> impl Iterator<Item = (&'a str, &'a Alarm)> {
    here(&state.alarms, region)
        .filter(move |(_, alarm)| value.is_none_or(|value| alarm.status.is(value)))
}
