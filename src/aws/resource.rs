//! The trait that every kind implements, and its type-erased form for the engine.
//!
//! A kind is one file: a spec struct, its `META`, and its operations in this order: `survey`,
//! `read`, `create`, `update`, `tag`, `untag`, `delete`, `check`; then conversions, then tests. A kind must
//! not retry, sleep or wait (the engine does that), print, keep state, or change an object without
//! the environment's ownership tags.

use std::collections::BTreeMap;
use std::future::ready;
use std::marker::PhantomData;
use std::sync::{Arc, PoisonError};

use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::clients::Aws;
use super::costs::Costs;
use super::measured::Gauge;
use super::tags;
use payctl_engine::diff::diff_tags;
use payctl_engine::model::address::Address;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Owner, Phase, Tags};
use payctl_engine::model::meta::Meta;
use payctl_engine::model::scope::{Scope, TAG_ADDRESS};
use payctl_engine::model::text::{Output, Outputs};
use payctl_engine::model::verdict::Verdict;
use payctl_engine::provider::{Answer, Sweep, Tagged, Target};
use payctl_money::Decimal;
use payctl_money::bill::Charge;
use payctl_money::load::{Driver, Passed};

/// One kind of AWS resource. The implementing struct is its spec: desired state, and live state
/// read back into the same fields.
///
/// In the spec, `Option` fields that are `None` are unmanaged: they must be skipped when
/// serialised (`#[serde(skip_serializing_if = "Option::is_none")]`). Sets are `BTreeSet`, maps
/// `BTreeMap`, policies `Document`, everything that may refer to another resource `Text`.
pub trait Resource: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The constant facts.
    const META: Meta;

    /// A valid desired state for docs and for the round trip over all kinds. References go to the
    /// samples of other kinds, under their `sample_name`.
    fn sample() -> Self;

    /// The logical name of the sample. Kinds that derive it from what they join say which.
    fn sample_name() -> &'static str {
        "sample"
    }

    /// The sample with each mutable field changed, one or more at a time. Each must be reachable
    /// from the sample, and from the variant before it, by updates alone.
    fn variants() -> Vec<Self>;

    /// The IAM actions on it that are a load, each with what it brings.
    const DRIVEN_BY: &'static [(&'static str, Driver)] = &[];

    /// The load that begins at it, such as requests from outside.
    fn begins(&self, _: &Costs<'_>) -> Vec<(Driver, Decimal)> {
        Vec::new()
    }

    /// Where its load goes on.
    fn passes(&self, _: &Costs<'_>) -> Vec<Passed<Address>> {
        Vec::new()
    }

    /// What AWS charges for it in a month, under its load. Kinds with `Pricing::Charged` have some.
    fn charges(&self, _: &Costs<'_>) -> Vec<Charge> {
        Vec::new()
    }

    /// What AWS charges for in a month after its deletion, for as long as somebody keeps it.
    fn stays(&self, _: &Costs<'_>) -> Vec<Charge> {
        Vec::new()
    }

    /// What CloudWatch measures of its load, for an object with this id of AWS.
    fn gauges(&self, _id: &str, _: &Costs<'_>) -> Vec<Gauge> {
        Vec::new()
    }

    /// All objects of this kind that this environment owns, and all others with a wanted name, in
    /// as few calls as the API allows; details in parallel. Dead objects that AWS still lists are
    /// left out.
    fn survey(cx: &Survey<'_>) -> impl Future<Output = Result<Vec<Found<Self>>, OpError>> + Send;

    /// One object again, by its id (`cx.id()`). The engine finds an object whose id it does not
    /// know by survey. `None` when absent.
    fn read(cx: &Cx<'_>) -> impl Future<Output = Result<Option<Live<Self>>, OpError>> + Send;

    /// The object as far as a deletion needs it: its owner, its phase, and whether it is still the one that
    /// was `planned`, which is ready. Kinds whose `read` makes more calls say so: all that tells one object
    /// from another is then in its id, or is read.
    fn glance(
        cx: &Cx<'_>,
        planned: Live<Self>,
    ) -> impl Future<Output = Result<Option<Live<Self>>, OpError>> + Send {
        drop(planned);
        Self::read(cx)
    }

    /// The tags of the object that it is a part of, for kinds without tags of their own. `None`: it is a part
    /// of none, or that is gone.
    fn holder(
        cx: &Cx<'_>,
        live: &Live<Self>,
    ) -> impl Future<Output = Result<Option<Tags>, OpError>> + Send {
        let _ = (cx, live);
        ready(Ok(None))
    }

    /// Makes the smallest thing that can exist, tagged (`cx.tags`) in the same call, and returns
    /// its id; what creation cannot set, `update` will. References are resolved. With `META.told` it
    /// makes the whole object, and the tags still come with the first call.
    fn create(&self, cx: &Cx<'_>) -> impl Future<Output = Result<String, OpError>> + Send;

    /// Makes one safe move from `live` towards `self`. Called again until nothing differs.
    fn update(
        &self,
        cx: &Cx<'_>,
        live: &Live<Self>,
    ) -> impl Future<Output = Result<(), OpError>> + Send;

    /// Sets tags; there is at least one. Only called for kinds whose `META.tagged` is true.
    fn tag(
        cx: &Cx<'_>,
        live: &Live<Self>,
        set: &Tags,
    ) -> impl Future<Output = Result<(), OpError>> + Send {
        let _ = (cx, live, set);
        ready(Ok(()))
    }

    /// Removes tags; there is at least one. Only called for kinds whose `META.tagged` is true.
    fn untag(
        cx: &Cx<'_>,
        live: &Live<Self>,
        unset: &[String],
    ) -> impl Future<Output = Result<(), OpError>> + Send {
        let _ = (cx, live, unset);
        ready(Ok(()))
    }

    /// Sets and removes tags, in two calls. A kind whose service takes all tags in one call says so
    /// here, instead of `tag` and `untag`.
    fn retag(
        cx: &Cx<'_>,
        live: &Live<Self>,
        set: &Tags,
        unset: &[String],
    ) -> impl Future<Output = Result<(), OpError>> + Send {
        let (sets, removes) = (!set.is_empty(), !unset.is_empty());
        async move {
            if sets {
                Self::tag(cx, live, set).await?;
            }
            if removes {
                Self::untag(cx, live, unset).await?;
            }
            Ok(())
        }
    }

    /// Starts deletion, lifting deletion protection first if there is any. Already gone is success.
    fn delete(cx: &Cx<'_>, live: &Live<Self>) -> impl Future<Output = Result<(), OpError>> + Send;

    /// Answers the question of `META.check` about an object that exists and is ready. It only reads.
    fn check(
        cx: &Cx<'_>,
        live: &Live<Self>,
    ) -> impl Future<Output = Result<Verdict, OpError>> + Send {
        let _ = (cx, live);
        ready(Ok(Verdict::passed()))
    }
}

/// The context of an operation on one object.
#[derive(Clone, Copy)]
pub struct Cx<'a> {
    /// The clients, and the environment's scope.
    pub aws: &'a Aws,
    /// The address of the resource.
    pub address: &'a Address,
    /// The physical name.
    pub name: &'a str,
    /// Its id in AWS, if it exists.
    pub id: Option<&'a str>,
    /// All tags for its creation, ownership tags among them.
    pub tags: &'a Tags,
}

impl<'a> Cx<'a> {
    /// The context of an operation on this target.
    pub(crate) fn of(aws: &'a Aws, target: &'a Target) -> Self {
        let Target { address, name, id, tags } = target;
        Self { aws, address, name, id: id.as_deref(), tags }
    }

    /// The id of an object that must exist.
    pub fn id(&self) -> &str {
        self.id.expect("the engine passes the id of what exists")
    }
}

/// The context of a survey.
#[derive(Clone, Copy)]
pub struct Survey<'a> {
    /// The clients, and the environment's scope.
    pub aws: &'a Aws,
    /// The physical names that the environment wants, with their addresses.
    pub wanted: &'a BTreeMap<String, Address>,
    /// The shared answers, if all kinds are surveyed.
    pub sweep: Option<&'a Sweep>,
}

impl Survey<'_> {
    /// Whether an object of this name is worth reading its tags: it has a wanted name or carries
    /// the environment's name. For lists that cannot filter by tag.
    pub fn is_candidate(&self, name: &str) -> bool {
        self.wanted.contains_key(name) || self.aws.scope.in_name(name)
    }

    /// The tags of an object: those that the tagging API returns, if they equal the wanted ones,
    /// else those that `read` returns. The tagging API lags behind, so payctl believes it only
    /// where nothing is to do: the next plan sees a tag that was removed a moment ago.
    pub async fn tags(
        &self,
        arn: &str,
        read: impl Future<Output = Result<Option<Tags>, OpError>>,
    ) -> Result<Option<Tags>, OpError> {
        match self.settled_tags(arn).await {
            Some(tags) => Ok(Some(tags)),
            None => read.await,
        }
    }

    /// The answer to a question that several kinds ask: asked once in a sweep.
    pub async fn once<T: Send + Sync + 'static>(
        &self,
        question: &str,
        ask: impl Future<Output = Result<T, OpError>>,
    ) -> Result<Arc<T>, OpError> {
        let Some(sweep) = self.sweep else { return ask.await.map(Arc::new) };
        let cell = {
            let mut answers = sweep.answers.lock().unwrap_or_else(PoisonError::into_inner);
            answers.entry(question.to_owned()).or_default().clone()
        };
        let answer = cell.get_or_try_init(|| async { Ok(Arc::new(ask.await?) as Answer) }).await?;
        let answer = answer.clone().downcast();
        Ok(answer.expect("a question is asked for one type"))
    }

    /// The tags that the tagging API returns for an object, if they equal the wanted ones.
    pub async fn settled_tags(&self, arn: &str) -> Option<Tags> {
        let (sweep, index) = (self.sweep?, self.tags_of_everything().await?);
        let tags = index.get(arn)?;
        let wanted = sweep.wanted.get(&self.aws.scope.owned(tags)?)?;
        diff_tags(wanted, tags).is_empty().then(|| tags.clone())
    }

    /// The answer of the tagging API, which is asked once in a sweep.
    pub(crate) async fn tags_of_everything(&self) -> Option<&BTreeMap<String, Tags>> {
        Some(&self.tagged().await?.of)
    }

    async fn tagged(&self) -> Option<&Tagged> {
        Some(self.sweep?.tags.get_or_init(|| tags::of_everything(self.aws)).await)
    }

    /// Whether the answer of the tagging API has an object of a service; `None` if it does not say.
    pub(crate) async fn has_tagged(&self, service: &str) -> Option<bool> {
        let Tagged { of, is_whole } = self.tagged().await?;
        let has = of.keys().any(|arn| arn.split(':').nth(2) == Some(service));
        (has || *is_whole).then_some(has)
    }

    /// The read of an object that another owner may have. A denial matters only if the config wants
    /// its name: payctl can read its own objects.
    pub fn if_permitted<T>(
        &self,
        name: &str,
        read: Result<Option<T>, OpError>,
    ) -> Result<Option<T>, OpError> {
        match read {
            Err(error) if error.class == ErrorClass::Denied && !self.wanted.contains_key(name) => {
                Ok(None)
            }
            read => read,
        }
    }

    /// The owner of an object whose tags name this environment. Anyone who may tag can write such
    /// tags on anything, so its name must fit: it is wanted, or it contains the environment's name,
    /// as does every name that this environment ever gave.
    pub fn ours(&self, name: &str, tags: &Tags) -> Option<(Address, Owner)> {
        let address = self.aws.scope.owned(tags)?;
        let owner = if self.is_candidate(name) {
            Owner::Ours
        } else {
            Owner::Disputed(format!(
                "its tags say that it is {address} of this environment, but its name `{name}` \
                 does not contain {}",
                self.aws.scope.env
            ))
        };
        Some((address, owner))
    }

    /// The owner of an object that AWS is deleting, and whose tags it no longer returns. It keeps
    /// its name until it is gone, so payctl waits for it, and never does anything else to it.
    pub fn claim_dying(&self, name: &str) -> Option<(Address, Owner)> {
        Some((self.wanted.get(name)?.clone(), Owner::Ours))
    }

    /// Decides the owner of an object from its name and its tags. `None`: its tags do not name this
    /// environment, and its name is not wanted.
    pub fn claim(&self, name: &str, tags: &Tags) -> Option<(Address, Owner)> {
        self.ours(name, tags).or_else(|| {
            let address = self.wanted.get(name)?.clone();
            Some((address, Owner::Foreign(Scope::describe_owner(tags))))
        })
    }

    /// The same for an object with an IAM path, which must fit too.
    pub fn claim_at(&self, path: &str, name: &str, tags: &Tags) -> Option<(Address, Owner)> {
        let (address, owner) = self.claim(name, tags)?;
        let ours = self.aws.scope.iam_path();
        if owner != Owner::Ours || path == ours {
            return Some((address, owner));
        }
        let why = format!(
            "its tags say that it is {address} of this environment, but its path {path} is not {ours}"
        );
        Some(match self.wanted.get(name) {
            Some(wanted) => (wanted.clone(), Owner::Foreign(format!("another owner ({why})"))),
            None => (address, Owner::Disputed(why)),
        })
    }

    /// A live object whose name cannot conflict with others, if its tags name this environment.
    pub fn found<S>(&self, live: Live<S>, name: impl Fn(&S) -> &str) -> Option<Found<S>> {
        let (address, owner) = self.ours(name(&live.spec), &live.tags)?;
        Some(Found { address, owner, live })
    }

    /// The objects in the answer of the tagging API that claim to be of this kind under a name that
    /// is not this environment's. Lists that are narrowed by name pass them over; here they are
    /// named.
    pub(crate) async fn strangers(&self, kind: &str, found: &[Found]) -> Vec<Found> {
        let Some(index) = self.tags_of_everything().await else { return Vec::new() };
        let is_found = |arn: &String| {
            found.iter().any(|found| {
                found.live.id == *arn || found.live.outputs.get(&Output::Arn) == Some(arn)
            })
        };
        // Each kind looks through the answer, so the tag of the address decides first.
        let start = format!("{kind}/");
        let is_of_kind =
            |tags: &Tags| tags.get(TAG_ADDRESS).is_some_and(|address| address.starts_with(&start));
        let of_kind = index.iter().filter(|(_, tags)| is_of_kind(tags));
        let strangers = of_kind.filter_map(|(arn, tags)| {
            let (address, owner) = self.ours(tags::name_in(arn)?, tags)?;
            let is_stranger =
                address.kind == kind && matches!(owner, Owner::Disputed(_)) && !is_found(arn);
            let live = Live {
                id: arn.clone(),
                spec: Value::Null,
                outputs: Outputs::new(),
                tags: tags.clone(),
                phase: Phase::Ready,
            };
            is_stranger.then_some(Found { address, owner, live })
        });
        strangers.collect()
    }
}

