//! The log groups of a stage's executions: one of the stage, and one of its canary.

use aws_sdk_cloudwatchlogs::types::LogGroup;
use serde::{Deserialize, Serialize};

use crate::aws::error::op;
use crate::aws::resource::Cx;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::text::Text;

/// The log group of executions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExecutionLog {
    /// The retention in days; without one, events never expire.
    pub retention_days: Option<u32>,
    /// The ARN of the key that encrypts it.
    pub key: Option<Text>,
}

/// The name of the log group of the canary, from that of its stage.
pub(super) fn of_canary(name: &str) -> String {
    format!("{name}/Canary")
}

impl ExecutionLog {
    /// A group as it is.
    pub(super) fn of(group: &LogGroup) -> Self {
        Self {
            retention_days: group.retention_in_days.and_then(|days| days.try_into().ok()),
            key: group.kms_key_id.clone().filter(|key| !key.is_empty()).map(Text::from),
        }
    }

    /// Creates the group, or changes what differs.
    pub(super) async fn put(
        &self,
        cx: &Cx<'_>,
        name: &str,
        live: Option<&Self>,
    ) -> Result<(), OpError> {
        let logs = &cx.aws.cloudwatchlogs;
        if live.is_none() {
            // It belongs to the stage: with ownership tags payctl would take it for a log group of
            // its own.
            let tags = cx.tags.clone().into_iter();
            let tags = tags.filter(|(key, _)| !key.starts_with("payctl:"));
            let made = logs
                .create_log_group()
                .log_group_name(name)
                .set_kms_key_id(self.key.as_ref().map(|key| key.known().to_owned()))
                .set_tags(Some(tags.collect()))
                .send()
                .await;
            // API Gateway may have been faster.
            if let Err(error) = made.map_err(op("CreateLogGroup"))
                && error.class != ErrorClass::Exists
            {
                return Err(error);
            }
        }
        let before = live.and_then(|live| live.retention_days);
        match self.retention_days.and_then(|days| i32::try_from(days).ok()) {
            Some(days) if before != self.retention_days => {
                let call = logs.put_retention_policy().log_group_name(name);
                let send = call.retention_in_days(days).send();
                send.await.map_err(op("PutRetentionPolicy"))?;
            }
            None if before.is_some() => {
                let send = logs.delete_retention_policy().log_group_name(name).send();
                send.await.map_err(op("DeleteRetentionPolicy"))?;
            }
            Some(_) | None => {}
        }
        match (&self.key, live.and_then(|live| live.key.as_ref())) {
            (Some(key), before) if live.is_some() && before != Some(key) => {
                let call = logs.associate_kms_key().log_group_name(name).kms_key_id(key.known());
                call.send().await.map_err(op("AssociateKmsKey")).map(drop)
            }
            (None, Some(_)) => {
                let send = logs.disassociate_kms_key().log_group_name(name).send();
                send.await.map_err(op("DisassociateKmsKey")).map(drop)
            }
            (Some(_) | None, _) => Ok(()),
        }
    }
}
