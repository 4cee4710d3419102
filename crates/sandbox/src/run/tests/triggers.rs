//! What calls functions by itself: queues, events, schedules, topics.

use super::*;
use crate::toolbox::testing::ask_in;

/// A server with a queue and its dead letters, and a function that it calls.
async fn with_queue(code: &str, mapping: Value) -> Served {
    let served = Served::start(Sandbox::in_memory().run_by(Runner::of("python3", &["-S"]))).await;
    let sandbox = &served.sandbox;
    api(sandbox, "sqs", "CreateQueue", json!({ "QueueName": "dead" }));
    let redrive = json!({
        "deadLetterTargetArn": format!("arn:aws:sqs:{REGION}:000000000000:dead"), "maxReceiveCount": 2,
    });
    let input = json!({
        "QueueName": "jobs",
        "Attributes": { "VisibilityTimeout": "2", "RedrivePolicy": redrive.to_string() },
    });
    api(sandbox, "sqs", "CreateQueue", input);
    with_files(sandbox, "f", &[("index.py", code)], json!({ "Timeout": 2 }));
    let mut input = json!({
        "FunctionName": "f", "EventSourceArn": format!("arn:aws:sqs:{REGION}:000000000000:jobs"),
    });
    input.as_object_mut().unwrap().extend(mapping.as_object().unwrap().clone());
    api(sandbox, "lambda", "CreateEventSourceMapping", input);
    served
}

fn send(sandbox: &Sandbox, text: &str) {
    let attributes = json!({ "kind": { "DataType": "String", "StringValue": "test" } });
    let input = json!({ "QueueUrl": "jobs", "MessageBody": text, "MessageAttributes": attributes });
    api(sandbox, "sqs", "SendMessage", input);
}

/// What the function printed, line by line, without the lines of Lambda.
fn printed(sandbox: &Sandbox) -> Vec<String> {
    let group = "/aws/lambda/f";
    let has =
        sandbox.with(true, |world, _| crate::logs::exists(&world.logs, REGION, group)).unwrap();
    let lines = if has { log_of(sandbox, group) } else { Vec::new() };
    let own = |line: &String| {
        !["START ", "END ", "REPORT ", "[ERROR]"].iter().any(|start| line.starts_with(start))
    };
    lines.into_iter().filter(own).collect()
}

#[tokio::test]
async fn a_queue_calls_its_function_and_keeps_what_failed() {
    let code = "import json\n\
        def handler(event, context):\n\
        \x20   failed = []\n\
        \x20   for record in event['Records']:\n\
        \x20       print(record['body'], record['eventSource'], record['messageAttributes']['kind']['stringValue'],\n\
        \x20           record['attributes']['ApproximateReceiveCount'])\n\
        \x20       if record['body'] == 'bad':\n\
        \x20           failed.append({'itemIdentifier': record['messageId']})\n\
        \x20   return {'batchItemFailures': failed}\n";
    let mapping = json!({ "FunctionResponseTypes": ["ReportBatchItemFailures"] });
    let served = with_queue(code, mapping).await;
    let sandbox = &served.sandbox;
    send(sandbox, "good");
    send(sandbox, "bad");
    let dead = until("the dead letter", || {
        Some(messages(sandbox, "dead")).filter(|messages| !messages.is_empty())
    });
    assert_eq!(dead.await[0]["Body"], "bad");
    let mut lines = printed(sandbox);
    lines.sort();
    assert_eq!(lines, ["bad aws:sqs test 1", "bad aws:sqs test 2", "good aws:sqs test 1"]);
    let input = json!({ "QueueUrl": "jobs", "AttributeNames": ["All"] });
    let left = api(sandbox, "sqs", "GetQueueAttributes", input);
    assert_eq!(left["Attributes"]["ApproximateNumberOfMessages"], "0");
    assert_eq!(left["Attributes"]["ApproximateNumberOfMessagesNotVisible"], "0");
    served.end().await;
}

#[tokio::test]
async fn a_function_that_fails_has_its_whole_batch_again() {
    let code = "def handler(event, context):\n\
        \x20   print(len(event['Records']))\n\
        \x20   raise Exception('no')\n";
    let mapping = json!({ "BatchSize": 2, "MaximumBatchingWindowInSeconds": 30 });
    let served = with_queue(code, mapping).await;
    let sandbox = &served.sandbox;
    send(sandbox, "one");
    sleep(Duration::from_millis(600)).await;
    assert_eq!(printed(sandbox), Vec::<String>::new(), "the window is open");
    send(sandbox, "two");
    until("both dead letters", || (messages(sandbox, "dead").len() == 2).then_some(())).await;
    assert_eq!(printed(sandbox), ["2", "2"]);
    served.end().await;
}