/// A kind with its type erased: the engine works on JSON values.
pub trait AnyKind: Send + Sync {
    /// The constant facts.
    fn meta(&self) -> &'static Meta;
    /// The sample, serialised.
    fn sample(&self) -> Value;
    /// The logical name of the sample.
    fn sample_name(&self) -> &'static str;
    /// The variants, serialised.
    fn variants(&self) -> Vec<Value>;
    /// Decodes and encodes again: the canonical form.
    fn canonical(&self, spec: &Value) -> Result<Value, OpError>;
    /// See [`Resource::DRIVEN_BY`].
    fn driven_by(&self) -> &'static [(&'static str, Driver)];
    /// See [`Resource::begins`].
    fn begins(&self, spec: &Value, cx: &Costs<'_>) -> Vec<(Driver, Decimal)>;
    /// See [`Resource::passes`].
    fn passes(&self, spec: &Value, cx: &Costs<'_>) -> Vec<Passed<Address>>;
    /// See [`Resource::charges`].
    fn charges(&self, spec: &Value, cx: &Costs<'_>) -> Result<Vec<Charge>, OpError>;
    /// See [`Resource::stays`].
    fn stays(&self, spec: &Value, cx: &Costs<'_>) -> Result<Vec<Charge>, OpError>;
    /// See [`Resource::gauges`].
    fn gauges(&self, spec: &Value, id: &str, cx: &Costs<'_>) -> Vec<Gauge>;
    /// See [`Resource::survey`].
    fn survey<'a>(&'a self, cx: Survey<'a>) -> BoxFuture<'a, Result<Vec<Found>, OpError>>;
    /// See [`Resource::read`].
    fn read<'a>(&'a self, cx: Cx<'a>) -> BoxFuture<'a, Result<Option<Live>, OpError>>;
    /// See [`Resource::glance`].
    fn glance<'a>(
        &'a self,
        cx: Cx<'a>,
        planned: &'a Live,
    ) -> BoxFuture<'a, Result<Option<Live>, OpError>>;
    /// See [`Resource::holder`].
    fn holder<'a>(
        &'a self,
        cx: Cx<'a>,
        live: &'a Live,
    ) -> BoxFuture<'a, Result<Option<Tags>, OpError>>;
    /// See [`Resource::create`].
    fn create<'a>(&'a self, cx: Cx<'a>, spec: &'a Value) -> BoxFuture<'a, Result<String, OpError>>;
    /// See [`Resource::update`].
    fn update<'a>(
        &'a self,
        cx: Cx<'a>,
        spec: &'a Value,
        live: &'a Live,
    ) -> BoxFuture<'a, Result<(), OpError>>;
    /// See [`Resource::retag`].
    fn retag<'a>(
        &'a self,
        cx: Cx<'a>,
        live: &'a Live,
        set: &'a Tags,
        unset: &'a [String],
    ) -> BoxFuture<'a, Result<(), OpError>>;
    /// See [`Resource::delete`].
    fn delete<'a>(&'a self, cx: Cx<'a>, live: &'a Live) -> BoxFuture<'a, Result<(), OpError>>;
    /// See [`Resource::check`].
    fn check<'a>(&'a self, cx: Cx<'a>, live: &'a Live) -> BoxFuture<'a, Result<Verdict, OpError>>;
}

