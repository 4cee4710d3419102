//! Launch templates for the instances of a group.
//!
//! AWS quirks: versions cannot be changed, so a change creates a new version that becomes the
//! default one. A version that is based on another silently keeps members that the request leaves
//! out, so payctl creates each from scratch. Versions do not have tags. The image may be the name
//! of a public parameter, which AWS looks up at every launch.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_ec2::types::{
    InstanceType, LaunchTemplate as AwsTemplate, LaunchTemplateBlockDeviceMappingRequest,
    LaunchTemplateEbsBlockDeviceRequest, LaunchTemplateHttpTokensState,
    LaunchTemplateIamInstanceProfileSpecificationRequest,
    LaunchTemplateInstanceMetadataEndpointState, LaunchTemplateInstanceMetadataOptionsRequest,
    LaunchTemplateTagSpecificationRequest, LaunchTemplateVersion, RequestLaunchTemplateData,
    ResourceType, ResponseLaunchTemplateData, VolumeType,
};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::common;
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LaunchTemplate {
    /// The name.
    pub name: String,
    /// The image: `ami-...`, or `resolve:ssm:` and the parameter that holds its id.
    pub image: String,
    /// The instance type.
    pub instance_type: String,
    /// The ids of the security groups.
    pub groups: BTreeSet<Text>,
    /// The name of the instance profile.
    pub profile: Option<Text>,
    /// The script that runs at the first boot, as plain text.
    pub user_data: Option<String>,
    /// The root volume: gp3, encrypted.
    pub volume: Volume,
    /// Whether the metadata service answers only requests with a session token (IMDSv2).
    pub token_required: bool,
    /// The tags of instances and volumes.
    pub launch_tags: BTreeMap<String, String>,
}

/// The root volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Volume {
    /// The device that the image boots from.
    pub device: String,
    /// The size in GiB.
    pub size: u32,
    /// The ARN of the customer key; the account's aws/ebs key if none.
    pub key: Option<Text>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
}

impl Resource for LaunchTemplate {
    const META: Meta = Meta {
        drawn: Drawn::badge("template", "launch template", &[]),
        notes: &[
            "A change creates a new version, which becomes the default; running instances stay as \
             they are until they are replaced.",
            "AWS looks up an image parameter at every launch, so that new instances get the \
             newest image.",
            "A deletion removes all versions, even while a group uses it.",
        ],
        immutable: &["name"],
        changed_outputs: &[
            ("image", Output::Version),
            ("instance_type", Output::Version),
            ("groups", Output::Version),
            ("profile", Output::Version),
            ("user_data", Output::Version),
            ("volume", Output::Version),
            ("token_required", Output::Version),
            ("launch_tags", Output::Version),
        ],
        replace: Replace::DeleteFirst,
        deadline: Duration::from_secs(180),
        read_lag: common::SETTLE,
        gone_at_once: true,
        permits: &[
            Permit::look(
                &["ec2:DescribeLaunchTemplateVersions", "ec2:DescribeLaunchTemplates"],
                &["*"],
            ),
            Permit::create(&["ec2:CreateLaunchTemplate"], &["ec2:{here}:launch-template/*"])
                .made_ours(),
            Permit::create(&["ec2:CreateTags"], &["ec2:{here}:launch-template/*"])
                .where_equal("ec2:CreateAction", "CreateLaunchTemplate"),
            Permit::change(
                &[
                    "ec2:CreateLaunchTemplateVersion",
                    "ec2:CreateTags",
                    "ec2:DeleteTags",
                    "ec2:ModifyLaunchTemplate",
                ],
                &["ec2:{here}:launch-template/*"],
            )
            .ours(),
            Permit::delete(&["ec2:DeleteLaunchTemplate"], &["ec2:{here}:launch-template/*"]).ours(),
            Permit::set(&["ssm:GetParameters"], &["ssm:{region}::parameter/aws/service/*"]),
        ],
        names: Some(NameRule::new(
            "template",
            128,
            r"^[a-zA-Z0-9().\-/_]{3,128}$",
            "a launch template's name is 3 to 128 letters, digits and ( ) . - / _",
        )),
        section: "fleets",
        predicted: &[(Output::Name, "{name}")],
        asked: &["instance_type", "token_required"],
        typical: Typical::seconds(2, 2, 2),
        pricing: Pricing::Free("AWS charges nothing for templates."),
        types: &["ec2:launch-template"],
        ..Meta::new("ec2.launch_template", "ec2", "A launch template for the instances of a group.")
    };

