//! The resources of an environment, and their health.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::looking;
use super::style::{Paint, Style, count, table, telling_id};
use super::text::one_line;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Desired;
use payctl_engine::model::live::{Found, Owner, Phase};
use payctl_engine::survey::{Snapshot, SurveyError};

/// The health of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It exists and can be used.
    Ready,
    /// A change is in progress; the text is AWS's own status.
    Busy(String),
    /// It ended in a state that only a deletion can end; the text is AWS's reason.
    Failed(String),
    /// It is configured but does not exist.
    Missing,
    /// It exists and waits for a value that a person must set; the text says how.
    Empty(String),
    /// It is configured, but payctl could not read its kind; the text says why.
    Unseen(String),
    /// It exists but is not configured.
    Surplus,
    /// Its name is taken; the text names the owner.
    Foreign(String),
    /// Only its tags say that this environment owns it; the text says why that is not enough.
    Disputed(String),
}

/// One resource, configured or found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The part of the platform that it belongs to.
    pub component: String,
    /// Its identity.
    pub address: Address,
    /// Its physical name.
    pub name: String,
    /// Its id in AWS.
    pub id: Option<String>,
    /// Its health.
    pub health: Health,
}

/// Combines the configured resources with those that a survey found.
pub fn rows<'a>(wanted: impl IntoIterator<Item = &'a Desired>, found: &Snapshot) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut surplus: BTreeMap<&Address, Vec<&Found>> =
        found.iter().map(|(address, found)| (address, found.iter().collect())).collect();
    for want in wanted {
        let all = surplus.entry(&want.address).or_default();
        let standing = all.iter().position(|found| !matches!(found.owner, Owner::Disputed(_)));
        let live = standing.map(|at| all.remove(at));
        rows.push(Row {
            component: want.component.clone(),
            address: want.address.clone(),
            name: want.name.clone(),
            id: live.map(|found| found.live.id.clone()),
            health: match (live, found.unseen(&want.address.kind)) {
                (Some(found), _) => health(found),
                (None, Some(error)) => Health::Unseen(error.to_string()),
                (None, None) => Health::Missing,
            },
        });
    }
    let is_shown = |found: &&Found| matches!(found.owner, Owner::Ours | Owner::Disputed(_));
    let surplus = surplus.into_values().flatten().filter(is_shown);
    rows.extend(surplus.map(|found| Row {
        component: "not configured".to_owned(),
        address: found.address.clone(),
        name: found.live.tags.get("Name").cloned().unwrap_or_default(),
        id: Some(found.live.id.clone()),
        health: match health(found) {
            Health::Ready => Health::Surplus,
            other => other,
        },
    }));
    rows.sort_by(|a, b| (&a.component, &a.address).cmp(&(&b.component, &b.address)));
    rows
}

fn health(found: &Found) -> Health {
    match (&found.owner, &found.live.phase) {
        (Owner::Foreign(owner), _) => Health::Foreign(owner.clone()),
        (Owner::Disputed(why), _) => Health::Disputed(why.clone()),
        (_, Phase::Ready) => Health::Ready,
        (_, Phase::Pending(status) | Phase::Deleting(status)) => Health::Busy(status.clone()),
        (_, Phase::Failed(reason)) => Health::Failed(reason.clone()),
    }
}

impl Health {
    /// What is wrong with it, if it is not ready.
    pub fn fault(&self) -> Option<String> {
        let (word, _, detail) = self.word();
        match self {
            Self::Ready | Self::Surplus => None,
            Self::Missing => Some("it does not exist".to_owned()),
            _ if detail.is_empty() => Some(word.to_owned()),
            _ => Some(format!("{word}: {detail}")),
        }
    }

    fn word(&self) -> (&'static str, Paint, &str) {
        match self {
            Self::Ready => ("ok", Paint::Good, ""),
            Self::Busy(status) => ("busy", Paint::Warn, status),
            Self::Failed(reason) => ("failed", Paint::Bad, reason),
            Self::Missing => ("missing", Paint::Bad, ""),
            Self::Empty(what) => ("empty", Paint::Warn, what),
            Self::Unseen(why) => ("unseen", Paint::Warn, why),
            Self::Surplus => ("surplus", Paint::Warn, "the next apply deletes it"),
            Self::Foreign(owner) => ("taken", Paint::Bad, owner),
            Self::Disputed(why) => ("left", Paint::Warn, why),
        }
    }
}

