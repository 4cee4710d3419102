//! Errors that were recorded from AWS, of operations that payctl calls, and the class of each.
//! Errors that are temporary for only one kind are in that kind's `META.transient`.
//!
//! The list has only one error about the form of a member (`1 validation error detected: ...`) for
//! each service, since payctl treats all of them alike. It leaves out members that payctl never
//! sends (layers, images, aliases, packages in buckets).

use super::classify;
use crate::aws::kinds::KINDS;
use payctl_engine::model::error::ErrorClass::{
    self, Busy, Denied, Exists, Invalid, NotFound, NotYet, Quota, Service,
};

/// The kind that calls, the operation, status, code, the words of the message that tell it from
/// others, and the class.
type Row = (&'static str, &'static str, u16, &'static str, &'static str, ErrorClass);

const BAD: &str = "BadRequestException";
const GONE: &str = "NotFoundException";
const CONFLICT: &str = "ConflictException";
const VALIDATION: &str = "ValidationException";
const ABSENT: &str = "ResourceNotFoundException";
const VALUE: &str = "InvalidParameterValueException";
const REQUEST: &str = "InvalidRequestException";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("apigateway.api_key", "CreateApiKey", 400, BAD, "API Key value should be at least 20 characters", Invalid),
    ("apigateway.api_key", "CreateApiKey", 400, BAD, "Invalid API Key description specified.", Invalid),
    ("apigateway.api_key", "CreateApiKey", 400, BAD, "Invalid API Key name, can be at most 1024", Invalid),
    ("apigateway.api_key", "UpdateApiKey", 400, BAD, "Invalid patch path '/id' specified", Invalid),
    ("apigateway.rest_api", "CreateAuthorizer", 409, CONFLICT, "Unable to complete operation due to concurrent modification. Please try again later.", Busy),
    ("apigateway.rest_api", "CreateModel", 400, BAD, "Model name must be non-empty", Invalid),
    ("apigateway.rest_api", "CreateModel", 400, BAD, "Model schema must have at least 1 property", Invalid),
    ("apigateway.rest_api", "CreateModel", 404, GONE, "Invalid API identifier specified", NotFound),
    ("apigateway.rest_api", "CreateModel", 409, CONFLICT, "Model name already exists for this REST API", Exists),
    ("apigateway.rest_api", "CreateRequestValidator", 400, BAD, "Invalid REST API identifier specified", NotFound),
    ("apigateway.rest_api", "CreateResource", 400, BAD, "A sibling of this resource already has a variable path part", Invalid),
    ("apigateway.rest_api", "CreateResource", 400, BAD, "Cannot create a child of a resource with a greedy path variable", Invalid),
    ("apigateway.rest_api", "CreateResource", 404, GONE, "Invalid Resource identifier specified", NotFound),
    ("apigateway.rest_api", "CreateResource", 409, CONFLICT, "Another resource with the same parent already has this name: pets", Exists),
    ("apigateway.rest_api", "CreateRestApi", 400, BAD, "Cannot create an api with multiple Endpoint Types.", Invalid),
    ("apigateway.rest_api", "DeleteMethod", 404, GONE, "Invalid Method identifier specified", NotFound),
    ("apigateway.rest_api", "DeleteModel", 404, GONE, "Invalid model name specified: m", NotFound),
    ("apigateway.rest_api", "DeleteModel", 409, CONFLICT, "Cannot delete model 'm', is referenced in method request: //ANY", Busy),
    ("apigateway.rest_api", "DeleteRequestValidator", 404, GONE, "Invalid Request Validator identifier specified", NotFound),
    ("apigateway.rest_api", "GetAuthorizers", 404, GONE, "Invalid API identifier specified", NotFound),
    ("apigateway.rest_api", "PutIntegration", 400, BAD, "AWS ARN for integration must contain path or action", Invalid),
    ("apigateway.rest_api", "PutIntegration", 400, BAD, "Invalid ARN specified in the request", Invalid),
    ("apigateway.rest_api", "PutIntegration", 400, "SerializationException", "can not be converted to an String", Invalid),
    ("apigateway.rest_api", "PutIntegration", 404, GONE, "Invalid Method identifier specified", NotFound),
    ("apigateway.rest_api", "PutIntegration", 404, GONE, "Invalid Resource identifier specified", NotFound),
    ("apigateway.rest_api", "PutIntegrationResponse", 400, BAD, "Invalid content type specified: 123", Invalid),
    ("apigateway.rest_api", "PutIntegrationResponse", 404, GONE, "Invalid Method identifier specified", NotFound),
    ("apigateway.rest_api", "PutMethod", 400, BAD, "Invalid HttpMethod specified.", Invalid),
    ("apigateway.rest_api", "PutMethod", 400, BAD, "Invalid Request Validator identifier specified", NotFound),
    ("apigateway.rest_api", "PutMethod", 400, BAD, "Invalid authorizer ID specified. Setting the authorization type", NotFound),
    ("apigateway.rest_api", "PutMethod", 400, BAD, "Invalid mapping expression specified", Invalid),
    ("apigateway.rest_api", "PutMethod", 400, BAD, "Invalid model identifier specified: m", NotFound),
    ("apigateway.rest_api", "PutMethod", 400, BAD, "Parameter names must be unique across querystring, header and path", Invalid),
    ("apigateway.rest_api", "PutMethod", 400, VALIDATION, "1 validation error detected: Value 'X'", Invalid),
    ("apigateway.rest_api", "UpdateModel", 404, GONE, "Invalid model name specified: m", NotFound),
    ("apigateway.rest_api", "UpdateRequestValidator", 400, BAD, "Request Validator name cannot be blank", Invalid),
    ("apigateway.rest_api", "UpdateRestApi", 400, BAD, "Invalid minimum compression size", Invalid),
    ("apigateway.rest_api", "UpdateRestApi", 400, BAD, "Only dualstack ipAddressType is supported for Private APIs.", Invalid),
    ("apigateway.rest_api", "UpdateRestApi", 404, GONE, "Invalid API identifier specified", NotFound),
    ("apigateway.stage", "DeleteDeployment", 400, BAD, "Active stages pointing to this deployment must be moved or deleted", NotYet),
    ("apigateway.stage", "UpdateStage", 400, BAD, "Access Log value must not be empty", Invalid),
    ("apigateway.stage", "UpdateStage", 400, BAD, "Cannot remove method setting */* because there is no method setting for this method", NotFound),
    ("apigateway.stage", "UpdateStage", 400, BAD, "Cannot remove method setting accessLogSettings/destinationArn because there is no", NotFound),
    ("apigateway.stage", "UpdateStage", 400, BAD, "Invalid method setting path: /tags/a", Invalid),
    ("apigateway.usage_plan", "UpdateUsagePlan", 400, BAD, "Invalid API Stage specified", Invalid),
    ("apigateway.usage_plan", "UpdateUsagePlan", 404, GONE, "Invalid API Stage {api: a, stage: s} specified for usageplan p", NotFound),
    ("apigateway.usage_plan", "UpdateUsagePlan", 404, GONE, "Invalid Usage Plan ID specified", NotFound),
    ("apigateway.vpc_link", "CreateVpcLink", 400, BAD, "Name cannot be empty", Invalid),
    ("apigateway.vpc_link", "DeleteVpcLink", 404, GONE, "Invalid Vpc Link identifier specified", NotFound),
    ("apigateway.vpc_link", "GetVpcLink", 404, GONE, "Invalid Vpc Link identifier specified", NotFound),
    ("cloudwatch.dashboard", "PutDashboard", 400, "InvalidParameterValue", "DashboardName contains invalid characters", Invalid),
    ("dynamodb.table", "DeleteTable", 400, ABSENT, "Requested resource not found: Table: t not found", NotFound),
    ("ec2.flow_log", "CreateFlowLogs", 400, "InvalidParameter", "LogDestination can't be empty", Invalid),
    ("events.rule", "DeleteRule", 400, VALIDATION, "Rule can't be deleted since it has targets.", NotYet),
    ("events.rule", "DescribeRule", 400, ABSENT, "Rule r does not exist on EventBus default.", NotFound),
    ("events.rule", "ListTagsForResource", 400, ABSENT, "Rule r does not exist on EventBus default.", NotFound),
    ("events.rule", "PutRule", 400, VALIDATION, "Parameter ScheduleExpression is not valid.", Invalid),
    ("events.rule", "PutTargets", 400, "LimitExceededException", "The requested resource exceeds the maximum number allowed.", Quota),
    ("events.rule", "PutTargets", 400, VALIDATION, "1 validation error detected: Value 'X'", Invalid),
    ("iam.role", "AttachRolePolicy", 400, "ValidationError", "Invalid ARN:  Could not be parsed!", Invalid),
    ("iam.role", "AttachRolePolicy", 404, "NoSuchEntity", "Policy p does not exist or is not attachable.", NotFound),
    ("iam.role", "CreateRole", 400, "MalformedPolicyDocument", "This policy contains invalid Json", Invalid),
    ("kms.key", "CreateKey", 400, "TagException", "Too many tags", Invalid),
    ("kms.key", "CreateKey", 400, VALIDATION, "1 validation error detected: Value 'X'", Invalid),
    ("kms.key", "CreateAlias", 400, VALIDATION, "Alias must start with the prefix \"alias/\".", Invalid),
    ("kms.key", "DescribeKey", 400, GONE, "Invalid arn us-east-1", NotFound),
    ("kms.key", "DescribeKey", 400, GONE, "Invalid keyId 'k'", NotFound),
    ("kms.key", "DescribeKey", 400, GONE, "Key 'k' does not exist", NotFound),
    ("kms.key", "TagResource", 400, "TagException", "Duplicate tag keys", Invalid),
    ("kms.key", "TagResource", 400, "TagException", "Tags beginning with aws: are reserved", Invalid),
    ("lambda.event_source", "CreateEventSourceMapping", 400, VALUE, "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.", NotFound),
    ("lambda.event_source", "CreateEventSourceMapping", 400, VALUE, "Function does not exist", NotFound),
    ("lambda.event_source", "CreateEventSourceMapping", 400, VALUE, "Invalid filter pattern definition.", Invalid),
    ("lambda.event_source", "CreateEventSourceMapping", 400, VALUE, "Maximum batch window in seconds must be greater than 0", Invalid),
    ("lambda.event_source", "CreateEventSourceMapping", 400, VALUE, "Unrecognized event source.", Invalid),
    ("lambda.event_source", "CreateEventSourceMapping", 400, VALUE, "Unsupported starting position for arn type", Invalid),
    ("lambda.event_source", "CreateEventSourceMapping", 409, "ResourceConflictException", "An event source mapping with SQS arn (\" q \") and function (\" f \") already exists.", Exists),
    ("lambda.event_source", "DeleteEventSourceMapping", 404, ABSENT, "The resource you requested does not exist.", NotFound),
    ("lambda.event_source", "GetEventSourceMapping", 404, ABSENT, "The resource you requested does not exist.", NotFound),
    ("lambda.event_source", "UpdateEventSourceMapping", 400, VALUE, "Maximum batch window in seconds must be greater than 0", Invalid),
    ("lambda.event_source", "UpdateEventSourceMapping", 404, ABSENT, "The resource you requested does not exist.", NotFound),
    ("lambda.function", "CreateFunction", 400, VALUE, "Could not unzip uploaded file.", Invalid),
    ("lambda.function", "CreateFunction", 400, VALUE, "Error occurred while DescribeSecurityGroups. EC2 Error Code: InvalidGroup.NotFound. EC2 Error Message: The security group 'sg' does not exist", NotFound),
    ("lambda.function", "CreateFunction", 400, VALUE, "Error occurred while DescribeSubnets. EC2 Error Code: InvalidSubnetID.NotFound. EC2 Error Message: The subnet ID 's' does not exist", NotFound),
    ("lambda.function", "CreateFunction", 400, VALUE, "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit.", Invalid),
    ("lambda.function", "CreateFunction", 400, VALUE, "The runtime parameter of python3.7 is no longer supported", Invalid),
    ("lambda.function", "CreateFunction", 400, VALUE, "Unzipped size must be smaller than 262144000 bytes", Invalid),
    ("lambda.function", "CreateFunction", 400, VALUE, "Value X at 'runtime' failed to satisfy constraint", Invalid),
    ("lambda.function", "CreateFunction", 400, VALIDATION, "1 validation error detected: Value 'X'", Invalid),
    ("lambda.function", "CreateFunction", 403, "AccessDeniedException", "", Denied),
    ("lambda.function", "CreateFunction", 413, "RequestEntityTooLargeException", "Zipped size must be smaller than 52428800 bytes", Invalid),
    ("lambda.function", "DeleteFunction", 404, ABSENT, "Function not found: f", NotFound),
    ("lambda.function", "GetFunction", 404, ABSENT, "Function not found: f", NotFound),
    ("lambda.function", "ListTags", 404, ABSENT, "Function not found: f", NotFound),
    ("lambda.function", "PutFunctionConcurrency", 400, VALUE, "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].", NotYet),
    ("lambda.function", "PutFunctionConcurrency", 404, ABSENT, "Function not found: f", NotFound),
    ("lambda.function", "TagResource", 400, VALUE, "Number of tags exceeds resource tag limit.", Invalid),
    ("lambda.function", "UpdateFunctionCode", 409, "ResourceConflictException", "The operation cannot be performed at this time. An update is in progress for resource: f", Busy),
    ("lambda.function", "UpdateFunctionConfiguration", 409, "ResourceConflictException", "The operation cannot be performed at this time. An update is in progress for resource: f", Busy),
    ("lambda.permissions", "AddPermission", 400, VALUE, "The provided principal was invalid.", Invalid),
    ("lambda.permissions", "AddPermission", 404, ABSENT, "Function not found: f", NotFound),
    ("lambda.permissions", "AddPermission", 409, "ResourceConflictException", "The statement id (s) provided already exists.", Exists),
    ("lambda.permissions", "AddPermission", 412, "PreconditionFailedException", "The Revision Id provided does not match", Invalid),
    ("lambda.permissions", "GetPolicy", 404, ABSENT, "The resource you requested does not exist.", NotFound),
    ("lambda.permissions", "RemovePermission", 404, ABSENT, "No policy is associated with the given resource.", NotFound),
    ("lambda.permissions", "RemovePermission", 404, ABSENT, "Statement s is not found in resource policy.", NotFound),
    ("logs.log_group", "CreateLogGroup", 400, "InvalidParameterException", "Invalid LogGroup or LogStream, both must have length", Invalid),
    ("logs.log_group", "CreateLogGroup", 400, "ResourceAlreadyExistsException", "The specified log group already exists", Exists),
    ("logs.metric_filter", "DeleteMetricFilter", 400, "InvalidParameterException", "1 validation error detected: Value 'X'", Invalid),
    ("logs.metric_filter", "PutMetricFilter", 400, "InvalidParameterException", "1 validation error detected: Value 'X'", Invalid),
    ("s3.bucket", "CreateBucket", 400, "IllegalLocationConstraintException", "The unspecified location constraint is incompatible", Invalid),
    ("s3.bucket", "CreateBucket", 400, "InvalidBucketName", "The specified bucket is not valid.", Invalid),
    ("s3.bucket", "CreateBucket", 409, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded", Exists),
    ("s3.bucket", "CreateBucket", 500, "InternalError", "We encountered an internal error. Please try again.", Service),
    ("s3.bucket", "DeleteBucket", 404, "NoSuchBucket", "The specified bucket does not exist", NotFound),
    ("s3.bucket", "DeleteBucket", 409, "BucketNotEmpty", "The bucket you tried to delete is not empty", Busy),
    ("s3.bucket", "GetBucketLifecycleConfiguration", 404, "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist", NotFound),
    ("s3.bucket", "GetBucketPolicy", 403, "AccessDenied", "Access Denied", Denied),
    ("s3.bucket", "GetBucketPolicy", 404, "NoSuchBucketPolicy", "The bucket policy does not exist", NotFound),
    ("s3.bucket", "GetBucketTagging", 404, "NoSuchTagSet", "The TagSet does not exist", NotFound),
    ("s3.bucket", "GetObjectLockConfiguration", 404, "ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket", NotFound),
    ("s3.bucket", "GetPublicAccessBlock", 404, "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found", NotFound),
    ("s3.bucket", "PutBucketLifecycleConfiguration", 400, "InvalidArgument", "'Date' must be at midnight GMT", Invalid),
    ("s3.bucket", "PutBucketLogging", 400, "InvalidTargetBucketForLogging", "The target bucket for logging does not exist", NotYet),
    ("s3.bucket", "PutBucketLogging", 403, "CrossLocationLoggingProhibitted", "Cross S3 location logging not allowed.", Invalid),
    ("s3.bucket", "PutBucketPolicy", 400, "MalformedPolicy", "Policies must be valid JSON", Invalid),
    ("s3.bucket", "PutBucketPolicy", 403, "AccessDenied", "Access Denied", Denied),
    ("s3.bucket", "PutBucketTagging", 400, "InvalidTag", "Cannot provide multiple Tags with the same key", Invalid),
    ("s3.bucket", "PutBucketVersioning", 409, "InvalidBucketState", "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.", Invalid),
    ("s3.bucket", "PutObjectLockConfiguration", 409, "InvalidBucketState", "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration", NotYet),
    ("secretsmanager.rotation", "RotateSecret", 400, "AccessDeniedException", "Secrets Manager cannot invoke the specified Lambda function.", NotYet),
    ("secretsmanager.rotation", "RotateSecret", 400, REQUEST, "No Lambda rotation function ARN is associated with this secret.", Invalid),
    ("secretsmanager.secret", "CreateSecret", 400, "ResourceExistsException", "The operation failed because the secret s already exists.", Exists),
    ("secretsmanager.secret", "CreateSecret", 400, REQUEST, "You can't create this secret because a secret with this name is already scheduled for deletion.", NotYet),
    ("secretsmanager.secret", "CreateSecret", 400, VALIDATION, "Invalid name. Must be a valid name", Invalid),
    ("secretsmanager.secret", "GetSecretValue", 400, ABSENT, "Secrets Manager can't find the specified secret value for staging label: AWSPREVIOUS", NotFound),
    ("secretsmanager.secret", "GetSecretValue", 400, ABSENT, "Secrets Manager can't find the specified secret.", NotFound),
    ("secretsmanager.secret", "TagResource", 400, REQUEST, "You can't perform this operation on the secret because it was marked for deletion.", NotYet),
    ("secretsmanager.secret", "UntagResource", 400, REQUEST, "You can't perform this operation on the secret because it was marked for deletion.", NotYet),
    ("sns.subscription", "GetSubscriptionAttributes", 404, "NotFound", "Subscription does not exist", NotFound),
    ("sns.subscription", "SetSubscriptionAttributes", 400, "InvalidParameter", "Invalid parameter: FilterPolicy: failed to parse JSON.", Invalid),
    ("sns.subscription", "SetSubscriptionAttributes", 400, "InvalidParameter", "Invalid parameter: RawMessageDelivery: Invalid value []. Must be true or false.", Invalid),
    ("sns.subscription", "Subscribe", 400, "InvalidParameter", "Invalid parameter: Attributes Reason: Subscription already exists with different attributes", Exists),
    ("sns.subscription", "Subscribe", 400, "InvalidParameter", "Invalid parameter: SQS endpoint ARN", Invalid),
    ("sns.subscription", "Subscribe", 404, "NotFound", "Topic does not exist", NotFound),
    ("sns.subscription", "Unsubscribe", 400, "InvalidParameter", "Invalid parameter: SubscriptionId", Invalid),
    ("sns.topic", "CreateTopic", 400, "InvalidParameter", "Invalid parameter: Attributes Reason: Topic already exists with different attributes", Exists),
    ("sns.topic", "CreateTopic", 400, "InvalidParameter", "Invalid parameter: Tags Reason: Topic already exists with different tags", Exists),
    ("sns.topic", "CreateTopic", 400, "InvalidParameter", "Invalid parameter: Topic Name", Invalid),
    ("sns.topic", "GetTopicAttributes", 404, "NotFound", "Topic does not exist", NotFound),
    ("sns.topic", "SetTopicAttributes", 400, "InvalidParameter", "Invalid parameter: AttributeName", Invalid),
    ("sns.topic", "TagResource", 400, "InvalidParameter", "Invalid parameter: Duplicated keys are not allowed.", Invalid),
    ("sqs.queue", "CreateQueue", 400, "InvalidAttributeName", "Unknown Attribute ContentBasedDeduplication.", Invalid),
    ("sqs.queue", "CreateQueue", 400, "QueueAlreadyExists", "A queue already exists with the same name and a different value for attribute DelaySeconds", Exists),
    ("sqs.queue", "GetQueueAttributes", 400, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.", NotFound),
    ("sqs.queue", "SetQueueAttributes", 400, "InvalidAttributeValue", "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.", Invalid),
];

/// Whether a row is as asked for, by its code, message and class.
pub(super) fn shows(is: impl Fn(&str, &str, ErrorClass) -> bool) -> bool {
    ROWS.iter().any(|(_, _, _, code, message, class)| is(code, message, *class))
}

/// The sources of the kinds, in which operations stand by their names.
fn calls(operation: &str) -> bool {
    fn within(dir: &std::path::Path, text: &str) -> bool {
        let entries = std::fs::read_dir(dir).expect("the sources");
        entries.map(|entry| entry.expect("an entry").path()).any(|path| {
            if path.is_dir() {
                within(&path, text)
            } else {
                std::fs::read_to_string(path).expect("a source").contains(text)
            }
        })
    }
    let kinds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/aws/kinds");
    within(&kinds, &format!("\"{operation}\""))
}

#[test]
fn recorded_aws_errors_are_classified() {
    let mut wrong = Vec::new();
    for (kind, operation, status, code, message, class) in ROWS {
        let found = KINDS.iter().find(|found| found.meta().kind == *kind);
        let meta = found.unwrap_or_else(|| panic!("there is no kind {kind}")).meta();
        let found = if meta.is_transient(code, message) {
            NotYet
        } else {
            classify(code, message, *status)
        };
        if found != *class {
            wrong.push(format!("{kind} {operation}: {code}: {message}: {found:?}, not {class:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_explicit_deny_is_not_retried() {
    let kind = KINDS.iter().find(|kind| kind.meta().kind == "ecs.task_definition");
    let meta = kind.expect("a kind").meta();
    let denied = "User: u is not authorized to perform: iam:PassRole on resource: r";
    assert!(meta.is_transient("AccessDeniedException", denied));
    let outright = format!("{denied} with an explicit deny in an identity-based policy");
    assert!(!meta.is_transient("AccessDeniedException", &outright));
}

#[test]
fn the_table_contains_only_calls_of_payctl() {
    let operations: std::collections::BTreeSet<&str> = ROWS.iter().map(|row| row.1).collect();
    let unknown: Vec<&str> = operations.into_iter().filter(|name| !calls(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
