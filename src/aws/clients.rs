//! The SDK clients of one account and region, and how they are configured.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime::client::retries::{RetryPartition, TokenBucket};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::error::{op, other_account};
use super::kinds::{apigateway, cloudwatch, route53};
use super::network;
use super::pace::retries::OnlyThrottling;
use super::pace::{Gate, Operation, Pace};
use super::pricing;
use super::reading::Reading;
use super::together::Together;
use super::web::Web;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::package::Packages;
use payctl_engine::model::scope::Scope;

/// How to reach AWS or an endpoint that stands in for it.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// The region; from the SDK's default chain if unset.
    pub region: Option<String>,
    /// The profile of the shared config files.
    pub profile: Option<String>,
    /// The only account that may be used. Nothing but the identity is read in another one.
    pub account: Option<String>,
    /// The ARN of a role to assume with the credentials found.
    pub assume_role: Option<String>,
    /// Another endpoint for every service.
    pub endpoint_url: Option<String>,
    /// Fixed keys (id and secret) instead of the default chain, for emulators.
    pub keys: Option<(String, String)>,
    /// Another transport instead of the network.
    pub transport: Option<SharedHttpClient>,
    /// The reading that the answers are part of, if several environments share one.
    pub reading: Option<Reading>,
}

/// The clients of one environment.
#[derive(Clone, Debug)]
pub struct Aws {
    /// The account, the region and the environment.
    pub scope: Scope,
    /// The ARN of the identity that calls.
    pub caller: String,
    /// How many calls were made.
    pub meter: Meter,
    /// Whether a run may create something now.
    pub gate: Gate,
    /// The packages of functions; the caller sets them after connecting.
    pub packages: Packages,
    /// The ids of hosted zones by name, where the account has several of one name; as the packages.
    pub zone_ids: BTreeMap<String, String>,
    /// Whether another endpoint stands in for AWS.
    pub(crate) is_elsewhere: bool,
    /// Whether several environments share the answers: then lists ask for the objects of all of them.
    pub(crate) is_shared: bool,
    /// The way to hosts that are no endpoints of services.
    pub(super) web: Web,
    /// Whether payctl calls the FIPS or dual-stack endpoints of AWS, which not every service has.
    pub(super) is_special: bool,
    /// By ARN, whether a KMS key is AWS's own: that never changes, so it is asked once.
    pub(crate) managed_keys: Arc<tokio::sync::Mutex<BTreeMap<String, bool>>>,
    /// The last change of each record of Route 53 in this process: AWS tells only of a change, by its id,
    /// whether its name servers have it.
    pub(crate) record_changes: Arc<tokio::sync::Mutex<BTreeMap<String, String>>>,
    /// Reads by id that travel together.
    pub(super) together: Arc<Together<String>>,
    pub(crate) acm: aws_sdk_acm::Client,
    pub(crate) apigateway: aws_sdk_apigateway::Client,
    pub(crate) apigatewayv2: aws_sdk_apigatewayv2::Client,
    pub(crate) applicationautoscaling: aws_sdk_applicationautoscaling::Client,
    pub(crate) autoscaling: aws_sdk_autoscaling::Client,
    pub(crate) cloudwatch: aws_sdk_cloudwatch::Client,
    pub(crate) costexplorer: aws_sdk_costexplorer::Client,
    pub(crate) ecs: aws_sdk_ecs::Client,
    pub(crate) elasticloadbalancingv2: aws_sdk_elasticloadbalancingv2::Client,
    pub(crate) eventbridge: aws_sdk_eventbridge::Client,
    pub(crate) guardduty: aws_sdk_guardduty::Client,
    pub(crate) lambda: aws_sdk_lambda::Client,
    pub(crate) pricing: aws_sdk_pricing::Client,
    pub(crate) rds: aws_sdk_rds::Client,
    pub(crate) resourcegroupstagging: aws_sdk_resourcegroupstagging::Client,
    pub(crate) route53: aws_sdk_route53::Client,
    pub(crate) wafv2: aws_sdk_wafv2::Client,
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) iam: aws_sdk_iam::Client,
    pub(crate) kms: aws_sdk_kms::Client,
    pub(crate) cloudwatchlogs: aws_sdk_cloudwatchlogs::Client,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) secretsmanager: aws_sdk_secretsmanager::Client,
    pub(crate) servicequotas: aws_sdk_servicequotas::Client,
    pub(crate) sns: aws_sdk_sns::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) ssm: aws_sdk_ssm::Client,
    pub(crate) sts: aws_sdk_sts::Client,
}