#[tokio::test]
async fn a_filter_drops_what_it_does_not_want() {
    let code = "def handler(event, context):\n\
        \x20   print([record['body'] for record in event['Records']])\n";
    let pattern = json!({ "body": { "amount": [{ "numeric": [">", 10] }] } });
    let mapping = json!({ "FilterCriteria": { "Filters": [{ "Pattern": pattern.to_string() }] } });
    let served = with_queue(code, mapping).await;
    let sandbox = &served.sandbox;
    send(sandbox, "{\"amount\": 5}");
    send(sandbox, "{\"amount\": 50}");
    let line = until("the call", || printed(sandbox).pop()).await;
    assert_eq!(line, "['{\"amount\": 50}']");
    let empty = || {
        let input = json!({ "QueueUrl": "jobs", "AttributeNames": ["All"] });
        let left = api(sandbox, "sqs", "GetQueueAttributes", input);
        let none = |key: &str| left["Attributes"][key] == "0";
        (none("ApproximateNumberOfMessages") && none("ApproximateNumberOfMessagesNotVisible"))
            .then_some(())
    };
    until("the queue is empty", empty).await;
    served.end().await;
}

#[tokio::test]
async fn events_reach_functions_queues_and_topics() {
    let served = Served::start(Sandbox::in_memory().run_by(Runner::of("python3", &["-S"]))).await;
    let sandbox = &served.sandbox;
    with_function(sandbox, "f", "def handler(event, context):\n    print(event['detail']['n'])\n");
    let queue = |name: &str| {
        api(sandbox, "sqs", "CreateQueue", json!({ "QueueName": name }));
        format!("arn:aws:sqs:{REGION}:000000000000:{name}")
    };
    let (direct, subscribed) = (queue("direct"), queue("subscribed"));
    let topic = api(sandbox, "sns", "CreateTopic", json!({ "Name": "t" }))["TopicArn"].clone();
    let input = json!({
        "TopicArn": topic, "Protocol": "sqs", "Endpoint": subscribed,
        "Attributes": { "RawMessageDelivery": "true" },
    });
    api(sandbox, "sns", "Subscribe", input);
    let rule = json!({ "Name": "r", "EventPattern": json!({ "source": ["shop"] }).to_string() });
    api(sandbox, "events", "PutRule", rule);
    let function = format!("arn:aws:lambda:{REGION}:000000000000:function:f");
    let targets = json!([
        { "Id": "f", "Arn": function }, { "Id": "q", "Arn": direct },
        { "Id": "t", "Arn": topic, "InputPath": "$.detail" },
    ]);
    api(sandbox, "events", "PutTargets", json!({ "Rule": "r", "Targets": targets }));
    let put = |source: &str, n: u32| {
        let entry =
            json!({ "Source": source, "DetailType": "d", "Detail": json!({ "n": n }).to_string() });
        let told = api(
            sandbox,
            "events",
            "PutEvents",
            json!({ "Entries": [entry, { "Source": "shop" }] }),
        );
        assert_eq!(told["FailedEntryCount"], 1);
        assert_eq!(told["Entries"][1]["ErrorCode"], "InvalidArgument");
    };
    put("shop", 1);
    assert_eq!(printed(sandbox), Vec::<String>::new(), "its policy does not admit the rule yet");
    admit(sandbox, "f", "events.amazonaws.com");
    put("other", 2);
    put("shop", 3);
    let line = until("the call", || printed(sandbox).pop()).await;
    assert_eq!(line, "3");
    let told: Vec<Value> = messages(sandbox, "direct")
        .iter()
        .map(|message| serde_json::from_str(message["Body"].as_str().unwrap()).unwrap())
        .collect();
    assert_eq!(told.len(), 2);
    assert_eq!((&told[1]["source"], &told[1]["detail-type"]), (&json!("shop"), &json!("d")));
    assert_eq!(told[1]["detail"], json!({ "n": 3 }));
    assert_eq!(messages(sandbox, "subscribed")[1]["Body"], "{\"n\":3}");
    served.end().await;
}

#[tokio::test]
async fn events_and_queues_that_name_an_alias_run_its_version() {
    let served = Served::start(Sandbox::in_memory().run_by(Runner::of("python3", &["-S"]))).await;
    let sandbox = &served.sandbox;
    with_versions(sandbox, |word| {
        format!(
            "def handler(event, context):\n    print('{word}', context.function_version, *event)\n"
        )
    });
    let rule = json!({ "Name": "r", "EventPattern": json!({ "source": ["shop"] }).to_string() });
    api(sandbox, "events", "PutRule", rule);
    let target = json!({
        "Id": "f", "Arn": format!("arn:aws:lambda:{REGION}:000000000000:function:f:live"),
        "Input": json!({ "rule": 1 }).to_string(),
    });
    api(sandbox, "events", "PutTargets", json!({ "Rule": "r", "Targets": [target] }));
    let put = || {
        let entry = json!({ "Source": "shop", "DetailType": "d", "Detail": "{}" });
        api(sandbox, "events", "PutEvents", json!({ "Entries": [entry] }));
    };
    // The policy of the function is not that of its alias: this event is lost.
    admit(sandbox, "f", "events.amazonaws.com");
    put();
    admit(sandbox, "f:live", "events.amazonaws.com");
    put();
    until("the event", || (!printed(sandbox).is_empty()).then_some(())).await;
    api(sandbox, "sqs", "CreateQueue", json!({ "QueueName": "jobs" }));
    let queue = format!("arn:aws:sqs:{REGION}:000000000000:jobs");
    let mapping = json!({ "FunctionName": "f:live", "EventSourceArn": queue });
    api(sandbox, "lambda", "CreateEventSourceMapping", mapping);
    send(sandbox, "one");
    until("the batch", || (printed(sandbox).len() > 1).then_some(())).await;
    assert_eq!(printed(sandbox), ["one 1 rule", "one 1 Records"]);
    served.end().await;
}

