//! `payctl cost`, and the money of a plan.

use std::path::{Path, PathBuf};

use payctl_money::Decimal;
use payctl_money::bill::Bill;
use payctl_money::compare::{Comparison, Row};
use payctl_money::load::Assumptions;
use payctl_money::prices::Prices;
use serde_json::json;
use time::OffsetDateTime;

use super::error::{CliError, ErrorKind};
use super::session::{self, Session, Sketch};
use super::{Context, Global, advice, exit, expiry, prices, sides, spending};
use crate::aws::costs::{self, Resources};
use crate::config;
use crate::config::schema::text::TimeSpan;
use crate::ui::cost as texts;
use crate::ui::cost::{Impact, Sides, Statement, Until};
use crate::ui::savings;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::scope::Scope;
use payctl_engine::plan::{Plan, Purpose};

/// Show what the environment costs
///
/// Computes from the config, from the assumptions in `[usage]`, and from the list prices in payctl. Each
/// price has its source and its date. Only --live-prices, --measured and --actual call AWS.
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
    /// Take the prices from AWS's price list, which needs credentials, instead of those in payctl
    #[arg(long)]
    live_prices: bool,
    /// Take the load of so many days from CloudWatch instead of `[usage]`, and show how far that was off
    #[arg(long, value_name = "DAYS", value_parser = spending::days, conflicts_with_all = ["baseline", "against", "advise"])]
    measured: Option<u16>,
    /// Show what so many days cost beside the estimate, from Cost Explorer: AWS charges 0.01 USD a
    /// request
    #[arg(long, value_name = "DAYS", value_parser = spending::days)]
    actual: Option<u16>,
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

pub(super) async fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    let env = cx.env()?;
    let after = sketch(&cx.global, &env)?;
    let mut assume = after.assume.clone();
    assume.free_quantities |= args.free_quantities;
    let mut own = Vec::new();
    if args.live_prices {
        let aws = session::account(cx).await?;
        own.push(prices::live(cx, &aws, &after.blueprint.scope.region).await?);
        session::explain_calls(cx, &aws);
    }
    // Negotiated prices count before those of the list.
    let region = &after.blueprint.scope.region;
    own.extend(args.prices.as_deref().map(|path| prices::read(path, region)).transpose()?);
    let mut bill = bill_of(&after.blueprint, &assume, &own);
    let (mut measured, mut actual) = (None, None);
    if args.measured.is_some() || args.actual.is_some() {
        let session = Session::open(cx, &env).await?;
        if let Some(days) = args.measured {
            let measuring = spending::measure(cx, &session, &assume, &bill, days);
            let (own_load, found) = Box::pin(measuring).await?;
            (assume, measured) = (own_load, Some(found));
            bill = bill_of(&after.blueprint, &assume, &own);
        }
        if let Some(days) = args.actual {
            actual = Some(Box::pin(spending::actual(cx, &session, &bill, days)).await?);
        }
    }
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
        let differences = after.assume.differences(&before.assume);
        let before = bill_of(&before.blueprint, &assume, &own);
        (name, Comparison::of(&before, &bill), before, differences)
    });
    let mut steps = Vec::new();
    if let (Some(dir), Some((_, _, before, _))) = (&args.baseline, &compared) {
        let elsewhere = Global { config_dir: dir.clone(), ..cx.global.clone() };
        let mut last = before.total();
        for name in steps_of(dir, &env)? {
            let step = bill_of(&sketch(&elsewhere, &name)?.blueprint, &assume, &own);
            let name = name[env.len() + 1..].to_owned();
            steps.push(Row { name, before: last, after: step.total() });
            last = step.total();
        }
        if !steps.is_empty() {
            steps.push(Row { name: "the rest".into(), before: last, after: bill.total() });
        }
    }
    let advice = args.advise.then(|| advice::advised(&after, &bill, &assume, &own));
    let Scope { project, region, .. } = &after.blueprint.scope;
    let scope = format!("{project} {env} in {region}");
    let now = OffsetDateTime::now_utc();
    let ttl = after.loaded.config.ttl.as_ref().map(TimeSpan::time);
    let until = ttl.and_then(|ttl| Until::of(&bill, now, expiry::end(ttl, now)?));
    let sides = compared.as_ref().map(|(name, compared, before, differences)| Sides {
        name,
        before,
        compared,
        usage_of: &env,
        differences,
        steps: &steps,
    });
    let (kind, body) = ("cost", || {
        let mut body = texts::json(&bill, &assume);
        if let Some(sides) = &sides {
            body["baseline"] = texts::comparison_json(sides, &assume);
        }
        if let Some(until) = &until {
            body["until"] = until.json();
        }
        if let Some(found) = &advice {
            body["advice"] = savings::json(&found.savings);
            body["hints"] = savings::hints_json(&found.hints);
        }
        if let Some(measured) = &measured {
            body["measured"] = measured.json(&bill);
        }
        if let Some(actual) = &actual {
            body["actual"] = actual.json();
        }
        body
    });
    let (compared, until) = (sides.as_ref(), until.as_ref());
    let statement = Statement { scope: &scope, bill: &bill, assume: &assume, until, compared };
    cx.show(kind, body, || {
        let style = cx.screen.out;
        let mut text = match args.format {
            Format::Text => texts::text(statement, style),
            Format::Markdown => texts::markdown(statement),
        };
        text.push_str(&match (&advice, args.format) {
            (None, _) => String::new(),
            (Some(found), Format::Text) => savings::text(found, style),
            (Some(found), Format::Markdown) => savings::markdown(found),
        });
        let style = (args.format == Format::Text).then_some(style);
        let measured = measured.as_ref().map(|measured| measured.text(&bill, style));
        let actual = actual.as_ref().map(|actual| actual.text(style));
        text.extend(measured.into_iter().chain(actual));
        text
    })?;
    Ok(exit::SUCCESS)
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

