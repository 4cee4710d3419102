//! Custom domain names of REST APIs, with their base path mappings.
//!
//! AWS quirks: a name is unique in all of AWS, and a change of its certificate takes minutes, while the
//! old one still answers. The root is the base path `(none)`. An API or a stage that a base path leads
//! to cannot be deleted. AWS allows one creation, change or deletion in 30 seconds for the account.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_apigateway::types::{
    BasePathMapping, DomainName as AwsDomainName, DomainNameStatus, EndpointConfiguration,
    EndpointType, SecurityPolicy,
};
use futures::future::{try_join, try_join_all};
use serde::{Deserialize, Serialize};

use super::common::{PAGE, add_tags, arn, our_apis, remove_tags, replace, tags};
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Owner, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Traffic, Typical};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};

/// A regional domain name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DomainName {
    /// The name.
    pub name: String,
    /// The ARN of the certificate.
    pub certificate: Text,
    /// The TLS versions of callers, by AWS's name.
    pub security_policy: String,
    /// The ids of stages, `API/STAGE`, by base path; that of the root is empty.
    pub mappings: BTreeMap<String, Text>,
}

/// The base path of the root in calls.
const ROOT: &str = "(none)";

impl Resource for DomainName {
    const META: Meta = Meta {
        drawn: Drawn::badge("record", "domain name", &["mappings"]),
        notes: &[
            "The name must lead to the domain name's own host, by an alias record or a CNAME.",
            "A change of the certificate takes minutes. The old certificate answers meanwhile.",
            "AWS allows one creation, change or deletion of a domain name per 30 seconds and \
             account; payctl waits.",
            "A name does not contain the environment. payctl deletes a domain name that the config \
             no longer has if its tags name the environment and a base path leads to an API of it.",
        ],
        immutable: &["name"],
        replace: Replace::CreateFirst,
        deadline: Duration::from_secs(2400),
        permits: &[
            Permit::look(
                &["apigateway:GET"],
                &[
                    "apigateway:{region}::/domainnames",
                    "apigateway:{region}::/domainnames/*",
                    "apigateway:{region}::/restapis",
                ],
            ),
            Permit::create(&["apigateway:POST"], &["apigateway:{region}::/domainnames"]),
            Permit::create(
                &["iam:CreateServiceLinkedRole"],
                &["iam::{account}:role/aws-service-role/ops.apigateway.amazonaws.com/*"],
            )
            .where_equal("iam:AWSServiceName", "ops.apigateway.amazonaws.com"),
            Permit::change(
                &["apigateway:DELETE", "apigateway:PATCH", "apigateway:POST"],
                &["apigateway:{region}::/domainnames/*"],
            ),
            Permit::set(&["apigateway:PUT"], &["apigateway:{region}::/tags/*"]),
            Permit::change(&["apigateway:DELETE"], &["apigateway:{region}::/tags/*"]),
            Permit::delete(&["apigateway:DELETE"], &["apigateway:{region}::/domainnames/*"]),
        ],
        section: "apis",
        predicted: &[
            (Output::Arn, "arn:{partition}:apigateway:{region}::/domainnames/{name}"),
            (Output::Name, "{name}"),
            (Output::Url, "https://{name}"),
        ],
        asked: &["name", "security_policy"],
        typical: Typical::seconds(60, 60, 5),
        serves: true,
        felt: &[("certificate", Traffic::NewConnections)],
        pricing: Pricing::Free("AWS charges nothing for a regional domain name."),
        types: &["apigateway:domainnames"],
        ..Meta::new(
            "apigateway.domain_name",
            "apigateway",
            "A custom domain name of REST APIs, with its base path mappings.",
        )
    };

    fn sample() -> Self {
        let certificate = Address::new("acm.certificate", "sample");
        Self {
            name: "api.sample.example.com".into(),
            certificate: Text::reference(certificate, Output::Arn),
            security_policy: "TLS_1_2".into(),
            mappings: BTreeMap::from([(
                String::new(),
                Text::reference(Address::new("apigateway.stage", "sample"), Output::Id),
            )]),
        }
    }

