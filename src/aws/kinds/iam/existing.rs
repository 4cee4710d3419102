//! Roles that payctl did not create, by name or ARN.

use serde_json::Value;

use super::role::Role;
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::lent::{By, Usable};
use crate::aws::resource::Resource as _;
use futures::future::try_join_all;
use payctl_engine::model::error::OpError;
use payctl_engine::model::live::{Live, Phase, Tags};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs};

/// The ARNs of a role: a config that names it does not tell its path.
const ON: &[&str] = &["iam::{account}:role/{name}", "iam::{account}:role/*/{name}"];

/// See the module.
pub(in crate::aws::kinds) const ROLE: Usable = Usable {
    kind: Role::META.kind,
    find: Some(|aws, by| Box::pin(find(aws, by))),
    looks: &[Permit::look(&["iam:GetRole"], ON)],
    uses: &[],
    also: &[("iam:PassRole", ON)],
};

async fn find(aws: &Aws, by: &By) -> Result<Vec<Live>, OpError> {
    // The index of tags does not know roles.
    let asked = by.texts().unwrap_or_default().into_iter();
    let found = try_join_all(asked.map(|role| describe(aws, role))).await?;
    Ok(found.into_iter().flatten().collect())
}

async fn describe(aws: &Aws, asked: &str) -> Result<Option<Live>, OpError> {
    let name = asked.rsplit('/').next().unwrap_or(asked);
    let answer = aws.iam.get_role().role_name(name).send().await;
    let answer = answer.map_err(op("GetRole")).or_gone()?;
    let role = answer.and_then(|answer| answer.role);
    // A role with this name may be under another path, or in another account.
    let is_it = |arn: &str| !asked.starts_with("arn:") || arn == asked;
    Ok(role.filter(|role| is_it(&role.arn)).map(|role| Live {
        id: role.role_name.clone(),
        spec: Value::Null,
        outputs: Outputs::from([
            (Output::Arn, role.arn),
            (Output::Id, role.role_id),
            (Output::Name, role.role_name),
        ]),
        tags: Tags::new(),
        phase: Phase::Ready,
    }))
}
