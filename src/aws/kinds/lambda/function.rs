//! Lambda functions.
//!
//! AWS quirks: separate calls change code and configuration, and must not overlap. Each change is
//! asynchronous and may fail after AWS accepted it. A deleted function in a VPC leaves network
//! interfaces that block its subnets and security groups for up to 45 minutes. So payctl first
//! moves it to the VPC's default group, which frees the groups of the environment. Only GetFunction
//! returns tags and concurrency.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_ec2::types::SecurityGroup;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    Architecture, DeadLetterConfig, Environment, EphemeralStorage, FunctionCode,
    FunctionConfiguration, LastUpdateStatus, Runtime, TracingConfig, TracingMode, VpcConfig,
};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::common;
use crate::aws::clients::Aws;
use crate::aws::costs::{Costs, to};
use crate::aws::error::{Gone, op};
use crate::aws::kinds::ec2;
use crate::aws::kinds::ec2::egress::egress;
use crate::aws::kinds::traces::sampled;
use crate::aws::measured::{Gauge, How};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::{Drawn, Flow, Lane};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::package::Packages;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Text};
use payctl_engine::model::verdict::{Asked, Verdict};
use payctl_money::Decimal;
use payctl_money::bill::Charge;
use payctl_money::load::{Driver, Passed, gb};

mod convert;

/// A function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Function {
    /// The name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// The ARN of the role that it runs in.
    pub role: Text,
    /// The runtime, `python3.13`.
    pub runtime: String,
    /// The handler.
    pub handler: String,
    /// The processor: `arm64` or `x86_64`.
    pub architecture: String,
    /// MB of memory.
    pub memory: u32,
    /// Seconds until a call is given up.
    pub timeout: u32,
    /// MB of disk.
    pub disk: u32,
    /// The SHA-256 of its package in base64.
    pub code: String,
    /// Environment variables.
    pub environment: BTreeMap<String, Text>,
    /// The ARN of the key that encrypts them; Lambda's own if none.
    pub environment_key: Option<Text>,
    /// Its place in a VPC; outside if `None`.
    pub network: Option<Network>,
    /// The ARN of the queue or topic for asynchronous calls that fail.
    pub dead_letter: Option<Text>,
    /// Whether calls are traced.
    pub tracing: bool,
    /// How many concurrent calls are reserved for it; `None` if it shares those of the account.
    pub reserved_concurrency: Option<u32>,
    /// Why the last change failed after AWS had accepted it. It is never wanted, so payctl sends
    /// the change again.
    pub failed_update: Option<String>,
}

/// The place of a function in a VPC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Network {
    /// The ids of the subnets.
    pub subnets: BTreeSet<Text>,
    /// The ids of the security groups.
    pub security_groups: BTreeSet<Text>,
}

impl Function {
    /// The wanted spec of a function in a plan; `None` for other kinds.
    pub(crate) fn of(address: &Address, spec: &Value) -> Option<Self> {
        Self::deserialize(spec).ok().filter(|_| address.kind == Self::META.kind)
    }

    /// What AWS says of a function or a version, without what only the function has.
    pub(super) fn of_configuration(now: FunctionConfiguration) -> Self {
        convert::spec(now.function_name.clone().unwrap_or_default(), now, None)
    }
}

