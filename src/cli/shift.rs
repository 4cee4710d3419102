//! `payctl shift`.

use std::collections::BTreeMap;
use std::io;
use std::time::SystemTime;

use super::error::{CliError, ErrorKind};
use super::lease::{self, Hold};
use super::session::Session;
use super::signals::Signals;
use super::{Context, Stage, exit};
use crate::aws::clients::{Aws, retry_read};
use crate::aws::traffic::{self, Divider, Probe, Side, Sources};
use crate::blueprint::shifts::Shift;
use crate::ui::progress::Mode;
use crate::ui::shift::{self as texts, Progress, Sides, Standing};
use crate::ui::{json as lines, outputs};
use crate::words::shifts::OnAlarm as Word;
use payctl_engine::model::address::Address;
use payctl_engine::model::live::Live;
use payctl_engine::model::text::{Output, Outputs};
use payctl_engine::shift::{
    self as engine, BadSteps, Claim, End, Limits, OnAlarm, Order, Purpose, Report, Steps,
};
use payctl_engine::traffic::Traffic;

/// Move traffic step by step, watch it, and take it back
///
/// A shift is a section [shifts.NAME] of the config. It moves traffic through its steps and watches
/// each for a while. If an alarm fires, a target is unhealthy, the probe fails or a limit does not
/// hold, all traffic goes back in one call, and the exit code is 5. The live weights are the record:
/// you can stop or kill a run, and the next one goes on from where traffic stands.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The shift: NAME of [shifts.NAME]
    #[arg(required = true)]
    name: Option<String>,
    /// The side that traffic moves to, if it is not the one that the config says
    #[arg(long, value_name = "SIDE")]
    to: Option<String>,
    /// End this run after this step, in percent
    #[arg(long, value_name = "PERCENT")]
    step: Option<u8>,
    /// Look once, and say what the run would do
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    lease: lease::Args,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show how the traffic of shifts stands
    Status {
        /// The shift; without it, all of them
        name: Option<String>,
    },
    /// Take all traffic back at once, whoever is moving it
    Back {
        /// The shift: NAME of [shifts.NAME]
        name: String,
        /// The side that traffic goes back to; without it, the one that an unfinished run moves it
        /// from, or else the one that the config says
        #[arg(long, value_name = "SIDE")]
        to: Option<String>,
    },
}

pub(super) async fn run(cx: &Context, args: &Args) -> Result<u8, CliError> {
    let session = Session::open(cx, &cx.env()?).await?;
    let code = match (&args.command, &args.name) {
        (Some(Command::Status { name }), _) => status(cx, &session, name.as_deref()).await,
        (Some(Command::Back { name, to }), _) => {
            let side = Direction::Back(to.as_deref());
            let road = Road::open(&session, name, side, false).await?;
            // Nothing may keep traffic from going back.
            move_traffic(cx, &session, name, &road, None, &Hold::none()).await
        }
        (None, Some(name)) => {
            let side = Direction::To(args.to.as_deref());
            let road = Road::open(&session, name, side, true).await?;
            let order = order(name, &road, args.step)?;
            match args.dry_run {
                true => look(cx, name, &road, &order).await,
                false => {
                    let work = async |hold: &Hold<'_>| {
                        move_traffic(cx, &session, name, &road, Some(&order), hold).await
                    };
                    lease::under(cx, &session, &args.lease, "shift", work).await
                }
            }
        }
        (None, None) => Err(CliError::new(ErrorKind::Bug, "a shift without a name")),
    }?;
    session.explain_calls(cx);
    Ok(code)
}

/// The side that was asked for.
#[derive(Clone, Copy)]
enum Direction<'a> {
    /// Traffic moves to this one.
    To(Option<&'a str>),
    /// All traffic goes back to this one; without it, to where the claim says.
    Back(Option<&'a str>),
}

/// The traffic of a shift, in the direction that was asked for.
struct Road<'a> {
    shift: &'a Shift,
    sides: Sides,
    traffic: Box<dyn Traffic>,
}

