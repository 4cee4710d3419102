//! `payctl cost`, and the money of a plan.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use payctl_money::bill::Bill;
use payctl_money::compare::{Comparison, Row};
use payctl_money::load::{Assumptions, Difference};
use payctl_money::prices::Prices;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::error::{CliError, ErrorKind};
use super::session::{self, Session, Sketch};
use super::{Context, Global, advice, exit, expiry, prices, spending};
use crate::aws::costs::{self, Known, Resources};
use crate::config;
use crate::config::schema::text::TimeSpan;
use crate::ui::compared::{self, Sides};
use crate::ui::cost as texts;
use crate::ui::cost::{Statement, Until};
use crate::ui::impact::Impact;
use crate::ui::savings;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::live::Live;
use payctl_engine::model::scope::Scope;
use payctl_engine::plan::{Action, Change, Plan, Purpose};

/// Show what the environment costs
///
/// Computes from the config, from the assumptions in `[usage]`, and from the list prices in payctl. Each
/// price has its source and its date. Only --live-prices, --measured and --actual call AWS. With --target,
/// shows the part of these resources, each with its share of the tiers.
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
    #[arg(
        long,
        value_name = "DAYS",
        value_parser = spending::days,
        allow_hyphen_values = true,
        conflicts_with_all = ["baseline", "against", "advise"]
    )]
    measured: Option<u16>,
    /// Show what so many days cost beside the estimate, from Cost Explorer: AWS charges 0.01 USD a
    /// request
    #[arg(long, value_name = "DAYS", value_parser = spending::days, allow_hyphen_values = true)]
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

/// How bills are computed.
struct Billing {
    assume: Assumptions,
    /// Prices in place of those in payctl, the last counts first.
    own: Vec<Prices>,
    /// The addresses and kinds that count; all without any.
    targets: Vec<String>,
}

impl Billing {
    fn bill(&self, blueprint: &Blueprint) -> Bill {
        let bill = bill_of(blueprint, &self.assume, &self.own);
        if self.targets.is_empty() { bill } else { bill.part(|address| self.has(address)) }
    }

    fn has(&self, address: &str) -> bool {
        let kind = address.split('/').next().unwrap_or_default();
        self.targets.iter().any(|target| target == address || target == kind)
    }
}

/// The other side of a comparison.
struct Other {
    name: String,
    before: Bill,
    differences: Vec<Difference>,
    steps: Vec<Row>,
}

