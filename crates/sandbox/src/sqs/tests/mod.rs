//! Tests of SQS, call by call.

mod messages;

use serde_json::{Value, json};

use crate::World;
use crate::toolbox::testing::ask;

fn sqs(world: &mut World, operation: &str, input: Value) -> Result<Value, String> {
    ask(world, "sqs", operation, input)
        .map_err(|refusal| refusal.code.rsplit('#').next().unwrap().to_owned())
}

fn create(world: &mut World, name: &str, attributes: Value) -> Result<Value, String> {
    let tags = json!({ "k": "v" });
    let input = json!({ "QueueName": name, "Attributes": attributes, "tags": tags });
    sqs(world, "CreateQueue", input)
}

fn url(name: &str) -> String {
    super::url("eu-west-1", name)
}

fn attributes(world: &mut World, name: &str) -> Value {
    let input = json!({ "QueueUrl": url(name), "AttributeNames": ["All"] });
    sqs(world, "GetQueueAttributes", input).unwrap()["Attributes"].clone()
}

fn set(world: &mut World, name: &str, attributes: Value) -> Result<Value, String> {
    let input = json!({ "QueueUrl": url(name), "Attributes": attributes });
    sqs(world, "SetQueueAttributes", input)
}

#[test]
fn unset_members_come_back_with_defaults() {
    let mut world = World::default();
    let made = create(&mut world, "q", json!({})).unwrap();
    assert_eq!(made["QueueUrl"], url("q"));
    let all = attributes(&mut world, "q");
    assert_eq!(all["VisibilityTimeout"], "30");
    assert_eq!(all["MessageRetentionPeriod"], "345600");
    assert_eq!(all["MaximumMessageSize"], "1048576");
    assert_eq!(all["SqsManagedSseEnabled"], "true");
    assert_eq!(all["QueueArn"], "arn:aws:sqs:eu-west-1:000000000000:q");
    assert!(all.get("FifoQueue").is_none());
}

#[test]
fn creating_again_succeeds_while_nothing_differs() {
    let mut world = World::default();
    create(&mut world, "q", json!({ "DelaySeconds": "5" })).unwrap();
    assert!(create(&mut world, "q", json!({})).is_ok());
    assert!(create(&mut world, "q", json!({ "VisibilityTimeout": "30" })).is_ok());
    let other = create(&mut world, "q", json!({ "DelaySeconds": "6" }));
    assert_eq!(other, Err("QueueNameExists".into()));
}

#[test]
fn a_missing_queue_gives_the_error_code_of_aws() {
    let mut world = World::default();
    let input = json!({ "QueueUrl": url("q") });
    let refusal = ask(&mut world, "sqs", "ListQueueTags", input).unwrap_err();
    assert_eq!(refusal.code, "com.amazonaws.sqs#QueueDoesNotExist");
}

#[test]
fn a_redrive_target_must_exist_and_be_of_the_same_type() {
    let mut world = World::default();
    create(&mut world, "q", json!({})).unwrap();
    let target = |name: &str| {
        let arn = format!("arn:aws:sqs:eu-west-1:000000000000:{name}");
        let policy = json!({ "deadLetterTargetArn": arn, "maxReceiveCount": 3 });
        json!({ "RedrivePolicy": policy.to_string() })
    };
    let refused = Err("InvalidParameterValueException".to_owned());
    assert_eq!(set(&mut world, "q", target("dlq")), refused);
    assert_eq!(set(&mut world, "q", json!({ "RedrivePolicy": "{}" })), refused);
    create(&mut world, "dlq", json!({})).unwrap();
    create(&mut world, "dlq.fifo", json!({ "FifoQueue": "true" })).unwrap();
    assert_eq!(set(&mut world, "q", target("dlq.fifo")), refused);
    set(&mut world, "q", target("dlq")).unwrap();
    set(&mut world, "q", json!({ "RedrivePolicy": "" })).unwrap();
    assert!(attributes(&mut world, "q").get("RedrivePolicy").is_none());
}

#[test]
fn setting_one_encryption_clears_the_other() {
    let mut world = World::default();
    create(&mut world, "q", json!({})).unwrap();
    set(&mut world, "q", json!({ "KmsMasterKeyId": "alias/aws/sqs" })).unwrap();
    let all = attributes(&mut world, "q");
    assert_eq!(all["SqsManagedSseEnabled"], "false");
    assert_eq!(all["KmsDataKeyReusePeriodSeconds"], "300");
    let both = json!({ "KmsMasterKeyId": "alias/aws/sqs", "SqsManagedSseEnabled": "true" });
    assert_eq!(set(&mut world, "q", both), Err("InvalidAttributeName".into()));
    let back = json!({ "KmsMasterKeyId": "", "SqsManagedSseEnabled": "true" });
    set(&mut world, "q", back).unwrap();
    let all = attributes(&mut world, "q");
    assert_eq!(all["SqsManagedSseEnabled"], "true");
    assert!(all.get("KmsMasterKeyId").is_none());
    // SQS checks the key only when it uses it. A call that removes the key turns no other
    // encryption on.
    set(&mut world, "q", json!({ "KmsMasterKeyId": "alias/none" })).unwrap();
    set(&mut world, "q", json!({ "KmsMasterKeyId": "" })).unwrap();
    let all = attributes(&mut world, "q");
    assert_eq!(all["SqsManagedSseEnabled"], "false");
    assert!(all.get("KmsDataKeyReusePeriodSeconds").is_none());
}

