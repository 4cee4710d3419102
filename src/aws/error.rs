//! The only reader of AWS error codes.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;

use crate::model::error::{ErrorClass, OpError};

/// Turns an SDK error into ours: `.send().await.map_err(op("CreateVpc"))`.
pub(crate) fn op<E>(name: &'static str) -> impl FnOnce(SdkError<E, HttpResponse>) -> OpError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    move |error| {
        let request_id = error.request_id().map(str::to_owned);
        let chain = chain(&error);
        match &error {
            SdkError::ServiceError(service) => {
                let status = service.raw().status().as_u16();
                let code = service.err().code().unwrap_or(match status {
                    404 => "NotFound",
                    403 => "AccessDenied",
                    301 => "PermanentRedirect",
                    200..=299 => "UnreadableAnswer",
                    _ => "Unknown",
                });
                let message = service.err().message().unwrap_or(match status {
                    200..=299 => &chain,
                    _ => "AWS gave no message",
                });
                let class = classify(code, message, status);
                let mut ours = OpError::new(name, class, code, message);
                ours.request_id = request_id;
                ours
            }
            SdkError::ConstructionFailure(_) => {
                OpError::new(name, ErrorClass::Bug, "InvalidRequest", chain)
            }
            SdkError::DispatchFailure(_) if is_about_credentials(&chain) => {
                OpError::new(name, ErrorClass::Credentials, "NoCredentials", chain)
            }
            SdkError::TimeoutError(_) => OpError::new(name, ErrorClass::Service, "Timeout", chain),
            _ => OpError::new(name, ErrorClass::Service, "ConnectionLost", chain),
        }
    }
}

/// Turns a failure that AWS lists inside a successful answer into ours.
pub(crate) fn listed(name: &'static str, code: &str, message: impl Into<String>) -> OpError {
    let message = message.into();
    let status = match code {
        "InternalError" | "ServiceUnavailable" => 500,
        _ => 400,
    };
    OpError::new(name, classify(code, &message, status), code, message)
}

/// Whether there is no such bucket, as opposed to one without what was asked for.
pub(crate) fn is_no_bucket(error: &OpError) -> bool {
    error.code == "NoSuchBucket"
}

/// Whether a value cannot be read because its key is disabled, waits for its deletion, or may not be
/// used.
pub(crate) fn is_undecryptable(error: &OpError) -> bool {
    error.code == "DecryptionFailure"
        || error.code.starts_with("KMS")
        || error.message.contains("KMS")
}

/// Whether a bucket is in another region: S3 redirects, or refuses the signature's region.
pub(crate) fn is_elsewhere(error: &OpError) -> bool {
    let redirects = ["PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed"];
    redirects.contains(&error.code.as_str())
}

/// What a successful answer holds that the SDK could not read. Some endpoints spell an answer
/// otherwise than AWS.
pub(crate) fn unread<E>(error: &SdkError<E, HttpResponse>) -> Option<String> {
    let SdkError::ServiceError(service) = error else { return None };
    let raw = service.raw();
    let body = raw.body().bytes().filter(|_| raw.status().is_success())?;
    Some(String::from_utf8_lossy(body).into_owned())
}

/// Reads of what may not exist.
pub(crate) trait Gone<T> {
    /// Not found is `None`.
    fn or_gone(self) -> Result<Option<T>, OpError>;
}

impl<T> Gone<T> for Result<T, OpError> {
    fn or_gone(self) -> Result<Option<T>, OpError> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.class == ErrorClass::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let more = source.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = source.source();
    }
    text
}

fn is_about_credentials(chain: &str) -> bool {
    let chain = chain.to_lowercase();
    chain.contains("credential") || chain.contains("sso token") || chain.contains("identity")
}

const THROTTLED: &[&str] = &[
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "Throttled",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "SlowDown",
    "BandwidthLimitExceeded",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "EC2ThrottledException",
];