impl Resource for Function {
    const META: Meta = Meta {
        drawn: Drawn::a_box(Lane::Compute, "function", "function").with(flows),
        notes: &[
            "payctl builds its package from the source folder. The same files have the same \
             digest on every machine, and payctl does not deploy a function whose digest is \
             unchanged.",
            "Lambda deletes a function's network interfaces later, with the permissions of its \
             role: a destroy keeps roles until the subnets are gone. If you remove only a \
             function and its role from the config, remove the function first and the role an \
             hour later.",
            "payctl changes code and configuration one after the other.",
            "Published versions and aliases are deleted with the function.",
            "AWS takes 5 to 40 minutes to delete the network interfaces of a deleted function; \
             its subnets wait for that. payctl first moves the function to the VPC's default \
             security group, so that its own groups do not have to wait.",
            "Reserved concurrency reduces that of the account, where 100 must stay unreserved for \
             all other functions.",
            "A late call recreates the log group if the role may create one. AWS's managed \
             policies for functions allow that; deny it with a statement with `effect = \"deny\"`.",
            "payctl refuses a plan that removes a function from its network and the permissions \
             for interfaces from its role: the interfaces would stay for ever.",
            "AWS may accept a change that fails later, such as a move to a subnet without free \
             addresses. The step then fails with AWS's reason; the next plan shows it as \
             `failed_update` and sends the change again.",
        ],
        immutable: &["name"],
        replace: Replace::DeleteFirst,
        failure_field: Some("failed_update"),
        deadline: Duration::from_secs(900),
        propagation: Duration::from_secs(300),
        transient: common::TRANSIENT,
        check: Some(Asked::of("its last update succeeded")),
        permits: &[
            Permit::look(&["lambda:GetAccountSettings", "lambda:ListFunctions"], &["*"]),
            Permit::look(
                &["lambda:GetFunction", "lambda:ListTags"],
                &["lambda:{here}:function:{seen}"],
            ),
            Permit::look(&["kms:Decrypt"], &["kms:{here}:key/*"])
                .where_equal("kms:ViaService", "lambda.{region}.amazonaws.com"),
            Permit::create(&["lambda:CreateFunction"], &["lambda:{here}:function:{name}"]),
            Permit::create(
                &["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"],
                &["*"],
            ),
            Permit::set(
                &["lambda:PutFunctionConcurrency", "lambda:TagResource"],
                &["lambda:{here}:function:{name}"],
            ),
            Permit::set(&["iam:PassRole"], &["iam::{account}:role{path}*"])
                .where_equal("iam:PassedToService", "lambda.amazonaws.com"),
            Permit::set(&["kms:CreateGrant", "kms:Encrypt"], &["kms:{here}:key/*"])
                .where_equal("kms:ViaService", "lambda.{region}.amazonaws.com"),
            Permit::change(
                &[
                    "lambda:DeleteFunctionConcurrency",
                    "lambda:UntagResource",
                    "lambda:UpdateFunctionCode",
                    "lambda:UpdateFunctionConfiguration",
                ],
                &["lambda:{here}:function:{name}"],
            ),
            Permit::delete(
                &[
                    "lambda:DeleteFunction",
                    "lambda:ListVersionsByFunction",
                    "lambda:UpdateFunctionConfiguration",
                ],
                &["lambda:{here}:function:{name}"],
            ),
            Permit::delete(&["lambda:DeleteFunction"], &["lambda:{here}:function:{name}:*"]),
            Permit::delete(&["ec2:DescribeSecurityGroups"], &["*"]),
        ],
        names: Some(NameRule::new(
            "lambda",
            64,
            r"^[a-zA-Z0-9_-]{1,64}$",
            "a function's name is 1 to 64 letters, digits, _ and -",
        )),
        arn: Some("lambda:{here}:function:{name}"),
        section: "functions",
        predicted: &[(Output::Arn, "{arn}"), (Output::Name, "{name}")],
        asked: &["runtime", "memory", "timeout"],
        typical: Typical::seconds(20, 15, 5)
            .calls(2, 5, 7)
            .lingering(1200)
            .slow(&[("network", 75)]),
        serves: true,
        pricing: Pricing::Charged(
            "AWS charges for requests, for memory by the millisecond, and for disk beyond 512 \
             MB. With tracing, X-Ray charges for traces.",
        ),
        types: &["lambda:function"],
        ..Meta::new("lambda.function", "lambda", "A Lambda function with its code.")
    };

    fn sample() -> Self {
        let reference = |kind, output| Text::reference(Address::new(kind, "sample"), output);
        let [package, _] = Packages::samples();
        Self {
            name: "sample-function".into(),
            description: "Sample".into(),
            role: reference("iam.role", Output::Arn),
            runtime: "python3.13".into(),
            handler: "index.handler".into(),
            architecture: "arm64".into(),
            memory: 512,
            timeout: 28,
            disk: 512,
            code: package.digest,
            environment: BTreeMap::from([(
                "TABLE".to_owned(),
                reference("dynamodb.table", Output::Name),
            )]),
            environment_key: None,
            network: Some(Network {
                subnets: BTreeSet::from([reference("ec2.subnet", Output::Id)]),
                security_groups: BTreeSet::from([reference("ec2.security_group", Output::Id)]),
            }),
            dead_letter: None,
            tracing: false,
            reserved_concurrency: None,
            failed_update: None,
        }
    }