/// Erases a kind's type, for the table of kinds.
pub const fn kind<R: Resource>() -> &'static dyn AnyKind {
    &Erased::<R>(PhantomData)
}

struct Erased<R>(PhantomData<fn() -> R>);

impl<R: Resource> Erased<R> {
    fn decode(spec: &Value) -> Result<R, OpError> {
        serde_json::from_value(spec.clone())
            .map_err(|error| bug(R::META.kind, &format!("the spec does not decode: {error}")))
    }

    fn encode(spec: &R) -> Result<Value, OpError> {
        serde_json::to_value(spec)
            .map_err(|error| bug(R::META.kind, &format!("the spec does not encode: {error}")))
    }

    fn typed(live: &Live) -> Result<Live<R>, OpError> {
        Ok(Live {
            id: live.id.clone(),
            spec: Self::decode(&live.spec)?,
            outputs: live.outputs.clone(),
            tags: live.tags.clone(),
            phase: live.phase.clone(),
        })
    }

    fn erased(live: Live<R>) -> Result<Live, OpError> {
        let spec = Self::encode(&live.spec)?;
        let Live { id, outputs, mut tags, phase, .. } = live;
        // AWS's own tags cannot be set or removed, so payctl must not compare them.
        tags.retain(|key, _| !key.starts_with("aws:"));
        Ok(Live { id, spec, outputs, tags, phase })
    }