    fn sample() -> Self {
        let parameter = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64";
        let group = Address::new("ec2.security_group", "sample");
        let profile = Address::new("iam.instance_profile", "sample");
        Self {
            name: "sample-template".into(),
            image: format!("resolve:ssm:{parameter}"),
            instance_type: "t4g.micro".into(),
            groups: BTreeSet::from([Text::reference(group, Output::Id)]),
            profile: Some(Text::reference(profile, Output::Name)),
            user_data: Some("#!/bin/bash\necho hello\n".into()),
            volume: Volume {
                device: "/dev/xvda".into(),
                size: 8,
                key: None,
                encrypted: true,
                kind: "gp3".into(),
            },
            token_required: true,
            launch_tags: BTreeMap::from([("Name".to_owned(), "sample-instance".to_owned())]),
        }
    }

    fn variants() -> Vec<Self> {
        let key = Text::reference(Address::new("kms.key", "sample"), Output::Arn);
        let volume = Volume { size: 20, key: Some(key), ..Self::sample().volume };
        vec![
            Self {
                image: Self::sample().image.replace("arm64", "x86_64"),
                instance_type: "t3.micro".into(),
                user_data: None,
                ..Self::sample()
            },
            Self { volume, profile: None, ..Self::sample() },
            Self {
                launch_tags: BTreeMap::from([("Name".to_owned(), "other".to_owned())]),
                token_required: false,
                ..Self::sample()
            },
        ]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let pages = cx.aws.ec2.describe_launch_templates().max_results(200).into_paginator();
        let listed = pages.items().send().try_collect().await;
        let listed: Vec<AwsTemplate> = listed.map_err(op("DescribeLaunchTemplates"))?;
        let found = listed.into_iter().filter_map(|one| {
            let (address, owner) =
                cx.claim(one.launch_template_name()?, &common::tags(one.tags.clone()))?;
            Some(async move {
                let live = describe(cx.aws, one).await?;
                Ok::<_, OpError>(live.map(|live| Found { address, owner, live }))
            })
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let send = cx.aws.ec2.describe_launch_templates().launch_template_ids(cx.id()).send();
        let answer = send.await.map_err(op("DescribeLaunchTemplates")).or_gone()?;
        match answer.and_then(|answer| answer.launch_templates?.into_iter().next()) {
            Some(one) => describe(cx.aws, one).await,
            None => Ok(None),
        }
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let call = cx.aws.ec2.create_launch_template();
        let call = call
            .launch_template_name(&self.name)
            .launch_template_data(self.data())
            .tag_specifications(common::tagged(ResourceType::LaunchTemplate, cx.tags));
        let answer = call.send().await.map_err(op("CreateLaunchTemplate"))?;
        let id = answer.launch_template.and_then(|one| one.launch_template_id);
        common::made("CreateLaunchTemplate", id)
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let call = cx.aws.ec2.create_launch_template_version().launch_template_id(&live.id);
        // The version that it follows: going back to an older form is a new version too.
        let after = live.outputs.get(&Output::Version).cloned().unwrap_or_default();
        let call = call
            .client_token(common::token(cx, self, &[live.id.clone(), after]))
            .launch_template_data(self.data());
        let answer = call.send().await.map_err(op("CreateLaunchTemplateVersion"))?;
        let version = answer.launch_template_version.and_then(|version| version.version_number);
        let version = version.map(|version| version.to_string());
        let version = common::made("CreateLaunchTemplateVersion", version)?;
        let call = cx.aws.ec2.modify_launch_template().launch_template_id(&live.id);
        let send = call.default_version(version).send();
        send.await.map_err(op("ModifyLaunchTemplate")).map(drop)
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        common::add_tags(cx.aws, &live.id, set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        common::remove_tags(cx.aws, &live.id, unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let send = cx.aws.ec2.delete_launch_template().launch_template_id(&live.id).send();
        send.await.map_err(op("DeleteLaunchTemplate")).or_gone().map(drop)
    }
}

/// The default version of a template; without an id, AWS describes those of all templates.
async fn defaults(aws: &Aws, id: Option<&str>) -> Result<Vec<LaunchTemplateVersion>, OpError> {
    let call = aws.ec2.describe_launch_template_versions();
    let call = call.set_launch_template_id(id.map(str::to_owned)).versions("$Default");
    let versions = call.into_paginator().items().send().try_collect().await;
    let versions = versions.map_err(op("DescribeLaunchTemplateVersions")).or_gone()?;
    Ok(versions.unwrap_or_default())
}

/// The template with its default version.
async fn describe(aws: &Aws, one: AwsTemplate) -> Result<Option<Live<LaunchTemplate>>, OpError> {
    let id = one.launch_template_id.unwrap_or_default();
    let mut version = None;
    if aws.is_shared {
        let mut all = defaults(aws, None).await?.into_iter();
        version = all.find(|version| version.launch_template_id() == Some(id.as_str()));
    }
    if version.is_none() {
        version = defaults(aws, Some(&id)).await?.into_iter().next();
    }
    let name = one.launch_template_name.unwrap_or_default();
    let tags = common::tags(one.tags);
    Ok(version.map(|version| to_live(id, name, version, tags)))
}

fn to_live(
    id: String,
    name: String,
    version: LaunchTemplateVersion,
    tags: Tags,
) -> Live<LaunchTemplate> {
    let number = version.version_number.unwrap_or_default();
    let outputs = [
        (Output::Id, id.clone()),
        (Output::Name, name.clone()),
        (Output::Version, number.to_string()),
    ];
    let spec = LaunchTemplate::from_data(
        name,
        version
            .launch_template_data
            .unwrap_or_else(|| ResponseLaunchTemplateData::builder().build()),
    );
    Live { spec, outputs: Outputs::from(outputs), tags, phase: Phase::Ready, id }
}

impl LaunchTemplate {
    fn data(&self) -> RequestLaunchTemplateData {
        let profile = self.profile.as_ref().map(|profile| {
            LaunchTemplateIamInstanceProfileSpecificationRequest::builder()
                .name(profile.known())
                .build()
        });
        let ebs = LaunchTemplateEbsBlockDeviceRequest::builder()
            .encrypted(self.volume.encrypted)
            .set_volume_size(self.volume.size.try_into().ok())
            .volume_type(VolumeType::from(self.volume.kind.as_str()))
            .set_kms_key_id(self.volume.key.as_ref().map(|key| key.known().to_owned()))
            .delete_on_termination(true);
        let volume = LaunchTemplateBlockDeviceMappingRequest::builder()
            .device_name(&self.volume.device)
            .ebs(ebs.build());
        let tokens = if self.token_required {
            LaunchTemplateHttpTokensState::Required
        } else {
            LaunchTemplateHttpTokensState::Optional
        };
        let metadata = LaunchTemplateInstanceMetadataOptionsRequest::builder()
            .http_endpoint(LaunchTemplateInstanceMetadataEndpointState::Enabled)
            .http_tokens(tokens);
        let tagged = |kind: ResourceType| {
            let tags = self.launch_tags.iter().map(|(key, value)| {
                aws_sdk_ec2::types::Tag::builder().key(key).value(value).build()
            });
            let tagged = LaunchTemplateTagSpecificationRequest::builder().resource_type(kind);
            tagged.set_tags(Some(tags.collect())).build()
        };
        let kinds = [ResourceType::Instance, ResourceType::Volume].into_iter();
        let tagged = (!self.launch_tags.is_empty()).then(|| kinds.map(tagged).collect());
        let groups = self.groups.iter().map(|group| group.known().to_owned()).collect();
        RequestLaunchTemplateData::builder()
            .image_id(&self.image)
            .instance_type(InstanceType::from(self.instance_type.as_str()))
            .set_security_group_ids(Some(groups))
            .set_iam_instance_profile(profile)
            .set_user_data(self.user_data.as_ref().map(|text| BASE64_STANDARD.encode(text)))
            .block_device_mappings(volume.build())
            .metadata_options(metadata.build())
            .set_tag_specifications(tagged)
            .build()
    }

    fn from_data(name: String, data: ResponseLaunchTemplateData) -> Self {
        let volume = data.block_device_mappings.unwrap_or_default().into_iter().next();
        let (device, ebs) = volume.map(|one| (one.device_name, one.ebs)).unwrap_or_default();
        let (size, key, encrypted, kind) = ebs
            .map(|ebs| (ebs.volume_size, ebs.kms_key_id, ebs.encrypted, ebs.volume_type))
            .unwrap_or_default();
        let profile = data.iam_instance_profile.and_then(|profile| profile.name);
        let user_data = data.user_data.and_then(|data| BASE64_STANDARD.decode(data).ok());
        let user_data = user_data.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let tokens = data.metadata_options.and_then(|options| options.http_tokens);
        let launch_tags = data.tag_specifications.unwrap_or_default().into_iter();
        let launch_tags = launch_tags.map(|one| common::tags(one.tags)).next();
        let groups = data.security_group_ids.unwrap_or_default();
        let kind = kind.map(|kind| kind.as_str().to_owned()).unwrap_or_default();
        let instance_type = data.instance_type.map(|kind| kind.as_str().to_owned());
        Self {
            name,
            image: data.image_id.unwrap_or_default(),
            instance_type: instance_type.unwrap_or_default(),
            groups: groups.into_iter().map(Text::from).collect(),
            profile: profile.map(Text::from),
            user_data: user_data.filter(|text| !text.is_empty()),
            volume: Volume {
                device: device.unwrap_or_default(),
                size: size.and_then(|size| size.try_into().ok()).unwrap_or_default(),
                key: key.map(Text::from),
                encrypted: encrypted.unwrap_or_default(),
                kind,
            },
            token_required: tokens == Some(LaunchTemplateHttpTokensState::Required),
            launch_tags: launch_tags.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{LaunchTemplateBlockDeviceMapping, LaunchTemplateEbsBlockDevice};

    use super::*;

    #[test]
    fn a_template_is_read_back_as_it_was_asked_for() {
        let ebs = LaunchTemplateEbsBlockDevice::builder()
            .encrypted(true)
            .volume_size(8)
            .volume_type(VolumeType::Gp3);
        let volume = LaunchTemplateBlockDeviceMapping::builder()
            .device_name("/dev/xvda")
            .ebs(ebs.build())
            .build();
        let data = ResponseLaunchTemplateData::builder()
            .block_device_mappings(volume)
            .user_data(BASE64_STANDARD.encode("#!/bin/bash\n"))
            .build();
        let read = LaunchTemplate::from_data("sample-template".into(), data);
        assert_eq!(read.volume, LaunchTemplate::sample().volume);
        assert_eq!(read.user_data.as_deref(), Some("#!/bin/bash\n"));
        assert!(!read.token_required);
    }

    #[test]
    fn a_template_without_tags_has_no_tag_specification() {
        let bare = LaunchTemplate {
            launch_tags: BTreeMap::new(),
            groups: BTreeSet::new(),
            profile: None,
            ..LaunchTemplate::sample()
        };
        assert_eq!(bare.data().tag_specifications, None);
    }

    #[test]
    fn every_change_except_the_name_makes_a_new_version() {
        let spec = serde_json::to_value(LaunchTemplate::sample()).unwrap();
        let moves = LaunchTemplate::META.changed_outputs.iter().map(|(field, _)| *field);
        let moves: BTreeSet<&str> = moves.chain(["name"]).collect();
        let fields: BTreeSet<&str> = spec.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(moves, fields);
    }
}