macro_rules! client {
    ($service:ident, $config:expr, $wires:expr $(, $setting:ident($value:expr))?) => {
        client!($service, $config, $wires, alone &[] $(, $setting($value))?)
    };
    ($service:ident, $config:expr, $wires:expr, alone $alone:expr $(, $setting:ident($value:expr))?) => {{
        let transport = $config.http_client().expect("`load` gives a transport");
        // The SDK retries only throttled calls here, so it never needs to run out of retries.
        let budget = RetryPartition::custom(stringify!($service));
        $service::Client::from_conf(
            $service::config::Builder::from($config)
                .http_client($wires.client($alone, transport))
                .retry_classifier(OnlyThrottling)
                .retry_partition(budget.token_bucket(TokenBucket::unlimited()).build())
                .interceptor(Purpose)
                $(.$setting($value))?
                .build(),
        )
    }};
}

/// What lies between the clients of all services and the transport.
struct Wires {
    meter: Meter,
    gate: Gate,
    reading: Option<Reading>,
}

impl Wires {
    fn client(
        &self,
        alone: &'static [&'static str],
        transport: SharedHttpClient,
    ) -> SharedHttpClient {
        let paced = Pace::new(alone, self.meter.clone(), self.gate.clone()).client(transport);
        match &self.reading {
            Some(reading) => reading.client(paced),
            None => paced,
        }
    }
}

/// The time of tokio's clock, which a test may pause: waiting and measuring must use the same
/// clock.
#[derive(Debug)]
struct TokioTime(SystemTime, tokio::time::Instant);

impl TimeSource for TokioTime {
    fn now(&self) -> SystemTime {
        self.0 + self.1.elapsed()
    }
}

impl Aws {
    /// Connects, and asks AWS which account this is.
    pub async fn connect(
        connection: &Connection,
        project: &str,
        env: &str,
    ) -> Result<Self, OpError> {
        Ok(Self::connect_asking(connection, project, env, async |_| Ok(())).await?.0)
    }

    /// The same, and makes another call at the same time, which does not know the account yet.
    pub(super) async fn connect_asking<T>(
        connection: &Connection,
        project: &str,
        env: &str,
        question: impl AsyncFnOnce(&Self) -> Result<T, OpError>,
    ) -> Result<(Self, T), OpError> {
        let mut aws = Self::open(connection, project, env).await?;
        let identity = || async {
            aws.sts.get_caller_identity().send().await.map_err(op("GetCallerIdentity"))
        };
        let both = async {
            let Some(allowed) = &connection.account else {
                let (caller, answer) = tokio::join!(retry_read(identity), question(&aws));
                return Ok((caller?, answer));
            };
            // Another account must not be asked anything else.
            let caller = retry_read(identity).await?;
            if caller.account() != Some(allowed.as_str()) {
                let account = caller.account().unwrap_or_default();
                return Err(other_account(account, allowed));
            }
            Ok((caller, question(&aws).await))
        };
        let (caller, answer) = tokio::time::timeout(CONNECTING, both).await.map_err(|_| {
            let message = format!("no answer in {} s", CONNECTING.as_secs());
            OpError::new("GetCallerIdentity", ErrorClass::Service, "NoAnswer", message)
        })??;
        let arn = caller.arn().unwrap_or("arn:aws:iam::");
        aws.caller = arn.to_owned();
        aws.scope.account = caller.account().unwrap_or_default().to_owned();
        aws.scope.partition = arn.split(':').nth(1).unwrap_or("aws").to_owned();
        Ok((aws, answer?))
    }