    fn variants() -> Vec<Self> {
        let reference = |kind, output| Text::reference(Address::new(kind, "sample"), output);
        let [_, changed] = Packages::samples();
        let code = changed.digest;
        vec![
            Self { code, memory: 1024, reserved_concurrency: Some(5), ..Self::sample() },
            Self {
                description: String::new(),
                runtime: "python3.14".into(),
                handler: "index.main".into(),
                timeout: 20,
                disk: 1024,
                architecture: "x86_64".into(),
                environment: BTreeMap::new(),
                environment_key: Some(reference("kms.key", Output::Arn)),
                network: None,
                dead_letter: Some(reference("sqs.queue", Output::Arn)),
                tracing: true,
                reserved_concurrency: Some(0),
                ..Self::sample()
            },
            Self::sample(),
        ]
    }

    fn passes(&self, cx: &Costs<'_>) -> Vec<Passed<Address>> {
        let runs = common::runs(cx);
        let mut flows = to(&self.role, Driver::Calls, runs);
        let group = cx.named("logs.log_group", &format!("/aws/lambda/{}", self.name));
        let logged = gb(runs * cx.assume.log_kb);
        flows.extend(group.map(|to| Passed { to, driver: Driver::Gb, quantity: logged }));
        flows.extend(Costs::each(cx.all("guardduty.detector"), Driver::FunctionGb, logged));
        if let Some(network) = &self.network {
            flows.extend(egress(network.subnets.iter(), Some(&self.role), runs, cx));
        }
        let failed = cx.assume.failures(runs);
        flows.extend(self.dead_letter.iter().flat_map(|dead| to(dead, Driver::Messages, failed)));
        flows.extend(
            self.environment_key.iter().flat_map(|key| to(key, Driver::Users, Decimal::ONE)),
        );
        flows
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        let runs = common::runs(cx);
        let ms = cx.known(Driver::Milliseconds).unwrap_or(cx.assume.function_ms);
        let seconds = runs * ms / Decimal::ONE_THOUSAND;
        let memory = Decimal::from(self.memory) / Decimal::from(1024);
        let disk = Decimal::from(self.disk.saturating_sub(512)) / Decimal::from(1024);
        let meter = format!("lambda.gb_seconds.{}", self.architecture);
        let own = (runs - cx.load(Driver::Traced)).max(Decimal::ZERO);
        let traces = if self.tracing { sampled(own, cx) } else { Decimal::ZERO };
        vec![
            Charge::usage("requests", "lambda.requests", runs),
            Charge::usage("memory and time", meter, seconds * memory),
            Charge::usage("disk and time", "lambda.disk", seconds * disk),
            Charge::usage("traces", "xray.traces", traces),
        ]
    }

