//! Single instances, such as a NAT instance.
//!
//! AWS quirks: the source/destination check cannot be set at launch, so a new NAT instance drops
//! packets until `update` has run. `running` says only that it boots: it is usable when AWS's
//! status checks pass, which a survey does not read. Terminated instances stay listed with their
//! tags for about an hour, also those that AWS could not start, with the reason. The image
//! parameter changes every week or two: payctl reads it only at creation. A stopped instance counts
//! as failed and is replaced, since it does not hold any state.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    AttributeBooleanValue, BlockDeviceMapping, EbsBlockDevice, Filter, HttpTokensState,
    IamInstanceProfileSpecification, Instance as AwsInstance, InstanceAttributeName,
    InstanceMetadataEndpointState, InstanceMetadataOptionsRequest, InstanceStateName, InstanceType,
    ResourceType, SummaryStatus,
};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::common;
use super::sizes::vcpus;
use super::subnet::Subnet;
use crate::aws::clients::Aws;
use crate::aws::costs::Costs;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::{Drawn, End, Flow, Lane};
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Traffic, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};
use payctl_money::Decimal;
use payctl_money::bill::Charge;

/// An instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Instance {
    /// The public SSM parameter that holds the image id; read when the instance is made.
    pub image_parameter: String,
    /// The instance type.
    pub instance_type: String,
    /// The id of the subnet.
    pub subnet: Text,
    /// The ids of the security groups.
    pub groups: BTreeSet<Text>,
    /// The name of the instance profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Text>,
    /// The script that runs at the first boot, as plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_data: Option<String>,
    /// Whether AWS drops packets that are not from or to the instance itself.
    pub source_dest_check: bool,
    /// Whether its disk is encrypted when it is made, with the account's key for volumes.
    pub encrypted: bool,
}

/// The root device of Amazon's own Linux images.
const ROOT: &str = "/dev/xvda";

/// The size of that device, in GB.
const ROOT_GB: u32 = 8;

impl Instance {
    /// How many vCPUs it has.
    pub(crate) fn vcpus(&self) -> Option<Decimal> {
        vcpus(&self.instance_type)
    }
}

impl Resource for Instance {
    const META: Meta = Meta {
        drawn: Drawn::a_box(Lane::Pass, "instance", "instance").with(flows),
        notes: &[
            "payctl looks up the image when it creates the instance; a newer image does not \
             replace it.",
            "payctl replaces a stopped instance.",
            "Its metadata service answers only requests with a session token (IMDSv2).",
            "It gets a public address if its subnet assigns one.",
            "A disk can only be encrypted at creation: an existing instance keeps its disk until \
             it is replaced.",
            "A new instance is ready when AWS's status checks pass, two or three minutes after \
             its start. Routes to it wait for that.",
        ],
        immutable: &["instance_type", "subnet", "profile", "user_data"],
        create_only: &["image_parameter", "encrypted"],
        replace: Replace::CreateFirst,
        can_duplicate: true,
        read_lag: common::SETTLE,
        deadline: Duration::from_secs(600),
        transient: &[
            ("InvalidParameterValue", "Invalid IAM Instance Profile"),
            ("InvalidParameterValue", "has no associated IAM Roles"),
        ],
        permits: &[
            Permit::look(&["ec2:DescribeInstanceTypeOfferings", "ec2:DescribeInstances"], &["*"]),
            Permit::watch(&["ec2:DescribeInstanceStatus"], &["*"]),
            Permit::look(&["ec2:DescribeInstanceAttribute"], &["ec2:{here}:instance/*"]),
            Permit::create(
                &["ec2:RunInstances"],
                &["ec2:{here}:instance/*", "ec2:{here}:network-interface/*", "ec2:{here}:volume/*"],
            )
            .made_ours(),
            Permit::create(
                &["ec2:RunInstances"],
                &["ec2:{here}:security-group/*", "ec2:{here}:subnet/*"],
            )
            .ours(),
            Permit::create(&["ec2:RunInstances"], &["ec2:{region}::image/*"]),
            Permit::create(
                &["ec2:CreateTags"],
                &["ec2:{here}:instance/*", "ec2:{here}:network-interface/*", "ec2:{here}:volume/*"],
            )
            .where_equal("ec2:CreateAction", "RunInstances"),
            Permit::create(&["iam:PassRole"], &["iam::{account}:role{path}*"])
                .where_equal("iam:PassedToService", "ec2.amazonaws.com"),
            Permit::create(&["ssm:GetParameter"], &["ssm:{region}::parameter/aws/service/*"]),
            Permit::change(
                &["ec2:CreateTags", "ec2:DeleteTags", "ec2:ModifyInstanceAttribute"],
                &["ec2:{here}:instance/*"],
            )
            .ours(),
            Permit::change(&["ec2:ModifyInstanceAttribute"], &["ec2:{here}:security-group/*"])
                .ours(),
            Permit::delete(&["ec2:TerminateInstances"], &["ec2:{here}:instance/*"]).ours(),
        ],
        names: Some(NameRule::tag("instance")),
        section: "network",
        asked: &["instance_type"],
        typical: Typical::seconds(110, 5, 45).calls(10, 8, 6),
        serves: true,
        felt: &[
            ("groups", Traffic::NewConnections),
            ("source_dest_check", Traffic::NewConnections),
        ],
        pricing: Pricing::Charged(
            "AWS charges for the instance and its disk by the hour, and for a public address.",
        ),
        types: &["ec2:instance"],
        ..Meta::new("ec2.instance", "ec2", "A single instance, such as a NAT instance.")
    };