    /// The same clients, for another environment of the account and region.
    pub fn of(&self, project: &str, env: &str) -> Self {
        let (project, env) = (project.to_owned(), env.to_owned());
        Self { scope: Scope { project, env, ..self.scope.clone() }, ..self.clone() }
    }

    /// The clients, for an account that is not known yet.
    async fn open(connection: &Connection, project: &str, env: &str) -> Result<Self, OpError> {
        let config = load(connection).await?;
        let region = config.region().map(|region| region.as_ref().to_owned()).ok_or_else(|| {
            let message = "no region is set: set `region` in the config, or use --region or \
                           AWS_REGION";
            OpError::new("connect", ErrorClass::Invalid, "NoRegion", message)
        })?;
        let wires = Wires {
            meter: Meter::default(),
            gate: Gate::default(),
            reading: connection.reading.clone(),
        };
        let scope = Scope {
            project: project.to_owned(),
            env: env.to_owned(),
            account: String::new(),
            region,
            partition: String::new(),
        };
        let is_elsewhere = config.endpoint_url().is_some();
        let priced = Region::new(pricing::endpoint(&scope.region));
        let is_special = [config.use_fips(), config.use_dual_stack()].contains(&Some(true));
        Ok(Self {
            scope,
            caller: String::new(),
            packages: Packages::default(),
            zone_ids: BTreeMap::new(),
            is_elsewhere,
            is_shared: connection.reading.is_some(),
            web: Web::new(&config, connection),
            is_special,
            managed_keys: Arc::default(),
            record_changes: Arc::default(),
            together: Arc::default(),
            acm: client!(aws_sdk_acm, &config, wires),
            apigateway: client!(aws_sdk_apigateway, &config, wires, alone apigateway::rates::RATES.alone),
            apigatewayv2: client!(aws_sdk_apigatewayv2, &config, wires, alone apigateway::rates::RATES.alone),
            applicationautoscaling: client!(aws_sdk_applicationautoscaling, &config, wires),
            autoscaling: client!(aws_sdk_autoscaling, &config, wires),
            cloudwatch: client!(aws_sdk_cloudwatch, &config, wires, alone cloudwatch::rates::RATES.alone),
            costexplorer: client!(aws_sdk_costexplorer, &config, wires),
            ecs: client!(aws_sdk_ecs, &config, wires),
            elasticloadbalancingv2: client!(aws_sdk_elasticloadbalancingv2, &config, wires),
            eventbridge: client!(aws_sdk_eventbridge, &config, wires),
            guardduty: client!(aws_sdk_guardduty, &config, wires),
            lambda: client!(aws_sdk_lambda, &config, wires),
            pricing: client!(aws_sdk_pricing, &config, wires, region(priced)),
            rds: client!(aws_sdk_rds, &config, wires),
            resourcegroupstagging: client!(aws_sdk_resourcegroupstagging, &config, wires),
            route53: client!(aws_sdk_route53, &config, wires, alone route53::rates::RATES.alone),
            wafv2: client!(aws_sdk_wafv2, &config, wires),
            ec2: client!(aws_sdk_ec2, &config, wires),
            iam: client!(aws_sdk_iam, &config, wires),
            kms: client!(aws_sdk_kms, &config, wires),
            cloudwatchlogs: client!(aws_sdk_cloudwatchlogs, &config, wires),
            dynamodb: client!(aws_sdk_dynamodb, &config, wires),
            secretsmanager: client!(aws_sdk_secretsmanager, &config, wires),
            servicequotas: client!(aws_sdk_servicequotas, &config, wires),
            sns: client!(aws_sdk_sns, &config, wires),
            sqs: client!(aws_sdk_sqs, &config, wires),
            ssm: client!(aws_sdk_ssm, &config, wires),
            sts: client!(aws_sdk_sts, &config, wires),
            s3: client!(aws_sdk_s3, &config, wires, force_path_style(is_elsewhere)),
            meter: wires.meter,
            gate: wires.gate,
        })
    }
}

