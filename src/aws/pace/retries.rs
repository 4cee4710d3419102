//! What the SDK may send again by itself.

use std::time::SystemTime;

use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority,
};

use crate::aws::error::{is_skewed, is_throttling};

/// Lets the SDK retry only calls that provably had no effect: throttling, and once a signature that
/// this machine's clock made too old or too new, which the SDK corrects from the answer's date.
/// Every other failure goes to the engine, which looks before it acts. The SDK's own rules would
/// send `CreateVpc` again after a lost reply and make two.
#[derive(Debug)]
pub(in crate::aws) struct OnlyThrottling;

impl ClassifyRetry for OnlyThrottling {
    fn classify_retry(&self, cx: &InterceptorContext) -> RetryAction {
        let Some(Err(error)) = cx.output_or_error() else {
            return RetryAction::NoActionIndicated;
        };
        let Some(response) = cx.response().filter(|_| error.is_operation_error()) else {
            return RetryAction::RetryForbidden;
        };
        let is_first = response.extension::<First>().is_some();
        if is_throttling(response) {
            RetryAction::throttling_error()
        } else if is_first && is_skewed(response, SystemTime::now()) {
            RetryAction::transient_error()
        } else {
            RetryAction::RetryForbidden
        }
    }

    fn name(&self) -> &'static str {
        "only what provably did not happen"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

/// Marks the answer to the first attempt of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct First;

/// Whether a request is the first attempt of a call, as the SDK writes it down for AWS.
pub(super) fn is_first(request: &HttpRequest) -> bool {
    let attempt = request.headers().get("amz-sdk-request");
    attempt.is_some_and(|attempt| attempt.contains("attempt=1;"))
}
