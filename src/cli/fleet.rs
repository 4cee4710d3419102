//! `payctl plan --all` and `payctl plan --env 'pr-*'`: the plans of many environments, with one reading
//! of each account and region for all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Instant, SystemTime};

use futures::StreamExt as _;
use time::OffsetDateTime;

use super::error::{CliError, ErrorKind};
use super::forecast::Forecast;
use super::preflight::Next;
use super::session::{self, Place, Reach, Session};
use super::{Context, exit, expiry};
use crate::aws::census;
use crate::aws::policy::covers;
use crate::aws::reading::Reading;
use crate::config::{self, Loaded};
use crate::ui::fleet::{self, Row, State};
use crate::ui::plan::Effort;
use crate::ui::report::Block;
use crate::ui::{json, looking};
use payctl_engine::model::live::Owner;
use payctl_engine::plan::{Action, Plan, Purpose};
use payctl_engine::survey::SurveyError;

/// How many environments payctl plans at the same time. Their calls share one pace.
const AT_ONCE: usize = 8;

/// Plans every environment whose name fits, and shows one table of them.
pub(super) async fn plan(cx: &Context, pattern: &str, detailed: bool) -> Result<u8, CliError> {
    let began = Instant::now();
    let mut fleet = Fleet::of_config(cx, pattern)?;
    fleet.connect(cx).await;
    fleet.add_living(cx, pattern).await?;
    if fleet.members.is_empty() {
        let title = format!("no environment fits `{pattern}`");
        let dir = cx.global.config_dir.display();
        let what = format!("neither a file in {dir} nor a tag in the account and region");
        return Err(CliError::new(ErrorKind::User, title)
            .because(what)
            .hinted("payctl env list shows the environments that exist"));
    }
    let planned = fleet.members.iter().map(|member| {
        let planned = Box::pin(member.plan(cx, &fleet.places));
        async move { (member, planned.await) }
    });
    let mut planned: Vec<_> =
        futures::stream::iter(planned).buffer_unordered(AT_ONCE).collect().await;
    planned.sort_by(|(one, _), (other, _)| one.order().cmp(&other.order()));
    let (mut rows, mut code, mut unseen) = (Vec::new(), exit::SUCCESS, BTreeMap::new());
    for (member, planned) in planned {
        let row = match planned {
            Ok(planned) => {
                unseen.extend(planned.unseen.into_iter().map(|one| (one.kind.clone(), one)));
                planned.row
            }
            Err(error) => member.failed(&error),
        };
        if let Some(block) = row.error.as_ref().filter(|_| !cx.screen.json) {
            cx.screen.note(&block.text(cx.screen.err));
        }
        code = worse(code, code_of(row.state, detailed));
        rows.push(row);
    }
    let places = fleet.places.values().filter_map(|place| place.as_ref().ok());
    let calls = places.clone().map(|place| place.aws.meter.total()).sum();
    let effort = Effort { calls, elapsed: began.elapsed() };
    let unseen: Vec<SurveyError> = unseen.into_values().collect();
    cx.screen.note(&looking::warnings(&unseen, cx.screen.err));
    if cx.screen.json {
        for row in &rows {
            let body = fleet::json(row, code_of(row.state, detailed));
            cx.screen.data(&json::line(SystemTime::now(), "environment", &body))?;
        }
    } else {
        cx.screen.text(&fleet::text(&rows, effort))?;
    }
    if fleet.others > 0 {
        cx.note(fleet::others(fleet.others));
    }
    places.for_each(|place| session::explain_calls(cx, &place.aws));
    Ok(code)
}

/// The exit code that a plan of an environment alone would have.
fn code_of(state: State, detailed: bool) -> u8 {
    match state {
        State::Changes | State::New if detailed => exit::CHANGES,
        State::Settled | State::Unconfigured | State::Changes | State::New => exit::SUCCESS,
        State::Refused | State::Failed => exit::ERROR,
    }
}

/// The worse of two exit codes: an error is worse than changes.
fn worse(one: u8, other: u8) -> u8 {
    let rank = |code: u8| match code {
        exit::SUCCESS => 0,
        exit::CHANGES => 1,
        _ => 2,
    };
    if rank(other) > rank(one) { other } else { one }
}

/// The environments that are planned together.
struct Fleet {
    members: Vec<Member>,
    /// Each account and region that they are in, connected once.
    places: BTreeMap<Reach, Result<Place, CliError>>,
    /// How many environments of other projects live there.
    others: usize,
}

