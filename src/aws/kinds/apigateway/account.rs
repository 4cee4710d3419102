//! The role that API Gateway uses to write logs: one per account and region, for all APIs.
//!
//! AWS quirks: this is only a setting, which is never created or deleted. Other APIs may need an
//! existing one, so payctl keeps it as it is, and the setting and its role outlive every
//! environment. The role is outside the path of environments.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_sdk_apigateway::config::Builder;
use aws_sdk_apigateway::operation::get_account::GetAccountOutput;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::common::replace;
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::document::Document;
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Owner, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Typical};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};

/// The setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Account {
    /// The name of the role that payctl creates if the account does not have one.
    pub role: String,
    /// The ARN of the permissions boundary that the role is made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<Text>,
}

/// The path of roles that do not belong to an environment.
const PATH: &str = "/payctl/shared/";

impl Resource for Account {
    const META: Meta = Meta {
        drawn: Drawn::badge("role", "account setting", &[]),
        notes: &[
            "payctl keeps a role that the account already has, if the role still exists: AWS \
             keeps the setting even after the role is deleted.",
            "It serves every API of the region, so a destroy does not remove it.",
        ],
        create_only: &["boundary", "role"],
        tagged: false,
        deadline: Duration::from_secs(300),
        transient: &[
            ("BadRequestException", "role ARN does not have required permissions"),
            ("BadRequestException", "could not successfully write to CloudWatch Logs"),
        ],
        permits: &[
            Permit::look(&["apigateway:GET"], &["apigateway:{region}::/account"]),
            // The role may have any name.
            Permit::look(&["iam:GetRole"], &["iam::{account}:role/*"]),
            Permit::create(&["apigateway:PATCH"], &["apigateway:{region}::/account"]),
            Permit::create(
                &["iam:AttachRolePolicy", "iam:CreateRole"],
                &["iam::{account}:role/payctl/shared/payctl-apigateway-logs-{region}"],
            ),
            Permit::create(
                &["iam:PassRole"],
                &["iam::{account}:role/payctl/shared/payctl-apigateway-logs-{region}"],
            )
            .where_equal("iam:PassedToService", "apigateway.amazonaws.com"),
        ],
        section: "apis",
        asked: &["role"],
        typical: Typical::seconds(15, 15, 1).calls(4, 1, 1),
        pricing: Pricing::Free("AWS charges nothing for the setting."),
        ..Meta::new(
            "apigateway.account",
            "apigateway",
            "The account's role that API Gateway uses to write logs.",
        )
    };

    fn sample() -> Self {
        Self {
            role: "payctl-apigateway-logs-us-east-1".into(),
            boundary: Some("arn:aws:iam::aws:policy/PowerUserAccess".into()),
        }
    }

    fn variants() -> Vec<Self> {
        Vec::new()
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let Some(address) = cx.wanted.values().next() else { return Ok(Vec::new()) };
        let live = get(cx.aws).await?;
        let found = |live| Found { address: address.clone(), owner: Owner::Shared, live };
        Ok(live.map(found).into_iter().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        get(cx.aws).await
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        // Another environment may have set it since the plan, or since the last attempt.
        if let Some(live) = get(cx.aws).await? {
            return Ok(live.id);
        }
        let role = self.role(cx.aws).await?;
        cx.aws
            .apigateway
            .update_account()
            .patch_operations(replace("/cloudwatchRoleArn", &role))
            .customize()
            // AWS takes one in 20 seconds: the engine repeats it, and each attempt looks first.
            .config_override(Builder::new().retry_config(RetryConfig::disabled()))
            .send()
            .await
            .map_err(op("UpdateAccount"))?;
        Ok(role)
    }

    async fn update(&self, _: &Cx<'_>, _: &Live<Self>) -> Result<(), OpError> {
        Ok(())
    }

    async fn delete(_: &Cx<'_>, _: &Live<Self>) -> Result<(), OpError> {
        Ok(())
    }
}

impl Account {
    /// The ARN of the role. Another environment, or an earlier attempt, may have made the role or a
    /// part of it. So each part is made by itself.
    async fn role(&self, aws: &Aws) -> Result<String, OpError> {
        let trust = Document::of([json!({
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": { "Service": "apigateway.amazonaws.com" },
        })]);
        let boundary = self.boundary.as_ref().map(|arn| arn.known().to_owned());
        let made = aws
            .iam
            .create_role()
            .role_name(&self.role)
            .path(PATH)
            .description("API Gateway writes the logs of all its APIs by this role.")
            .assume_role_policy_document(trust.to_json())
            .set_permissions_boundary(boundary)
            .send()
            .await;
        match made.map_err(op("CreateRole")) {
            Ok(_) => {}
            Err(error) if error.class == ErrorClass::Exists => {}
            Err(error) => return Err(error),
        }
        let policy = format!(
            "arn:{}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs",
            aws.scope.partition
        );
        let call = aws.iam.attach_role_policy().role_name(&self.role).policy_arn(policy);
        call.send().await.map_err(op("AttachRolePolicy"))?;
        let send = aws.iam.get_role().role_name(&self.role).send();
        let role = send.await.map_err(op("GetRole"))?.role;
        role.map(|role| role.arn).ok_or_else(|| super::common::incomplete("GetRole"))
    }
}

/// The setting, unless its role is gone: then API Gateway writes nothing.
async fn get(aws: &Aws) -> Result<Option<Live<Account>>, OpError> {
    let answer = aws.apigateway.get_account().send().await.map_err(op("GetAccount")).or_gone()?;
    let Some(live) = answer.and_then(to_live) else { return Ok(None) };
    let role = aws.iam.get_role().role_name(&live.spec.role).send().await.map_err(op("GetRole"));
    match role.or_gone() {
        Ok(None) => Ok(None),
        // Without the permission to read the role, payctl trusts the setting.
        Err(error) if error.class == ErrorClass::Denied => Ok(Some(live)),
        role => role.map(|_| Some(live)),
    }
}

fn to_live(account: GetAccountOutput) -> Option<Live<Account>> {
    let role = account.cloudwatch_role_arn.filter(|arn| !arn.is_empty())?;
    Some(Live {
        id: role.clone(),
        spec: Account { role: role.rsplit('/').next().unwrap_or(&role).to_owned(), boundary: None },
        outputs: Outputs::from([(Output::Arn, role)]),
        tags: Tags::new(),
        phase: Phase::Ready,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_without_a_role_has_no_setting() {
        assert_eq!(to_live(GetAccountOutput::builder().build()), None);
        let unset = GetAccountOutput::builder().cloudwatch_role_arn("").build();
        assert_eq!(to_live(unset), None);
        let arn = "arn:aws:iam::1:role/payctl/shared/logs";
        let live = to_live(GetAccountOutput::builder().cloudwatch_role_arn(arn).build());
        assert_eq!(live.map(|live| live.spec.role), Some("logs".into()));
    }
}
