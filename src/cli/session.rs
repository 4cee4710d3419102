//! From flags to a connected environment: config, connection, facts, blueprint.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::error::{CliError, ErrorKind};
use super::preflight::{self, Next};
#[cfg(feature = "sandbox")]
use super::sandbox::embed;
use super::{Context, Global, lenders, prices, usage, variable};
use crate::aws;
use crate::aws::clients::{Aws, Connection, retry_read};
use crate::aws::lent;
use crate::aws::policy::{Names, Uses};
use crate::aws::provider::AwsProvider;
use crate::aws::reading::Reading;
use crate::blueprint::checks::{Check, checks};
use crate::blueprint::loans::{self, Lent, Loan, loans, taken};
use crate::blueprint::shifts::{Shift, shifts};
use crate::blueprint::{self, Facts};
use crate::config::schema::Config;
use crate::config::schema::text::TimeSpan;
use crate::config::schema::usage::Budget;
use crate::config::{self, Loaded, Problem};
use crate::ui::looking;
use crate::ui::plan::{Effort, Used};
use crate::ui::screen::Screen;
use payctl_engine::model::address::Address;
use payctl_engine::model::desired::{Blueprint, Desired};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Owner};
use payctl_engine::model::scope::Scope;
use payctl_engine::model::text::Outputs;
use payctl_engine::model::zone::Zone;
use payctl_engine::plan::{Plan, Purpose};
use payctl_engine::planner::{self, PlanError};
use payctl_engine::provider::Provider as _;
use payctl_engine::survey::{self, Looking, Snapshot, SurveyError};
use payctl_money::Decimal;
use payctl_money::load::Assumptions;
use payctl_money::prices::Prices;

/// How many kinds make no call unless the config uses them, so that a survey always sees them.
const SILENT: usize = 3;

/// An environment, connected.
pub(super) struct Session {
    /// The resources that it should have.
    pub blueprint: Blueprint,
    /// The descriptions of its outputs, by name.
    pub described: BTreeMap<String, String>,
    /// What it uses and does not own.
    pub uses: Vec<Used>,
    /// Its own checks, by name.
    pub checks: BTreeMap<String, Check>,
    /// Its shifts of traffic, by name.
    pub shifts: BTreeMap<String, Shift>,
    /// What a month is assumed to bring.
    pub assume: Assumptions,
    /// The most that it may cost in a month, in US dollars.
    pub budget: Option<Decimal>,
    /// Prices in place of those in payctl.
    pub prices: Vec<Prices>,
    /// How long it lives after an apply.
    pub ttl: Option<Duration>,
    /// The cloud.
    pub provider: AwsProvider,
    /// How many calls its clients made for others before.
    earlier: usize,
    began: Instant,
    screen: Screen,
    /// The kinds that payctl has warned about, since it could not read them.
    warned: RefCell<BTreeSet<String>>,
}

impl Session {
    /// Loads the config of an environment and connects to its account.
    pub(super) async fn open(cx: &Context, env: &str) -> Result<Self, CliError> {
        Self::open_for(cx, env, Purpose::Apply).await
    }

    /// The same for a purpose. A destroy needs nothing of what others lend: it may be gone.
    pub(super) async fn open_for(
        cx: &Context,
        env: &str,
        purpose: Purpose,
    ) -> Result<Self, CliError> {
        let loaded = load(&cx.global, env)?;
        let place = connect(cx, &Reach::of(&cx.global, &loaded), None).await?;
        if let Some(text) = unguarded(&loaded, &place.aws) {
            cx.note(text);
        }
        Box::pin(Self::at(cx, &loaded, &place, purpose)).await
    }

