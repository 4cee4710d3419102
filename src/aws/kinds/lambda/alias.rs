//! Aliases of functions. Each names the published version that runs the wanted release, which
//! payctl publishes if there is none, and may have provisioned concurrency.
//!
//! AWS quirks: a version has a number and nothing else, so a version is found by what it runs. That
//! makes a lost reply harmless. PublishVersion publishes nothing if nothing has changed since the
//! last version. Aliases have no tags: the owner of the function owns them, and their descriptions
//! say that payctl made them. Weights belong to whoever shifts traffic. AWS does not delete a
//! version that an alias names. While AWS provides concurrency for another version, it gives all calls
//! to the version that the alias has left.

pub(crate) mod moved;
mod versions;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_lambda::operation::get_alias::GetAliasOutput;
use aws_sdk_lambda::types::{
    AliasConfiguration, AliasRoutingConfiguration, ProvisionedConcurrencyStatusEnum,
};
use futures::future::{join, try_join_all, try_join3};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::moved::{standing, weights};
use self::versions::{is_own, released, spare};
use super::common;
use super::function::Function;
use super::release::Release;
use crate::aws::clients::Aws;
use crate::aws::costs::{Costs, to};
use crate::aws::error::{Gone, op};
use crate::aws::kinds::scaling::target::Target as Scaling;
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Owner, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Typical};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Text};
use payctl_money::Decimal;
use payctl_money::bill::Charge;
use payctl_money::load::{Driver, Passed};

/// An alias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alias {
    /// The names of the function and the alias, `FUNCTION:ALIAS`.
    pub name: String,
    /// The ARN of the function.
    pub function: Text,
    /// What the version runs that it names. All of it is empty if the alias names no published
    /// version.
    pub release: Release,
    /// How many versions stay beside those that aliases name; `None` if payctl did not make the
    /// alias.
    pub keep_versions: Option<u32>,
    /// How many calls it is always ready for; 0 is none. Left alone if it scales.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioned: Option<u32>,
    /// Why Lambda could not provide that. It is never wanted, so payctl asks again.
    pub failed_provisioning: Option<String>,
    /// The other version that gets some of the calls, and its part. It is never wanted, and changed
    /// only on behalf of a shift.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<String, f64>,
    /// The shift that moves the calls from version to version, if one does. An apply then gives a new
    /// release to the alias as its other version, without any calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift: Option<String>,
    /// Whether it stays at its version when the function changes. It is only wanted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hold: bool,
    /// What the other version runs, if not all calls go there. It is never wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Release>,
}

/// The version of an alias that names no published one.
const LATEST: &str = "$LATEST";

impl Alias {
    /// The name of an alias, which AWS knows only within its function.
    pub(crate) fn name(function: &str, alias: &str) -> String {
        common::qualified(function, Some(alias))
    }

    /// The spec of an alias in a plan; `None` for other kinds.
    pub(crate) fn of(address: &Address, spec: &Value) -> Option<Self> {
        Self::deserialize(spec).ok().filter(|_| address.kind == Self::META.kind)
    }

    /// Whether it has provisioned concurrency, of a number or of what scaling decides.
    pub(super) fn is_provisioned(&self) -> bool {
        self.provisioned != Some(0)
    }

    /// The sample with the release of a form of the sample function.
    fn of_sample(function: &Function) -> Self {
        Self {
            name: Self::name(&function.name, "live"),
            function: Text::reference(Address::new(Function::META.kind, "sample"), Output::Arn),
            release: Release::of(function),
            keep_versions: Some(3),
            provisioned: Some(0),
            failed_provisioning: None,
            weights: BTreeMap::new(),
            shift: None,
            hold: false,
            candidate: None,
        }
    }
}

