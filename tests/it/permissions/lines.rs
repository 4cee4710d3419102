//! Every line of a policy is needed: without it, the guard would deny something in the lives of the
//! samples of all kinds.
//!
//! A line is an action, a resource or a value of a condition.

use std::collections::{BTreeMap, BTreeSet};

use payctl::aws::kinds::find_kind;
use payctl::aws::policy::{Names, Statement, Task, Uses, least};
use payctl_engine::model::desired::Blueprint;
use payctl_sandbox::{Guard, Need};

use super::guard_of;
use super::lives::Account;
use crate::support::block_on;

/// The names of the samples.
fn sample_names(blueprint: &Blueprint) -> Names {
    let mut names = Names::new();
    for desired in blueprint.resources.values() {
        let of_kind: &mut BTreeSet<String> = names.entry(desired.address.kind.clone()).or_default();
        // The name of a key is its alias, which changes with the variants.
        let variants = find_kind(&desired.address.kind).expect("a known kind").variants();
        let specs = variants.iter().chain([&desired.spec]);
        let aliases: Vec<String> =
            specs.filter_map(|spec| Some(spec.get("alias")?.as_str()?.to_owned())).collect();
        if aliases.is_empty() {
            of_kind.insert(desired.name.clone());
        } else {
            of_kind.extend(aliases);
        }
    }
    names
}

/// The lines that a policy could lack, and still allow everything that was needed.
fn idle_lines(statements: &[Statement], needed: &BTreeSet<Need>) -> Vec<String> {
    let alone: Vec<Guard> =
        statements.iter().map(|statement| guard_of(std::slice::from_ref(statement))).collect();
    // Needs that only one statement allows. No line of another statement allows them.
    let mut only: BTreeMap<usize, Vec<&Need>> = BTreeMap::new();
    for need in needed {
        let allowing = alone.iter().enumerate().filter(|(_, guard)| guard.allows(need));
        if let [at] = allowing.map(|(at, _)| at).collect::<Vec<_>>()[..] {
            only.entry(at).or_default().push(need);
        }
    }
    let mut lines = Vec::new();
    for (at, statement) in statements.iter().enumerate() {
        let misses = |less: Statement| {
            let rest = guard_of(&[less]);
            only.get(&at).into_iter().flatten().any(|need| !rest.allows(need))
        };
        // A statement cannot be empty, so another line takes the place of the missing one.
        let without = |all: &BTreeSet<String>, line: &String, instead: &str| {
            let left = all.iter().filter(|other| *other != line).cloned();
            left.chain([instead.to_owned()]).collect::<BTreeSet<String>>()
        };
        for action in &statement.actions {
            let actions = without(&statement.actions, action, "none:None");
            if !misses(Statement { actions, ..statement.clone() }) {
                lines.push(format!(
                    "{action} on {:?} if {:?}",
                    statement.resources, statement.condition
                ));
            }
        }
        for resource in &statement.resources {
            let resources = without(&statement.resources, resource, "arn:none");
            if !misses(Statement { resources, ..statement.clone() }) {
                lines.push(format!("{resource} for {:?}", statement.actions));
            }
        }
        for (key, values) in &statement.condition {
            for value in values {
                let mut condition = statement.condition.clone();
                condition.insert(key.clone(), without(values, value, "none"));
                if !misses(Statement { condition, ..statement.clone() }) {
                    lines.push(format!("{key} = {value} for {:?}", statement.actions));
                }
            }
        }
    }
    lines
}

/// What is wrong with the policy of a task after a life: lines that nothing needed, and needs that it
/// denies.
async fn tried(task: Task) -> Vec<String> {
    let account = Account::after(task).await;
    let blueprint = account.samples();
    let statements = least(task, &blueprint.scope, &sample_names(&blueprint), &Uses::default());
    let idle = idle_lines(&statements, &account.needed);
    println!("{task:?}: {} lines", lines_in(&statements));

    let mut wrong: Vec<String> = idle.iter().map(|line| format!("nothing needs {line}")).collect();
    let policy = guard_of(&statements);
    let denied = account.needed.iter().filter(|need| !policy.allows(need));
    wrong.extend(denied.map(|need| format!("the policy denies {need:?}")));
    wrong
}

/// The number of actions, resources and values of conditions.
fn lines_in(statements: &[Statement]) -> usize {
    let values = |one: &Statement| one.condition.values().map(BTreeSet::len).sum::<usize>();
    let lines = |one: &Statement| one.actions.len() + one.resources.len() + values(one);
    statements.iter().map(lines).sum()
}

fn every_line_is_needed(task: Task) {
    let wrong = block_on(Box::pin(tried(task)));
    assert!(wrong.is_empty(), "{task:?}\n{}", wrong.join("\n"));
}

#[test]
fn every_line_of_a_policy_for_plans_is_needed() {
    every_line_is_needed(Task::Plan);
}

#[test]
fn every_line_of_a_policy_for_checks_is_needed() {
    every_line_is_needed(Task::Check);
}

#[test]
fn every_line_of_a_policy_for_destroys_is_needed() {
    every_line_is_needed(Task::Destroy);
}

#[test]
fn every_line_of_a_policy_for_applies_is_needed() {
    every_line_is_needed(Task::Apply);
}
