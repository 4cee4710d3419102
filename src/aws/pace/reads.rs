//! Reads, which may be sent again whatever became of them.

use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;

/// How often a read is sent before its failure counts.
pub(super) const READS: u32 = 4;
/// How long to wait before a read is sent again.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Whether an operation only reads.
pub(in crate::aws) fn is_read(operation: &str) -> bool {
    ["Describe", "Get", "Head", "List"].iter().any(|verb| operation.starts_with(verb))
}

/// Whether the result of a request is unknown.
pub(super) fn is_lost(reply: &Result<HttpResponse, ConnectorError>) -> bool {
    match reply {
        Ok(answer) => matches!(answer.status().as_u16(), 500 | 502 | 504),
        Err(error) => !error.is_user(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reads_are_sent_again() {
        for operation in ["DescribeAlarms", "GetFunction", "HeadBucket", "ListKeys"] {
            assert!(is_read(operation), "{operation}");
        }
        for operation in ["CreateVpc", "PutMetricAlarm", "TagResource", ""] {
            assert!(!is_read(operation), "{operation}");
        }
    }
}