impl Resource for Alias {
    const META: Meta = Meta {
        drawn: Drawn::badge("version", "alias", &["function"]),
        notes: &[
            "A change of the function changes the alias in the same plan. payctl publishes a \
             version of the changed function, or finds the version that has the same code and \
             configuration, and points the alias to it.",
            "payctl deletes the versions that it published once no alias names them, except the \
             last ones. It leaves versions and aliases alone that others made.",
            "A version keeps the subnets and security groups that it was published with. AWS does \
             not delete these while the version exists.",
            "If an alias divides its calls between two versions, payctl does not change the \
             weights, and refuses to point the alias to another version.",
            "An alias with `hold` gets a version when payctl creates it, and stays there.",
            "If a section of `[shifts]` names the alias, an apply gives a new version to it with the \
             weight 0, and `payctl shift` moves the calls there.",
            "Provisioned concurrency takes minutes. While Application Auto Scaling changes it, a \
             plan shows that AWS is still working on the alias.",
            "AWS changes the provisioned concurrency of an alias only while the alias has one version. \
             If nothing divides its calls any more, payctl takes the other version off first.",
            "Before the last alias of a function goes, payctl points it to `$LATEST` for a moment: AWS does \
             not delete a version that an alias names.",
        ],
        immutable: &["name", "function"],
        moved: Some(moved::moved),
        tagged: false,
        failure_field: Some("failed_provisioning"),
        changed_outputs: &[("release", Output::Version)],
        under_way: Some(moved::under_way),
        deadline: Duration::from_secs(1200),
        propagation: Duration::from_secs(300),
        // Another function may first have to give up concurrency, and a permission of the alias is a
        // new revision of it.
        transient: &[
            ("InvalidParameterValueException", "UnreservedConcurrentExecution below its minimum"),
            ("InvalidParameterValueException", "greater than account's unreserved concurrency"),
            ("PreconditionFailedException", ""),
            // A read no longer shows the weights that the last move has taken away.
            ("InvalidParameterValueException", "Alias with weights"),
        ],
        arn: Some("lambda:{here}:function:{name}"),
        gone_at_once: true,
        permits: &[
            Permit::look(&["lambda:ListFunctions"], &["*"]),
            Permit::look(
                &[
                    "lambda:GetFunction",
                    "lambda:GetProvisionedConcurrencyConfig",
                    "lambda:ListAliases",
                    "lambda:ListTags",
                ],
                &["lambda:{here}:function:{seen}"],
            ),
            Permit::look(&["kms:Decrypt"], &["kms:{here}:key/*"])
                .where_equal("kms:ViaService", "lambda.{region}.amazonaws.com"),
            Permit::set(&["lambda:GetAlias"], &["lambda:{here}:function:{lambda.function}"]),
            Permit::create(&["lambda:CreateAlias"], &["lambda:{here}:function:{lambda.function}"]),
            Permit::set(
                &["lambda:ListVersionsByFunction", "lambda:PublishVersion"],
                &["lambda:{here}:function:{lambda.function}"],
            ),
            Permit::set(
                &["lambda:PutProvisionedConcurrencyConfig"],
                &["lambda:{here}:function:{name}"],
            ),
            Permit::change(&["lambda:UpdateAlias"], &["lambda:{here}:function:{lambda.function}"]),
            Permit::change(
                &["lambda:DeleteFunction"],
                &["lambda:{here}:function:{lambda.function}:*"],
            ),
            Permit::change(
                &["lambda:DeleteProvisionedConcurrencyConfig"],
                &["lambda:{here}:function:{name}"],
            ),
            Permit::delete(
                &["lambda:DeleteAlias", "lambda:ListVersionsByFunction", "lambda:UpdateAlias"],
                &["lambda:{here}:function:{lambda.function}"],
            ),
            Permit::delete(
                &["lambda:DeleteFunction"],
                &["lambda:{here}:function:{lambda.function}:*"],
            ),
            Permit::delete(
                &["lambda:DeleteProvisionedConcurrencyConfig"],
                &["lambda:{here}:function:{name}"],
            ),
        ],
        section: "functions",
        predicted: &[(Output::Arn, "{arn}"), (Output::Name, "{name}")],
        part_of: &["function"],
        asked: &["provisioned"],
        typical: Typical::seconds(3, 3, 1).calls(8, 8, 8),
        serves: true,
        pricing: Pricing::Charged(
            "AWS charges for provisioned concurrency by the second; the function bears the \
             runs.",
        ),
        ..Meta::new(
            "lambda.alias",
            "lambda",
            "An alias of a Lambda function: the name of a published version.",
        )
    };