/// An environment, with its config if that can be used.
struct Member {
    env: String,
    config: Result<Loaded, CliError>,
    /// The project and the region of an environment without a config.
    lives: Option<(String, String)>,
}

/// A plan that was made.
struct Planned {
    row: Row,
    unseen: Vec<SurveyError>,
}

impl Fleet {
    /// The environments that have a file of their own.
    fn of_config(cx: &Context, pattern: &str) -> Result<Self, CliError> {
        let found = config::find_environments(&cx.global.config_dir);
        let found = found.map_err(|problem| CliError::config(&[problem]))?;
        let named = found.into_iter().filter(|one| one.pattern.is_none());
        let fitting = named.filter(|one| covers(pattern, &one.name));
        let members = fitting.map(|one| {
            let config = session::load(&cx.global, &one.name);
            Member { env: one.name, config, lives: None }
        });
        Ok(Self { members: members.collect(), places: BTreeMap::new(), others: 0 })
    }

    /// Connects to each account and region once. Templates name the region that all files name.
    async fn connect(&mut self, cx: &Context) {
        let configs = self.members.iter().filter_map(|member| member.config.as_ref().ok());
        let mut reaches: BTreeSet<Reach> =
            configs.map(|loaded| Reach::of(&cx.global, loaded)).collect();
        let region = cx.global.region.clone().or_else(|| config::region(&cx.global.config_dir));
        let is_known = |region: &String| reaches.iter().any(|reach| reach.is_in(region));
        if region.as_ref().is_none_or(|region| !is_known(region)) {
            reaches.insert(Reach::to(region));
        }
        let is_bare = reaches.len() > 1;
        // One connection serves those that name the account and those that do not.
        let open: Vec<Reach> = reaches.iter().filter(|reach| !reach.is_pinned()).cloned().collect();
        let is_served = |reach: &Reach| open.iter().any(|other| other.is_beside(reach));
        for reach in reaches.into_iter().filter(|reach| !reach.is_pinned() || !is_served(reach)) {
            let place = session::connect(cx, &reach, Some(Reading::default())).await;
            // Without a region of its own, the default chain may not name one either.
            if !(is_bare && reach.is_bare() && place.is_err()) {
                self.places.insert(reach, place);
            }
        }
    }

    /// Adds the environments of which tags tell, and counts those of other projects.
    async fn add_living(&mut self, cx: &Context, pattern: &str) -> Result<(), CliError> {
        let configs = self.members.iter().filter_map(|member| member.config.as_ref().ok());
        let mut projects: BTreeSet<String> =
            configs.map(|loaded| loaded.config.project.0.clone()).collect();
        let mut known: BTreeSet<String> =
            self.members.iter().map(|member| member.env.clone()).collect();
        let (mut unconfigured, mut fresh) = (Vec::new(), Vec::new());
        for (reach, place) in &self.places {
            let Ok(place) = place else { continue };
            let found = census::environments(&place.aws).await;
            let found = found.map_err(|error| CliError::cloud("list the environments", &error))?;
            for (project, env) in found.into_keys() {
                let is_offered = config::has(&cx.global.config_dir, &env).unwrap_or(false);
                let config = is_offered.then(|| session::load(&cx.global, &env));
                match config {
                    Some(Ok(loaded)) if loaded.config.project.0 == project => {
                        projects.insert(project);
                        let own = Reach::of(&cx.global, &loaded);
                        let is_here = own.is_beside(reach) && covers(pattern, &env);
                        if is_here && known.insert(env.clone()) {
                            fresh.push((own, Member { env, config: Ok(loaded), lives: None }));
                        }
                    }
                    Some(Err(error)) if covers(pattern, &env) && known.insert(env.clone()) => {
                        let lives = Some((project, place.aws.scope.region.clone()));
                        let member = Member { env, config: Err(error), lives };
                        self.members.push(member);
                    }
                    Some(_) => {}
                    None => unconfigured.push((project, env, place.aws.scope.region.clone())),
                }
            }
        }
        for (own, member) in fresh {
            self.members.push(member);
            if !self.places.keys().any(|reach| reach.is_beside(&own)) {
                let place = session::connect(cx, &own, Some(Reading::default())).await;
                self.places.insert(own, place);
            }
        }
        for (project, env, region) in unconfigured {
            if !projects.contains(&project) {
                self.others += 1;
            } else if covers(pattern, &env) {
                let config = Err(CliError::said(ErrorKind::Config));
                self.members.push(Member { env, config, lives: Some((project, region)) });
            }
        }
        Ok(())
    }
}

