//! Tests of messages.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::{arn, url};
use crate::World;
use crate::toolbox::testing::ask;

struct Queue(World, String);

impl Queue {
    fn new(name: &str, attributes: Value) -> Self {
        let mut world = World::default();
        let input = json!({ "QueueName": name, "Attributes": attributes });
        ask(&mut world, "sqs", "CreateQueue", input).unwrap();
        Self(world, url("eu-west-1", name))
    }

    fn fifo() -> Self {
        Self::new("q.fifo", json!({ "FifoQueue": "true", "ContentBasedDeduplication": "true" }))
    }

    /// Makes a call. The error is the message of the refusal.
    fn ask(&mut self, operation: &str, mut input: Value) -> Result<Value, String> {
        input["QueueUrl"] = self.1.clone().into();
        ask(&mut self.0, "sqs", operation, input).map_err(|refusal| refusal.message)
    }

    fn send(&mut self, body: &str, group: &str) -> Value {
        let input = json!({ "MessageBody": body, "MessageGroupId": group });
        self.ask("SendMessage", input).unwrap()
    }

    fn receive(&mut self, most: usize) -> Vec<Value> {
        let input = json!({ "MaxNumberOfMessages": most, "MessageAttributeNames": ["All"],
            "AttributeNames": ["All"] });
        let received = self.ask("ReceiveMessage", input).unwrap();
        received["Messages"].as_array().cloned().unwrap_or_default()
    }

    fn bodies(&mut self, most: usize) -> String {
        let received = self.receive(most);
        let bodies = received.iter().map(|message| message["Body"].as_str().unwrap());
        bodies.collect::<Vec<_>>().join(" ")
    }

    fn delete(&mut self, message: &Value) -> Result<Value, String> {
        self.ask("DeleteMessage", json!({ "ReceiptHandle": message["ReceiptHandle"] }))
    }

    fn count(&mut self, which: &str) -> Value {
        let input = json!({ "AttributeNames": ["All"] });
        let all = self.ask("GetQueueAttributes", input).unwrap();
        all["Attributes"][format!("ApproximateNumberOfMessages{which}")].clone()
    }
}

#[test]
fn a_received_message_is_hidden_until_deleted() {
    let mut queue = Queue::new("q", json!({}));
    queue.ask("SendMessage", json!({ "MessageBody": "hello" })).unwrap();
    queue.ask("SendMessage", json!({ "MessageBody": "later", "DelaySeconds": 60 })).unwrap();
    assert_eq!((queue.count(""), queue.count("Delayed")), (json!("1"), json!("1")));
    let received = queue.receive(10);
    assert_eq!(received[0]["Body"], "hello");
    assert_eq!(received[0]["MD5OfBody"], "5d41402abc4b2a76b9719d911017c592");
    assert!(queue.receive(10).is_empty());
    assert_eq!(queue.count("NotVisible"), "1");
    queue.delete(&received[0]).unwrap();
    assert_eq!(queue.count("NotVisible"), "0");
    let gone = json!({ "ReceiptHandle": received[0]["ReceiptHandle"], "VisibilityTimeout": 0 });
    let refused = queue.ask("ChangeMessageVisibility", gone).unwrap_err();
    assert!(refused.contains("not available for visibility timeout change"), "{refused}");
    let refused = queue.ask("DeleteMessage", json!({ "ReceiptHandle": "x" })).unwrap_err();
    assert_eq!(refused, "The input receipt handle \"x\" is not a valid receipt handle.");
}

#[tokio::test(start_paused = true)]
async fn messages_received_too_often_move_to_the_dead_letter_queue() {
    let mut queue = Queue::new("dlq", json!({}));
    let policy = json!({ "deadLetterTargetArn": arn("eu-west-1", "dlq"),
        "maxReceiveCount": 1 });
    let attributes = json!({ "RedrivePolicy": policy.to_string(), "VisibilityTimeout": "10" });
    let input = json!({ "QueueName": "q", "Attributes": attributes });
    ask(&mut queue.0, "sqs", "CreateQueue", input).unwrap();
    let mut queue = Queue(queue.0, url("eu-west-1", "q"));
    queue.ask("SendMessage", json!({ "MessageBody": "hello" })).unwrap();
    assert_eq!(queue.bodies(1), "hello");
    tokio::time::advance(Duration::from_secs(11)).await;
    assert_eq!(queue.bodies(1), "");
    let mut dead = Queue(queue.0, url("eu-west-1", "dlq"));
    let message = dead.receive(1).remove(0);
    assert_eq!(message["Attributes"]["ApproximateReceiveCount"], "2");
    let source = arn("eu-west-1", "q");
    assert_eq!(message["Attributes"]["DeadLetterQueueSourceArn"], source);
}