    fn sample() -> Self {
        Self::of_sample(&Function::sample())
    }

    fn sample_name() -> &'static str {
        "sample-live"
    }

    /// The function changes at the same time, and the alias publishes what it has become.
    fn variants() -> Vec<Self> {
        let mut all: Vec<Self> = Function::variants().iter().map(Self::of_sample).collect();
        if let [first, .., last] = all.as_mut_slice() {
            first.keep_versions = Some(1);
            last.provisioned = Some(3);
        }
        all
    }

    fn passes(&self, cx: &Costs<'_>) -> Vec<Passed<Address>> {
        let mut flows = to(&self.function, Driver::Calls, common::runs(cx));
        flows.extend(to(&self.function, Driver::Traced, cx.load(Driver::Traced)));
        flows
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        let Some((_, function)) = cx.target::<Function>(&self.function) else { return Vec::new() };
        let memory = Decimal::from(function.memory) / Decimal::from(1024);
        let ready = Decimal::from(self.provisioned.unwrap_or(0));
        let (least, average) = Scaling::span_of(cx).unwrap_or((ready, ready));
        let each = memory * cx.hours() * Decimal::from(3600);
        let meter = format!("lambda.provisioned.{}", function.architecture);
        let more = (average - least) * each;
        vec![
            Charge::fixed("provisioned concurrency", meter.clone(), least * each),
            Charge::usage("provisioned concurrency by load", meter, more),
        ]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let names = common::candidates(cx).await?;
        let found = names.iter().map(|name| async move {
            let aliases = common::own_aliases(cx, name);
            let (function, aliases) = join(common::function_of(cx, name), aliases).await;
            let Some(function) = function? else { return Ok(Vec::new()) };
            let tags = function.tags.unwrap_or_default().into_iter().collect();
            // The survey of functions reports those of others.
            let Some((owner, Owner::Ours)) = cx.ours(name, &tags) else { return Ok(Vec::new()) };
            if owner.kind != Function::META.kind {
                return Ok(Vec::new());
            }
            let aliases = aliases?.into_iter();
            let owner = &owner;
            let all = aliases.map(|alias| async move {
                let logical = format!("{}-{}", owner.name, alias.name().unwrap_or_default());
                let address = Address::new(Self::META.kind, logical);
                let live = describe(cx.aws, name, alias).await?;
                Ok(Found { address, owner: Owner::Ours, live })
            });
            try_join_all(all).await
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let (function, alias) = common::parts(cx.id());
        let call =
            cx.aws.lambda.get_alias().function_name(function).set_name(alias.map(Into::into));
        match call.send().await.map_err(op("GetAlias")).or_gone()? {
            Some(found) => describe(cx.aws, function, listed(found)).await.map(Some),
            None => Ok(None),
        }
    }

    /// It goes with its parent, and its id names it.
    async fn glance(_: &Cx<'_>, planned: Live<Self>) -> Result<Option<Live<Self>>, OpError> {
        Ok(Some(planned))
    }

    async fn holder(cx: &Cx<'_>, _: &Live<Self>) -> Result<Option<Tags>, OpError> {
        let (function, _) = common::parts(cx.id());
        common::tags_of(cx.aws, &common::arn_of(cx.aws, function)).await
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let (function, alias) = common::parts(&self.name);
        let (version, _) = released(cx.aws, function, &self.release).await?;
        let call = cx
            .aws
            .lambda
            .create_alias()
            .function_name(function)
            .set_name(alias.map(str::to_owned))
            .function_version(version.to_string())
            .description(self.words());
        call.send().await.map_err(op("CreateAlias"))?;
        Ok(self.name.clone())
    }

    /// The version first: provisioned concurrency follows the alias. AWS changes it only while the alias
    /// has one version, so it goes before a shift gives the alias another one, and comes once the alias
    /// has only one again.
    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let now = &live.spec;
        let is_there = self.hold && now.is_published()
            || self.release == now.release
            || self.shift.is_some() && now.candidate.as_ref() == Some(&self.release);
        let provides = self.provisioned.filter(|calls| Some(*calls) != now.provisioned);
        if provides == Some(0) {
            return unprovision(cx.aws, &self.name).await;
        }
        let settles = provides.is_some() && self.shift.is_none() && !now.weights.is_empty();
        if !is_there || settles || self.keep_versions != now.keep_versions {
            return self.point(cx.aws, !is_there, settles).await;
        }
        match self.provisioned.or(now.provisioned) {
            None | Some(0) => unprovision(cx.aws, &self.name).await,
            Some(calls) => {
                let (function, alias) = common::parts(&self.name);
                let call = cx
                    .aws
                    .lambda
                    .put_provisioned_concurrency_config()
                    .function_name(function)
                    .set_qualifier(alias.map(str::to_owned))
                    .provisioned_concurrent_executions(i32::try_from(calls).unwrap_or(i32::MAX));
                call.send().await.map_err(op("PutProvisionedConcurrencyConfig")).map(drop)
            }
        }
    }

    /// The versions that payctl published go before the last alias: nothing else shows that they are
    /// there, if this ends in between. AWS does not delete a version that an alias names.
    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let (aws, (function, alias)) = (cx.aws, common::parts(&live.id));
        if live.spec.provisioned.is_some_and(|calls| calls > 0) {
            unprovision(aws, &live.id).await?;
        }
        let is_last = || async {
            let all = common::aliases(aws, function).await?;
            Ok::<bool, OpError>(all.iter().all(|found| found.name() == alias))
        };
        let was_last = is_last().await?;
        if was_last {
            let none = AliasRoutingConfiguration::builder()
                .set_additional_version_weights(Some(HashMap::new()));
            let call = aws.lambda.update_alias().function_name(function);
            let call = call.set_name(alias.map(str::to_owned)).function_version(LATEST);
            let send = call.routing_config(none.build()).send();
            send.await.map_err(op("UpdateAlias")).or_gone()?;
            delete_own(aws, function).await?;
        }
        let call = aws.lambda.delete_alias().function_name(function);
        let send = call.set_name(alias.map(str::to_owned)).send();
        send.await.map_err(op("DeleteAlias")).or_gone()?;
        // Another one may have gone at the same time.
        if !was_last && is_last().await? {
            delete_own(aws, function).await?;
        }
        Ok(())
    }
}