impl<'a> Road<'a> {
    async fn open(
        session: &'a Session,
        name: &str,
        direction: Direction<'_>,
        watches: bool,
    ) -> Result<Self, CliError> {
        let shift = found(session, name)?;
        let groups = shift.groups.iter().flat_map(|(from, to)| [from.clone(), to.clone()]);
        let probe = shift.probe.as_ref().filter(|_| watches);
        let asked = probe.iter().flat_map(|probe| probe.url.refs()).map(|one| one.to.clone());
        let live = session.live(groups.chain(asked).chain([shift.divider.clone()])).await?;
        let divider = Divider::at(&shift.divider, &live[&shift.divider].id);
        let (from, to) = match &shift.groups {
            Some((from, to)) => {
                let side = |group: &Address| Side {
                    name: group.name.clone(),
                    id: output(&live, group, Output::Arn),
                };
                (side(from), side(to))
            }
            None => given(session, name, &divider).await?,
        };
        let aws = session.provider.aws();
        let claimed = match direction {
            Direction::Back(None) => origin(aws, name, &divider, &from, &to).await?,
            Direction::Back(Some(_)) | Direction::To(_) => None,
        };
        let direction = claimed.as_deref().map_or(direction, |side| Direction::Back(Some(side)));
        let (from, to) = directed(from, to, direction)?;
        let sources = if watches { sources(session, shift, &live)? } else { Sources::default() };
        let sides = Sides { from: from.name.clone(), to: to.name.clone() };
        let traffic = traffic::traffic(aws, divider, from, to, sources);
        Ok(Self { shift, sides, traffic })
    }
}

fn found<'a>(session: &'a Session, name: &str) -> Result<&'a Shift, CliError> {
    session.shifts.get(name).ok_or_else(|| {
        let error = CliError::new(ErrorKind::User, format!("there is no shift `{name}`"));
        let names: Vec<&str> = session.shifts.keys().map(String::as_str).collect();
        match names.as_slice() {
            [] => error.hinted(format!("add a section [shifts.{name}]")),
            names => error.hinted(format!("shifts of the config: {}", names.join(", "))),
        }
    })
}

fn output(live: &BTreeMap<Address, Live>, address: &Address, output: Output) -> String {
    live.get(address).and_then(|live| live.outputs.get(&output)).cloned().unwrap_or_default()
}

/// The sides of an alias or a stage, which tells them.
async fn given(session: &Session, name: &str, divider: &Divider) -> Result<(Side, Side), CliError> {
    let sides = traffic::sides(session.provider.aws(), divider).await;
    let sides =
        sides.map_err(|error| CliError::cloud(format!("read the shift `{name}`"), &error))?;
    sides.ok_or_else(|| {
        let title = format!("the shift `{name}` has nothing to move: all traffic is on one side");
        CliError::new(ErrorKind::User, title)
            .hinted("change the function or the API and run payctl apply: that adds the other side")
    })
}

/// The side that traffic goes back to after the run whose claim is there, if it says so.
async fn origin(
    aws: &Aws,
    name: &str,
    divider: &Divider,
    from: &Side,
    to: &Side,
) -> Result<Option<String>, CliError> {
    let sources = Sources::default();
    let traffic = traffic::traffic(aws, divider.clone(), from.clone(), to.clone(), sources);
    let standing = retry_read(|| traffic.read()).await;
    let standing =
        standing.map_err(|error| CliError::cloud(format!("read the shift `{name}`"), &error))?;
    let claim = standing.claim.as_deref().and_then(Claim::parse);
    Ok(claim.and_then(|claim| {
        let side = claim.side?;
        let (goal, other) = match side {
            side if side == to.name => (to, from),
            side if side == from.name => (from, to),
            _ => return None,
        };
        Some(match claim.purpose {
            Purpose::Shift => other.name.clone(),
            Purpose::Back => goal.name.clone(),
        })
    }))
}