pub(super) async fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    let env = cx.env()?;
    let after = sketch(&cx.global, &env)?;
    let before = match (&args.baseline, &args.against) {
        (Some(dir), _) => Some((dir.display().to_string(), sketch(&at(cx, dir), &env)?)),
        (None, Some(other)) => Some((other.clone(), sketch(&cx.global, other)?)),
        (None, None) => None,
    };
    let both = [Some(&after), before.as_ref().map(|(_, before)| before)];
    check_targets(cx, args, both.into_iter().flatten().map(|sketch| &sketch.blueprint))?;
    let mut billing = Box::pin(billing(cx, args, &after)).await?;
    let mut bill = billing.bill(&after.blueprint);
    let (mut measured, mut actual) = (None, None);
    if args.measured.is_some() || args.actual.is_some() {
        let session = Session::open(cx, &env).await?;
        if let Some(days) = args.measured {
            let measuring = spending::measure(cx, &session, &billing.assume, &bill, days);
            let (own_load, mut found) = Box::pin(measuring).await?;
            if !billing.targets.is_empty() {
                found.drivers.retain(|driven| billing.has(&driven.address));
                found.gaps.retain(|gap| billing.has(&gap.address));
            }
            (billing.assume, measured) = (own_load, Some(found));
            bill = billing.bill(&after.blueprint);
        }
        if let Some(days) = args.actual {
            actual = Some(Box::pin(spending::actual(cx, &session, &bill, days)).await?);
        }
    }
    // Both sides have the same load, that of the environment that is asked about.
    let other = before.map(|(name, before)| {
        let differences = after.assume.differences(&before.assume);
        let before = billing.bill(&before.blueprint);
        let dir = args.baseline.as_deref();
        let steps = dir.map(|dir| steps(cx, &billing, dir, &env, [&before, &bill])).transpose()?;
        Ok::<_, CliError>(Other { name, before, differences, steps: steps.unwrap_or_default() })
    });
    let other = other.transpose()?;
    let compared = other.as_ref().map(|other| Comparison::of(&other.before, &bill));
    let sides = other.as_ref().zip(compared.as_ref()).map(|(other, compared)| Sides {
        name: &other.name,
        before: &other.before,
        compared,
        usage_of: &env,
        differences: &other.differences,
        steps: &other.steps,
    });
    let advice = args.advise.then(|| advice::advised(&after, &bill, &billing.assume, &billing.own));
    let Scope { project, region, .. } = &after.blueprint.scope;
    let mut scope = format!("{project} {env} in {region}");
    if !billing.targets.is_empty() {
        scope = format!("{} of {scope}", billing.targets.join(", "));
    }
    let now = OffsetDateTime::now_utc();
    let ttl = after.loaded.config.ttl.as_ref().map(TimeSpan::time);
    let until = ttl.and_then(|ttl| Until::of(&bill, now, expiry::end(ttl, now)?));
    let assume = &billing.assume;
    let body = || {
        let mut body = texts::json(&bill, assume);
        if !billing.targets.is_empty() {
            body["targets"] = json!(billing.targets);
        }
        if let Some(sides) = &sides {
            body["baseline"] = compared::json(sides, assume);
        }
        if let Some(until) = until.as_ref().filter(|_| !bill.is_unknown()) {
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
    };
    let statement = Statement {
        scope: &scope,
        bill: &bill,
        assume,
        until: until.as_ref(),
        compared: sides.as_ref(),
        is_full: cx.global.verbose > 0,
    };
    cx.show("cost", body, || {
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

/// What bills are computed with, from the flags.
async fn billing(cx: &Context, args: &Args, sketch: &Sketch) -> Result<Billing, CliError> {
    let region = &sketch.blueprint.scope.region;
    // First the file, which costs no call. Negotiated prices count before those of the list.
    let file = args.prices.as_deref().map(|path| prices::read(cx, path, region)).transpose()?;
    let mut own = Vec::new();
    if args.live_prices {
        let aws = session::account_in(cx, Some(region.clone())).await?;
        own.push(prices::live(cx, &aws, region).await?);
        session::explain_calls(cx, &aws);
    }
    own.extend(file);
    let mut assume = sketch.assume.clone();
    assume.free_quantities |= args.free_quantities;
    Ok(Billing { assume, own, targets: cx.global.targets.clone() })
}

/// Refuses a target that neither side has, and what only a whole environment has.
fn check_targets<'a>(
    cx: &Context,
    args: &Args,
    blueprints: impl Iterator<Item = &'a Blueprint>,
) -> Result<(), CliError> {
    let whole = [("--advise", args.advise), ("--actual", args.actual.is_some())];
    let whole = whole.into_iter().find(|(_, is_set)| *is_set);
    if let (Some((flag, _)), false) = (whole, cx.global.targets.is_empty()) {
        let title = format!("{flag} needs the whole environment, not a part of it");
        return Err(CliError::new(ErrorKind::User, title).hinted("leave out --target"));
    }
    let known: BTreeSet<&Address> =
        blueprints.flat_map(|blueprint| blueprint.resources.keys()).collect();
    for target in &cx.global.targets {
        let is_known =
            |address: &&Address| address.to_string() == *target || address.kind == *target;
        if known.iter().copied().any(|address| is_known(&address)) {
            continue;
        }
        let title = format!("no resource matches the target `{target}`");
        let hint = match session::alike(known.iter().copied(), target).as_slice() {
            [] => "payctl graph shows the addresses of the environment".to_owned(),
            alike => format!("did you mean {}?", alike.join(" or ")),
        };
        return Err(CliError::new(ErrorKind::User, title).hinted(hint));
    }
    Ok(())
}

/// The flags for a config in another directory.
fn at(cx: &Context, dir: &Path) -> Global {
    Global { config_dir: dir.to_owned(), ..cx.global.clone() }
}

/// The steps from one bill to another.
fn steps(
    cx: &Context,
    billing: &Billing,
    dir: &Path,
    env: &str,
    [first, end]: [&Bill; 2],
) -> Result<Vec<Row>, CliError> {
    let mut steps = Vec::new();
    let mut last = first.clone();
    for name in steps_of(dir, env)? {
        let step = billing.bill(&sketch(&at(cx, dir), &name)?.blueprint);
        let total = Comparison::of(&last, &step).total;
        steps.push(Row { name: name[env.len() + 1..].to_owned(), ..total });
        last = step;
    }
    if !steps.is_empty() {
        let total = Comparison::of(&last, end).total;
        steps.push(Row { name: "the rest".to_owned(), ..total });
    }
    Ok(steps)
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
    let wanted = specs(&session.blueprint);
    let (mut before, mut after) = (Resources::new(), Resources::new());
    for address in &plan.unchanged {
        if let Some(spec) = wanted.get(address) {
            before.insert(address.clone(), spec.clone());
            after.insert(address.clone(), spec.clone());
        }
    }
    // A live object names others by their ids. Load follows references.
    let lives = plan
        .changes
        .iter()
        .chain(&plan.beyond)
        .filter_map(|one| Some((&one.address, &one.live.as_ref()?.outputs)));
    let known = costs::known(plan.outputs.iter().chain(lives));
    for change in &plan.changes {
        let address = &change.address;
        if change.action != Action::Delete
            && let Some(spec) = wanted.get(address)
        {
            after.insert(address.clone(), spec.clone());
        }
        let Some(live) = &change.live else { continue };
        before.insert(address.clone(), as_live(change, live, &wanted, &known));
    }
    // A destroy finds what the config describes, as far as it exists.
    if plan.purpose == Purpose::Destroy {
        after.clear();
    }
    // What the targets leave out stays as it is live.
    for change in &plan.beyond {
        let Some(live) = &change.live else { continue };
        let spec = as_live(change, live, &wanted, &known);
        before.insert(change.address.clone(), spec.clone());
        after.insert(change.address.clone(), spec);
    }
    let prices = prices::of(&session.blueprint.scope.region, &session.prices);
    let bill = |resources: &Resources| costs::bill(resources, &session.assume, &prices);
    let (before, after) = (bill(&before), bill(&after));
    let now = OffsetDateTime::now_utc();
    let until = end.and_then(|end| Until::of(&after, now, end));
    Impact {
        before,
        after,
        payments: session.assume.payments_per_month,
        until,
        budget: session.budget,
    }
}

/// The spec of a live object. What differs is the live object's. A read does not tell everything that
/// the config says.
fn as_live(change: &Change, live: &Live, wanted: &Resources, known: &Known) -> Value {
    let live = costs::with_references(&change.address.kind, &live.spec, known);
    let mut spec = wanted.get(&change.address).unwrap_or(&live).clone();
    for field in &change.fields {
        let top = field.path.split('.').next().unwrap_or(&field.path);
        if let (Some(old), Some(now)) = (live.get(top), spec.get_mut(top)) {
            *now = old.clone();
        }
    }
    spec
}
