//! `payctl cost`, and the money of a plan.

use std::fs;
use std::path::{Path, PathBuf};

use payctl_money::bill::Bill;
use payctl_money::compare::{Comparison, Row};
use payctl_money::load::Assumptions;
use payctl_money::prices::Prices;
use payctl_money::{Decimal, cents};
use serde_json::json;

use super::error::{CliError, ErrorKind};
use super::session::{self, Session, Sketch};
use super::{Context, Global, exit};
use crate::aws::costs::{self, Resources};
use crate::blueprint::advice::{self, Advice};
use crate::blueprint::{self, Facts};
use crate::config;
use crate::ui::cost as texts;
use crate::ui::cost::{Impact, Saving, Sides};
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::scope::Scope;
use payctl_engine::plan::{Action, Plan, Purpose};

/// Show what the environment costs, without calling AWS
///
/// Computes from the config, from the assumptions in `[usage]`, and from the list prices in payctl. Each
/// price has its source and its date.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Compare with the environment of the same name in another config directory
    ///
    /// Environments of that directory that are named after it, such as dev-01-memory, are steps from
    /// there to here: each is shown with what it saves.
    #[arg(long, value_name = "DIR", conflicts_with = "against")]
    baseline: Option<PathBuf>,
    /// Compare with another environment of this config
    #[arg(long, value_name = "ENV")]
    against: Option<String>,
    /// The form of the text
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// A file of prices, which replace those in payctl
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Subtract the monthly quantities that AWS never charges
    #[arg(long)]
    free_quantities: bool,
    /// Show changes to the config that lower the cost, each with its saving and its risk
    #[arg(long)]
    advise: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For a terminal
    Text,
    /// For a pull request
    Markdown,
}

pub(super) fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    let env = cx.env()?;
    let after = sketch(&cx.global, &env)?;
    let mut assume = after.assume.clone();
    assume.free_quantities |= args.free_quantities;
    let own = args.prices.as_deref().map(read).transpose()?;
    let bill = bill_of(&after.blueprint, &assume, own.as_ref());
    let before = match (&args.baseline, &args.against) {
        (Some(dir), _) => {
            let elsewhere = Global { config_dir: dir.clone(), ..cx.global.clone() };
            Some((dir.display().to_string(), sketch(&elsewhere, &env)?))
        }
        (None, Some(other)) => Some((other.clone(), sketch(&cx.global, other)?)),
        (None, None) => None,
    };
    // Both sides have the same load, that of the environment that is asked about.
    let compared = before.map(|(name, before)| {
        let before = bill_of(&before.blueprint, &assume, own.as_ref());
        (name, Comparison::of(&before, &bill), before)
    });
    let mut steps = Vec::new();
    if let (Some(dir), Some((_, _, before))) = (&args.baseline, &compared) {
        let elsewhere = Global { config_dir: dir.clone(), ..cx.global.clone() };
        let mut last = before.total();
        for name in steps_of(dir, &env)? {
            let step = bill_of(&sketch(&elsewhere, &name)?.blueprint, &assume, own.as_ref());
            let name = name[env.len() + 1..].to_owned();
            steps.push(Row { name, before: last, after: step.total() });
            last = step.total();
        }
        if !steps.is_empty() {
            steps.push(Row { name: "the rest".into(), before: last, after: bill.total() });
        }
    }
    let advice = args.advise.then(|| advised(&after, &bill, &assume, own.as_ref()));
    let Scope { project, region, .. } = &after.blueprint.scope;
    let scope = format!("{project} {env} in {region}");
    let compared = compared.as_ref();
    let (kind, body) = ("cost", || {
        let mut body = texts::json(&bill, &assume);
        if let Some((name, compared, before)) = compared {
            body["baseline"] = texts::comparison_json(name, compared, before, &steps, &assume);
        }
        if let Some(savings) = &advice {
            body["advice"] = texts::savings_json(savings);
        }
        body
    });
    let sides = compared.map(|(name, compared, _)| Sides { name, compared, steps: &steps });
    cx.show(kind, body, || {
        let style = cx.screen.out;
        let mut text = match args.format {
            Format::Text => texts::text(&scope, &bill, &assume, sides.as_ref(), style),
            Format::Markdown => texts::markdown(&scope, &bill, &assume, sides.as_ref()),
        };
        text.push_str(&match (&advice, args.format) {
            (None, _) => String::new(),
            (Some(savings), Format::Text) => texts::savings(savings, style),
            (Some(savings), Format::Markdown) => texts::savings_markdown(savings),
        });
        text
    })?;
    Ok(exit::SUCCESS)
}

/// The changes to a config that lower its cost, the largest saving first. A change that the rest of the
/// config does not allow is none, nor one after which less is known than before.
fn advised(
    sketch: &Sketch,
    bill: &Bill,
    assume: &Assumptions,
    own: Option<&Prices>,
) -> Vec<Saving> {
    let facts = Facts::placeholder(&sketch.loaded.config.region);
    let computed = |advice: Advice| {
        let blueprint = blueprint::build(&advice.loaded, &facts).ok()?;
        let free_quantities = assume.free_quantities;
        let own_assume = advice.loaded.config.usage.assumptions();
        let changed = bill_of(&blueprint, &Assumptions { free_quantities, ..own_assume }, own);
        let saved = bill.total() - changed.total();
        let is_known = changed.unpriced.len() <= bill.unpriced.len();
        let Advice { what, risk, lines, .. } = advice;
        (is_known && cents(saved) > Decimal::ZERO).then_some(Saving { what, saved, risk, lines })
    };
    let all = advice::advice(&sketch.loaded, bill).into_iter();
    let mut savings: Vec<Saving> = all.filter_map(computed).collect();
    savings.sort_by_key(|saving| std::cmp::Reverse(saving.saved));
    savings
}