/// The sides in the direction that was asked for.
fn directed(from: Side, to: Side, direction: Direction<'_>) -> Result<(Side, Side), CliError> {
    let (goal, is_back) = match direction {
        Direction::To(goal) => (goal, false),
        Direction::Back(goal) => (goal, true),
    };
    let Some(goal) = goal else { return Ok((from, to)) };
    if ![&from.name, &to.name].contains(&&goal.to_owned()) {
        let title = format!("the shift has no side `{goal}`");
        let hint = format!("its sides are {} and {}", from.name, to.name);
        return Err(CliError::new(ErrorKind::User, title).hinted(hint));
    }
    // A way back ends at `from`, and any other way at `to`.
    let is_so = (from.name == goal) == is_back;
    Ok(if is_so { (from, to) } else { (to, from) })
}

fn sources(
    session: &Session,
    shift: &Shift,
    live: &BTreeMap<Address, Live>,
) -> Result<Sources, CliError> {
    let name = |address: &Address| Some(session.blueprint.resources.get(address)?.name.clone());
    let probe = match &shift.probe {
        None => None,
        Some(probe) => {
            let live: BTreeMap<Address, Outputs> = live
                .iter()
                .map(|(address, live)| (address.clone(), live.outputs.clone()))
                .collect();
            let url = outputs::filled(&probe.url, &live);
            let url = url.literal().map(str::to_owned).ok_or_else(|| {
                let title = format!("the address of the probe is not known: {url}");
                CliError::new(ErrorKind::User, title).hinted("run payctl apply first")
            })?;
            Some(Probe { url, status: probe.status, timeout: probe.timeout })
        }
    };
    let alarms = shift.alarms.iter().filter_map(name).collect();
    Ok(Sources { alarms, probe, figures: shift.limits.is_some() })
}

/// What a run is asked to do.
fn order(name: &str, road: &Road<'_>, step: Option<u8>) -> Result<Order, CliError> {
    let shift = road.shift;
    let steps = Steps::new(shift.steps.clone()).and_then(|steps| match step {
        Some(step) => steps.until(step),
        None => Ok(steps),
    });
    let steps = steps.map_err(|error| {
        let all: Vec<String> = shift.steps.iter().map(u8::to_string).collect();
        let kind = match error {
            BadSteps::Order => ErrorKind::Config,
            BadSteps::Unknown(_) => ErrorKind::User,
        };
        CliError::new(kind, error.to_string()).hinted(format!("its steps are {}", all.join(", ")))
    })?;
    let limits = shift.limits.as_ref();
    Ok(Order {
        shift: name.to_owned(),
        run: lease::run_id()?,
        side: road.sides.to.clone(),
        steps,
        bake: shift.bake,
        on_alarm: match shift.on_alarm {
            Word::RollBack => OnAlarm::RollBack,
            Word::Stop => OnAlarm::Stop,
        },
        limits: Limits {
            probes: shift.probe.as_ref().map_or(1, |probe| probe.failures),
            error_rate: limits.and_then(|limits| limits.error_rate),
            p99: limits.and_then(|limits| limits.p99),
            requests: limits.map_or(1, |limits| limits.requests.into()),
            missing: shift.missing,
        },
    })
}

/// Looks once, and says what a run would do.
async fn look(cx: &Context, name: &str, road: &Road<'_>, order: &Order) -> Result<u8, CliError> {
    let seen = engine::outlook(&*road.traffic, order).await;
    let seen = seen.map_err(|error| {
        CliError::new(ErrorKind::Cloud, format!("cannot look at the shift `{name}`")).because(error)
    })?;
    let body = || texts::plan_body(name, &road.sides, &seen);
    cx.show("shift_plan", body, || texts::plan(name, &road.sides, &seen, cx.screen.out))?;
    Ok(exit::SUCCESS)
}

