//! What the codes, messages and statuses of AWS mean.

use aws_smithy_types::body::SdkBody;

use super::codes::{BY_MESSAGE, says};
use super::*;

/// Code, message, status, and what they mean.
const CASES: &[(&str, &str, u16, ErrorClass)] = &[
    ("InvalidVpcID.NotFound", "", 400, ErrorClass::NotFound),
    ("NatGatewayNotFound", "", 400, ErrorClass::NotFound),
    ("NoSuchEntity", "", 404, ErrorClass::NotFound),
    ("AWS.SimpleQueueService.NonExistentQueue", "", 400, ErrorClass::NotFound),
    ("QueueDoesNotExist", "", 400, ErrorClass::NotFound),
    ("ResourceInUseException", "Table already exists: t", 400, ErrorClass::Exists),
    ("ResourceInUseException", "Table is being updated", 400, ErrorClass::Busy),
    ("ConflictException", "Method already exists for this resource", 409, ErrorClass::Exists),
    ("ConflictException", "concurrent modification", 409, ErrorClass::Busy),
    (
        "InvalidParameterException",
        "Creation of service was not idempotent.",
        400,
        ErrorClass::Exists,
    ),
    (
        "InvalidParameterException",
        "Unable to Start a service that is still Draining.",
        400,
        ErrorClass::Busy,
    ),
    ("ClientException", "Unable to describe task definition.", 400, ErrorClass::NotFound),
    ("ClientException", "Container.image should not be null", 400, ErrorClass::Invalid),
    ("ResourceConflictException", "Function already exist: f", 409, ErrorClass::Exists),
    ("ResourceConflictException", "An update is in progress", 409, ErrorClass::Busy),
    (
        "InvalidParameterValueException",
        "Your request has been throttled by EC2, please make sure you have enough API rate limit.",
        400,
        ErrorClass::Busy,
    ),
    (
        "InvalidParameter",
        "Invalid parameter: Tags Reason: Topic already exists with different tags",
        400,
        ErrorClass::Exists,
    ),
    (
        "InvalidParameterException",
        "Subscription already exists with different attributes",
        400,
        ErrorClass::Exists,
    ),
    ("AddressLimitExceeded", "", 400, ErrorClass::Quota),
    ("LimitExceeded", "Cannot exceed quota", 409, ErrorClass::Quota),
    ("TooManyUpdates", "", 400, ErrorClass::Busy),
    // A full quota and too many calls, in the words of API Gateway, its second version, KMS,
    // Cost Explorer and DynamoDB.
    ("LimitExceededException", "Maximum number of APIs reached", 429, ErrorClass::Quota),
    ("LimitExceededException", "The limit is reached", 429, ErrorClass::Quota),
    ("TooManyRequestsException", "Maximum number of VPC links", 429, ErrorClass::Quota),
    ("TooManyRequestsException", "Too Many Requests", 429, ErrorClass::Throttled),
    ("LimitExceededException", "This would generate too many keys", 400, ErrorClass::Quota),
    ("LimitExceededException", "Rate exceeded", 400, ErrorClass::Throttled),
    ("LimitExceededException", "You made too many calls", 400, ErrorClass::Throttled),
    ("LimitExceededException", "Too many requests", 429, ErrorClass::Throttled),
    ("LimitExceededException", "Only 10 can be made simultaneously", 400, ErrorClass::Busy),
    ("RequestLimitExceeded", "", 503, ErrorClass::Throttled),
    ("DependencyViolation", "", 400, ErrorClass::Busy),
    ("InternalError", "", 500, ErrorClass::Service),
    ("ValidationException", "", 400, ErrorClass::Invalid),
    ("ValidationError", "AutoScalingGroup name not found", 400, ErrorClass::NotFound),
    ("ValidationError", "Group dev-workers not found", 400, ErrorClass::NotFound),
    (
        "ValidationError",
        "AutoScalingGroup not found - AutoScaling Group dev-workers not found",
        400,
        ErrorClass::NotFound,
    ),
    (
        "ValidationException",
        "Time to live has been modified multiple times within a fixed interval",
        400,
        ErrorClass::Busy,
    ),
    (
        "ValidationException",
        "TimeToLive is active on a different AttributeName: current AttributeName is end",
        400,
        ErrorClass::Busy,
    ),
    // While Auto Scaling makes its own role, by the status that AWS documents.
    ("ServiceLinkedRoleFailure", "", 500, ErrorClass::Service),
    ("UnauthorizedOperation", "", 403, ErrorClass::Denied),
    ("ExpiredToken", "", 400, ErrorClass::Credentials),
    ("RequestExpired", "Request has expired.", 400, ErrorClass::Credentials),
    ("InvalidClientTokenId", "", 403, ErrorClass::Credentials),
    ("SignatureDoesNotMatch", "", 403, ErrorClass::Credentials),
    ("UnknownOperationException", "", 400, ErrorClass::Unsupported),
    ("NotImplementedInSandbox", "", 400, ErrorClass::Unsupported),
    ("InternalFailure", "not yet emulated", 501, ErrorClass::Unsupported),
    ("Throttled", "Rate exceeded", 429, ErrorClass::Throttled),
    ("SomethingNew", "Rate exceeded", 429, ErrorClass::Throttled),
    ("IdempotentParameterMismatch", "", 400, ErrorClass::Exists),
    ("DBClusterNotFoundFault", "", 404, ErrorClass::NotFound),
    ("DBClusterAlreadyExistsFault", "", 400, ErrorClass::Exists),
    ("InvalidDBClusterStateFault", "", 400, ErrorClass::Busy),
    ("InvalidResourceStateFault", "", 400, ErrorClass::Busy),
    (
        "BadRequestException",
        "The request is rejected because a detector already exists for the current account.",
        400,
        ErrorClass::Exists,
    ),
    (
        "BadRequestException",
        "The request is rejected because the input detectorId is not owned by the current \
         account.",
        400,
        ErrorClass::NotFound,
    ),
    ("BadRequestException", "The value is not valid.", 400, ErrorClass::Invalid),
    (
        "InvalidChangeBatch",
        "[Tried to create resource record set [name='a.b.', type='A'] but it already exists]",
        400,
        ErrorClass::Exists,
    ),
    (
        "InvalidChangeBatch",
        "[Tried to delete resource record set [name='a.b.', type='A'] but it was not found]",
        400,
        ErrorClass::Busy,
    ),
    // A change of both: the deletion says that the record is another one.
    (
        "InvalidChangeBatch",
        "[Tried to delete resource record set [name='a.b.', type='A'] but the values provided do \
         not match the current values, Tried to create resource record set [name='a.b.', \
         type='A'] but it already exists]",
        400,
        ErrorClass::Busy,
    ),
    (
        "AuthFailure",
        "AWS was not able to validate the provided access credentials",
        401,
        ErrorClass::Credentials,
    ),
    (
        "AuthFailure",
        "You do not have permission to access the specified resource.",
        400,
        ErrorClass::Denied,
    ),
];