/// Codes that mean "exists already" and do not say so by their ending.
const EXISTS: &[&str] = &[
    "EntityAlreadyExists",
    "ResourceExistsException",
    "ParameterAlreadyExists",
    "ResourceAlreadyExistsException",
    "AlreadyExistsException",
    "BucketAlreadyExists",
    "BucketAlreadyOwnedByYou",
    "QueueAlreadyExists",
    "QueueNameExists",
    "InvalidGroup.Duplicate",
    "InvalidPermission.Duplicate",
    "RouteAlreadyExists",
    "Resource.AlreadyAssociated",
    // Auto Scaling's word; load balancing has one for each kind.
    "AlreadyExists",
    "DuplicateListener",
    "DuplicateLoadBalancerName",
    "DuplicateTargetGroupName",
    "InvalidLaunchTemplateName.AlreadyExistsException",
    "InvalidSubnet.Conflict",
    "WAFDuplicateItemException",
    "DBClusterAlreadyExistsFault",
    "DBInstanceAlreadyExists",
    "DBParameterGroupAlreadyExists",
    "DBSubnetGroupAlreadyExists",
    // An earlier call with this client token made it, with other tags.
    "IdempotentParameterMismatch",
];

/// In use or being changed: passes when the other change is done.
const BUSY: &[&str] = &[
    "DependencyViolation",
    "DeleteConflict",
    "ConcurrentModification",
    "ConcurrentModificationException",
    "ResourceInUseException",
    "ResourceInUse",
    "InvalidGroup.InUse",
    "InvalidIPAddress.InUse",
    "OperationAborted",
    "OperationAbortedException",
    "ResourceConflictException",
    "ConflictException",
    "IncorrectState",
    "IncorrectInstanceState",
    "TooManyUpdates",
    "EntityTemporarilyUnmodifiable",
    "BucketNotEmpty",
    "QueueDeletedRecently",
    "AWS.SimpleQueueService.QueueDeletedRecently",
    "ContinuousBackupsUnavailableException",
    "WAFAssociatedItemException",
    "WAFOptimisticLockException",
    "InstanceRefreshInProgress",
    "ResourceContention",
    "ScalingActivityInProgress",
    "InvalidDBClusterStateFault",
    "InvalidDBInstanceState",
    "InvalidDBParameterGroupState",
    "InvalidDBSubnetGroupStateFault",
];

/// Not seen yet by a service that has to see it: passes when it is.
const NOT_YET: &[&str] = &["WAFUnavailableEntityException"];

/// Codes that mean "not found" and do not say so by their form.
const ABSENT: &[&str] = &[
    "queuedoesnotexist",
    // SSM's word for a parameter that is not there.
    "invalidresourceid",
    "gateway.notattached",
    "natgatewaynotfound",
    "unknownmonitorexception",
    "unknownsubscriptionexception",
    "wafnonexistentitemexception",
];

/// Codes that leave open what happened although their status says that it did not.
const OPEN: &[&str] = &["WAFTagOperationException"];

const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "AuthorizationError",
    "AuthorizationErrorException",
    "NotAuthorized",
    "Forbidden",
    "AllAccessDisabled",
    // The account is new and not checked yet, closed, or not signed up for the service or region.
    "PendingVerification",
    "Blocked",
    "OptInRequired",
    "NotSignedUp",
    "SubscriptionRequiredException",
];

const CREDENTIALS: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "RequestTimeTooSkewed",
    "InvalidAccessKeyId",
    "InvalidToken",
    "TokenRefreshRequired",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
];

