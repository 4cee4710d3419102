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
            SdkError::DispatchFailure(failure) if failure.is_timeout() => {
                OpError::new(name, ErrorClass::Service, "Timeout", chain)
            }
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
    "FlowLogAlreadyExists",
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
    "InvalidResourceStateFault",
];

/// Not seen yet by a service that has to see it: passes when it is.
const NOT_YET: &[&str] = &["WAFUnavailableEntityException"];

/// Codes that mean "not found" and do not say so by their form.
const ABSENT: &[&str] = &[
    "QueueDoesNotExist",
    // SSM's word for a parameter that is not there.
    "InvalidResourceId",
    "Gateway.NotAttached",
    "UnknownMonitorException",
    "UnknownSubscriptionException",
    "WAFNonexistentItemException",
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
    "AuthFailure",
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

/// Codes that mean something else with certain words in the message: the code, the words in lower
/// case, and what both mean together. The first row that fits wins, before everything else.
const BY_MESSAGE: &[(&str, &str, ErrorClass)] = &[
    // API Gateway tells of full quotas with the status, and its second version with the code, of
    // throttling.
    ("LimitExceededException", "maximum number", ErrorClass::Quota),
    ("TooManyRequestsException", "maximum number", ErrorClass::Quota),
    // A rate is a limit as well, as in Cost Explorer; DynamoDB has one of changes under way.
    ("LimitExceededException", "rate", ErrorClass::Throttled),
    ("LimitExceededException", "too many calls", ErrorClass::Throttled),
    ("LimitExceededException", "too many requests", ErrorClass::Throttled),
    ("LimitExceededException", "simultaneously", ErrorClass::Busy),
    // A table, a function, a statement or a stack of that name: the same code as "in use".
    ("ConflictException", "already exist", ErrorClass::Exists),
    ("ResourceConflictException", "already exist", ErrorClass::Exists),
    ("ResourceInUseException", "already exist", ErrorClass::Exists),
    // A topic or a subscription of that name, with other tags or attributes.
    ("InvalidParameter", "already exists with", ErrorClass::Exists),
    ("InvalidParameterException", "already exists with", ErrorClass::Exists),
    // ECS has a service of that name, with other settings, or is about to delete it.
    ("InvalidParameterException", "was not idempotent", ErrorClass::Exists),
    ("InvalidParameterException", "still draining", ErrorClass::Busy),
    // Lambda makes network interfaces, and EC2 slows it down.
    ("InvalidParameterValueException", "throttled by ec2", ErrorClass::Busy),
    // A detector, of which an account has one, and one that is not there.
    ("BadRequestException", "already exists", ErrorClass::Exists),
    ("BadRequestException", "not owned by the current account", ErrorClass::NotFound),
    // EC2's word for keys that it does not know, and for what belongs to somebody else.
    ("AuthFailure", "credentials", ErrorClass::Credentials),
    // ECS's word for a family without active revisions, or a revision that is not there.
    ("ClientException", "describe task definition", ErrorClass::NotFound),
    // Auto Scaling has no code of its own for what is not there.
    ("ValidationError", "name not found", ErrorClass::NotFound),
];

/// Whether a message in lower case has these words; they begin where a word does.
fn says(message: &str, words: &str) -> bool {
    message.match_indices(words).any(|(at, _)| !message[..at].ends_with(char::is_alphanumeric))
}

/// What an error means: by its code and message, by its code, by the form of its code, by its
/// status. A code that is listed wins over its form: `TooManyUpdates` is no quota.
fn classify(code: &str, message: &str, status: u16) -> ErrorClass {
    let lists = [
        (THROTTLED, ErrorClass::Throttled),
        (EXISTS, ErrorClass::Exists),
        (BUSY, ErrorClass::Busy),
        (NOT_YET, ErrorClass::NotYet),
        (DENIED, ErrorClass::Denied),
        (CREDENTIALS, ErrorClass::Credentials),
        (ABSENT, ErrorClass::NotFound),
        (OPEN, ErrorClass::Service),
    ];
    let is = |known: &str| known.eq_ignore_ascii_case(code);
    let said = message.to_lowercase();
    let told = BY_MESSAGE.iter().find(|(known, words, _)| is(known) && says(&said, words));
    let listed = || lists.iter().find(|(codes, _)| codes.iter().any(|known| is(known)));
    match told.map(|(_, _, class)| *class).or_else(|| listed().map(|(_, class)| *class)) {
        Some(class) => class,
        None => by_form(&code.to_lowercase(), status),
    }
}

/// What a code that is in no list means, by its form in lower case and its status.
fn by_form(code: &str, status: u16) -> ErrorClass {
    let is_quota = ["limitexceeded", "limitsexceeded", "quotaexceeded"]
        .iter()
        .any(|form| code.contains(form))
        || code.starts_with("toomany")
        // AWS itself has none left: of instances, hosts, or addresses in a subnet.
        || code.starts_with("insufficient")
            && (code.contains("capacity") || code.contains("addresses"));
    let is_absent = ["notfound", "notfoundexception", "notfoundfault", ".nonexistentqueue"]
        .iter()
        .any(|form| code.ends_with(form))
        || code.starts_with("nosuch");
    match status {
        _ if is_quota => ErrorClass::Quota,
        _ if is_absent => ErrorClass::NotFound,
        429 => ErrorClass::Throttled,
        404 => ErrorClass::NotFound,
        500.. => ErrorClass::Service,
        _ => ErrorClass::Invalid,
    }
}

/// Whether an answer says that nothing happened because of too many calls.
pub(super) fn is_throttling(response: &HttpResponse) -> bool {
    let status = response.status().as_u16();
    if status < 400 {
        return false;
    }
    let headers = response.headers();
    let header = headers.get("x-amzn-errortype").unwrap_or_default();
    // What spoke the query protocol before tells its codes there, as `CODE;Sender`.
    let query = headers.get("x-amzn-query-error").unwrap_or_default();
    let query = query.split(';').next().unwrap_or_default();
    let body = response.body().bytes().unwrap_or_default();
    let body = &body[..body.len().min(4096)];
    let text = String::from_utf8_lossy(body);
    let named = |code: &&&str| {
        header.split([':', '#']).any(|part| part == **code)
            || query == **code
            || text.contains(&format!("<Code>{code}</Code>"))
            || text.contains(&format!("#{code}\""))
            || text.contains(&format!("\"{code}\""))
    };
    let mut known = THROTTLED.iter().chain(&["LimitExceededException"]);
    let code = known.find(named).copied().unwrap_or_default();
    classify(code, &text, status) == ErrorClass::Throttled
}

#[cfg(test)]
mod tests;
