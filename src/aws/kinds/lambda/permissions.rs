//! The policy of a function or of an alias: who may call it, all statements as one object.
//!
//! AWS quirks: calls add and remove a statement by its id, but never change one. Statements that
//! are added at the same time may get lost, so payctl adds them one after another. The policy does
//! not have tags: the owner of the function owns it, and it is deleted with the function or alias.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::{join, try_join_all};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::common;
use super::function::Function;
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::address::Address;
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Owner, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Typical};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs, Text};

/// Everybody who may call a function or an alias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Permissions {
    /// The ARN of the function or alias.
    pub function: Text,
    /// The statements by their ids.
    pub callers: BTreeMap<String, Permission>,
}

/// Somebody who may call a function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Permission {
    /// The service (`events.amazonaws.com`) or account.
    pub principal: String,
    /// The allowed action, usually `lambda:InvokeFunction`.
    pub action: String,
    /// The ARN of the calling resource; `*` matches any text.
    pub source: Option<Text>,
    /// The account of that resource, if it must be checked.
    pub source_account: Option<String>,
}

impl Permission {
    /// A service that calls in the name of a resource.
    pub(crate) fn service(principal: &str, source: Text) -> Self {
        let action = "lambda:InvokeFunction".to_owned();
        Self { principal: principal.into(), action, source: Some(source), source_account: None }
    }
}

impl Resource for Permissions {
    const META: Meta = Meta {
        drawn: Drawn::badge("shield", "permission set", &["function"]),
        notes: &[
            "payctl manages the whole policy of a function: it removes statements that others add.",
            "AWS deletes it with its function, but not with the callers.",
            "An alias has a policy of its own: who may call the alias cannot call the function.",
        ],
        immutable: &["function"],
        tagged: false,
        deadline: Duration::from_secs(300),
        told: true,
        gone_at_once: true,
        permits: &[
            Permit::look(&["lambda:ListFunctions"], &["*"]),
            Permit::look(
                &[
                    "lambda:GetFunction",
                    "lambda:GetPolicy",
                    "lambda:ListAliases",
                    "lambda:ListTags",
                ],
                &["lambda:{here}:function:{seen}"],
            ),
            Permit::set(
                &["lambda:AddPermission", "lambda:RemovePermission"],
                &[
                    "lambda:{here}:function:{lambda.function}",
                    "lambda:{here}:function:{lambda.alias}",
                ],
            ),
            Permit::delete(
                &["lambda:RemovePermission"],
                &[
                    "lambda:{here}:function:{lambda.function}",
                    "lambda:{here}:function:{lambda.alias}",
                ],
            ),
        ],
        section: "functions",
        part_of: &["function"],
        asked: &["callers"],
        typical: Typical::seconds(2, 2, 2).calls(1, 4, 1),
        serves: true,
        pricing: Pricing::Free("AWS charges nothing for permissions."),
        ..Meta::new(
            "lambda.permissions",
            "lambda",
            "The policy of a Lambda function: who may call it.",
        )
    };

    fn sample() -> Self {
        let arn = |kind| Text::reference(Address::new(kind, "sample"), Output::Arn);
        let caller =
            |id: &str, service, source| (id.to_owned(), Permission::service(service, arn(source)));
        let callers = [
            caller("events", "events.amazonaws.com", "events.rule"),
            caller("secret", "secretsmanager.amazonaws.com", "secretsmanager.secret"),
            caller("topic", "sns.amazonaws.com", "sns.topic"),
        ];
        Self { function: arn("lambda.function"), callers: callers.into() }
    }

    fn variants() -> Vec<Self> {
        let bucket = Permission {
            source_account: Some("000000000000".into()),
            ..Permission::service("s3.amazonaws.com", "arn:aws:s3:::sample-bucket".into())
        };
        let other = "arn:aws:events:us-east-1:000000000000:rule/other".into();
        let mut callers = Self::sample().callers;
        callers.remove("topic");
        callers.insert("bucket".into(), bucket);
        callers.insert("events".into(), Permission::service("events.amazonaws.com", other));
        vec![Self { callers, ..Self::sample() }]
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let names = common::candidates(cx).await?;
        let found = names.iter().map(|name| async move {
            let aliases = common::own_aliases(cx, name);
            let (function, aliases) = join(common::function_of(cx, name), aliases).await;
            let Some(function) = function? else { return Ok(Vec::new()) };
            let tags = function.tags.unwrap_or_default().into_iter().collect();
            // AWS allows 15 reads of policies per second, so payctl reads only its own.
            let Some((address, owner)) = cx.claim(name, &tags) else { return Ok(Vec::new()) };
            // The survey of functions reports a disputed function.
            let is_of_function = [Self::META.kind, Function::META.kind].contains(&&*address.kind);
            if !is_of_function || matches!(owner, Owner::Disputed(_)) {
                return Ok(Vec::new());
            }
            let mut all = vec![(address.name.clone(), name.clone())];
            if owner == Owner::Ours {
                all.extend(aliases?.iter().filter_map(|alias| {
                    let alias = alias.name()?;
                    let logical = format!("{}-{alias}", address.name);
                    Some((logical, common::qualified(name, Some(alias))))
                }));
            }
            let found = all.into_iter().map(|(logical, name)| {
                let owner = owner.clone();
                async move {
                    let live = find(cx.aws, &name).await?;
                    let address = Address::new(Self::META.kind, logical);
                    Ok(live.map(|live| Found { address, owner, live }))
                }
            });
            Ok(try_join_all(found).await?.into_iter().flatten().collect::<Vec<_>>())
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        find(cx.aws, cx.id()).await
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
        let name = common::qualified_in(self.function.known());
        for (id, permission) in &self.callers {
            permission.add(cx.aws, name, id).await?;
        }
        Ok(name.to_owned())
    }

    /// One statement at a time. Additions come before removals: a policy cannot be empty.
    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let now = &live.spec.callers;
        let differs = |(id, wanted): &(&String, &Permission)| now.get(*id) != Some(*wanted);
        let missing = self.callers.iter().find(|(id, _)| !now.contains_key(*id));
        if let Some((id, permission)) = missing.or_else(|| self.callers.iter().find(differs)) {
            if now.contains_key(id) {
                remove(cx.aws, &live.id, id).await?;
            }
            return permission.add(cx.aws, &live.id, id).await;
        }
        match now.keys().find(|id| !self.callers.contains_key(*id)) {
            Some(id) => remove(cx.aws, &live.id, id).await,
            None => Ok(()),
        }
    }

    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        for id in live.spec.callers.keys() {
            remove(cx.aws, &live.id, id).await?;
        }
        Ok(())
    }
}