fn classify(code: &str, message: &str, status: u16) -> ErrorClass {
    let is = |list: &[&str]| list.iter().any(|known| known.eq_ignore_ascii_case(code));
    let lower = code.to_lowercase();
    if is(THROTTLED) || status == 429 {
        ErrorClass::Throttled
    } else if is(EXISTS) {
        ErrorClass::Exists
    } else if is(BUSY) {
        // A table, a function, a statement or a stack of that name exists already: the same code as
        // "in use".
        let both = ["ConflictException", "ResourceConflictException", "ResourceInUseException"];
        match both.contains(&code) && message.contains("already exist") {
            true => ErrorClass::Exists,
            false => ErrorClass::Busy,
        }
    } else if lower.starts_with("invalidparameter") && message.contains("already exists with") {
        // A topic or a subscription of that name exists with other tags or attributes.
        ErrorClass::Exists
    } else if lower == "invalidparameterexception" && message.contains("was not idempotent") {
        // ECS has a service of that name, with other settings.
        ErrorClass::Exists
    } else if lower == "invalidparameterexception" && message.contains("still Draining") {
        // ECS is about to delete the service of that name.
        ErrorClass::Busy
    } else if lower == "badrequestexception" && message.contains("already exists") {
        // A detector, of which an account has one.
        ErrorClass::Exists
    } else if is(NOT_YET) {
        ErrorClass::NotYet
    } else if is(DENIED) {
        ErrorClass::Denied
    } else if is(CREDENTIALS) {
        ErrorClass::Credentials
    } else if lower == "authfailure" {
        // EC2's word for keys that it does not know, and for what belongs to somebody else.
        match message.contains("credentials") {
            true => ErrorClass::Credentials,
            false => ErrorClass::Denied,
        }
    } else if lower == "limitexceededexception"
        && (message.contains("simultaneously") || message.to_lowercase().contains("rate"))
    {
        ErrorClass::Busy
    } else if lower.contains("limitexceeded")
        || lower.contains("limitsexceeded")
        || lower.starts_with("toomany")
        || lower.contains("quotaexceeded")
        // AWS itself has none left: of instances, hosts, or addresses in a subnet.
        || lower.starts_with("insufficient") && (lower.contains("capacity") || lower.contains("addresses"))
    {
        ErrorClass::Quota
    } else if lower.ends_with("notfound")
        || lower.ends_with("notfoundexception")
        || lower.ends_with(".nonexistentqueue")
        || lower.ends_with("notfoundfault")
        || lower.starts_with("nosuch")
        // ECS's word for a family without active revisions, or a revision that is not there.
        || lower == "clientexception" && message.contains("describe task definition")
        || is(ABSENT)
        // GuardDuty's words for a detector that is not there.
        || lower == "badrequestexception" && message.contains("not owned by the current account")
        || lower == "queuedoesnotexist"
        // SSM's word for a parameter that is not there.
        || lower == "invalidresourceid"
        || lower == "gateway.notattached"
        || lower == "natgatewaynotfound"
        // Auto Scaling has no code of its own for it.
        || lower == "validationerror" && message.contains("name not found")
        || status == 404
    {
        ErrorClass::NotFound
    } else if status >= 500 || is(OPEN) {
        ErrorClass::Service
    } else {
        ErrorClass::Invalid
    }
}

