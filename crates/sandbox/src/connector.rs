//! The sandbox as a transport of the SDK, which answers requests in this process.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

use super::flaps::Flaps;
use super::permissions::Guard;
use super::run::gateway::Target;
use super::run::{self, Runner};
use super::store::{self, SandboxError, Store};
use super::wire::{self, Request, Response, Route};
use super::{World, counts};

/// An embedded AWS. Clones share one world.
#[derive(Clone, Debug)]
pub struct Sandbox {
    inner: Arc<Mutex<Inner>>,
    runner: Arc<Runner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    world: World,
    guard: Option<Guard>,
    flaps: Option<Flaps>,
}

/// The pace of the sandbox's transitions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// A transition ends after one or two reads.
    Fast,
    /// A transition takes the time it takes on AWS, on a clock that runs `speed` times as fast as
    /// the wall clock. Names of deleted objects stay taken for that time, and the quotas of small
    /// accounts apply.
    Real {
        /// 1 is AWS's own pace.
        speed: f64,
    },
}

/// The state of a sandbox at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot(World);

impl Snapshot {
    /// The state as JSON: service, sort of object, name.
    pub fn to_json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(&self.0)
    }
}

impl Sandbox {
    /// Opens the sandbox in a directory, and creates it if it is missing. Several processes may
    /// have it open.
    pub fn open(dir: &Path) -> Result<Self, SandboxError> {
        let (store, world) = Store::open(dir)?;
        Ok(Self::new(store, world))
    }

    /// A sandbox without files. It ends with its last clone.
    pub fn in_memory() -> Self {
        Self::new(Store::Memory, World::default())
    }

    /// The same, at [`Pace::Real`] on tokio's clock, which a test may pause.
    pub fn in_memory_strict() -> Self {
        let mut world = World::default();
        world.base.strict = true;
        Self::new(Store::Memory, world)
    }

    fn new(store: Store, world: World) -> Self {
        let inner = Inner { store, world, guard: None, flaps: None };
        Self { inner: Arc::new(Mutex::new(inner)), runner: Arc::default() }
    }

    /// Continues at a pace. Transitions in progress keep their time.
    pub fn run_at(&self, pace: Pace) -> Result<(), SandboxError> {
        let (strict, speed) = match pace {
            Pace::Fast => (false, 1.0),
            Pace::Real { speed } => (true, speed),
        };
        let Inner { store, world, .. } = &mut *self.lock();
        let is_so = store.run(world, true, |world| world.base.is_at(strict, speed))?;
        if is_so {
            Ok(())
        } else {
            store.run(world, false, |world| world.base.run_at(strict, speed))
        }
    }

    /// Makes reads alternate between the old and the new state for this long after a change.
    /// Without a duration, reads show the new state.
    pub fn flap(&self, time: Option<Duration>) {
        self.lock().flaps = time.map(Flaps::lasting);
    }

    /// Empties the sandbox in a directory, even a damaged one. Returns whether it existed.
    pub fn reset(dir: &Path) -> Result<bool, SandboxError> {
        store::reset(dir)
    }