    fn variants() -> Vec<Self> {
        let stage = Text::reference(Address::new("apigateway.stage", "sample"), Output::Id);
        let other =
            "arn:aws:acm:us-east-1:000000000000:certificate/11111111-2222-3333-4444-555555555555";
        vec![
            Self {
                mappings: BTreeMap::from([
                    (String::new(), stage.clone()),
                    ("v1".into(), stage.clone()),
                ]),
                ..Self::sample()
            },
            Self {
                certificate: other.into(),
                security_policy: "TLS_1_0".into(),
                mappings: BTreeMap::from([("v1".into(), stage)]),
                ..Self::sample()
            },
            Self { mappings: BTreeMap::new(), ..Self::sample() },
            Self::sample(),
        ]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let pages = cx.aws.apigateway.get_domain_names().limit(PAGE).into_paginator();
        let all: Vec<AwsDomainName> =
            pages.items().send().try_collect().await.map_err(op("GetDomainNames"))?;
        let found = all.into_iter().map(|one| async move {
            let (name, tags) = (one.domain_name().unwrap_or_default(), tags(one.tags.clone()));
            let Some((address, owner)) = cx.claim(name, &tags) else { return Ok(None) };
            let Some(mappings) = mappings_of(cx.aws, name).await? else { return Ok(None) };
            let owner = match owner {
                Owner::Disputed(_) if leads_to_ours(cx, &mappings).await? => Owner::Ours,
                owner => owner,
            };
            Ok(Some(Found { address, owner, live: to_live(cx.aws, one, mappings) }))
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let domain = async {
            let send = cx.aws.apigateway.get_domain_name().domain_name(cx.id()).send();
            send.await.map_err(op("GetDomainName")).or_gone()
        };
        let both = try_join(domain, mappings_of(cx.aws, cx.id())).await?;
        let (Some(found), Some(mappings)) = both else { return Ok(None) };
        let one = AwsDomainName::builder()
            .set_domain_name(found.domain_name)
            .set_regional_certificate_arn(found.regional_certificate_arn)
            .set_regional_domain_name(found.regional_domain_name)
            .set_regional_hosted_zone_id(found.regional_hosted_zone_id)
            .set_domain_name_status(found.domain_name_status)
            .set_domain_name_status_message(found.domain_name_status_message)
            .set_security_policy(found.security_policy)
            .set_tags(found.tags);
        Ok(Some(to_live(cx.aws, one.build(), mappings)))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let regional = EndpointConfiguration::builder().types(EndpointType::Regional).build();
        cx.aws
            .apigateway
            .create_domain_name()
            .domain_name(&self.name)
            .regional_certificate_arn(self.certificate.known())
            .endpoint_configuration(regional)
            .security_policy(SecurityPolicy::from(self.security_policy.as_str()))
            .set_tags(Some(cx.tags.clone().into_iter().collect()))
            .send()
            .await
            .map_err(op("CreateDomainName"))?;
        Ok(self.name.clone())
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let (aws, now) = (&cx.aws.apigateway, &live.spec);
        let mut patches = Vec::new();
        if self.certificate != now.certificate {
            patches.push(replace("/regionalCertificateArn", self.certificate.known()));
        }
        if self.security_policy != now.security_policy {
            patches.push(replace("/securityPolicy", &self.security_policy));
        }
        if !patches.is_empty() {
            let call = aws.update_domain_name().domain_name(&live.id);
            let send = call.set_patch_operations(Some(patches)).send();
            send.await.map_err(op("UpdateDomainName"))?;
        }
        for (path, stage) in &self.mappings {
            let (api, name) = stage.known().split_once('/').unwrap_or_default();
            match now.mappings.get(path) {
                Some(led) if led == stage => {}
                Some(_) => {
                    let call = aws.update_base_path_mapping().domain_name(&live.id);
                    let call = call.base_path(shown(path)).set_patch_operations(Some(vec![
                        replace("/restapiId", api),
                        replace("/stage", name),
                    ]));
                    call.send().await.map_err(op("UpdateBasePathMapping"))?;
                }
                None => {
                    let call = aws.create_base_path_mapping().domain_name(&live.id);
                    let call = call.base_path(shown(path)).rest_api_id(api).stage(name);
                    call.send().await.map_err(op("CreateBasePathMapping"))?;
                }
            }
        }
        for path in now.mappings.keys().filter(|path| !self.mappings.contains_key(*path)) {
            let call = aws.delete_base_path_mapping().domain_name(&live.id);
            let send = call.base_path(shown(path)).send();
            send.await.map_err(op("DeleteBasePathMapping")).or_gone()?;
        }
        Ok(())
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        add_tags(cx.aws, &path(&live.id), set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        remove_tags(cx.aws, &path(&live.id), unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let send = cx.aws.apigateway.delete_domain_name().domain_name(&live.id).send();
        send.await.map_err(op("DeleteDomainName")).or_gone().map(drop)
    }
}

fn path(name: &str) -> String {
    format!("/domainnames/{name}")
}

/// A base path in calls.
fn shown(path: &str) -> &str {
    if path.is_empty() { ROOT } else { path }
}

/// The stages of a domain name by base path; `None` if the domain name is gone.
async fn mappings_of(aws: &Aws, name: &str) -> Result<Option<BTreeMap<String, Text>>, OpError> {
    let call = aws.apigateway.get_base_path_mappings().domain_name(name).limit(PAGE);
    let all = call.into_paginator().items().send().try_collect().await;
    let all = all.map_err(op("GetBasePathMappings")).or_gone()?;
    let one = |one: BasePathMapping| {
        let path = one.base_path.filter(|path| path != ROOT).unwrap_or_default();
        let stage =
            format!("{}/{}", one.rest_api_id.unwrap_or_default(), one.stage.unwrap_or_default());
        (path, Text::from(stage))
    };
    Ok(all.map(|all| all.into_iter().map(one).collect()))
}

/// Whether a base path leads to an API of this environment. Tags alone, which others may have written,
/// do not make a domain name payctl's.
async fn leads_to_ours(cx: &Survey<'_>, to: &BTreeMap<String, Text>) -> Result<bool, OpError> {
    let apis = our_apis(cx).await?;
    let ours = apis.iter().filter(|(owner, _)| *owner == Owner::Ours);
    let mut ids = ours.filter_map(|(_, api)| api.id.as_deref());
    let leads = |id: &str| to.values().any(|stage| stage.known().split('/').next() == Some(id));
    Ok(ids.any(leads))
}

fn to_live(aws: &Aws, one: AwsDomainName, mappings: BTreeMap<String, Text>) -> Live<DomainName> {
    let phase = match &one.domain_name_status {
        None | Some(DomainNameStatus::Available) => Phase::Ready,
        Some(DomainNameStatus::Failed) => {
            Phase::Failed(one.domain_name_status_message.unwrap_or_else(|| "FAILED".into()))
        }
        Some(status) => Phase::Pending(status.as_str().to_owned()),
    };
    let name = one.domain_name.unwrap_or_default();
    let policy = one.security_policy.map(|policy| policy.as_str().to_owned());
    Live {
        outputs: Outputs::from([
            (Output::Arn, arn(aws, &path(&name))),
            (Output::Name, name.clone()),
            (Output::Url, format!("https://{name}")),
            (Output::Endpoint, one.regional_domain_name.unwrap_or_default()),
            (Output::ZoneId, one.regional_hosted_zone_id.unwrap_or_default()),
        ]),
        spec: DomainName {
            name: name.clone(),
            certificate: one.regional_certificate_arn.unwrap_or_default().into(),
            security_policy: policy.unwrap_or_default(),
            mappings,
        },
        id: name,
        tags: tags(one.tags),
        phase,
    }
}