#[test]
fn names_and_values_are_checked() {
    let mut world = World::default();
    assert_eq!(create(&mut world, "a b", json!({})), Err("InvalidParameterValueException".into()));
    assert!(create(&mut world, "q.fifo", json!({})).is_err());
    assert!(create(&mut world, "q", json!({ "FifoQueue": "true" })).is_err());
    let long = create(&mut world, "q", json!({ "DelaySeconds": "901" }));
    assert_eq!(long, Err("InvalidAttributeValue".into()));
    let unknown = create(&mut world, "q", json!({ "Colour": "red" }));
    assert_eq!(unknown, Err("InvalidAttributeName".into()));
    let policy = create(&mut world, "q", json!({ "Policy": "{" }));
    assert_eq!(policy, Err("InvalidAttributeValue".into()));
}

#[test]
fn fifo_attributes_are_refused_on_standard_queues() {
    let mut world = World::default();
    for key in ["FifoQueue", "ContentBasedDeduplication", "DeduplicationScope"] {
        let made = create(&mut world, "q", json!({ key: "false" }));
        assert_eq!(made, Err("InvalidAttributeName".into()), "{key}");
    }
    let fifo = json!({ "FifoQueue": "True", "ContentBasedDeduplication": "False" });
    create(&mut world, "q.fifo", fifo).unwrap();
    assert_eq!(attributes(&mut world, "q.fifo")["ContentBasedDeduplication"], "false");
    set(&mut world, "q.fifo", json!({ "FifoQueue": "true" })).unwrap();
    let other = set(&mut world, "q.fifo", json!({ "FifoQueue": "false" }));
    assert_eq!(other, Err("InvalidAttributeValue".into()));
}

#[test]
fn a_queue_can_be_purged_once_a_minute() {
    let mut world = World::default();
    create(&mut world, "q", json!({})).unwrap();
    let queue = json!({ "QueueUrl": url("q") });
    sqs(&mut world, "PurgeQueue", queue.clone()).unwrap();
    let refusal = ask(&mut world, "sqs", "PurgeQueue", queue).unwrap_err();
    assert_eq!((refusal.status, &*refusal.code), (403, "com.amazonaws.sqs#PurgeQueueInProgress"));
}

#[test]
fn only_a_strict_sandbox_keeps_the_name_of_a_deleted_queue() {
    let mut world = World::default();
    create(&mut world, "q", json!({})).unwrap();
    sqs(&mut world, "DeleteQueue", json!({ "QueueUrl": url("q") })).unwrap();
    world.base.strict = true;
    assert_eq!(create(&mut world, "q", json!({})), Err("QueueDeletedRecently".into()));
    world.base.strict = false;
    create(&mut world, "q", json!({})).unwrap();
}

#[test]
fn queues_are_listed_by_prefix_in_pages() {
    let mut world = World::default();
    for name in ["dev-a", "dev-b", "prod-a"] {
        create(&mut world, name, json!({})).unwrap();
    }
    let input = json!({ "QueueNamePrefix": "dev-", "MaxResults": 1 });
    let first = sqs(&mut world, "ListQueues", input).unwrap();
    assert_eq!(first["QueueUrls"], json!([url("dev-a")]));
    let input =
        json!({ "QueueNamePrefix": "dev-", "MaxResults": 1, "NextToken": first["NextToken"] });
    let second = sqs(&mut world, "ListQueues", input).unwrap();
    assert_eq!(second["QueueUrls"], json!([url("dev-b")]));
    assert!(second.get("NextToken").is_none());
}

#[test]
fn tags_are_set_at_creation_and_changed_later() {
    let mut world = World::default();
    create(&mut world, "q", json!({})).unwrap();
    let more = json!({ "QueueUrl": url("q"), "Tags": { "a": "b" } });
    sqs(&mut world, "TagQueue", more).unwrap();
    let less = json!({ "QueueUrl": url("q"), "TagKeys": ["k"] });
    sqs(&mut world, "UntagQueue", less).unwrap();
    let tags = sqs(&mut world, "ListQueueTags", json!({ "QueueUrl": url("q") })).unwrap();
    assert_eq!(tags["Tags"], json!({ "a": "b" }));
}