    fn sample() -> Self {
        let id = |kind| Text::reference(Address::new(kind, "sample"), Output::Id);
        let parameter = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64";
        Self {
            image_parameter: parameter.into(),
            instance_type: "t4g.nano".into(),
            subnet: id("ec2.subnet"),
            groups: BTreeSet::from([id("ec2.security_group")]),
            profile: Some(Text::reference(
                Address::new("iam.instance_profile", "sample"),
                Output::Name,
            )),
            user_data: Some("#!/bin/bash\nsysctl -w net.ipv4.ip_forward=1\n".into()),
            source_dest_check: false,
            encrypted: true,
        }
    }

    fn variants() -> Vec<Self> {
        vec![Self { source_dest_check: true, ..Self::sample() }]
    }

    fn charges(&self, cx: &Costs<'_>) -> Vec<Charge> {
        let mut charges = vec![
            Charge::fixed("instance", format!("ec2.{}", self.instance_type), cx.hours()),
            Charge::fixed("disk", "ebs.gp3", Decimal::from(ROOT_GB) * cx.share()),
        ];
        let subnet = cx.target::<Subnet>(&self.subnet);
        if subnet.is_some_and(|(_, subnet)| subnet.public_addresses) {
            charges.push(Charge::fixed("public address", "ipv4.hours", cx.hours()));
        }
        charges
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        Ok(common::found(cx, find(cx.aws, common::ours(cx.aws)).await?))
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let listed = list(cx.aws, vec![common::filter("instance-id", [cx.id()])]).await?;
        let own = listed.into_iter().find(|one| one.instance_id.as_deref() == Some(cx.id()));
        match own.and_then(|one| Some((phase_of(&one).or_else(|| died(&one))?, one))) {
            Some((Phase::Ready, instance)) => {
                let phase = checked(cx.aws, cx.id()).await?;
                describe(cx.aws, instance, phase).await
            }
            Some((phase, instance)) => describe(cx.aws, instance, phase).await,
            None => Ok(None),
        }
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let image = image_of(cx.aws, &self.image_parameter).await?;
        let token = common::token(cx, &(self, &image), &dead(cx).await?);
        let tagged = |kind| common::tagged(kind, cx.tags);
        let call = self
            .launch(cx.aws.ec2.run_instances())
            .image_id(image)
            .client_token(token)
            .tag_specifications(tagged(ResourceType::Instance))
            .tag_specifications(tagged(ResourceType::Volume))
            .tag_specifications(tagged(ResourceType::NetworkInterface));
        let answer = call.send().await.map_err(op("RunInstances"))?;
        let instance = answer.instances.unwrap_or_default().into_iter().next();
        common::made("RunInstances", instance.and_then(|instance| instance.instance_id))
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        // AWS takes one attribute per call.
        let call = || cx.aws.ec2.modify_instance_attribute().instance_id(&live.id);
        if self.source_dest_check != live.spec.source_dest_check {
            let value = AttributeBooleanValue::builder().value(self.source_dest_check).build();
            let send = call().source_dest_check(value).send();
            send.await.map_err(op("ModifyInstanceAttribute"))?;
        }
        if self.groups != live.spec.groups {
            let send = call().set_groups(Some(known(&self.groups))).send();
            send.await.map_err(op("ModifyInstanceAttribute"))?;
        }
        Ok(())
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        common::add_tags(cx.aws, &live.id, set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        common::remove_tags(cx.aws, &live.id, unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let send = cx.aws.ec2.terminate_instances().instance_ids(&live.id).send();
        let answer = send.await.map_err(op("TerminateInstances")).or_gone()?;
        let states = answer.and_then(|answer| answer.terminating_instances).unwrap_or_default();
        let was = states.into_iter().find_map(|one| one.previous_state?.name);
        match was {
            // An instance that ended on its own reads as failed as long as AWS lists it.
            Some(InstanceStateName::Terminated) => {
                let message = "the instance is already terminated";
                Err(OpError::new("TerminateInstances", ErrorClass::NotFound, "Terminated", message))
            }
            _ => Ok(()),
        }
    }
}

fn known(texts: &BTreeSet<Text>) -> Vec<String> {
    texts.iter().map(|text| text.known().to_owned()).collect()
}

impl Instance {
    fn launch(&self, call: RunInstancesFluentBuilder) -> RunInstancesFluentBuilder {
        let profile = self.profile.as_ref().map(|profile| {
            IamInstanceProfileSpecification::builder().name(profile.known()).build()
        });
        let metadata = InstanceMetadataOptionsRequest::builder()
            .http_endpoint(InstanceMetadataEndpointState::Enabled)
            .http_tokens(HttpTokensState::Required)
            .build();
        let disk = EbsBlockDevice::builder().encrypted(true).delete_on_termination(true).build();
        let disk = BlockDeviceMapping::builder().device_name(ROOT).ebs(disk).build();
        call.min_count(1)
            .max_count(1)
            .instance_type(InstanceType::from(self.instance_type.as_str()))
            .subnet_id(self.subnet.known())
            .set_security_group_ids(Some(known(&self.groups)))
            .set_iam_instance_profile(profile)
            .set_user_data(self.user_data.as_ref().map(|text| BASE64_STANDARD.encode(text)))
            .set_block_device_mappings(self.encrypted.then(|| vec![disk]))
            .metadata_options(metadata)
    }
}

/// The current image id of a public parameter.
async fn image_of(aws: &Aws, parameter: &str) -> Result<String, OpError> {
    let send = aws.ssm.get_parameter().name(parameter).send();
    let found = send.await.map_err(op("GetParameter")).or_gone()?;
    let value = found.and_then(|found| found.parameter).and_then(|parameter| parameter.value);
    value.ok_or_else(|| {
        let region = &aws.scope.region;
        let message = format!(
            "the image parameter {parameter} does not exist in {region}; choose another one"
        );
        OpError::new("GetParameter", ErrorClass::Invalid, "ParameterNotFound", message)
    })
}

/// The instances as AWS lists them, including terminated ones.
async fn list(aws: &Aws, filters: Vec<Filter>) -> Result<Vec<AwsInstance>, OpError> {
    let call = aws.ec2.describe_instances().set_filters(Some(filters)).max_results(1000);
    let mut pages = call.into_paginator().send();
    let mut instances = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(op("DescribeInstances"))?;
        let reservations = page.reservations.unwrap_or_default();
        instances.extend(reservations.into_iter().flat_map(|it| it.instances.unwrap_or_default()));
    }
    Ok(instances)
}

/// The ids of the instances of this address that AWS has terminated or is terminating, in order.
async fn dead(cx: &Cx<'_>) -> Result<Vec<String>, OpError> {
    let instances = list(cx.aws, common::at(&cx.aws.scope, cx.address)).await?;
    let is_dead = |instance: &AwsInstance| {
        let ours = cx.aws.scope.owned(&common::tags(instance.tags.clone()));
        ours.as_ref() == Some(cx.address)
            && !matches!(phase_of(instance), Some(Phase::Ready | Phase::Pending(_)))
    };
    let dead = instances.into_iter().filter(is_dead);
    let mut ids: Vec<String> = dead.filter_map(|instance| instance.instance_id).collect();
    ids.sort();
    Ok(ids)
}

async fn find(aws: &Aws, filters: Vec<Filter>) -> Result<Vec<Live<Instance>>, OpError> {
    let instances = list(aws, filters).await?;
    let lives = instances.into_iter().filter_map(|instance| {
        let phase = phase_of(&instance)?;
        Some(describe(aws, instance, phase))
    });
    Ok(try_join_all(lives).await?.into_iter().flatten().collect())
}

async fn describe(
    aws: &Aws,
    instance: AwsInstance,
    phase: Phase,
) -> Result<Option<Live<Instance>>, OpError> {
    let id = instance.instance_id.as_deref().unwrap_or_default();
    let call = aws.ec2.describe_instance_attribute().instance_id(id);
    let send = call.attribute(InstanceAttributeName::UserData).send();
    let attribute = send.await.map_err(op("DescribeInstanceAttribute")).or_gone()?;
    Ok(attribute.map(|attribute| {
        let encoded = attribute.user_data.and_then(|data| data.value);
        to_live(instance, phase, encoded.as_deref().and_then(decoded))
    }))
}

fn to_live(instance: AwsInstance, phase: Phase, user_data: Option<String>) -> Live<Instance> {
    let id = instance.instance_id.unwrap_or_default();
    let interfaces = instance.network_interfaces.unwrap_or_default();
    let primary = interfaces.into_iter().min_by_key(|interface| {
        interface.attachment.as_ref().and_then(|attachment| attachment.device_index).unwrap_or(0)
    });
    let interface = primary.and_then(|interface| interface.network_interface_id);
    let groups = instance.security_groups.unwrap_or_default();
    // The profile comes back as an ARN; its name is the last part of the path.
    let profile = instance.iam_instance_profile.and_then(|profile| profile.arn);
    let profile = profile.and_then(|arn| Some(Text::from(arn.rsplit('/').next()?)));
    let mut outputs = Outputs::from([(Output::Id, id.clone())]);
    outputs.extend(interface.map(|interface| (Output::InterfaceId, interface)));
    outputs.extend(instance.public_ip_address.map(|ip| (Output::PublicIp, ip)));
    Live {
        spec: Instance {
            image_parameter: String::new(),
            instance_type: instance
                .instance_type
                .map(|kind| kind.as_str().to_owned())
                .unwrap_or_default(),
            subnet: instance.subnet_id.unwrap_or_default().into(),
            groups: groups.into_iter().filter_map(|group| group.group_id).map(Text::from).collect(),
            profile,
            user_data,
            source_dest_check: instance.source_dest_check.unwrap_or(true),
            encrypted: true,
        },
        outputs,
        tags: common::tags(instance.tags),
        phase,
        id,
    }
}

fn decoded(user_data: &str) -> Option<String> {
    let bytes = BASE64_STANDARD.decode(user_data).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned()).filter(|text| !text.is_empty())
}