    /// The environment of a config in an account that is connected.
    pub(super) async fn at(
        cx: &Context,
        loaded: &Loaded,
        place: &Place,
        purpose: Purpose,
    ) -> Result<Self, CliError> {
        let began = place.began;
        let mut aws = place.aws.of(&loaded.config.project.0, &loaded.env);
        let zones = place.zones.clone();
        aws.packages = loaded.packages();
        aws.zone_ids = loaded.zone_ids();
        let (lent, uses) = match purpose {
            Purpose::Apply => {
                borrowed(loaded, &aws).await.map(|(lent, uses)| (Some(lent), uses))?
            }
            Purpose::Destroy => (None, Vec::new()),
        };
        let known = Facts { lent, ..facts(&aws, zones)? };
        let blueprint = blueprint::build(loaded, &known);
        let blueprint = blueprint.map_err(|problems| CliError::config(&problems))?;
        let described = loaded.config.outputs.iter();
        let described = described
            .filter_map(|(name, output)| Some((name.0.clone(), output.description()?.to_owned())))
            .collect();
        let (checks, shifts) = (checks(loaded, &known), shifts(loaded, &known));
        let assume = loaded.config.usage.assumptions();
        let ignored = usage::problems(loaded, &blueprint, &assume);
        if purpose == Purpose::Apply && !ignored.is_empty() {
            return Err(CliError::config(&ignored));
        }
        let budget = loaded.config.budget.as_ref().map(Budget::most);
        let ttl = loaded.config.ttl.as_ref().map(TimeSpan::time);
        let (provider, warned) = (AwsProvider::new(aws), RefCell::default());
        Ok(Self {
            blueprint,
            described,
            uses,
            checks,
            shifts,
            assume,
            budget,
            prices: Vec::new(),
            ttl,
            provider,
            earlier: 0,
            began,
            screen: cx.screen,
            warned,
        })
    }

    /// An environment of which there is no config: it wants nothing, and what it has is found by tags.
    pub(super) fn unconfigured(cx: &Context, aws: &Aws, project: &str, env: &str) -> Self {
        let aws = aws.of(project, env);
        Self {
            blueprint: Blueprint {
                scope: aws.scope.clone(),
                protect: false,
                disposable: false,
                resources: BTreeMap::new(),
                outputs: BTreeMap::new(),
            },
            described: BTreeMap::new(),
            uses: Vec::new(),
            checks: BTreeMap::new(),
            shifts: BTreeMap::new(),
            assume: Assumptions::default(),
            budget: None,
            prices: Vec::new(),
            ttl: None,
            earlier: aws.meter.total(),
            provider: AwsProvider::new(aws),
            began: Instant::now(),
            screen: cx.screen,
            warned: RefCell::default(),
        }
    }

    /// Takes the prices of AWS's list in place of those in payctl, and in their place those of a file.
    pub(super) async fn price(
        &mut self,
        cx: &Context,
        is_live: bool,
        file: Option<&Path>,
    ) -> Result<(), CliError> {
        let aws = self.provider.aws();
        let region = &aws.scope.region;
        // First the file, which costs no call.
        let own = file.map(|path| prices::read(cx, path, region)).transpose()?;
        let mut all = Vec::new();
        if is_live {
            all.push(prices::live(cx, aws, region).await?);
        }
        all.extend(own);
        self.prices = all;
        Ok(())
    }

    /// Reads everything that the environment has in the cloud, and warns of kinds that it could not
    /// read. Fails only if it could not read anything.
    pub(super) async fn survey(&self, purpose: Purpose) -> Result<Snapshot, CliError> {
        self.survey_for(&self.blueprint.resources, purpose).await
    }

    /// The same, and everything that has the name of one of these resources.
    pub(super) async fn survey_for(
        &self,
        resources: &BTreeMap<Address, Desired>,
        purpose: Purpose,
    ) -> Result<Snapshot, CliError> {
        let so_far = Mutex::new(None);
        let listener = |looking: Looking| {
            *so_far.lock().unwrap_or_else(PoisonError::into_inner) = Some(looking);
        };
        let look = survey::look(&self.provider, resources, purpose, survey::PATIENCE, &listener);
        let mut snapshot = self.shown(look, &so_far, looking::progress).await;
        let unseen = &snapshot.unseen;
        if unseen.len() + SILENT >= self.provider.kinds().len()
            || unseen.iter().any(|unseen| unseen.error.ends_everything())
        {
            return Err(CliError::from(std::mem::take(&mut snapshot.unseen)));
        }
        let is_new = |unseen: &&SurveyError| self.warned.borrow_mut().insert(unseen.kind.clone());
        let new: Vec<SurveyError> = unseen.iter().filter(is_new).cloned().collect();
        // For environments that are read together, whoever reads them says it once.
        if !self.provider.aws().is_shared {
            self.screen.note(&looking::warnings(&new, self.screen.err));
        }
        Ok(snapshot)
    }