/// The rows for people, by component.
pub fn text(rows: &[Row], style: Style) -> String {
    let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let mut text = String::new();
    let mut component = "";
    for (row, line) in rows.iter().zip(table(&cells)) {
        if row.component != component {
            if !text.is_empty() {
                text.push('\n');
            }
            component = &row.component;
            let _ = writeln!(text, "{}", style.paint(Paint::Bold, &one_line(component)));
        }
        // The first cell is painted last, since the table would count colour codes as width.
        let (word, paint, _) = row.health.word();
        let rest = line.strip_prefix(word).unwrap_or(&line);
        let _ = writeln!(text, "  {}{rest}", style.paint(paint, word));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(text, "{}", summary(rows));
    text
}

fn cells(row: &Row) -> Vec<String> {
    let (word, _, detail) = row.health.word();
    let id = row.id.as_deref().and_then(|id| telling_id(id, &row.name)).unwrap_or_default();
    [word, &row.address.to_string(), &row.name, id, detail].map(str::to_owned).to_vec()
}

fn summary(rows: &[Row]) -> String {
    let mut words: BTreeMap<&str, usize> = BTreeMap::new();
    rows.iter().for_each(|row| *words.entry(row.health.word().0).or_default() += 1);
    let parts = words.iter().map(|(word, number)| format!("{number} {word}"));
    let parts = parts.collect::<Vec<_>>().join(", ");
    if rows.is_empty() {
        "Nothing is configured and nothing exists.".to_owned()
    } else {
        format!("{}: {parts}.", count(rows.len(), "resource"))
    }
}

/// The rows as the body of a `status` line.
pub fn json(rows: &[Row], unseen: &[SurveyError]) -> Value {
    let rows = rows.iter().map(|row| {
        let (word, _, detail) = row.health.word();
        json!({
            "component": row.component,
            "address": row.address,
            "name": row.name,
            "id": row.id,
            "health": word,
            "detail": Some(detail).filter(|detail| !detail.is_empty()),
        })
    });
    json!({ "resources": rows.collect::<Vec<_>>(), "unseen": looking::json(unseen) })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use payctl_engine::model::live::{Live, Tags};
    use payctl_engine::model::text::Outputs;

    fn desired(component: &str, address: Address) -> Desired {
        Desired {
            name: format!("dev-{}", address.name),
            address,
            component: component.into(),
            origin: String::new(),
            spec: Value::Null,
            tags: Tags::new(),
            tags_once: Tags::new(),
            after: BTreeSet::new(),
        }
    }

    fn found(address: Address, id: &str, phase: Phase) -> Found {
        let live = Live {
            id: id.into(),
            spec: Value::Null,
            outputs: Outputs::new(),
            tags: Tags::new(),
            phase,
        };
        Found { address, owner: Owner::Ours, live }
    }

    #[test]
    fn everything_configured_or_found_is_listed_once() {
        let vpc = Address::new("ec2.vpc", "main");
        let nat = Address::new("ec2.nat_gateway", "a");
        let queue = Address::new("sqs.queue", "jobs");
        let old = Address::new("sqs.queue", "old");
        let wanted = [
            desired("network", vpc.clone()),
            desired("network", nat.clone()),
            desired("queues", queue),
        ];
        let live = [
            found(vpc.clone(), "vpc-1", Phase::Ready),
            found(vpc, "vpc-2", Phase::Ready),
            found(nat, "nat-1", Phase::Failed("no address left".into())),
            found(old, "https://old", Phase::Ready),
        ];
        let mut snapshot = Snapshot::new();
        for found in live {
            snapshot.entry(found.address.clone()).or_default().push(found);
        }
        let shown = rows(&wanted, &snapshot);
        insta::assert_snapshot!(text(&shown, Style::PLAIN), @r#"
        network
          failed   ec2.nat_gateway/a  dev-a     nat-1        no address left
          ok       ec2.vpc/main       dev-main  vpc-1

        not configured
          surplus  ec2.vpc/main                 vpc-2        the next apply deletes it
          surplus  sqs.queue/old                https://old  the next apply deletes it

        queues
          missing  sqs.queue/jobs     dev-jobs

        5 resources: 1 failed, 1 missing, 1 ok, 2 surplus.
        "#);
        insta::assert_snapshot!(json(&shown, &[])["resources"][0], @r#"{"address":"ec2.nat_gateway/a","component":"network","detail":"no address left","health":"failed","id":"nat-1","name":"dev-a"}"#);
    }
}
