//! The meaning of AWS's error codes.

use payctl_engine::model::error::ErrorClass;

/// Codes with which AWS refuses a signature whose time is wrong, among other reasons.
pub(super) const SIGNING: &[&str] = &[
    "AuthFailure",
    "InvalidSignatureException",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
];

pub(super) const THROTTLED: &[&str] = &[
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

/// Codes that mean "already exists" although their ending does not say so.
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
    // Another rule of the listener has it.
    "PriorityInUse",
    "DuplicateLoadBalancerName",
    "DuplicateTargetGroupName",
    "InvalidLaunchTemplateName.AlreadyExistsException",
    "InvalidSubnet.Conflict",
    "TableAlreadyExistsException",
    "WAFDuplicateItemException",
    "DBClusterAlreadyExistsFault",
    "DBInstanceAlreadyExists",
    "DBParameterGroupAlreadyExists",
    "DBSubnetGroupAlreadyExists",
    // An earlier call with this client token made it, with other tags.
    "IdempotentParameterMismatch",
];

/// In use or being changed: the error passes when the other change is done.
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
    "BackupInUseException",
    "ContinuousBackupsUnavailableException",
    "TableInUseException",
    "WAFAssociatedItemException",
    "WAFOptimisticLockException",
    "InstanceRefreshInProgress",
    "ResourceContention",
    "ScalingActivityInProgress",
    "InvalidDBClusterSnapshotStateFault",
    "InvalidDBClusterStateFault",
    "InvalidDBInstanceState",
    "InvalidDBParameterGroupState",
    "InvalidDBSubnetGroupStateFault",
    "InvalidResourceStateFault",
];

/// Not visible yet to another service: the error passes when it is.
const NOT_YET: &[&str] = &["WAFUnavailableEntityException"];

/// Codes that mean "not found" although their form does not say so.
const ABSENT: &[&str] = &[
    "QueueDoesNotExist",
    // SSM's word for a parameter that is not there.
    "InvalidResourceId",
    "Gateway.NotAttached",
    "UnknownMonitorException",
    "UnknownSubscriptionException",
    "WAFNonexistentItemException",
];

/// Codes after which the result is unknown, although the status says that the call failed.
const OPEN: &[&str] = &["WAFTagOperationException"];

/// Codes of an endpoint that does not know the service or the operation.
const UNSUPPORTED: &[&str] = &[
    "InvalidAction",
    "NotImplemented",
    "NotImplementedException",
    "NotImplementedInSandbox",
    "UnknownOperation",
    "UnknownOperationException",
];

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

/// Codes whose meaning depends on words in the message: the code, the words in lower case, and
/// their class. The first matching row wins, before all other lists.
pub(super) const BY_MESSAGE: &[(&str, &str, ErrorClass)] = &[
    // For a full quota API Gateway answers with the status of throttling, and its second version
    // with the code of throttling.
    ("LimitExceededException", "maximum number", ErrorClass::Quota),
    ("TooManyRequestsException", "maximum number", ErrorClass::Quota),
    // Rates are limits too, as in Cost Explorer; DynamoDB limits the changes in progress.
    ("LimitExceededException", "rate", ErrorClass::Throttled),
    ("LimitExceededException", "too many calls", ErrorClass::Throttled),
    ("LimitExceededException", "too many requests", ErrorClass::Throttled),
    ("LimitExceededException", "simultaneously", ErrorClass::Busy),
    // A path of that name below the same one.
    ("ConflictException", "already has this name", ErrorClass::Exists),
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
    // A second detector, of which an account has one, and a missing detector.
    ("BadRequestException", "already exists", ErrorClass::Exists),
    ("BadRequestException", "not owned by the current account", ErrorClass::NotFound),
    // EC2's word for unknown keys, and for objects of other owners.
    ("AuthFailure", "credentials", ErrorClass::Credentials),
    // ECS's word for a family without active revisions, or a revision that is not there.
    ("ClientException", "describe task definition", ErrorClass::NotFound),
    // A table's expiry can be changed once in an hour, and only the refusal shows that.
    ("ValidationException", "time to live has been modified multiple times", ErrorClass::Busy),
    ("ValidationException", "timetolive is active on a different", ErrorClass::Busy),
    // Lambda's words for objects that it does not find, its own and those of other services.
    ("InvalidParameterValueException", "function does not exist", ErrorClass::NotFound),
    ("InvalidParameterValueException", "invalidgroup.notfound", ErrorClass::NotFound),
    ("InvalidParameterValueException", "invalidsubnetid.notfound", ErrorClass::NotFound),
    ("InvalidParameterValueException", "nonexistentqueue", ErrorClass::NotFound),
    // API Gateway's words for objects that a call refers to; the object of the call itself has a
    // code.
    ("BadRequestException", "invalid rest api identifier", ErrorClass::NotFound),
    ("BadRequestException", "invalid request validator identifier", ErrorClass::NotFound),
    ("BadRequestException", "invalid model identifier", ErrorClass::NotFound),
    ("BadRequestException", "invalid authorizer id", ErrorClass::NotFound),
    // A setting that was already removed.
    ("BadRequestException", "cannot remove method setting", ErrorClass::NotFound),
    // A record set differs from what payctl has just read, or there is one already.
    ("InvalidChangeBatch", "but it was not found", ErrorClass::Busy),
    ("InvalidChangeBatch", "do not match the current values", ErrorClass::Busy),
    ("InvalidChangeBatch", "but it already exists", ErrorClass::Exists),
    // Auto Scaling does not have a code of its own for missing objects.
    ("ValidationError", "not found", ErrorClass::NotFound),
];

/// Whether a message in lower case has these words; they begin where a word does.
pub(super) fn says(message: &str, words: &str) -> bool {
    message.match_indices(words).any(|(at, _)| !message[..at].ends_with(char::is_alphanumeric))
}

/// Classifies an error: first by its code and message, then by its code, the form of its code, and
/// its status. A listed code wins over its form: `TooManyUpdates` is not a quota.
pub(super) fn classify(code: &str, message: &str, status: u16) -> ErrorClass {
    let lists = [
        (THROTTLED, ErrorClass::Throttled),
        (EXISTS, ErrorClass::Exists),
        (BUSY, ErrorClass::Busy),
        (NOT_YET, ErrorClass::NotYet),
        (DENIED, ErrorClass::Denied),
        (CREDENTIALS, ErrorClass::Credentials),
        (UNSUPPORTED, ErrorClass::Unsupported),
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

/// Classifies an unlisted code by its form in lower case and its status.
fn by_form(code: &str, status: u16) -> ErrorClass {
    let is_quota = ["limitexceeded", "limitsexceeded", "quotaexceeded"]
        .iter()
        .any(|form| code.contains(form))
        || code.starts_with("toomany")
        // AWS itself does not have any left: instances, hosts, or addresses in a subnet.
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
        501 => ErrorClass::Unsupported,
        500.. => ErrorClass::Service,
        _ => ErrorClass::Invalid,
    }
}