    /// Errors that pass by themselves for this kind, although the code alone does not say so.
    fn settle(error: OpError) -> OpError {
        if R::META.is_transient(&error.code, &error.message) {
            OpError { class: ErrorClass::NotYet, ..error }
        } else {
            error
        }
    }
}

fn bug(kind: &str, message: &str) -> OpError {
    OpError::new(kind, ErrorClass::Bug, "PayctlBug", message)
}

/// The error of an answer from which the id of an object is missing: payctl could not tell which object a later
/// call would hit.
fn without_id(address: &Address) -> OpError {
    let message = "AWS returned it without its id";
    OpError::new(address.to_string(), ErrorClass::Service, "Incomplete", message)
}

impl<R: Resource> AnyKind for Erased<R> {
    fn meta(&self) -> &'static Meta {
        const { &R::META }
    }

    fn sample(&self) -> Value {
        Self::encode(&R::sample()).expect("a sample encodes")
    }

    fn sample_name(&self) -> &'static str {
        R::sample_name()
    }

    fn variants(&self) -> Vec<Value> {
        R::variants().iter().map(|spec| Self::encode(spec).expect("a variant encodes")).collect()
    }

    fn canonical(&self, spec: &Value) -> Result<Value, OpError> {
        Self::encode(&Self::decode(spec)?)
    }

    fn driven_by(&self) -> &'static [(&'static str, Driver)] {
        R::DRIVEN_BY
    }

    fn begins(&self, spec: &Value, cx: &Costs<'_>) -> Vec<(Driver, Decimal)> {
        Self::decode(spec).map(|spec| spec.begins(cx)).unwrap_or_default()
    }

    fn passes(&self, spec: &Value, cx: &Costs<'_>) -> Vec<Passed<Address>> {
        Self::decode(spec).map(|spec| spec.passes(cx)).unwrap_or_default()
    }

    fn charges(&self, spec: &Value, cx: &Costs<'_>) -> Result<Vec<Charge>, OpError> {
        Ok(Self::decode(spec)?.charges(cx))
    }

    fn stays(&self, spec: &Value, cx: &Costs<'_>) -> Result<Vec<Charge>, OpError> {
        Ok(Self::decode(spec)?.stays(cx))
    }

    fn gauges(&self, spec: &Value, id: &str, cx: &Costs<'_>) -> Vec<Gauge> {
        Self::decode(spec).map(|spec| spec.gauges(id, cx)).unwrap_or_default()
    }

    fn survey<'a>(&'a self, cx: Survey<'a>) -> BoxFuture<'a, Result<Vec<Found>, OpError>> {
        Box::pin(async move {
            let found = R::survey(&cx).await.map_err(Self::settle)?;
            let erase = |found: Found<R>| {
                let Found { address, owner, live } = found;
                if live.id.is_empty() {
                    return Err(without_id(&address));
                }
                let owner = match owner {
                    Owner::Ours if address.kind != R::META.kind => Owner::Disputed(format!(
                        "its tags say that it is {address}, but its kind is {}",
                        R::META.kind
                    )),
                    owner => owner,
                };
                Ok(Found { address, owner, live: Self::erased(live)? })
            };
            found.into_iter().map(erase).collect()
        })
    }

    fn read<'a>(&'a self, cx: Cx<'a>) -> BoxFuture<'a, Result<Option<Live>, OpError>> {
        Box::pin(async move {
            let live = R::read(&cx).await.map_err(Self::settle)?;
            live.map(Self::erased).transpose()
        })
    }

    fn glance<'a>(
        &'a self,
        cx: Cx<'a>,
        planned: &'a Live,
    ) -> BoxFuture<'a, Result<Option<Live>, OpError>> {
        if planned.phase != Phase::Ready {
            return self.read(cx);
        }
        Box::pin(async move {
            let live = R::glance(&cx, Self::typed(planned)?).await.map_err(Self::settle)?;
            // Some services tell no tags of what is gone, without an error.
            if R::META.tagged && live.as_ref().is_some_and(|live| live.tags.is_empty()) {
                return self.read(cx).await;
            }
            live.map(Self::erased).transpose()
        })
    }

    fn holder<'a>(
        &'a self,
        cx: Cx<'a>,
        live: &'a Live,
    ) -> BoxFuture<'a, Result<Option<Tags>, OpError>> {
        Box::pin(async move {
            let live = Self::typed(live)?;
            R::holder(&cx, &live).await.map_err(Self::settle)
        })
    }

    fn create<'a>(&'a self, cx: Cx<'a>, spec: &'a Value) -> BoxFuture<'a, Result<String, OpError>> {
        Box::pin(async move { Self::decode(spec)?.create(&cx).await.map_err(Self::settle) })
    }

    fn update<'a>(
        &'a self,
        cx: Cx<'a>,
        spec: &'a Value,
        live: &'a Live,
    ) -> BoxFuture<'a, Result<(), OpError>> {
        Box::pin(async move {
            let live = Self::typed(live)?;
            Self::decode(spec)?.update(&cx, &live).await.map_err(Self::settle)
        })
    }

    fn retag<'a>(
        &'a self,
        cx: Cx<'a>,
        live: &'a Live,
        set: &'a Tags,
        unset: &'a [String],
    ) -> BoxFuture<'a, Result<(), OpError>> {
        Box::pin(async move {
            let live = Self::typed(live)?;
            R::retag(&cx, &live, set, unset).await.map_err(Self::settle)
        })
    }

    fn delete<'a>(&'a self, cx: Cx<'a>, live: &'a Live) -> BoxFuture<'a, Result<(), OpError>> {
        Box::pin(async move {
            let live = Self::typed(live)?;
            R::delete(&cx, &live).await.map_err(Self::settle)
        })
    }

    fn check<'a>(&'a self, cx: Cx<'a>, live: &'a Live) -> BoxFuture<'a, Result<Verdict, OpError>> {
        Box::pin(async move { R::check(&cx, &Self::typed(live)?).await })
    }
}