pub(super) fn bill_of(blueprint: &Blueprint, assume: &Assumptions, own: &[Prices]) -> Bill {
    costs::bill(&specs(blueprint), assume, &prices::of(&blueprint.scope.region, own))
}

pub(super) fn specs(blueprint: &Blueprint) -> Resources {
    let resources = blueprint.resources.values();
    resources.map(|desired| (desired.address.clone(), desired.spec.clone())).collect()
}

/// What a plan does to the cost: bills of what it finds and of what it leaves.
pub(super) fn impact(session: &Session, plan: &Plan, end: Option<OffsetDateTime>) -> Impact {
    let sides = sides::Sides::of(plan, &specs(&session.blueprint));
    let prices = prices::of(&session.blueprint.scope.region, &session.prices);
    let bill = |resources: &Resources| costs::bill(resources, &session.assume, &prices);
    let (before, after) = (bill(&sides.before), bill(&sides.after));
    let stays = costs::stays(&sides.before, &sides.gone, &session.assume, &prices);
    let now = OffsetDateTime::now_utc();
    let until = end.and_then(|end| Until::of(&after, now, end));
    Impact {
        before,
        after,
        stays,
        payments: session.assume.payments_per_month,
        until,
        budget: session.budget,
        priced_by: session.priced_by.clone(),
    }
}

/// Refuses an apply that goes over the budget, unless it lowers the cost or has a reason, which then
/// counts.
pub(super) fn check_budget(
    cx: &Context,
    session: &Session,
    plan: &Plan,
    reason: Option<&str>,
) -> Result<Option<String>, CliError> {
    let Some(budget) = session.budget else { return Ok(None) };
    if plan.purpose == Purpose::Destroy || plan.changes.is_empty() {
        return Ok(None);
    }
    let Impact { before, after, .. } = impact(session, plan, None);
    warn_of_unpriced(cx, budget, &after);
    // What has no price may cost more than all that is saved, and its end may save more than all that is added.
    let lacks =
        |one: &Bill, other: &Bill| one.unpriced.iter().any(|it| !other.unpriced.contains(it));
    let lowers = after.total() <= before.total() || lacks(&before, &after);
    if after.total() <= budget || lowers && !lacks(&after, &before) {
        return Ok(None);
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
        return Ok(Some(reason.to_owned()));
    }
    let new = after.unpriced.iter().filter(|one| !before.unpriced.contains(one));
    let unknown = new.map(|one| format!("{}, whose price is not known", one.address));
    let dearest = Some(texts::dearest(&before, &after)).filter(|dearest| !dearest.is_empty());
    let added: Vec<String> = dearest.into_iter().chain(unknown).collect();
    Err(CliError::new(ErrorKind::Budget, over)
        .because(format!("the plan adds {}", added.join(", ")))
        .hinted("lower the cost, or raise `monthly` in [budget]")
        .hinted("or go on with --over-budget \"REASON\""))
}

/// Says that a budget does not count what has no price.
fn warn_of_unpriced(cx: &Context, budget: Decimal, after: &Bill) {
    if after.unpriced.is_empty() {
        return;
    }
    let named = after.unpriced.iter().map(|one| format!("{} ({})", one.address, one.reason));
    cx.screen.note(&format!(
        "warning: the budget of {} USD cannot be judged, since these have no price and count as 0: \
         {}\n  state their prices with --prices FILE, or take them from AWS with --live-prices\n",
        texts::amount(budget),
        named.collect::<Vec<_>>().join(", ")
    ));
}
