//! The log of a web ACL: a separate configuration in AWS, with its own calls.
//!
//! AWS quirks: the name of the destination begins with `aws-waf-logs-`. The ARN of a log group
//! comes without `:*`. A write replaces the whole configuration, including parts that payctl cannot
//! express.

use std::collections::BTreeSet;

use aws_sdk_wafv2::types::{FieldToMatch, LoggingConfiguration, SingleHeader};
use serde::{Deserialize, Serialize};

use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use payctl_engine::model::error::OpError;
use payctl_engine::model::text::Text;

/// The log of requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Logging {
    /// The ARN of the log group or the bucket.
    pub destination: Text,
    /// The headers with redacted values, in lower case.
    pub redacted: BTreeSet<String>,
    /// One that payctl cannot express; only live objects have it.
    pub other: Option<String>,
}

/// Reads the configuration of a web ACL.
pub(super) async fn get(aws: &Aws, acl: &str) -> Result<Option<Logging>, OpError> {
    let send = aws.wafv2.get_logging_configuration().resource_arn(acl).send();
    let found = send.await.map_err(op("GetLoggingConfiguration")).or_gone()?;
    Ok(found.and_then(|found| found.logging_configuration).and_then(from_aws))
}

/// Sets the configuration of a web ACL, or takes it away.
pub(super) async fn put(aws: &Aws, acl: &str, want: Option<&Logging>) -> Result<(), OpError> {
    let Some(want) = want else {
        let send = aws.wafv2.delete_logging_configuration().resource_arn(acl).send();
        return send.await.map_err(op("DeleteLoggingConfiguration")).or_gone().map(drop);
    };
    let call = aws.wafv2.put_logging_configuration().logging_configuration(to_aws(acl, want));
    call.send().await.map_err(op("PutLoggingConfiguration")).map(drop)
}

fn to_aws(acl: &str, want: &Logging) -> LoggingConfiguration {
    let header = |name: &String| {
        let header = SingleHeader::builder().name(name).build().expect("a name was given");
        FieldToMatch::builder().single_header(header).build()
    };
    LoggingConfiguration::builder()
        .resource_arn(acl)
        .log_destination_configs(want.destination.known())
        .set_redacted_fields(Some(want.redacted.iter().map(header).collect()))
        .build()
        .expect("web ACL and destination were given")
}

fn from_aws(found: LoggingConfiguration) -> Option<Logging> {
    let fields = found.redacted_fields.unwrap_or_default();
    let header = |field: &FieldToMatch| Some(field.single_header.as_ref()?.name.to_lowercase());
    let redacted: BTreeSet<String> = fields.iter().filter_map(header).collect();
    let other = if found.logging_filter.is_some() {
        Some("a filter".to_owned())
    } else if redacted.len() < fields.len() {
        Some("other parts of requests are redacted".to_owned())
    } else {
        None
    };
    let destination = found.log_destination_configs.into_iter().next()?;
    Some(Logging { destination: destination.trim_end_matches(":*").into(), redacted, other })
}

#[cfg(test)]
mod tests {
    use aws_sdk_wafv2::types::QueryString;

    use super::*;

    const ACL: &str = "arn:aws:wafv2:us-east-1:1:regional/webacl/a/1";

    fn logging() -> Logging {
        Logging {
            destination: "arn:aws:logs:us-east-1:1:log-group:aws-waf-logs-a".into(),
            redacted: ["authorization", "cookie"].map(str::to_owned).into(),
            other: None,
        }
    }

    #[test]
    fn a_configuration_survives_the_round_trip() {
        assert_eq!(from_aws(to_aws(ACL, &logging())), Some(logging()));
    }

    #[test]
    fn settings_unknown_to_payctl_are_a_difference() {
        let mut found = to_aws(ACL, &logging());
        let query = FieldToMatch::builder().query_string(QueryString::builder().build()).build();
        found.redacted_fields.get_or_insert_default().push(query);
        assert_ne!(from_aws(found), Some(logging()));
    }
}