    fn gauges(&self, _: &str, _: &Costs<'_>) -> Vec<Gauge> {
        let of = |driver, metrics| {
            Gauge::sum(driver, "AWS/Lambda", metrics, vec![("FunctionName", self.name.clone())])
        };
        let instead = &[Driver::Requests, Driver::Messages];
        vec![
            Gauge { instead, ..of(Driver::Calls, &["Invocations"]) },
            Gauge { how: How::Mean, ..of(Driver::Milliseconds, &["Duration"]) },
        ]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let names = common::candidates(cx).await?;
        let found = names.iter().map(|name| async move {
            let found = common::function_of(cx, name).await?;
            let claim = |live: Live<Self>| {
                let (address, owner) = cx.claim(name, &live.tags)?;
                Some(Found { address, owner, live })
            };
            Ok(found.and_then(convert::to_live).and_then(claim))
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        Ok(common::function(cx.aws, cx.id()).await?.and_then(convert::to_live))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let code = FunctionCode::builder().zip_file(self.archive(cx.aws, "CreateFunction")?);
        let call = cx
            .aws
            .lambda
            .create_function()
            .function_name(&self.name)
            .description(&self.description)
            .role(self.role.known())
            .runtime(Runtime::from(self.runtime.as_str()))
            .handler(&self.handler)
            .architectures(Architecture::from(self.architecture.as_str()))
            .memory_size(signed(self.memory))
            .timeout(signed(self.timeout))
            .ephemeral_storage(self.storage())
            .environment(self.variables())
            .set_kms_key_arn(self.environment_key.as_ref().map(|key| key.known().to_owned()))
            .set_vpc_config(self.network.as_ref().map(Network::config))
            .set_dead_letter_config(self.dead_letter.as_ref().map(dead_letter))
            .tracing_config(self.traces())
            .code(code.build())
            .set_tags(Some(cx.tags.clone().into_iter().collect()));
        call.send().await.map_err(op("CreateFunction"))?;
        Ok(self.name.clone())
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let now = &live.spec;
        let behind = Self {
            code: self.code.clone(),
            architecture: self.architecture.clone(),
            reserved_concurrency: self.reserved_concurrency,
            ..now.clone()
        };
        if *self != behind {
            self.configure(cx.aws, now).await
        } else if self.code != now.code || self.architecture != now.architecture {
            cx.aws
                .lambda
                .update_function_code()
                .function_name(&self.name)
                .architectures(Architecture::from(self.architecture.as_str()))
                .zip_file(self.archive(cx.aws, "UpdateFunctionCode")?)
                .send()
                .await
                .map_err(op("UpdateFunctionCode"))
                .map(drop)
        } else if let Some(calls) = self.reserved_concurrency {
            cx.aws
                .lambda
                .put_function_concurrency()
                .function_name(&self.name)
                .reserved_concurrent_executions(signed(calls))
                .send()
                .await
                .map_err(op("PutFunctionConcurrency"))
                .map(drop)
        } else {
            let call = cx.aws.lambda.delete_function_concurrency().function_name(&self.name);
            call.send().await.map_err(op("DeleteFunctionConcurrency")).map(drop)
        }
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        let arn = live.outputs.get(&Output::Arn).map(String::as_str).unwrap_or_default();
        common::add_tags(cx.aws, arn, set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        let arn = live.outputs.get(&Output::Arn).map(String::as_str).unwrap_or_default();
        common::remove_tags(cx.aws, arn, unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        if live.spec.network.is_some() && leave_groups(cx.aws, &live.id).await? {
            let message = "it leaves its security groups first";
            let class = ErrorClass::Busy;
            return Err(OpError::new("DeleteFunction", class, "LeavesGroups", message));
        }
        let send = cx.aws.lambda.delete_function().function_name(&live.id).send();
        send.await.map_err(op("DeleteFunction")).or_gone().map(drop)
    }

    async fn check(_: &Cx<'_>, live: &Live<Self>) -> Result<Verdict, OpError> {
        Ok(match &live.spec.failed_update {
            Some(why) => Verdict::Failed(format!("the last update failed: {why}")),
            None => Verdict::passed(),
        })
    }
}

impl Function {
    /// The package to upload.
    fn archive(&self, aws: &Aws, op: &'static str) -> Result<Blob, OpError> {
        aws.packages.get(&self.code).map(Blob::new).ok_or_else(|| {
            let message = format!(
                "the sources of {} have changed since the plan; make a new plan",
                self.name
            );
            OpError::new(op, ErrorClass::Invalid, "SourcesChanged", message)
        })
    }

    /// Sends the whole configuration, and clears settings that are not wanted.
    async fn configure(&self, aws: &Aws, now: &Self) -> Result<(), OpError> {
        let cleared = now.network.as_ref().map(|_| Network::nowhere());
        let key = self.environment_key.as_ref().map(|key| key.known().to_owned());
        let none = now.environment_key.as_ref().map(|_| String::new());
        let nobody = || now.dead_letter.as_ref().map(|_| dead_letter(&Text::default()));
        let call = aws
            .lambda
            .update_function_configuration()
            .function_name(&self.name)
            .description(&self.description)
            .role(self.role.known())
            .runtime(Runtime::from(self.runtime.as_str()))
            .handler(&self.handler)
            .memory_size(signed(self.memory))
            .timeout(signed(self.timeout))
            .ephemeral_storage(self.storage())
            .environment(self.variables())
            .set_kms_key_arn(key.or(none))
            .set_vpc_config(self.network.as_ref().map(Network::config).or(cleared))
            .set_dead_letter_config(self.dead_letter.as_ref().map(dead_letter).or_else(nobody))
            .tracing_config(self.traces());
        call.send().await.map_err(op("UpdateFunctionConfiguration")).map(drop)
    }

    fn storage(&self) -> EphemeralStorage {
        let storage = EphemeralStorage::builder().size(signed(self.disk)).build();
        storage.expect("the size is set")
    }

    fn variables(&self) -> Environment {
        let variables = self.environment.iter();
        let variables = variables.map(|(name, value)| (name.clone(), value.known().to_owned()));
        Environment::builder().set_variables(Some(variables.collect())).build()
    }

    fn traces(&self) -> TracingConfig {
        let mode = if self.tracing { TracingMode::Active } else { TracingMode::PassThrough };
        TracingConfig::builder().mode(mode).build()
    }
}

impl Network {
    fn config(&self) -> VpcConfig {
        let known = |ids: &BTreeSet<Text>| ids.iter().map(|id| id.known().to_owned()).collect();
        VpcConfig::builder()
            .set_subnet_ids(Some(known(&self.subnets)))
            .set_security_group_ids(Some(known(&self.security_groups)))
            .build()
    }

    /// Outside of every VPC.
    fn nowhere() -> VpcConfig {
        let none = || Some(Vec::new());
        VpcConfig::builder().set_subnet_ids(none()).set_security_group_ids(none()).build()
    }
}

fn dead_letter(target: &Text) -> DeadLetterConfig {
    DeadLetterConfig::builder().target_arn(target.known()).build()
}

fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// The default security groups of VPCs.
async fn default_groups(aws: &Aws, vpcs: Vec<String>) -> Result<Vec<SecurityGroup>, OpError> {
    let filters =
        vec![ec2::common::filter("vpc-id", vpcs), ec2::common::filter("group-name", ["default"])];
    let call = aws.ec2.describe_security_groups().set_filters(Some(filters));
    let answer = call.send().await.map_err(op("DescribeSecurityGroups"))?;
    Ok(answer.security_groups.unwrap_or_default())
}

/// Moves a function to the default group of its VPC, so that its interfaces do not block our
/// groups. Returns whether the move is in progress; a function that cannot move is deleted in
/// place.
async fn leave_groups(aws: &Aws, name: &str) -> Result<bool, OpError> {
    let answer = common::function(aws, name).await?;
    let now = answer.and_then(|answer| answer.configuration).filter(convert::can_move);
    let Some(now) = now else { return Ok(false) };
    if now.last_update_status == Some(LastUpdateStatus::InProgress) {
        return Ok(true);
    }
    let Some(place) = now.vpc_config else { return Ok(false) };
    let vpc = place.vpc_id.unwrap_or_default();
    let all = aws.clone();
    let ask = |vpcs| async move { default_groups(&all, vpcs).await };
    let groups = aws.together.ask("default security groups", vpc.clone(), ask).await?;
    let mut own = groups.iter().filter(|group| group.vpc_id() == Some(vpc.as_str()));
    let default = own.find_map(|group| group.group_id.clone());
    let held = place.security_group_ids.unwrap_or_default();
    let Some(default) = default.filter(|default| held != [default.clone()]) else {
        return Ok(false);
    };
    // A version keeps the interfaces of its groups in use, and does not move with the function.
    for (number, _) in common::versions(aws, name).await? {
        common::delete_version(aws, name, number).await?;
    }
    let vpc = VpcConfig::builder().set_subnet_ids(place.subnet_ids).security_group_ids(default);
    let call = aws.lambda.update_function_configuration().function_name(name);
    let send = call.vpc_config(vpc.build()).send();
    match send.await.map_err(op("UpdateFunctionConfiguration")) {
        Ok(moved) => Ok(moved.last_update_status != Some(LastUpdateStatus::Successful)),
        Err(error) if error.passes() => Err(error),
        Err(_) => Ok(false),
    }
}

/// Where calls go that failed for good.
fn flows(spec: &Value) -> Vec<Flow> {
    Flow::out(spec, "/dead_letter", "failed calls")
}