    /// The live objects of some resources, which must exist. Only their kinds are read.
    pub(super) async fn live(
        &self,
        addresses: impl IntoIterator<Item = Address>,
    ) -> Result<BTreeMap<Address, Live>, CliError> {
        let addresses: BTreeSet<Address> = addresses.into_iter().collect();
        let kinds: BTreeSet<&str> = addresses.iter().map(|address| &*address.kind).collect();
        let surveys = kinds.into_iter().map(|kind| async move {
            let resources = self.blueprint.resources.values();
            let wanted: BTreeMap<String, Address> = resources
                .filter(|desired| desired.address.kind == kind)
                .map(|desired| (desired.name.clone(), desired.address.clone()))
                .collect();
            let found = retry_read(|| self.provider.survey(kind, &wanted, None)).await;
            found.map_err(|error| CliError::cloud(format!("read {kind}"), &error))
        });
        let found = try_join_all(surveys).await?.into_iter().flatten();
        let ours = found.filter(|found| matches!(found.owner, Owner::Ours | Owner::Shared));
        let live: BTreeMap<Address, Live> = ours.map(|found| (found.address, found.live)).collect();
        match addresses.iter().find(|address| !live.contains_key(address)) {
            Some(address) => Err(CliError::new(
                ErrorKind::User,
                format!("{address} does not exist in {}", self.blueprint.scope),
            )
            .hinted("run payctl apply first")),
            None => Ok(live),
        }
    }

    /// Shows the progress of a look on stderr: in a terminal as one line that changes, elsewhere as a
    /// line now and then. A fast look shows nothing.
    pub(super) async fn shown<T, P: Clone>(
        &self,
        look: impl Future<Output = T>,
        so_far: &Mutex<Option<P>>,
        progress: impl Fn(&P) -> String,
    ) -> T {
        // Environments that are read together would write over each other's line.
        if self.provider.aws().is_shared {
            return look.await;
        }
        let redraws = self.screen.redraws && !self.screen.json;
        let (first, every) = if redraws {
            (Duration::from_secs(1), Duration::from_millis(250))
        } else {
            (Duration::from_secs(10), Duration::from_secs(10))
        };
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + first, every);
        let mut look = std::pin::pin!(look);
        let mut is_shown = false;
        loop {
            tokio::select! {
                seen = &mut look => {
                    if is_shown && redraws {
                        self.screen.redraw("");
                    }
                    return seen;
                }
                _ = ticks.tick() => {}
            }
            let looking = so_far.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let Some(looking) = looking else { continue };
            is_shown = true;
            let text = progress(&looking);
            if redraws {
                self.screen.redraw(&text);
            } else {
                self.screen.note(&format!("{text}\n"));
            }
        }
    }

    /// Makes a plan.
    pub(super) fn plan(
        &self,
        snapshot: &Snapshot,
        purpose: Purpose,
        targets: &[String],
    ) -> Result<Plan, CliError> {
        planner::plan(&self.provider, &self.blueprint, snapshot, purpose, targets).map_err(
            |error| {
                let nearest = match &error {
                    PlanError::NoSuchTarget(target) => self.nearest(target),
                    PlanError::Spec(_) | PlanError::Circle(_) => None,
                };
                let error = CliError::from(error);
                match nearest {
                    Some(address) => error.instead(format!("did you mean {address}?")),
                    None => error,
                }
            },
        )
    }

    /// Checks in advance what would fail in the middle of an apply, or after it, and what others use. It
    /// makes no call for a check that the plan does not need.
    pub(super) async fn preflight(&self, plan: &mut Plan, next: Next) -> Result<(), CliError> {
        lenders::refuse(self, plan).await?;
        preflight::check(self.provider.aws(), &self.blueprint, plan, next).await
    }

    /// The configured address that looks most like this text.
    fn nearest(&self, text: &str) -> Option<String> {
        alike(self.blueprint.resources.keys(), text).into_iter().next()
    }

    /// The effort so far.
    pub(super) fn effort(&self) -> Effort {
        let calls = self.provider.aws().meter.total() - self.earlier;
        Effort { calls, elapsed: self.began.elapsed() }
    }

    /// With `-v`, lists the calls that payctl made.
    pub(super) fn explain_calls(&self, cx: &Context) {
        explain_calls(cx, self.provider.aws());
    }
}