/// `None` for terminated instances that AWS still lists.
fn phase_of(instance: &AwsInstance) -> Option<Phase> {
    match instance.state.as_ref()?.name.as_ref()? {
        InstanceStateName::Terminated => None,
        InstanceStateName::Running => Some(Phase::Ready),
        InstanceStateName::ShuttingDown => Some(Phase::Deleting("shutting-down".into())),
        InstanceStateName::Stopped => {
            let reason = instance.state_reason.as_ref().and_then(|reason| reason.message.as_ref());
            let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            Some(Phase::Failed(format!("the instance is stopped{reason}")))
        }
        other => Some(Phase::Pending(other.as_str().to_owned())),
    }
}

/// Whether AWS has finished the first status checks of a running instance. Their result does not
/// matter.
async fn checked(aws: &Aws, id: &str) -> Result<Phase, OpError> {
    let send = aws.ec2.describe_instance_status().instance_ids(id).send();
    let answer = send.await.map_err(op("DescribeInstanceStatus")).or_gone()?;
    let statuses = answer.and_then(|answer| answer.instance_statuses).unwrap_or_default();
    let status = statuses.into_iter().find_map(|one| one.instance_status?.status);
    Ok(match status {
        Some(status @ SummaryStatus::Initializing) => Phase::Pending(status.as_str().to_owned()),
        _ => Phase::Ready,
    })
}