impl Permission {
    async fn add(&self, aws: &Aws, name: &str, id: &str) -> Result<(), OpError> {
        let (function, alias) = common::parts(name);
        let call = aws
            .lambda
            .add_permission()
            .function_name(function)
            .set_qualifier(alias.map(str::to_owned))
            .statement_id(id)
            .action(&self.action)
            .principal(&self.principal)
            .set_source_arn(self.source.as_ref().map(|source| source.known().to_owned()))
            .set_source_account(self.source_account.clone());
        call.send().await.map_err(op("AddPermission")).map(drop)
    }

    /// Reads a statement of a policy.
    fn read(statement: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let principal = match &statement["Principal"] {
            Value::Object(who) => who.values().find_map(text),
            who => text(who),
        };
        let condition = |key: &str| {
            let operators = statement["Condition"].as_object().into_iter().flatten();
            let mut found = operators.filter_map(|(_, keys)| keys.as_object()).flatten();
            found
                .find_map(|(name, value)| value.as_str().filter(|_| name.eq_ignore_ascii_case(key)))
        };
        Self {
            principal: principal.unwrap_or_default(),
            action: text(&statement["Action"]).unwrap_or_default(),
            source: condition("aws:SourceArn").map(Text::from),
            source_account: condition("aws:SourceAccount").map(str::to_owned),
        }
    }
}

async fn remove(aws: &Aws, name: &str, id: &str) -> Result<(), OpError> {
    let (function, alias) = common::parts(name);
    let call = aws.lambda.remove_permission().function_name(function).statement_id(id);
    let call = call.set_qualifier(alias.map(str::to_owned));
    call.send().await.map_err(op("RemovePermission")).or_gone().map(drop)
}

async fn find(aws: &Aws, name: &str) -> Result<Option<Live<Permissions>>, OpError> {
    let (function, alias) = common::parts(name);
    let call = aws.lambda.get_policy().function_name(function);
    let send = call.set_qualifier(alias.map(str::to_owned)).send();
    let answer = send.await.map_err(op("GetPolicy")).or_gone()?;
    let Some(policy) = answer.and_then(|answer| answer.policy) else { return Ok(None) };
    let callers = read_policy(&policy)?;
    let function = common::arn_of(aws, name).into();
    Ok((!callers.is_empty()).then(|| Live {
        id: name.to_owned(),
        spec: Permissions { function, callers },
        outputs: Outputs::new(),
        tags: Tags::new(),
        phase: Phase::Ready,
    }))
}

fn read_policy(policy: &str) -> Result<BTreeMap<String, Permission>, OpError> {
    let tree: Value = serde_json::from_str(policy)
        .map_err(|error| OpError::new("GetPolicy", ErrorClass::Bug, "Policy", error.to_string()))?;
    let statements = tree["Statement"].as_array().into_iter().flatten();
    Ok(statements
        .map(|found| {
            (found["Sid"].as_str().unwrap_or_default().to_owned(), Permission::read(found))
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_as_lambda_writes_it() {
        let policy = r#"{"Version":"2012-10-17","Id":"default","Statement":[
            {"Sid":"api","Effect":"Allow","Principal":{"Service":"apigateway.amazonaws.com"},
             "Action":"lambda:InvokeFunction","Resource":"arn:f",
             "Condition":{"ArnLike":{"AWS:SourceArn":"arn:api/*"}}},
            {"Sid":"s3","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},
             "Action":"lambda:InvokeFunction","Resource":"arn:f",
             "Condition":{"StringEquals":{"AWS:SourceAccount":"1"},
                          "ArnLike":{"AWS:SourceArn":"arn:b"}}},
            {"Sid":"other","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::2:root"},
             "Action":"lambda:GetFunction","Resource":"arn:f"}]}"#;
        let callers = read_policy(policy).unwrap();
        let api = Permission::service("apigateway.amazonaws.com", "arn:api/*".into());
        assert_eq!(callers["api"], api);
        assert_eq!(callers["s3"].source_account.as_deref(), Some("1"));
        assert_eq!(callers["other"].principal, "arn:aws:iam::2:root");
        assert_eq!(callers["other"].source, None);
    }
}