/// Up to three addresses that look like a text, the most alike first.
pub(super) fn alike<'a>(addresses: impl Iterator<Item = &'a Address>, text: &str) -> Vec<String> {
    let alike = addresses.map(|address| {
        let address = address.to_string();
        (strsim::jaro_winkler(text, &address), address)
    });
    let mut alike: Vec<(f64, String)> = alike.filter(|(likeness, _)| *likeness > 0.85).collect();
    alike.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    alike.into_iter().take(3).map(|(_, address)| address).collect()
}

/// With `-v`, lists the calls that payctl made.
pub(super) fn explain_calls(cx: &Context, aws: &Aws) {
    if cx.global.verbose > 0 {
        for (call, number) in aws.meter.counts() {
            cx.note(format_args!("{number:>5}  {call}"));
        }
    }
}

/// The account and the region of the credentials, without a config. The files of a config directory
/// may name the region; otherwise it comes from where the SDK finds it.
pub(super) async fn account(cx: &Context) -> Result<Aws, CliError> {
    let named = || config::region(&cx.global.config_dir);
    account_in(cx, cx.global.region.clone().or_else(named)).await
}

/// The account of the credentials in a region.
pub(super) async fn account_in(cx: &Context, region: Option<String>) -> Result<Aws, CliError> {
    let endpoint = connection(&cx.global, region, None)?;
    let connected = Aws::connect(&endpoint, "", "").await;
    connected.map_err(|error| unconnected(&endpoint, &error))
}

/// What a survey found that this environment owns.
pub(super) fn ours(snapshot: &Snapshot) -> impl Iterator<Item = &Found> {
    snapshot.values().flatten().filter(|found| found.owner == Owner::Ours)
}

/// How a config reaches its account: environments with the same reach can share a connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reach {
    region: Option<String>,
    role: Option<String>,
    account: Option<String>,
}

impl Reach {
    /// Where the credentials of this process lead by themselves.
    pub(super) fn to(region: Option<String>) -> Self {
        Self { region, role: None, account: None }
    }

    /// Whether nothing is known but the credentials.
    pub(super) fn is_bare(&self) -> bool {
        *self == Self::to(None)
    }

    /// Whether it names the account.
    pub(super) fn is_pinned(&self) -> bool {
        self.account.is_some()
    }

    /// Whether it leads to this region with the credentials of this process.
    pub(super) fn is_in(&self, region: &str) -> bool {
        self.region.as_deref() == Some(region) && self.role.is_none()
    }