#[test]
fn codes_mean_what_aws_documents() {
    for (code, message, status, class) in CASES {
        assert_eq!(classify(code, message, *status), *class, "{code}: {message}");
    }
    for (code, words, class) in BY_MESSAGE {
        let shows = |known: &str, message: &str, meant: ErrorClass| {
            known == *code && says(&message.to_lowercase(), words) && meant == *class
        };
        let is_shown = CASES.iter().any(|(known, message, _, meant)| shows(known, message, *meant))
            || recorded::shows(shows);
        assert!(is_shown, "no case shows {code} with `{words}`");
    }
}

#[test]
fn only_throttling_is_sent_again_by_the_sdk() {
    let check = |body: &'static str, status: u16, expected| {
        let status = status.try_into().unwrap();
        let response = HttpResponse::new(status, SdkBody::from(body));
        assert_eq!(is_throttling(&response), expected, "{body}");
    };
    check(r#"{"message":"Too Many Requests"}"#, 429, true);
    let quota = r#"{"__type":"TooManyRequestsException","message":"Maximum number of links"}"#;
    check(quota, 429, false);
    let quota = r#"{"__type":"LimitExceededException","message":"The limit is reached"}"#;
    check(quota, 429, false);
    let calls = r#"{"__type":"LimitExceededException","Message":"You made too many calls"}"#;
    check(calls, 400, true);
    check("<Error><Code>Throttling</Code></Error>", 400, true);
    check(r#"{"__type":"com.amazonaws.kms#ThrottlingException"}"#, 400, true);
    check(r#"{"about":"ThrottlingException"}"#, 200, false);
    check("<Error><Code>InternalError</Code></Error>", 500, false);
}

#[test]
fn a_priority_that_another_rule_has_is_a_name_that_is_taken() {
    assert_eq!(classify("PriorityInUse", "", 400), ErrorClass::Exists);
}

#[test]
fn waf_and_cost_explorer_codes_are_classified() {
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
    check("UnknownMonitorException", "", ErrorClass::NotFound);
    check("UnknownSubscriptionException", "", ErrorClass::NotFound);
}

#[test]
fn permanent_errors_are_not_retried() {
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
}

#[test]
fn an_error_inside_a_success_is_classified_like_any_other() {
    let error = listed("DeleteVpcEndpoints", "InvalidVpcEndpoint.NotFound", "");
    assert_eq!(error.class, ErrorClass::NotFound);
}

#[test]
fn a_value_without_its_key_is_told_from_other_refusals() {
    let error = |code, message| OpError::new("GetSecretValue", ErrorClass::Invalid, code, message);
    assert!(is_undecryptable(&error("DecryptionFailure", "")));
    assert!(is_undecryptable(&error("KMSInvalidStateException", "is disabled")));
    assert!(is_undecryptable(&error("AccessDeniedException", "Access to KMS is not allowed")));
    let other = "not authorized to perform: secretsmanager:GetSecretValue";
    assert!(!is_undecryptable(&error("AccessDeniedException", other)));
}

#[tokio::test]
async fn only_emulators_may_answer_without_an_error_code() {
    use super::super::clients::tests::{Does, connected};
    let mut aws = connected(|_| Does::Answer(200, "")).await;
    let speechless = |op: &str, code: &str, class| OpError::new(op, class, code, NO_MESSAGE);
    let cases = [
        speechless("GetAnomalyMonitors", NO_CODE, ErrorClass::Service),
        speechless("DescribeAlarms", "NotFound", ErrorClass::NotFound),
    ];
    for error in cases.clone() {
        assert_eq!(of_survey(error.clone(), &aws, "ce"), error);
    }
    let head = speechless("HeadBucket", "NotFound", ErrorClass::NotFound);
    let nameless = OpError::new("ListDetectors", ErrorClass::Service, NO_HOST, "dns error");
    assert_eq!(of_survey(nameless.clone(), &aws, "x").class, ErrorClass::Unsupported);
    aws.is_special = true;
    assert_eq!(of_survey(nameless.clone(), &aws, "x"), nameless, "the ordinary endpoint may be");
    aws.is_elsewhere = true;
    for error in cases {
        assert_eq!(of_survey(error, &aws, "ce").class, ErrorClass::Unsupported);
    }
    assert_eq!(of_survey(head.clone(), &aws, "s3"), head, "a HEAD has no words");
    let alarms = speechless("DescribeAlarms", "NotFound", ErrorClass::NotFound);
    assert!(of_survey(alarms, &aws, "monitoring").message.contains("CBOR"));
}

#[test]
fn name_and_endpoint_errors_are_distinguished() {
    let unknown = "dispatch failure: io error: client error (Connect): dns error: failed to lookup \
                   address information: Name or service not known";
    assert!(is_about_names(unknown));
    assert!(!is_about_names("dns error: Temporary failure in name resolution"));
    assert!(is_about_endpoints(
        "Invalid Configuration: FIPS and custom endpoint are not supported"
    ));
}