impl Member {
    fn order(&self) -> (&str, Option<&(String, String)>) {
        (&self.env, self.lives.as_ref())
    }

    /// Whether it exists, and the config does not have it.
    fn is_unknown(&self) -> bool {
        matches!(&self.config, Err(error) if error.source.is_none())
    }

    async fn plan(
        &self,
        cx: &Context,
        places: &BTreeMap<Reach, Result<Place, CliError>>,
    ) -> Result<Planned, CliError> {
        let loaded = self.config.as_ref().map_err(Clone::clone)?;
        let reach = Reach::of(&cx.global, loaded);
        let place = places.iter().find(|(other, _)| reach.is_beside(other));
        let (_, place) = place.ok_or_else(|| CliError::said(ErrorKind::Bug))?;
        let place = place.as_ref().map_err(Clone::clone)?;
        reach.admits(&place.aws)?;
        let session = Session::at(cx, loaded, place, Purpose::Apply).await?;
        let snapshot = session.survey(Purpose::Apply).await?;
        let mut plan = session.plan(&snapshot, Purpose::Apply, &[])?;
        session.preflight(&mut plan, Next::Show).await?;
        let is_ours = |address| {
            snapshot.get(address).into_iter().flatten().any(|found| found.owner == Owner::Ours)
        };
        let exists = session.blueprint.resources.keys().any(is_ours);
        let end = expiry::due(&session, &snapshot, OffsetDateTime::now_utc()).end;
        let forecast = Forecast::of(cx, &session, &plan, end);
        let mut body = json::plan(&plan, forecast.view(cx, &session, cx.screen.out));
        // Calls belong to the reading, not to one of its environments.
        body["api_calls"] = serde_json::Value::Null;
        let row = Row {
            env: self.env.clone(),
            project: plan.scope.project.clone(),
            region: plan.scope.region.clone(),
            state: state_of(&plan, exists),
            unread: plan.unseen.iter().filter(|one| !one.is_unsupported()).count(),
            cost: forecast.cost.change(),
            error: refusal(&self.env, &plan),
            plan: Some((fleet::Changes::of(&plan), body)),
        };
        Ok(Planned { row, unseen: plan.unseen })
    }

    /// The row of an environment without a plan.
    fn failed(&self, error: &CliError) -> Row {
        let (project, region) = match (&self.config, &self.lives) {
            (Ok(loaded), _) => (loaded.config.project.0.clone(), loaded.config.region.0.clone()),
            (Err(_), Some((project, region))) => (project.clone(), region.clone()),
            (Err(_), None) => (String::new(), String::new()),
        };
        let source = error.source.clone().map(|mut block| {
            block.title = format!("{}: {}", self.env, block.title);
            block
        });
        Row {
            env: self.env.clone(),
            project,
            region,
            state: if self.is_unknown() { State::Unconfigured } else { State::Failed },
            unread: 0,
            cost: None,
            error: source,
            plan: None,
        }
    }
}

/// Why a plan cannot be carried out.
fn refusal(env: &str, plan: &Plan) -> Option<Box<Block>> {
    let first = plan.refused.first()?;
    let reasons = plan.refused.iter().map(|one| format!("{}: {}", one.address, one.reason));
    let title = format!("{env}: the plan cannot be carried out");
    let what = reasons.collect::<Vec<_>>().join("\n");
    CliError::new(ErrorKind::User, title).because(what).hinted(&first.hint).source
}

/// What a plan says of an environment of which something may exist. Objects of the account are not its own.
fn state_of(plan: &Plan, exists: bool) -> State {
    if !plan.refused.is_empty() {
        State::Refused
    } else if plan.changes.is_empty() {
        State::Settled
    } else if !exists && plan.count(Action::Create) == plan.changes.len() {
        State::New
    } else {
        State::Changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_worse_than_changes_and_changes_are_worse_than_none() {
        assert_eq!(worse(exit::SUCCESS, exit::CHANGES), exit::CHANGES);
        assert_eq!(worse(exit::CHANGES, exit::ERROR), exit::ERROR);
        assert_eq!(worse(exit::ERROR, exit::CHANGES), exit::ERROR);
        assert_eq!(worse(exit::CHANGES, exit::SUCCESS), exit::CHANGES);
        assert_eq!(code_of(State::New, true), exit::CHANGES);
        assert_eq!(code_of(State::Changes, false), exit::SUCCESS);
        assert_eq!(code_of(State::Refused, true), exit::ERROR);
        assert_eq!(code_of(State::Unconfigured, true), exit::SUCCESS);
    }
}
