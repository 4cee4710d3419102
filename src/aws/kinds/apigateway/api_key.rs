//! API keys. AWS generates the value; payctl never reads it.
//!
//! AWS quirks: names are not unique, and creation does not take a token.

use aws_sdk_apigateway::types;
use serde::{Deserialize, Serialize};

use super::common::{PAGE, add_tags, arn, incomplete, named, remove_tags, replace, tags};
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Found, Live, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Traffic, Typical};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs};

/// An API key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiKey {
    /// The name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// Whether calls with it are allowed.
    pub enabled: bool,
}

impl Resource for ApiKey {
    const META: Meta = Meta {
        drawn: Drawn::badge("key", "API key", &[]),
        notes: &[
            "AWS generates the value, and payctl never shows it: GetApiKey with includeValue \
             returns it.",
        ],
        replace: Replace::CreateFirst,
        can_duplicate: true,
        data: Some("the value of the key"),
        gone_at_once: true,
        permits: &[
            Permit::look(&["apigateway:GET"], &["apigateway:{region}::/apikeys"]),
            Permit::watch(&["apigateway:GET"], &["apigateway:{region}::/apikeys/*"]),
            Permit::create(&["apigateway:POST"], &["apigateway:{region}::/apikeys"]),
            Permit::change(&["apigateway:PATCH"], &["apigateway:{region}::/apikeys/*"]),
            Permit::set(&["apigateway:PUT"], &["apigateway:{region}::/tags/*"]),
            Permit::change(&["apigateway:DELETE"], &["apigateway:{region}::/tags/*"]),
            Permit::delete(&["apigateway:DELETE"], &["apigateway:{region}::/apikeys/*"]),
        ],
        names: Some(named("api-key")),
        section: "apis",
        predicted: &[(Output::Name, "{name}")],
        asked: &["enabled"],
        typical: Typical::seconds(2, 2, 2),
        serves: true,
        felt: &[("enabled", Traffic::Outage)],
        pricing: Pricing::Free("AWS charges nothing for keys."),
        types: &["apigateway:apikeys"],
        ..Meta::new("apigateway.api_key", "apigateway", "A key for calls of REST APIs.")
    };

    fn sample() -> Self {
        Self { name: "sample-key".into(), description: "A partner".into(), enabled: true }
    }

    fn variants() -> Vec<Self> {
        vec![
            Self { name: "sample-key-2".into(), enabled: false, ..Self::sample() },
            Self { description: "Another partner".into(), ..Self::sample() },
        ]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let call = cx.aws.apigateway.get_api_keys().include_values(false).limit(PAGE);
        let keys = call.into_paginator().items().send().try_collect().await;
        let lives = keys.map_err(op("GetApiKeys"))?.into_iter().map(|key| to_live(cx.aws, key));
        Ok(lives.filter_map(|live| cx.found(live, |spec| &spec.name)).collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let call = cx.aws.apigateway.get_api_key().api_key(cx.id()).include_value(false);
        let Some(found) = call.send().await.map_err(op("GetApiKey")).or_gone()? else {
            return Ok(None);
        };
        let key = types::ApiKey::builder()
            .set_id(found.id)
            .set_name(found.name)
            .set_description(found.description)
            .enabled(found.enabled)
            .set_tags(found.tags);
        Ok(Some(to_live(cx.aws, key.build())))
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let made = cx
            .aws
            .apigateway
            .create_api_key()
            .name(&self.name)
            .enabled(self.enabled)
            .description(&self.description)
            .set_tags(Some(cx.tags.clone().into_iter().collect()))
            .send()
            .await
            .map_err(op("CreateApiKey"))?;
        made.id.ok_or_else(|| incomplete("CreateApiKey"))
    }

    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        cx.aws
            .apigateway
            .update_api_key()
            .api_key(&live.id)
            .patch_operations(replace("/name", &self.name))
            .patch_operations(replace("/description", &self.description))
            .patch_operations(replace("/enabled", self.enabled.to_string()))
            .send()
            .await
            .map_err(op("UpdateApiKey"))
            .map(drop)
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        add_tags(cx.aws, &format!("/apikeys/{}", live.id), set).await
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        remove_tags(cx.aws, &format!("/apikeys/{}", live.id), unset).await
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let send = cx.aws.apigateway.delete_api_key().api_key(&live.id).send();
        send.await.map_err(op("DeleteApiKey")).or_gone().map(drop)
    }
}

fn to_live(aws: &Aws, key: types::ApiKey) -> Live<ApiKey> {
    let id = key.id.unwrap_or_default();
    let name = key.name.unwrap_or_default();
    Live {
        outputs: Outputs::from([
            (Output::Id, id.clone()),
            (Output::Name, name.clone()),
            (Output::Arn, arn(aws, &format!("/apikeys/{id}"))),
        ]),
        spec: ApiKey {
            name,
            description: key.description.unwrap_or_default(),
            enabled: key.enabled,
        },
        id,
        tags: tags(key.tags),
        phase: Phase::Ready,
    }
}
