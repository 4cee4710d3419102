//! The plans of many environments: one table for people, one object for each for programs.

use payctl_engine::plan::{Action, Plan};
use payctl_money::Decimal;
use payctl_money::bill::number_of;
use serde_json::{Value, json};

use super::json::block;
use super::money::signed;
use super::plan::Effort;
use super::report::Block;
use super::style::{count, span, table};

/// An environment and its plan.
#[derive(Clone, Debug)]
pub struct Row {
    /// The environment.
    pub env: String,
    /// The project; empty if the config cannot be read.
    pub project: String,
    /// The region; empty if the config cannot be read.
    pub region: String,
    /// How the plan ended.
    pub state: State,
    /// How many kinds could not be read.
    pub unread: usize,
    /// What the plan adds to the cost of a month.
    pub cost: Option<Decimal>,
    /// The reason why there is no plan, or why it cannot be carried out.
    pub error: Option<Box<Block>>,
    /// The plan, if there is one: its numbers and all of it.
    pub plan: Option<(Changes, Value)>,
}

/// How the plan of an environment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing is to do.
    Settled,
    /// Something is to do.
    Changes,
    /// Nothing of it exists yet.
    New,
    /// The plan cannot be carried out.
    Refused,
    /// There is no plan.
    Failed,
    /// It exists, and the config has neither a file nor a template for it.
    Unconfigured,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Settled => "no changes",
            Self::Changes => "changes",
            Self::New => "new",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unconfigured => "not in the config",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Settled => "no_changes",
            Self::Unconfigured => "not_in_config",
            _ => self.word(),
        }
    }
}

/// How many changes of each sort there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changes([usize; 4]);

impl Changes {
    /// Those of a plan.
    pub fn of(plan: &Plan) -> Self {
        let all = [Action::Create, Action::Update, Action::Replace, Action::Delete];
        Self(all.map(|action| plan.count(action)))
    }
}

/// The table.
pub fn text(rows: &[Row], effort: Effort) -> String {
    let head =
        ["environment", "create", "change", "replace", "delete", "state", "cost change a month"];
    let mut cells = vec![head.map(str::to_owned).to_vec()];
    cells.extend(rows.iter().map(|row| {
        let numbers = row.plan.as_ref().map(|(Changes(numbers), _)| numbers.map(|n| n.to_string()));
        let numbers = numbers.unwrap_or_else(|| [0; 4].map(|_| "-".to_owned()));
        let unread = match row.unread {
            0 => String::new(),
            unread => format!(", {} not read", count(unread, "kind")),
        };
        let state = format!("{}{unread}", row.state.word());
        let cost = row.cost.map_or_else(|| "-".to_owned(), signed);
        [row.env.clone()].into_iter().chain(numbers).chain([state, cost]).collect()
    }));
    let lines = table(&cells).into_iter().map(|line| line + "\n");
    let number = |states: &[State]| rows.iter().filter(|row| states.contains(&row.state)).count();
    let Effort { calls, elapsed } = effort;
    let end = format!(
        "{}: {} with changes, {} failed. {} in {}.\n",
        count(rows.len(), "environment"),
        number(&[State::Changes, State::New]),
        number(&[State::Failed, State::Refused]),
        count(calls, "API call"),
        span(elapsed),
    );
    lines.chain([end]).collect()
}

/// The environments that are not in the table.
pub fn others(number: usize) -> String {
    let what = count(number, "environment");
    format!("{what} of other projects in the account: payctl env list shows them.")
}

/// One environment for programs.
pub fn json(row: &Row, exit_code: u8) -> Value {
    json!({
        "name": row.env,
        "project": row.project,
        "region": row.region,
        "state": row.state.key(),
        "exit_code": exit_code,
        "cost_monthly_change": row.cost.map(|cost| number_of(cost, 2)),
        "error": row.error.as_deref().map(block),
        "plan": row.plan.as_ref().map(|(_, plan)| plan),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn row(env: &str, state: State, numbers: Option<[usize; 4]>) -> Row {
        Row {
            env: env.to_owned(),
            project: "shop".to_owned(),
            region: "us-east-1".to_owned(),
            state,
            unread: usize::from(state == State::Changes),
            cost: numbers.map(|numbers| Decimal::from(numbers[0])),
            error: None,
            plan: numbers.map(|numbers| (Changes(numbers), json!({}))),
        }
    }

    #[test]
    fn the_table_has_a_line_for_each_environment_and_a_sum() {
        let rows = [
            row("dev", State::Settled, Some([0; 4])),
            row("pr-7", State::Changes, Some([1, 2, 0, 3])),
            row("pr-8", State::Failed, None),
            row("pr-9", State::Unconfigured, None),
        ];
        let effort = Effort { calls: 61, elapsed: Duration::from_millis(1200) };
        insta::assert_snapshot!(text(&rows, effort), @r"
        environment  create  change  replace  delete  state                     cost change a month
        dev          0       0       0        0       no changes                +0.00
        pr-7         1       2       0        3       changes, 1 kind not read  +1.00
        pr-8         -       -       -        -       failed                    -
        pr-9         -       -       -        -       not in the config         -
        4 environments: 1 with changes, 1 failed. 61 API calls in 1.2 s.
        ");
    }
}