/// Whether an answer says that nothing happened because of too many calls.
pub(super) fn is_throttling(response: &HttpResponse) -> bool {
    if response.status().as_u16() == 429 {
        return true;
    }
    let headers = response.headers();
    let header = headers.get("x-amzn-errortype").unwrap_or_default();
    // What spoke the query protocol before tells its codes there, as `CODE;Sender`.
    let query = headers.get("x-amzn-query-error").unwrap_or_default();
    let query = query.split(';').next().unwrap_or_default();
    let body = response.body().bytes().unwrap_or_default();
    let body = &body[..body.len().min(4096)];
    let text = String::from_utf8_lossy(body);
    let named = |code: &&str| {
        header.split([':', '#']).any(|part| part == *code)
            || query == *code
            || text.contains(&format!("<Code>{code}</Code>"))
            || text.contains(&format!("#{code}\""))
            || text.contains(&format!("\"{code}\""))
    };
    response.status().as_u16() >= 400 && THROTTLED.iter().any(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_without_its_key_is_told_from_other_refusals() {
        let error =
            |code, message| OpError::new("GetSecretValue", ErrorClass::Invalid, code, message);
        assert!(is_undecryptable(&error("DecryptionFailure", "")));
        assert!(is_undecryptable(&error("KMSInvalidStateException", "is disabled")));
        assert!(is_undecryptable(&error("AccessDeniedException", "Access to KMS is not allowed")));
        let other = "not authorized to perform: secretsmanager:GetSecretValue";
        assert!(!is_undecryptable(&error("AccessDeniedException", other)));
    }

    #[test]
    fn codes_mean_what_aws_documents() {
        let check = |code, message, status, class| {
            assert_eq!(classify(code, message, status), class, "{code}");
        };
        check("InvalidVpcID.NotFound", "", 400, ErrorClass::NotFound);
        check("NoSuchEntity", "", 404, ErrorClass::NotFound);
        check("AWS.SimpleQueueService.NonExistentQueue", "", 400, ErrorClass::NotFound);
        check("ResourceInUseException", "Table already exists: t", 400, ErrorClass::Exists);
        check("ResourceInUseException", "Table is being updated", 400, ErrorClass::Busy);
        let service = "Creation of service was not idempotent.";
        check("InvalidParameterException", service, 400, ErrorClass::Exists);
        let service = "Unable to Start a service that is still Draining.";
        check("InvalidParameterException", service, 400, ErrorClass::Busy);
        let family = "Unable to describe task definition.";
        check("ClientException", family, 400, ErrorClass::NotFound);
        check("ClientException", "Container.image should not be null", 400, ErrorClass::Invalid);
        let function = "Function already exist: dev-payment-lambda-validation";
        check("ResourceConflictException", function, 409, ErrorClass::Exists);
        let update = "The operation cannot be performed at this time. An update is in progress";
        check("ResourceConflictException", update, 409, ErrorClass::Busy);
        let topic = "Invalid parameter: Tags Reason: Topic already exists with different tags";
        check("InvalidParameter", topic, 400, ErrorClass::Exists);
        check("AddressLimitExceeded", "", 400, ErrorClass::Quota);
        check("LimitExceeded", "Cannot exceed quota", 409, ErrorClass::Quota);
        check("RequestLimitExceeded", "", 503, ErrorClass::Throttled);
        check("DependencyViolation", "", 400, ErrorClass::Busy);
        check("InternalError", "", 500, ErrorClass::Service);
        check("ValidationException", "", 400, ErrorClass::Invalid);
        check("UnauthorizedOperation", "", 403, ErrorClass::Denied);
        check("ExpiredToken", "", 400, ErrorClass::Credentials);
        check("Throttled", "Rate exceeded", 429, ErrorClass::Throttled);
        check("SomethingNew", "Rate exceeded", 429, ErrorClass::Throttled);
        check("IdempotentParameterMismatch", "", 400, ErrorClass::Exists);
        check("DBClusterNotFoundFault", "", 404, ErrorClass::NotFound);
        check("DBClusterAlreadyExistsFault", "", 400, ErrorClass::Exists);
        check("InvalidDBClusterStateFault", "", 400, ErrorClass::Busy);
    }

    #[test]
    fn firewalls_detectors_and_monitors_have_words_of_their_own() {
        let check = |code, message, class| {
            assert_eq!(classify(code, message, 400), class, "{code}");
        };
        check("WAFUnavailableEntityException", "", ErrorClass::NotYet);
        check("WAFAssociatedItemException", "", ErrorClass::Busy);
        check("WAFOptimisticLockException", "", ErrorClass::Busy);
        check("WAFDuplicateItemException", "", ErrorClass::Exists);
        check("WAFNonexistentItemException", "", ErrorClass::NotFound);
        check("WAFTagOperationException", "", ErrorClass::Service);
        check("WAFLimitsExceededException", "", ErrorClass::Quota);
        check("WAFInvalidParameterException", "", ErrorClass::Invalid);
        let one =
            "The request is rejected because a detector already exists for the current account.";
        check("BadRequestException", one, ErrorClass::Exists);
        let none = "The request is rejected because the input detectorId is not owned by the \
                    current account.";
        check("BadRequestException", none, ErrorClass::NotFound);
        check("BadRequestException", "The value is not valid.", ErrorClass::Invalid);
        check("UnknownMonitorException", "", ErrorClass::NotFound);
        check("UnknownSubscriptionException", "", ErrorClass::NotFound);
    }

    #[test]
    fn what_no_waiting_cures_is_refused_at_once() {
        let check = |code, message, status, class| {
            let error = OpError::new("op", classify(code, message, status), code, message);
            assert_eq!(error.class, class, "{code}");
            assert!(!error.passes(), "{code}");
        };
        // A server error by its status: the SDK's own rules would try it again.
        check("InsufficientInstanceCapacity", "", 500, ErrorClass::Quota);
        check("InsufficientFreeAddressesInSubnet", "", 400, ErrorClass::Quota);
        check("VcpuLimitExceeded", "", 400, ErrorClass::Quota);
        check("VpcLimitExceeded", "", 400, ErrorClass::Quota);
        check("Unsupported", "not supported in your Availability Zone", 400, ErrorClass::Invalid);
        check("PendingVerification", "", 400, ErrorClass::Denied);
        check("Blocked", "", 400, ErrorClass::Denied);
        check("OptInRequired", "", 403, ErrorClass::Denied);
        check("OperationNotPermitted", "", 400, ErrorClass::Invalid);
        let keys = "AWS was not able to validate the provided access credentials";
        check("AuthFailure", keys, 401, ErrorClass::Credentials);
        let held = "You do not have permission to access the specified resource.";
        check("AuthFailure", held, 400, ErrorClass::Denied);
    }

    #[test]
    fn an_error_inside_a_success_is_classified_like_any_other() {
        let error = listed("DeleteVpcEndpoints", "InvalidVpcEndpoint.NotFound", "");
        assert_eq!(error.class, ErrorClass::NotFound);
    }
}