    /// Whether it leads to where another one leads.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        self.region == other.region && self.role == other.role
    }

    /// Refuses another account than the one that the config names.
    pub(super) fn admits(&self, aws: &Aws) -> Result<(), CliError> {
        match &self.account {
            Some(allowed) if *allowed != aws.scope.account => {
                let error = aws::error::other_account(&aws.scope.account, allowed);
                Err(refused_account(&error))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn of(global: &Global, loaded: &Loaded) -> Self {
        let Config { region, assume_role, account, .. } = &loaded.config;
        Self {
            region: Some(region.0.clone()),
            role: assume_role.as_ref().map(|role| role.0.clone()),
            // The sandbox has an account of its own.
            account: account.as_ref().filter(|_| !global.sandbox).map(|id| id.0.clone()),
        }
    }
}

/// An account and a region, connected.
pub(super) struct Place {
    /// The clients, of no environment yet.
    pub(super) aws: Aws,
    zones: Vec<Zone>,
    began: Instant,
}

/// Connects to the account of a config. With a reading, whoever uses the connection shares the answers.
pub(super) async fn connect(
    cx: &Context,
    reach: &Reach,
    reading: Option<Reading>,
) -> Result<Place, CliError> {
    let began = Instant::now();
    let Reach { region, role, account } = reach.clone();
    let endpoint = Connection { account, reading, ..connection(&cx.global, region, role)? };
    let connected = Box::pin(aws::facts::connect(&endpoint, "", "")).await;
    let (aws, zones) = connected.map_err(|error| unconnected(&endpoint, &error))?;
    Ok(Place { aws, zones, began })
}

/// Loads one environment's config.
pub(super) fn load(global: &Global, env: &str) -> Result<Loaded, CliError> {
    config::load_in(&global.config_dir, env, &variable, global.region.as_deref())
        .map_err(|_| CliError::config(&problems(global, env)))
}

/// What payctl knows of an environment without an account.
pub(super) struct Sketch {
    /// Its config.
    pub loaded: Loaded,
    /// The resources that it should have.
    pub blueprint: Blueprint,
    /// What a month is assumed to bring.
    pub assume: Assumptions,
}

/// What payctl knows of an environment without an account.
pub(super) fn sketch(global: &Global, env: &str) -> Result<Sketch, Vec<Problem>> {
    let loaded = config::load_in(&global.config_dir, env, &variable, global.region.as_deref())?;
    let blueprint = blueprint::build(&loaded, &Facts::placeholder(&loaded.config.region))?;
    let assume = loaded.config.usage.assumptions();
    let ignored = usage::problems(&loaded, &blueprint, &assume);
    if !ignored.is_empty() {
        return Err(ignored);
    }
    Ok(Sketch { loaded, blueprint, assume })
}

/// The scope of an environment in an account, the names of its objects there, and those of what it uses.
pub(super) fn names(
    global: &Global,
    env: &str,
    account: Option<&str>,
) -> Result<(Scope, Names, Uses), CliError> {
    let loaded = load(global, env)?;
    let pinned = loaded.config.account.as_ref().map(|account| account.0.as_str());
    let account = match (account, pinned) {
        (Some(account), Some(pinned)) if account != pinned => {
            let title =
                format!("--account is {account}, but the config allows only account {pinned}");
            return Err(CliError::new(ErrorKind::User, title));
        }
        (account, pinned) => account.or(pinned),
    };
    let mut facts = Facts::placeholder(&loaded.config.region);
    // The sandbox has the account of the placeholder facts.
    if !global.sandbox {
        let none = || {
            CliError::new(ErrorKind::User, "a policy needs the account, which is not known")
                .hinted("set `account` in the config, or use --account ID")
        };
        facts.account = account.ok_or_else(none)?.to_owned();
    }
    let blueprint = blueprint::build(&loaded, &facts);
    let blueprint = blueprint.map_err(|problems| CliError::config(&problems))?;
    let names = blueprint::names::names(&loaded, &blueprint);
    Ok((blueprint.scope, names, loans::uses(&loaded.config)))
}

/// All problems of an environment, as far as payctl can find them without an account.
pub(super) fn problems(global: &Global, env: &str) -> Vec<Problem> {
    let found = blueprint::problems(&global.config_dir, env, &variable, global.region.as_deref());
    match found.is_empty() {
        true => sketch(global, env).err().unwrap_or_default(),
        false => found,
    }
}

/// What is said where the guard of the account does not stop a run: in the sandbox, which has an account of
/// its own.
fn unguarded(loaded: &Loaded, aws: &Aws) -> Option<String> {
    let allowed = loaded.config.account.as_ref().map(|account| account.0.as_str())?;
    let here = &aws.scope.account;
    (allowed != here).then(|| {
        format!(
            "The config allows only account {allowed}. The sandbox is account {here}: with real \
             credentials, payctl would stop here."
        )
    })
}

/// The outputs of live objects that this environment owns or shares.
pub(super) fn live_outputs(snapshot: &Snapshot) -> BTreeMap<Address, Outputs> {
    let ours = |(address, found): (&Address, &Vec<Found>)| {
        let ours = found.iter().find(|found| matches!(found.owner, Owner::Ours | Owner::Shared))?;
        Some((address.clone(), ours.live.outputs.clone()))
    };
    snapshot.iter().filter_map(ours).collect()
}

/// How to reach the cloud: from the flags, else from the default chain of the SDK.
fn connection(
    global: &Global,
    region: Option<String>,
    role: Option<String>,
) -> Result<Connection, CliError> {
    let mut connection = Connection {
        region,
        profile: global.profile.clone(),
        // The sandbox has one caller.
        assume_role: global.assume_role.clone().or(role).filter(|_| !global.sandbox),
        endpoint_url: global.endpoint_url.clone(),
        ..Connection::default()
    };
    if global.sandbox {
        embed(&mut connection, global)?;
    } else {
        global.wants_no_sandbox()?;
    }
    Ok(connection)
}

#[cfg(not(feature = "sandbox"))]
fn embed(_: &mut Connection, _: &Global) -> Result<(), CliError> {
    Err(CliError::new(ErrorKind::User, "this payctl was built without the sandbox")
        .hinted("build it with the default features"))
}

fn refused_account(error: &OpError) -> CliError {
    CliError::new(ErrorKind::User, &error.message)
        .hinted("choose other credentials with --profile or --assume-role")
}

/// The error of a failed connection, with hints for an endpoint that stands in for AWS.
fn unconnected(connection: &Connection, error: &OpError) -> CliError {
    if aws::error::is_other_account(error) {
        return refused_account(error);
    }
    let url = connection.endpoint_url.clone().or_else(|| variable("AWS_ENDPOINT_URL"));
    let Some(url) = url else {
        return CliError::cloud("connect to AWS", error);
    };
    let failed = CliError::cloud(format!("connect to {url}"), error);
    let host = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    let is_near = ["127.", "localhost", "[::1]"].iter().any(|near| host.starts_with(near));
    match error.class {
        ErrorClass::Credentials if is_near => failed.instead(
            "an emulator takes any credentials: export AWS_ACCESS_KEY_ID=test \
             AWS_SECRET_ACCESS_KEY=test",
        ),
        ErrorClass::Service => {
            failed.instead("check that a server listens there, such as `payctl sandbox serve`")
        }
        _ => failed,
    }
}

/// The facts about account and region that the blueprint needs.
fn facts(aws: &Aws, zones: Vec<Zone>) -> Result<Facts, CliError> {
    let now = OffsetDateTime::now_utc().truncate_to_second().format(&Rfc3339);
    Ok(Facts {
        account: aws.scope.account.clone(),
        region: aws.scope.region.clone(),
        partition: aws.scope.partition.clone(),
        zones,
        now: now.map_err(|error| CliError::new(ErrorKind::Bug, error.to_string()))?,
        lent: None,
    })
}

/// What the environment uses and does not own, found live. Anything that is missing or not clear is an
/// error of the config, before anything is written.
async fn borrowed(loaded: &Loaded, aws: &Aws) -> Result<(Lent, Vec<Used>), CliError> {
    let loans = loans(&loaded.config);
    let asked = loans.iter().flat_map(Loan::asks).collect();
    let found = lent::find(aws, &asked).await;
    let found = found.map_err(|error| CliError::cloud("look for what others own", &error))?;
    let lent = taken(loaded, &loans, &found).map_err(|problems| CliError::config(&problems))?;
    let used = loans.iter().map(|loan| Used {
        address: loan.main.clone(),
        ids: loan.ids(&lent),
        owner: loan.whose.words().to_owned(),
    });
    let used = used.collect();
    Ok((lent, used))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use payctl_engine::model::live::{Phase, Tags};

    #[test]
    fn shared_objects_have_outputs() {
        let address = Address::new("service.shared", "main");
        let spec = json!({});
        let outputs = Outputs::from([(payctl_engine::model::text::Output::Id, "d-1".to_owned())]);
        let live = Live { id: "d-1".into(), spec, outputs, tags: Tags::new(), phase: Phase::Ready };
        let with = |owner| {
            let found = Found { address: address.clone(), owner, live: live.clone() };
            live_outputs(&Snapshot::from([(address.clone(), vec![found])]))
        };
        assert_eq!(with(Owner::Shared)[&address], live.outputs);
        assert_eq!(with(Owner::Ours)[&address], live.outputs);
        assert!(with(Owner::Foreign("others".into())).is_empty());
    }
}