/// The time limit of the first calls.
const CONNECTING: Duration = Duration::from_secs(90);

/// The time limit of an optional call that others wait for.
const SHORT: Duration = Duration::from_secs(20);

/// The answer of an optional call that others wait for, if it comes soon.
pub(super) async fn soon<T>(question: impl Future<Output = T>) -> Option<T> {
    within(SHORT, question).await
}

/// The answer to a question, if it comes in time.
pub(super) async fn within<T>(limit: Duration, question: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, question).await.ok()
}

/// Repeats a read, up to four times, after a temporary error: a read is always safe to repeat.
pub(crate) async fn retry_read<T, F>(read: impl Fn() -> F) -> Result<T, OpError>
where
    F: Future<Output = Result<T, OpError>>,
{
    for tries in 0..4 {
        match read().await {
            Err(error) if error.passes() => {
                tokio::time::sleep(Duration::from_millis(200 << tries)).await;
            }
            result => return result,
        }
    }
    read().await
}

async fn load(connection: &Connection) -> Result<SdkConfig, OpError> {
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(12)
                .with_initial_backoff(Duration::from_millis(200))
                .with_max_backoff(Duration::from_secs(10)),
        )
        // `pace/answer.rs` limits how long an answer may take: a call that waits for its turn does
        // not stall.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(Duration::from_secs(5)).build());
    if let Some(region) = &connection.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &connection.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = &connection.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    loader = match &connection.transport {
        Some(transport) => {
            let time = TokioTime(SystemTime::now(), tokio::time::Instant::now());
            loader.http_client(transport.clone()).time_source(time)
        }
        None => loader.http_client(network::transport(connection.profile.as_deref()).await?),
    };
    if let Some((id, secret)) = &connection.keys {
        loader = loader.credentials_provider(Credentials::from_keys(id, secret, None));
    }
    let mut config = loader.load().await;
    // An endpoint on this machine is neither FIPS nor dual-stack.
    if config.endpoint_url().is_some_and(network::is_here) {
        let mut builder = config.into_builder();
        builder.set_use_fips(None).set_use_dual_stack(None);
        config = builder.build();
    }
    let Some(role) = &connection.assume_role else { return Ok(config) };
    let provider = aws_config::sts::AssumeRoleProvider::builder(role)
        .session_name("payctl")
        .configure(&config)
        .build()
        .await;
    Ok(config.into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build())
}

/// Counts calls by operation.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Mutex<BTreeMap<String, usize>>>);

impl Meter {
    /// The number of requests; every attempt counts.
    pub fn total(&self) -> usize {
        self.counts().values().sum()
    }

    /// Requests by `service.Operation`.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        self.0.lock().map(|counts| counts.clone()).unwrap_or_default()
    }

    /// Counts a request that is about to be sent.
    pub(super) fn count(&self, Operation { service, name }: &Operation) {
        tracing::debug!(service, operation = name, "calls");
        if let Ok(mut counts) = self.0.lock() {
            *counts.entry(format!("{service}.{name}")).or_default() += 1;
        }
    }
}

/// Tells the transport the purpose of each request.
#[derive(Debug)]
struct Purpose;

#[dyn_dispatch_hint]
impl Intercept for Purpose {
    fn name(&self) -> &'static str {
        "payctl purpose"
    }

    fn modify_before_transmit(
        &self,
        cx: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(call) = bag.load::<Metadata>() else { return Ok(()) };
        let (service, name) = (call.service().to_owned(), call.name().to_owned());
        cx.request_mut().add_extension(Operation { service, name });
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests;