fn sketch(global: &Global, env: &str) -> Result<Sketch, CliError> {
    session::sketch(global, env).map_err(|problems| CliError::config(&problems))
}

/// The environments of a directory that are steps from another one.
fn steps_of(dir: &Path, env: &str) -> Result<Vec<String>, CliError> {
    let found = config::find_environments(dir);
    let found = found.map_err(|problem| CliError::config(&[problem]))?;
    let start = format!("{env}-");
    let steps = found.into_iter().filter(|found| found.pattern.is_none());
    let mut steps: Vec<String> = steps.map(|found| found.name).collect();
    steps.retain(|name| name.starts_with(&start));
    steps.sort();
    Ok(steps)
}

/// Reads a file of prices.
fn read(path: &Path) -> Result<Prices, CliError> {
    let wrong = |why: String| {
        CliError::new(ErrorKind::User, format!("cannot use the prices in {}", path.display()))
            .because(why)
            .hinted("docs/cost.md shows the form of the file")
    };
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    Prices::read(&text, &path.display().to_string()).map_err(wrong)
}

/// The prices of a region: those in payctl, and in their place those of a file for the region.
fn prices(region: &str, own: Option<&Prices>) -> Prices {
    let shipped = Prices::shipped(region).unwrap_or_else(|| Prices::none(region));
    match own.filter(|own| own.region == region) {
        Some(own) => shipped.with(own.clone()),
        None => shipped,
    }
}

fn bill_of(blueprint: &Blueprint, assume: &Assumptions, own: Option<&Prices>) -> Bill {
    costs::bill(&specs(blueprint), assume, &prices(&blueprint.scope.region, own))
}

fn specs(blueprint: &Blueprint) -> Resources {
    let resources = blueprint.resources.values();
    resources.map(|desired| (desired.address.clone(), desired.spec.clone())).collect()
}

/// What a plan does to the cost: bills of what it finds and of what it leaves.
pub(super) fn impact(session: &Session, plan: &Plan) -> Impact {
    let wanted = specs(&session.blueprint);
    let (mut before, mut after) = (Resources::new(), Resources::new());
    for address in &plan.unchanged {
        if let Some(spec) = wanted.get(address) {
            before.insert(address.clone(), spec.clone());
            after.insert(address.clone(), spec.clone());
        }
    }
    for change in &plan.changes {
        let address = &change.address;
        if change.action != Action::Delete
            && let Some(spec) = wanted.get(address)
        {
            after.insert(address.clone(), spec.clone());
        }
        let Some(live) = &change.live else { continue };
        // A live object names others by their ids. The config names them by reference, which the load
        // follows, so only what differs is taken from the live object.
        let mut spec = wanted.get(address).unwrap_or(&live.spec).clone();
        for field in &change.fields {
            let top = field.path.split('.').next().unwrap_or(&field.path);
            if let (Some(old), Some(now)) = (live.spec.get(top), spec.get_mut(top)) {
                *now = old.clone();
            }
        }
        before.insert(address.clone(), spec);
    }
    // A destroy finds what the config describes, as far as it exists.
    if plan.purpose == Purpose::Destroy {
        after.clear();
    }
    let prices = prices(&session.blueprint.scope.region, None);
    let bill = |resources: &Resources| costs::bill(resources, &session.assume, &prices);
    Impact {
        before: bill(&before),
        after: bill(&after),
        payments: session.assume.payments_per_month,
    }
}

/// Refuses an apply that goes over the budget, unless it lowers the cost or has a reason.
pub(super) fn check_budget(
    cx: &Context,
    session: &Session,
    plan: &Plan,
    reason: Option<&str>,
) -> Result<(), CliError> {
    let Some(budget) = session.budget.map(Decimal::from) else { return Ok(()) };
    if plan.purpose == Purpose::Destroy || plan.changes.is_empty() {
        return Ok(());
    }
    let Impact { before, after, .. } = impact(session, plan);
    if after.total() <= budget || after.total() <= before.total() {
        return Ok(());
    }
    let over = format!(
        "the environment would cost {} USD a month, and its budget is {} USD",
        texts::amount(after.total()),
        texts::amount(budget)
    );
    if let Some(reason) = reason {
        cx.note(format_args!("Over budget: {over}. Reason: {reason}"));
        if cx.screen.json {
            let body = json!({ "monthly": payctl_money::bill::number_of(after.total(), 2),
                "budget": payctl_money::bill::number_of(budget, 2), "reason": reason });
            let line = crate::ui::json::line(std::time::SystemTime::now(), "over_budget", &body);
            cx.screen.data(&line)?;
        }
        return Ok(());
    }
    let dearest = texts::dearest(&before, &after);
    Err(CliError::new(ErrorKind::Budget, over)
        .because(format!("the plan adds {dearest}"))
        .hinted("lower the cost, or raise `monthly` in [budget]")
        .hinted("or go on with --over-budget \"REASON\""))
}