impl Alias {
    /// Whether it names a version. An alias of the unpublished code is one that a delete did not finish, or that
    /// somebody pointed there.
    fn is_published(&self) -> bool {
        self.release != Release::default()
    }

    /// Its description.
    fn words(&self) -> String {
        common::keeping(self.keep_versions.unwrap_or_default())
    }

    /// Points the alias to the wanted version, after the versions are gone that are no longer
    /// needed: so nothing is left behind if this ends in between. An alias that only settles stays where
    /// all of its calls go, without another version.
    async fn point(&self, aws: &Aws, moves: bool, settles: bool) -> Result<(), OpError> {
        let (function, alias) = common::parts(&self.name);
        let aliases = common::aliases(aws, function).await?;
        let is_this = |found: &&AliasConfiguration| found.name() == alias;
        let Some(now) = aliases.iter().find(is_this) else {
            let message = format!("there is no alias {}", self.name);
            return Err(OpError::new("ListAliases", ErrorClass::NotFound, "NoAlias", message));
        };
        let (base, _) = standing(now);
        if moves || settles {
            moved::unclaimed(aws, function, now, self.shift.is_some()).await?;
        }
        let (version, older) = if moves {
            released(aws, function, &self.release).await?
        } else {
            let stays = base.parse().unwrap_or_default();
            (stays, common::versions(aws, function).await?)
        };
        let keep = self.keep_versions.unwrap_or_default();
        for number in spare(keep, version, &older, &aliases, now) {
            common::delete_version(aws, function, number).await?;
        }
        let (first, other) = match &self.shift {
            // An alias of the unpublished code cannot share its calls.
            Some(_) if base != LATEST => (base, Some((version.to_string(), 0.0))),
            _ => (version.to_string(), None),
        };
        let weights = other.into_iter().collect();
        let routing =
            AliasRoutingConfiguration::builder().set_additional_version_weights(Some(weights));
        let has_weights = self.shift.is_some() || now.routing_config().is_some();
        let call = aws
            .lambda
            .update_alias()
            .function_name(function)
            .set_name(alias.map(str::to_owned))
            .set_function_version((moves || settles).then_some(first))
            .set_routing_config(((moves || settles) && has_weights).then(|| routing.build()))
            .description(self.words())
            .set_revision_id(now.revision_id.clone());
        call.send().await.map_err(op("UpdateAlias")).map(drop)
    }
}