#[tokio::test]
async fn a_topic_calls_its_functions_if_the_filter_lets_it() {
    let served = Served::start(Sandbox::in_memory().run_by(Runner::of("python3", &["-S"]))).await;
    let sandbox = &served.sandbox;
    let code = "def handler(event, context):\n\
        \x20   told = event['Records'][0]['Sns']\n\
        \x20   print(told['Message'], told['Subject'], told['MessageAttributes']['kind']['Value'])\n";
    with_function(sandbox, "f", code);
    admit(sandbox, "f", "sns.amazonaws.com");
    let topic = api(sandbox, "sns", "CreateTopic", json!({ "Name": "t" }))["TopicArn"].clone();
    let input = json!({
        "TopicArn": topic, "Protocol": "lambda",
        "Endpoint": format!("arn:aws:lambda:{REGION}:000000000000:function:f"),
        "Attributes": { "FilterPolicy": json!({ "kind": ["a"] }).to_string() },
    });
    api(sandbox, "sns", "Subscribe", input);
    for kind in ["b", "a"] {
        let input = json!({
            "TopicArn": topic, "Message": kind, "Subject": "s",
            "MessageAttributes": { "kind": { "DataType": "String", "StringValue": kind } },
        });
        api(sandbox, "sns", "Publish", input);
    }
    until("the call", || (printed(sandbox) == ["a s a"]).then_some(())).await;
    sleep(Duration::from_millis(500)).await;
    assert_eq!(printed(sandbox), ["a s a"]);
    served.end().await;
}

#[tokio::test(start_paused = true)]
async fn schedules_and_failed_events_come_when_they_are_due() {
    let sandbox = Sandbox::in_memory();
    let dead = format!("arn:aws:sqs:{REGION}:000000000000:dead");
    api(&sandbox, "sqs", "CreateQueue", json!({ "QueueName": "dead" }));
    let more = json!({ "DeadLetterConfig": { "TargetArn": dead } });
    with_files(&sandbox, "f", &[("index.py", "")], more);
    admit(&sandbox, "f", "events.amazonaws.com");
    let rule = json!({ "Name": "r", "ScheduleExpression": "rate(5 minutes)" });
    api(&sandbox, "events", "PutRule", rule);
    let target =
        json!({ "Id": "f", "Arn": format!("arn:aws:lambda:{REGION}:000000000000:function:f") });
    api(&sandbox, "events", "PutTargets", json!({ "Rule": "r", "Targets": [target] }));
    let start = sandbox.with(true, |world, _| world.base.now()).unwrap();
    let mut from = start;
    let mut pass = async |seconds: u64| {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        let done = sandbox.with(false, |world, _| {
            let now = world.base.now();
            let fired = crate::events::fire(world, from, now);
            from = now;
            let taken = crate::lambda::take(world, 10);
            // It fails each time.
            let count = taken.len();
            for (waiting, plan) in taken {
                let error = json!({ "errorMessage": "no" });
                assert!(waiting.event.contains("Scheduled Event"));
                crate::lambda::fail(world, waiting, &plan, &error);
            }
            (fired, count)
        });
        done.unwrap()
    };
    assert_eq!(pass(299).await, (false, 0));
    assert_eq!(pass(2).await, (true, 1));
    assert_eq!(pass(58).await, (false, 0), "a minute until the second try");
    assert_eq!(pass(3).await, (false, 1));
    assert_eq!(pass(118).await, (false, 0), "two minutes until the third");
    assert_eq!(pass(3).await, (false, 1));
    assert_eq!(pass(30).await, (false, 0));
    let letters = messages(&sandbox, "dead");
    assert_eq!(letters.len(), 1);
    let attributes = &letters[0]["MessageAttributes"];
    assert_eq!(attributes["ErrorMessage"]["StringValue"], "no");
    assert_eq!(attributes["ErrorCode"]["StringValue"], "200");
    let other = sandbox
        .with(false, |world, _| ask_in(world, "us-east-1", "events", "ListRules", json!({})));
    assert_eq!(other.unwrap().unwrap()["Rules"], json!([]));
}