#[tokio::test(start_paused = true)]
async fn messages_of_a_group_keep_their_order() {
    let mut queue = Queue::fifo();
    for (body, group) in [("a1", "a"), ("b1", "b"), ("a2", "a"), ("a3", "a"), ("c1", "c")] {
        queue.send(body, group);
    }
    let first = queue.receive(2);
    assert_eq!((&first[0]["Body"], &first[1]["Body"]), (&json!("a1"), &json!("a2")));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(queue.bodies(1), "b1", "the whole group waits");
    queue.delete(&first[0]).unwrap();
    tokio::time::advance(Duration::from_secs(31)).await;
    let refused = queue.delete(&first[1]).unwrap_err();
    assert!(refused.ends_with("Reason: The receipt handle has expired."), "{refused}");
    // The group that was never received comes first.
    assert_eq!(queue.bodies(10), "c1 a2 a3 b1");

    let mut queue = Queue::fifo();
    for body in ["1", "2", "3"] {
        queue.send(body, "a");
    }
    let longer = queue.receive(10)[1]["ReceiptHandle"].clone();
    let longer = json!({ "ReceiptHandle": longer, "VisibilityTimeout": 60 });
    queue.ask("ChangeMessageVisibility", longer).unwrap();
    tokio::time::advance(Duration::from_secs(31)).await;
    assert_eq!(queue.bodies(10), "1", "what stands behind a hidden message waits");
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_arrives_once() {
    let mut queue = Queue::fifo();
    let first = queue.send("m", "a");
    assert_eq!(queue.send("m", "b")["MessageId"], first["MessageId"]);
    assert_ne!(queue.send("n", "a")["SequenceNumber"], first["SequenceNumber"]);
    assert_eq!(queue.bodies(10), "m n");
    tokio::time::advance(Duration::from_secs(301)).await;
    assert_ne!(queue.send("m", "a")["MessageId"], first["MessageId"]);

    let each = json!({ "FifoQueue": "true", "ContentBasedDeduplication": "true",
        "DeduplicationScope": "messageGroup" });
    let mut queue = Queue::new("q.fifo", each);
    queue.send("m", "a");
    queue.send("m", "b");
    assert_eq!(queue.bodies(10), "m m");
    // Another scope takes effect after a minute.
    tokio::time::advance(Duration::from_secs(1)).await;
    let scope = json!({ "Attributes": { "DeduplicationScope": "queue" } });
    queue.ask("SetQueueAttributes", scope).unwrap();
    let first = queue.send("n", "a");
    assert_ne!(queue.send("n", "b")["MessageId"], first["MessageId"]);
    tokio::time::advance(Duration::from_secs(61)).await;
    let first = queue.send("o", "a");
    assert_eq!(queue.send("o", "b")["MessageId"], first["MessageId"]);
}

#[test]
fn only_requested_attributes_are_returned() {
    let mut queue = Queue::new("q", json!({ "VisibilityTimeout": "0" }));
    let text = |value: &str| json!({ "DataType": "String", "StringValue": value });
    let attributes =
        json!({ "Help.Me": text("Me"), "Hello": text("There"), "General": text("Kenobi") });
    let input = json!({ "MessageBody": "msg", "MessageAttributes": attributes });
    let sent = queue.ask("SendMessage", input).unwrap();
    assert_eq!(sent["MD5OfMessageAttributes"], "4c360f3fdafd970e05fae2f149d997f5");
    assert!(sent.get("MD5OfMessageSystemAttributes").is_none());
    for (wanted, expected) in [
        (json!([]), json!(null)),
        (json!(["Foo", "Help"]), json!(null)),
        (json!(["Foo", "Hello"]), json!("a311262e065454b75da111d535b8dacd")),
        (json!(["Hel.*"]), json!("83fee93c1bcd8b9a5a923ffacdc636c7")),
        (json!([".*"]), json!("4c360f3fdafd970e05fae2f149d997f5")),
    ] {
        let input = json!({ "MessageAttributeNames": wanted });
        let received = queue.ask("ReceiveMessage", input).unwrap();
        assert_eq!(received["Messages"][0]["MD5OfMessageAttributes"], expected, "{wanted}");
        assert!(received["Messages"][0].get("Attributes").is_none());
    }
}

#[test]
fn messages_are_checked() {
    let (mut queue, mut fifo) =
        (Queue::new("q", json!({ "MaximumMessageSize": "1024" })), Queue::fifo());
    let attribute = |name: &str, kind: &str, value: &str| {
        let attribute = json!({ "DataType": kind, "StringValue": value });
        json!({ "MessageBody": "m", "MessageAttributes": { name: attribute } })
    };
    for (input, expected) in [
        (json!({}), "The request must contain the parameter MessageBody."),
        (json!({ "MessageBody": "m".repeat(1025) }), "shorter than 1024 bytes."),
        (json!({ "MessageBody": "\u{8}" }), "Invalid characters found."),
        (json!({ "MessageBody": "m", "MessageGroupId": "a b" }), "1 to 128 in length."),
        (json!({ "MessageBody": "m", "DelaySeconds": 901 }), "must be >= 0 and <= 900."),
        (attribute("AWS.x", "String", "v"), "Invalid attribute name"),
        (attribute("a..b", "String", "v"), "Invalid attribute name"),
        (attribute("a", "Text", "v"), "supported type prefixes"),
        (attribute("a", "String", ""), "must contain a non-empty value of type 'String'."),
        (attribute("a", "String", "\u{b}"), "invalid characters"),
    ] {
        let refused = queue.ask("SendMessage", input.clone()).unwrap_err();
        assert!(refused.contains(expected), "{input}: {refused}");
    }
    for (input, expected) in [
        (json!({ "MessageBody": "m" }), "must contain the parameter MessageGroupId."),
        (
            json!({ "MessageBody": "m", "MessageGroupId": "a", "DelaySeconds": 2 }),
            "not valid for this queue type.",
        ),
    ] {
        let refused = fifo.ask("SendMessage", input.clone()).unwrap_err();
        assert!(refused.contains(expected), "{input}: {refused}");
    }
    for (key, value) in [("MaxNumberOfMessages", 11), ("WaitTimeSeconds", 21)] {
        let refused = queue.ask("ReceiveMessage", json!({ key: value })).unwrap_err();
        assert!(refused.starts_with(&format!("Value {value} for parameter {key}")), "{refused}");
    }
}