/// Deletes the versions that payctl published.
async fn delete_own(aws: &Aws, function: &str) -> Result<(), OpError> {
    let versions = common::versions(aws, function).await?;
    for (number, _) in versions.iter().filter(is_own) {
        common::delete_version(aws, function, *number).await?;
    }
    Ok(())
}

async fn unprovision(aws: &Aws, name: &str) -> Result<(), OpError> {
    let (function, alias) = common::parts(name);
    let call = aws.lambda.delete_provisioned_concurrency_config().function_name(function);
    let send = call.set_qualifier(alias.map(str::to_owned)).send();
    send.await.map_err(op("DeleteProvisionedConcurrencyConfig")).or_gone().map(drop)
}

/// The same as in a list.
fn listed(found: GetAliasOutput) -> AliasConfiguration {
    AliasConfiguration::builder()
        .set_alias_arn(found.alias_arn)
        .set_name(found.name)
        .set_function_version(found.function_version)
        .set_description(found.description)
        .set_routing_config(found.routing_config)
        .build()
}

/// An alias with what it names.
async fn describe(
    aws: &Aws,
    function: &str,
    alias: AliasConfiguration,
) -> Result<Live<Alias>, OpError> {
    let (version, other) = standing(&alias);
    let release = async {
        match version.as_str() {
            LATEST => Ok(None),
            number => common::version(aws, function, number).await,
        }
    };
    let candidate = async {
        match &other {
            Some((number, _)) => common::version(aws, function, number).await,
            None => Ok(None),
        }
    };
    let call = aws.lambda.get_provisioned_concurrency_config().function_name(function);
    let call = call.set_qualifier(alias.name.clone());
    let provisioned =
        async { call.send().await.map_err(op("GetProvisionedConcurrencyConfig")).or_gone() };
    let (release, candidate, provisioned) = try_join3(release, candidate, provisioned).await?;
    let status = provisioned.as_ref().and_then(|found| found.status.clone());
    let calls =
        provisioned.as_ref().and_then(|found| found.requested_provisioned_concurrent_executions);
    let reason = provisioned.and_then(|found| found.status_reason);
    let divided = weights(&alias);
    // With provisioned concurrency AWS itself leaves all calls at the old version until the new one is ready.
    let is_moving = calls.is_some() && divided.values().any(|weight| *weight >= 1.0);
    let name = common::qualified(function, alias.name());
    let outputs = [
        (Output::Arn, alias.alias_arn.clone().unwrap_or_default()),
        (Output::Name, name.clone()),
        (Output::Version, version),
    ];
    Ok(Live {
        id: name.clone(),
        spec: Alias {
            name,
            function: common::arn_of(aws, function).into(),
            release: release.map(Release::of_configuration).unwrap_or_default(),
            keep_versions: common::kept_by(&alias),
            provisioned: Some(
                calls.and_then(|calls| u32::try_from(calls).ok()).unwrap_or_default(),
            ),
            failed_provisioning: (status == Some(ProvisionedConcurrencyStatusEnum::Failed))
                .then(|| reason.unwrap_or_else(|| "AWS gave no reason".to_owned())),
            weights: divided,
            shift: None,
            hold: false,
            candidate: candidate.map(Release::of_configuration),
        },
        outputs: outputs.into(),
        tags: Tags::new(),
        phase: match status {
            Some(ProvisionedConcurrencyStatusEnum::InProgress) => {
                Phase::Pending("provisioning concurrency".to_owned())
            }
            _ if is_moving => Phase::Pending("moving its calls to another version".to_owned()),
            _ => Phase::Ready,
        },
    })
}