/// Shows how the traffic of one shift stands, or of all.
async fn status(cx: &Context, session: &Session, name: Option<&str>) -> Result<u8, CliError> {
    let names: Vec<&str> = match name {
        Some(name) => {
            found(session, name)?;
            vec![name]
        }
        None => session.shifts.keys().map(String::as_str).collect(),
    };
    let mut rows = Vec::new();
    for name in names {
        rows.push(standing(session, name).await?);
    }
    let body = || texts::status_body(&rows);
    cx.show("shift_status", body, || texts::status(&rows, cx.screen.out))?;
    Ok(exit::SUCCESS)
}

/// How the traffic of a shift stands, or why there is none.
async fn standing(session: &Session, name: &str) -> Result<Standing, CliError> {
    let road = match Road::open(session, name, Direction::To(None), true).await {
        Ok(road) => road,
        // Not there yet is an answer.
        Err(CliError { kind: ErrorKind::User, source: Some(block) }) => {
            return Ok(Standing { name: name.to_owned(), seen: Err(block.title) });
        }
        Err(error) => return Err(error),
    };
    let order = order(name, &road, None)?;
    let seen = engine::outlook(&*road.traffic, &order).await;
    let seen = seen.map(|seen| (road.sides, seen)).map_err(|error| error.to_string());
    Ok(Standing { name: name.to_owned(), seen })
}

/// Moves traffic as ordered, or all of it back without an order, and reports.
async fn move_traffic(
    cx: &Context,
    session: &Session,
    name: &str,
    road: &Road<'_>,
    order: Option<&Order>,
    hold: &Hold<'_>,
) -> Result<u8, CliError> {
    let run = match order {
        Some(order) => order.run.clone(),
        None => lease::run_id()?,
    };
    let mode = match (cx.screen.json, cx.screen.redraws) {
        (true, _) => Mode::Json(Box::new(io::stdout())),
        (false, true) => Mode::Live,
        (false, false) => Mode::Lines(Box::new(io::stderr())),
    };
    let progress =
        Progress::new(mode, cx.screen.err, road.sides.clone(), Box::new(SystemTime::now));
    let mut signals = Signals::take()?;
    cx.stage.set(Stage::Changing);
    let listener = |event| progress.event(&event);
    let traffic = &*road.traffic;
    let moving = async {
        match order {
            Some(order) => engine::shift(traffic, order, &hold.stop, &listener).await,
            None => {
                engine::back(traffic, name, &run, &road.sides.from, &hold.stop, &listener).await
            }
        }
    };
    let report = tokio::select! {
        report = moving => Some(report),
        () = signals.stop_twice(&hold.stopper) => None,
    };
    progress.finish();
    let Some(report) = report else {
        let title = "stopped at once: a call in flight may still take effect";
        let hint = format!("payctl shift status {name} says how traffic stands");
        return Err(CliError::new(ErrorKind::Interrupted, title).hinted(hint));
    };
    let has_changed = !report.moved.is_empty() || report.leaves_claim;
    cx.stage.set(if has_changed { Stage::Changed } else { Stage::Looking });
    let line = || {
        let body = texts::report_body(name, &road.sides, &report);
        lines::line(SystemTime::now(), "shift", &body)
    };
    let shown = if cx.screen.json {
        cx.screen.data(&line())
    } else {
        cx.screen.note(&texts::report(name, &road.sides, &report, cx.screen.err));
        Ok(())
    };
    match outcome(&report) {
        None => {
            shown?;
            Ok(exit::SUCCESS)
        }
        // A report that cannot be written does not change how the run ended.
        Some(kind) => {
            session.explain_calls(cx);
            Err(CliError::said(kind))
        }
    }
}

/// The error that a report stands for, if any.
fn outcome(report: &Report) -> Option<ErrorKind> {
    match &report.end {
        End::Nothing | End::Done => None,
        End::Refused | End::RolledBack | End::Stopped => Some(ErrorKind::Found),
        End::Interrupted => Some(ErrorKind::Interrupted),
        End::Failed(_) => Some(ErrorKind::Cloud),
    }
}