    /// The transport for the SDK.
    pub fn transport(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// The number of live objects by `service.things`, without zeros.
    pub fn counts(&self) -> Result<BTreeMap<String, usize>, SandboxError> {
        let Inner { store, world, .. } = &mut *self.lock();
        store.run(world, true, |world| counts(world))
    }

    /// The current state.
    pub fn snapshot(&self) -> Result<Snapshot, SandboxError> {
        let Inner { store, world, .. } = &mut *self.lock();
        store.run(world, true, |world| Snapshot(world.clone()))
    }

    /// Lets the Tagging API lag: it returns the tags of this moment until the lag is turned off.
    pub fn lag_tags(&self, lags: bool) -> Result<(), SandboxError> {
        let Inner { store, world, .. } = &mut *self.lock();
        store.run(world, false, |world| world.tagged = lags.then(|| Box::new(world.clone())))
    }

    /// Restores a state.
    pub fn restore(&self, snapshot: &Snapshot) -> Result<(), SandboxError> {
        let Inner { store, world, .. } = &mut *self.lock();
        store.replace(world, snapshot.0.clone())
    }

    /// Allows only calls that the guard's policy allows, from now on. Without a guard, all calls
    /// are allowed.
    pub fn guarded_by(&self, guard: Option<Guard>) {
        self.lock().guard = guard;
    }

    /// Answers one request: to a stage of an API, or as a service, and runs a function if that is what it
    /// asks for.
    pub(crate) async fn respond(&self, request: &Request) -> Result<Response, SandboxError> {
        if let Some(stage) = Target::of(request) {
            return run::gateway::serve(self, &stage, request).await;
        }
        let route = Route::of(request);
        if run::is_invoke(&route) {
            run::invoke(self, request, &route).await
        } else {
            self.answer(request)
        }
    }

    /// What runs its functions.
    pub(crate) fn runner(&self) -> &Runner {
        &self.runner
    }

    /// The same with another runner.
    #[cfg(test)]
    pub(crate) fn run_by(self, runner: Runner) -> Self {
        Self { runner: Arc::new(runner), ..self }
    }

    /// Works on the world, and keeps what was changed if it does not only read.
    pub(crate) fn with<T>(
        &self,
        is_read: bool,
        work: impl FnOnce(&mut World, Option<&Guard>) -> T,
    ) -> Result<T, SandboxError> {
        let Inner { store, world, guard, .. } = &mut *self.lock();
        store.run(world, is_read, |world| work(world, guard.as_ref()))
    }

    /// Answers one request without running anything.
    fn answer(&self, request: &Request) -> Result<Response, SandboxError> {
        let is_read = Route::of(request).is_read();
        let Inner { store, world, guard, flaps } = &mut *self.lock();
        store.run(world, is_read, |world| {
            let seen = match flaps {
                Some(flaps) if is_read => flaps.world(request, world.base.now()),
                Some(flaps) => {
                    flaps.keep(world);
                    None
                }
                None => None,
            };
            wire::handle(seen.unwrap_or(world), request, guard.as_ref())
        })
    }

    /// Takes a poisoned lock too. Its panic is already reported, and all other answers are still
    /// useful.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpClient for Sandbox {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Sandbox {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let sandbox = self.clone();
        HttpConnectorFuture::new(async move {
            let request = read(request).await?;
            let response = sandbox
                .respond(&request)
                .await
                .map_err(|error| ConnectorError::other(error.into(), None))?;
            to_sdk(response)
        })
    }
}

/// Method, target and headers of an SDK request.
pub(crate) fn head(request: &HttpRequest) -> Request {
    let headers = request.headers().iter();
    let mut headers: Vec<_> =
        headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let uri = request.uri();
    let after_scheme = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let (host, target) = match after_scheme.find(['/', '?']) {
        Some(at) => after_scheme.split_at(at),
        None => (after_scheme, "/"),
    };
    if !headers.iter().any(|(name, _)| name == "host") {
        headers.push(("host".to_owned(), host.to_owned()));
    }
    let target = if target.starts_with('?') { format!("/{target}") } else { target.to_owned() };
    Request { method: request.method().to_owned(), target, headers, body: Vec::new() }
}

async fn read(mut sent: HttpRequest) -> Result<Request, ConnectorError> {
    let mut request = head(&sent);
    request.body = match sent.body().bytes() {
        Some(bytes) => bytes.to_vec(),
        None => {
            let body = ByteStream::new(sent.take_body()).collect().await;
            body.map_err(|error| ConnectorError::user(error.into()))?.to_vec()
        }
    };
    Ok(request)
}

/// A response as the SDK takes it.
pub(crate) fn to_sdk(response: Response) -> Result<HttpResponse, ConnectorError> {
    let Response { status, headers, body } = response;
    let status = status.try_into().map_err(|_| {
        ConnectorError::other(format!("the sandbox answered with status {status}").into(), None)
    })?;
    let mut sdk = HttpResponse::new(status, SdkBody::from(body));
    for (name, value) in headers {
        sdk.headers_mut()
            .try_insert(name, value)
            .map_err(|error| ConnectorError::other(error.into(), None))?;
    }
    Ok(sdk)
}