/// Why AWS terminated an instance on its own: a launch that AWS accepted and could not carry out
/// ends like that.
fn died(instance: &AwsInstance) -> Option<Phase> {
    let reason = instance.state_reason.as_ref()?;
    let code = reason.code.as_deref().filter(|code| *code != "Client.UserInitiatedShutdown")?;
    let message = reason.message.as_deref().unwrap_or(code);
    Some(Phase::Failed(format!("the instance is terminated: {message}")))
}

/// The instances of payctl translate addresses: what leaves through them goes to the internet.
fn flows(spec: &Value) -> Vec<Flow> {
    let translates = spec.get("source_dest_check") == Some(&Value::Bool(false));
    let out =
        Flow::new(End::Here, End::Outside("internet", "Internet".to_owned()), "outgoing calls");
    translates.then_some(out).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{
        GroupIdentifier, IamInstanceProfile, InstanceNetworkInterface, InstanceState, StateReason,
    };

    use super::*;

    fn instance_in(state: &str) -> AwsInstance {
        let state = InstanceState::builder().name(state.into()).build();
        let profile = "arn:aws:iam::1:instance-profile/payctl/payment/dev/nat";
        AwsInstance::builder()
            .instance_id("i-1")
            .instance_type(InstanceType::T4gNano)
            .state(state)
            .state_reason(StateReason::builder().message("User initiated").build())
            .subnet_id("subnet-1")
            .security_groups(GroupIdentifier::builder().group_id("sg-1").build())
            .iam_instance_profile(IamInstanceProfile::builder().arn(profile).build())
            .network_interfaces(
                InstanceNetworkInterface::builder().network_interface_id("eni-1").build(),
            )
            .source_dest_check(false)
            .build()
    }

    #[test]
    fn the_state_decides_what_can_be_done() {
        let check =
            |state, expected| assert_eq!(phase_of(&instance_in(state)), expected, "{state}");
        check("pending", Some(Phase::Pending("pending".into())));
        check("running", Some(Phase::Ready));
        check("stopping", Some(Phase::Pending("stopping".into())));
        let stopped = "the instance is stopped: User initiated";
        check("stopped", Some(Phase::Failed(stopped.into())));
        check("shutting-down", Some(Phase::Deleting("shutting-down".into())));
        check("terminated", None);
    }

    #[test]
    fn a_failed_launch_gives_its_reason() {
        let terminated = |code: &str| {
            let reason = StateReason::builder().code(code).message(format!("{code}: why")).build();
            let mut instance = instance_in("terminated");
            instance.state_reason = Some(reason);
            died(&instance)
        };
        let failed = "the instance is terminated: Client.InternalError: why";
        assert_eq!(terminated("Client.InternalError"), Some(Phase::Failed(failed.into())));
        assert_eq!(terminated("Client.UserInitiatedShutdown"), None);
        assert_eq!(died(&AwsInstance::builder().build()), None);
    }

    #[test]
    fn an_instance_is_read_back_as_it_was_asked_for() {
        let script = "#!/bin/bash\n".to_owned();
        let live = to_live(instance_in("running"), Phase::Ready, Some(script.clone()));
        let spec = Instance {
            image_parameter: String::new(),
            instance_type: "t4g.nano".into(),
            subnet: "subnet-1".into(),
            groups: BTreeSet::from(["sg-1".into()]),
            profile: Some("nat".into()),
            user_data: Some(script),
            source_dest_check: false,
            encrypted: true,
        };
        assert_eq!(live.spec, spec);
        assert_eq!(live.outputs[&Output::InterfaceId], "eni-1");
    }

    #[test]
    fn user_data_survives_its_encoding() {
        let text = "#!/bin/bash\necho hi\n";
        assert_eq!(decoded(&BASE64_STANDARD.encode(text)).as_deref(), Some(text));
        assert_eq!(decoded(""), None);
    }
}
