//! Functions: what they get, what they answer, and what ends them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

#[tokio::test]
async fn a_function_answers_with_its_variables_and_context() {
    let sandbox = Sandbox::in_memory();
    let code = "import os, boto3\n\
        def handler(event, context):\n\
        \x20   print('hello', event['n'])\n\
        \x20   left = context.get_remaining_time_in_millis()\n\
        \x20   return {'n': event['n'] + 1, 'color': os.environ['COLOR'], 'left': 0 < left <= 20000,\n\
        \x20       'name': context.function_name, 'arn': context.invoked_function_arn,\n\
        \x20       'region': os.environ['AWS_REGION'], 'secret': os.environ.get('PAYCTL_TEST_SECRET'),\n\
        \x20       'home': os.path.isdir(os.environ['HOME']), 'helper': __import__('helper').VALUE}\n";
    let files = [("index.py", code), ("helper.py", "VALUE = 7\n")];
    let more = json!({ "Environment": { "Variables": { "COLOR": "red" } } });
    with_files(&sandbox, "f", &files, more);
    let response = invoke(&sandbox, "f", "{\"n\": 1}", &[("x-amz-log-type", "Tail")]).await;
    assert_eq!(response.status, 200, "{}", body(&response));
    let expected = json!({
        "n": 2, "color": "red", "left": true, "name": "f", "region": REGION, "secret": null,
        "arn": format!("arn:aws:lambda:{REGION}:000000000000:function:f"), "home": true, "helper": 7,
    });
    assert_eq!(body(&response), expected);
    assert_eq!(header(&response, "x-amz-executed-version"), Some("$LATEST"));
    let id = header(&response, "x-amzn-requestid").unwrap().to_owned();
    let tail = STANDARD.decode(header(&response, "x-amz-log-result").unwrap()).unwrap();
    let tail = String::from_utf8(tail).unwrap();
    let lines: Vec<&str> = tail.lines().collect();
    assert_eq!(lines[0], format!("START RequestId: {id} Version: $LATEST"));
    assert_eq!(lines[1..3], ["hello 1", &format!("END RequestId: {id}")]);
    assert!(lines[3].starts_with(&format!("REPORT RequestId: {id}\tDuration: ")), "{tail}");
    assert!(lines[3].contains("\tMemory Size: 128 MB\tMax Memory Used: "), "{tail}");
    assert_eq!(log_of(&sandbox, "/aws/lambda/f"), lines);
}

#[tokio::test]
async fn errors_are_told_as_by_lambda() {
    let sandbox = Sandbox::in_memory();
    let code = "import sys, os\n\
        def handler(event, context):\n\
        \x20   kind = event.get('kind')\n\
        \x20   if kind == 'raise': raise ValueError('wrong')\n\
        \x20   if kind == 'set': return {1, 2}\n\
        \x20   if kind == 'exit': sys.exit(3)\n\
        \x20   if kind == 'kill': os.kill(os.getpid(), 9)\n";
    with_function(&sandbox, "f", code);
    let failed = async |name: &str, event: Value| {
        let response = invoke(&sandbox, name, &event.to_string(), &[]).await;
        assert_eq!(header(&response, "x-amz-function-error"), Some("Unhandled"), "{event}");
        assert_eq!(response.status, 200);
        body(&response)
    };
    let raised = failed("f", json!({ "kind": "raise" })).await;
    assert_eq!(
        (&raised["errorType"], &raised["errorMessage"]),
        (&json!("ValueError"), &json!("wrong"))
    );
    let trace = raised["stackTrace"].as_array().unwrap();
    let line = "    if kind == 'raise': raise ValueError('wrong')\n";
    assert_eq!(
        trace,
        &[json!(format!("  File \"/var/task/index.py\", line 4, in handler\n{line}"))]
    );
    assert!(raised["requestId"].as_str().unwrap().len() == 36);
    let log = log_of(&sandbox, "/aws/lambda/f").join("\n");
    assert!(log.contains("[ERROR] ValueError: wrong\nTraceback (most recent call last):"), "{log}");
    let marshal = failed("f", json!({ "kind": "set" })).await;
    assert_eq!(marshal["errorType"], "Runtime.MarshalError");
    let exit = failed("f", json!({ "kind": "exit" })).await;
    assert_eq!(exit["errorType"], "Runtime.ExitError");
    let message = exit["errorMessage"].as_str().unwrap();
    assert!(message.ends_with("Error: Runtime exited with error: exit status 3"), "{message}");
    let killed = failed("f", json!({ "kind": "kill" })).await;
    let message = killed["errorMessage"].as_str().unwrap();
    assert!(message.ends_with("signal: killed"), "{message}");
    for (name, code, handler, kind, message) in [
        (
            "none",
            "def other(): pass\n",
            "index.handler",
            "Runtime.HandlerNotFound",
            "Handler 'handler' missing on module 'index'",
        ),
        (
            "module",
            "import nothing_here\n",
            "index.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'index': No module named 'nothing_here'",
        ),
        (
            "bad",
            "x = 1\n",
            "index",
            "Runtime.MalformedHandlerName",
            "Bad handler 'index': not enough values to unpack (expected 2, got 1)",
        ),
        (
            "syntax",
            "def handler(:\n",
            "index.handler",
            "Runtime.UserCodeSyntaxError",
            "Syntax error",
        ),
        ("init", "1 / 0\n", "index.handler", "ZeroDivisionError", "division by zero"),
    ] {
        with_files(&sandbox, name, &[("index.py", code)], json!({ "Handler": handler }));
        let told = failed(name, json!({})).await;
        assert_eq!(told["errorType"], kind, "{told}");
        assert!(told["errorMessage"].as_str().unwrap().starts_with(message), "{told}");
    }
}

#[tokio::test]
async fn a_function_ends_with_its_time_and_all_that_it_started() {
    let sandbox = Sandbox::in_memory();
    let code = "import subprocess, time\n\
        def handler(event, context):\n\
        \x20   child = subprocess.Popen(['sleep', '600'])\n\
        \x20   open(event['file'], 'w').write(str(child.pid))\n\
        \x20   time.sleep(600 if event['waits'] else 0)\n";
    with_files(&sandbox, "f", &[("index.py", code)], json!({ "Timeout": 3 }));
    let dir = tempfile::tempdir().unwrap();
    for waits in [true, false] {
        let file = dir.path().join(waits.to_string());
        let event = json!({ "file": file, "waits": waits });
        let response = invoke(&sandbox, "f", &event.to_string(), &[]).await;
        let told = body(&response);
        if waits {
            assert_eq!(header(&response, "x-amz-function-error"), Some("Unhandled"));
            assert_eq!(told["errorType"], "Sandbox.Timedout");
            let message = told["errorMessage"].as_str().unwrap();
            assert!(message.ends_with("Error: Task timed out after 3.00 seconds"), "{message}");
            let log = log_of(&sandbox, "/aws/lambda/f").join("\n");
            assert!(log.contains(" Task timed out after 3.00 seconds"), "{log}");
        } else {
            assert_eq!(told, Value::Null);
        }
        let child = std::fs::read_to_string(&file).unwrap();
        until("the child ends", || (!is_alive(&child)).then_some(())).await;
    }
}

/// Whether a process runs, by its id: one that nobody has waited for yet does not.
fn is_alive(id: &str) -> bool {
    let listed = Command::new("ps").args(["-o", "stat=", "-p", id]).output().unwrap();
    let state = String::from_utf8_lossy(&listed.stdout).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}

#[tokio::test]
async fn functions_end_with_the_server() {
    let served = Served::start(Sandbox::in_memory()).await;
    let code = "import os, time\n\
        def handler(event, context):\n\
        \x20   open(event['file'], 'w').write(str(os.getpid()))\n\
        \x20   time.sleep(600)\n";
    with_function(&served.sandbox, "f", code);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let scope = format!("test/20260101/{REGION}/lambda/aws4_request");
    let signed = format!("authorization: AWS4-HMAC-SHA256 Credential={scope}, Signature=0");
    let content = json!({ "file": file }).to_string();
    let mut stream = TcpStream::connect(served.at).await.unwrap();
    let request = format!(
        "POST /2015-03-31/functions/f/invocations HTTP/1.1\r\nhost: localhost\r\n{signed}\r\n\
         content-length: {}\r\n\r\n{content}",
        content.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let read = || std::fs::read_to_string(&file).ok().filter(|id| !id.is_empty());
    let id = until("the function runs", read).await;
    assert!(is_alive(&id));
    served.end().await;
    until("the function ends", || (!is_alive(&id)).then_some(())).await;
}

#[tokio::test]
async fn requests_that_lambda_refuses_start_nothing() {
    let sandbox = Sandbox::in_memory();
    with_function(&sandbox, "f", "def handler(event, context):\n    return event\n");
    let more = json!({ "Runtime": "nodejs22.x" });
    with_files(&sandbox, "node", &[("index.js", "")], more);
    let refused = async |name: &str, event: &str, headers: &[(&str, &str)]| {
        let response = invoke(&sandbox, name, event, headers).await;
        let code = header(&response, "x-amzn-errortype").unwrap_or_default().to_owned();
        let told = body(&response);
        let message = told["message"].as_str().or(told["Message"].as_str()).unwrap_or_default();
        (response.status, code, message.to_owned())
    };
    let (status, code, message) = refused("g", "{}", &[]).await;
    assert_eq!((status, &*code), (404, "ResourceNotFoundException"));
    assert!(message.ends_with(":function:g:$LATEST"), "{message}");
    let (status, code, _) = refused("f", "{", &[]).await;
    assert_eq!((status, &*code), (400, "InvalidRequestContentException"));
    let large = format!("\"{}\"", "x".repeat(super::super::MOST_PAYLOAD));
    let (status, code, message) = refused("f", &large, &[]).await;
    assert_eq!((status, &*code), (413, "RequestEntityTooLargeException"));
    assert!(message.ends_with("for the RequestResponse invocation type (limit 6291456 bytes)"));
    let (status, code, message) = refused("node", "{}", &[]).await;
    assert_eq!((status, &*code), (400, "NotImplementedInSandbox"));
    assert!(message.contains("Python only"), "{message}");
    let (_, code, _) = refused("f", "{}", &[("x-amz-invocation-type", "Now")]).await;
    assert_eq!(code, "ValidationException");
    let none = json!({ "FunctionName": "f", "ReservedConcurrentExecutions": 0 });
    api(&sandbox, "lambda", "PutFunctionConcurrency", none);
    let (status, code, message) = refused("f", "{}", &[]).await;
    assert_eq!((status, &*code, &*message), (429, "TooManyRequestsException", "Rate Exceeded."));
    let dry = invoke(&sandbox, "f", "{}", &[("x-amz-invocation-type", "DryRun")]).await;
    assert_eq!((dry.status, dry.body.len()), (204, 0));
}

#[tokio::test]
async fn an_answer_larger_than_lambda_takes_is_an_error() {
    let sandbox = Sandbox::in_memory();
    with_function(&sandbox, "f", "def handler(event, context):\n    return 'x' * 6291600\n");
    let response = invoke(&sandbox, "f", "", &[]).await;
    assert_eq!(body(&response)["errorType"], "Function.ResponseSizeTooLarge");
}

#[tokio::test]
async fn a_machine_without_python_is_told_so() {
    let sandbox = Sandbox::in_memory().run_by(Runner::of("payctl-no-such-python", &[]));
    with_function(&sandbox, "f", "def handler(event, context):\n    return event\n");
    let response = invoke(&sandbox, "f", "{}", &[]).await;
    assert_eq!(header(&response, "x-amzn-errortype"), Some("NotImplementedInSandbox"));
    let told = body(&response)["message"].as_str().unwrap().to_owned();
    let start = "the sandbox runs functions with `payctl-no-such-python`, and cannot start it: ";
    assert!(told.starts_with(start), "{told}");
}

/// The sandbox with what `processing` needs, with the boto3 of this machine or without.
fn with_payments(runner: Runner) -> Sandbox {
    let sandbox = Sandbox::in_memory().run_by(runner);
    let attribute =
        |name: &str, kind: &str| json!({ "AttributeName": name, "AttributeType": kind });
    let key = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
    let table = json!({
        "TableName": "payments", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            attribute("transaction_id", "S"), attribute("timestamp", "N"), attribute("customer_id", "S"),
        ],
        "KeySchema": [key("transaction_id", "HASH"), key("timestamp", "RANGE")],
        "GlobalSecondaryIndexes": [{
            "IndexName": "customer-index", "Projection": { "ProjectionType": "ALL" },
            "KeySchema": [key("customer_id", "HASH"), key("timestamp", "RANGE")],
        }],
    });
    api(&sandbox, "dynamodb", "CreateTable", table);
    api(&sandbox, "dynamodb", "DescribeTable", json!({ "TableName": "payments" }));
    let place = format!("<LocationConstraint>{REGION}</LocationConstraint>");
    let place = format!("<CreateBucketConfiguration>{place}</CreateBucketConfiguration>");
    assert_eq!(s3(&sandbox, "PUT", "/audit", &place).status, 200);
    let mut variables = json!({ "TRANSACTION_TABLE": "payments", "AUDIT_BUCKET": "audit" });
    with_shipped(&sandbox, "fraud_detection", variables.clone());
    let queue = api(&sandbox, "sqs", "CreateQueue", json!({ "QueueName": "paid" }));
    variables["PAYMENT_QUEUE_URL"] = queue["QueueUrl"].clone();
    with_shipped(&sandbox, "processing", variables);
    let topic = api(&sandbox, "sns", "CreateTopic", json!({ "Name": "ops" }));
    let queue = api(&sandbox, "sqs", "CreateQueue", json!({ "QueueName": "told" }));
    assert!(queue["QueueUrl"].is_string());
    let queue = format!("arn:aws:sqs:{REGION}:000000000000:told");
    let input = json!({ "TopicArn": topic["TopicArn"], "Protocol": "sqs", "Endpoint": queue });
    api(&sandbox, "sns", "Subscribe", input);
    let variables = json!({
        "AUDIT_BUCKET": "audit", "ALERT_TOPIC_ARN": topic["TopicArn"], "LOGS_BUCKET": "audit",
        "COST_TOPIC_ARN": topic["TopicArn"], "PROJECT": "payment", "ENVIRONMENT_SUFFIX": "dev",
        "COST_MAIL_FROM": "cost@example.com", "COST_MAIL_TO": "people@example.com",
    });
    with_shipped(&sandbox, "event_handler", variables.clone());
    with_shipped(&sandbox, "cost_report", variables);
    sandbox
}

/// One request to S3.
fn s3(sandbox: &Sandbox, method: &str, target: &str, content: &str) -> Response {
    let scope = format!("test/20260101/{REGION}/s3/aws4_request");
    let request = Request {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: vec![("authorization".to_owned(), format!("AWS4-HMAC-SHA256 Credential={scope}"))],
        body: content.into(),
    };
    let route = crate::wire::Route::of(&request);
    sandbox.with(false, |world, _| crate::s3::handle(world, &request, &route)).unwrap()
}

/// The shipped functions do the same with boto3 and with its stand-in.
async fn shipped_functions_work(runner: Runner) {
    let sandbox = with_payments(runner);
    let payment = |amount: &str, key: &str| {
        let body = json!({
            "customer_id": "c1", "amount": amount, "currency": "eur", "card_number": "4242424242424242",
        });
        json!({ "headers": { "Idempotency-Key": key }, "body": body.to_string() })
    };
    let answered = |answer: &Value| -> Value {
        serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
    };
    let first = answer(&sandbox, "processing", payment("12.50", "k1")).await;
    assert_eq!(
        first["statusCode"],
        200,
        "{first} {:?}",
        log_of(&sandbox, "/aws/lambda/processing")
    );
    let again = answer(&sandbox, "processing", payment("12.5", "k1")).await;
    assert_eq!(answered(&first), answered(&again), "a payment is taken once");
    let other = answer(&sandbox, "processing", payment("13", "k1")).await;
    assert_eq!(other["statusCode"], 422);
    let all = api(&sandbox, "dynamodb", "Scan", json!({ "TableName": "payments" }));
    let items = all["Items"].as_array().unwrap();
    let paid = items.iter().find(|item| item.get("customer_id").is_some()).unwrap();
    assert_eq!((items.len(), &paid["amount"]), (2, &json!({ "N": "12.5" })));
    let claim = items.iter().find(|item| item.get("customer_id").is_none()).unwrap();
    assert_eq!(claim["state"], json!({ "S": "complete" }));
    let day = paid["processed_at"]["S"].as_str().unwrap()[..10].replace('-', "/");
    let id = paid["transaction_id"]["S"].as_str().unwrap();
    let record = s3(&sandbox, "GET", &format!("/audit/transactions/{day}/{id}.json"), "");
    assert_eq!(body(&record)["amount"], "12.50");
    let told = messages(&sandbox, "paid");
    let told: Value = serde_json::from_str(told[0]["Body"].as_str().unwrap()).unwrap();
    assert_eq!((&told["id"], &told["type"]), (&json!(id), &json!("payment")));

    let check = json!({ "body": json!({ "customer_id": "c1", "amount": 20000 }).to_string() });
    let scored = answer(&sandbox, "fraud_detection", check).await;
    assert_eq!(answered(&scored)["fraud_indicators"], json!(["high value", "unusual amount"]));

    let event = json!({
        "id": "e1", "time": "2026-01-31T12:00:00Z", "source": "payment", "detail": { "status": "failed" },
    });
    answer(&sandbox, "event_handler", event).await;
    let kept = s3(&sandbox, "GET", "/audit/events/2026/01/31/e1.json", "");
    assert_eq!(body(&kept)["detail"]["status"], "failed");
    let told = messages(&sandbox, "told");
    let told: Value = serde_json::from_str(told[0]["Body"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&told["Type"], &told["Subject"]),
        (&json!("Notification"), &json!("Payment failed (dev)"))
    );

    let report = answer(&sandbox, "cost_report", json!({})).await;
    assert_eq!(report["total"]["change"], "0.00");
    let why = report["recent"]["tags"]["reason"].as_str().unwrap();
    assert!(why.starts_with("Not active as cost allocation tags: payctl:project"), "{why}");
    assert_eq!(report["anomalies"], json!({ "found": [] }));
    let told = messages(&sandbox, "told");
    let mut told = told.iter().map(|one| one["Body"].as_str().unwrap());
    let message = told.find(|body| body.contains("Cost report payment dev")).unwrap();
    assert!(message.contains("With a chart: s3://audit/cost-reports/"), "{message}");
    // The sandbox sends no mails, and the report says so.
    assert!(message.contains("SES did not send the mail with the chart"), "{message}");
}

#[tokio::test]
async fn shipped_functions_work_with_the_stand_in_for_boto3() {
    shipped_functions_work(Runner::of("python3", &["-S"])).await;
}

/// A call of AWS has arguments with capitals, and nothing else that the functions call has.
#[tokio::test]
async fn the_stand_in_for_boto3_knows_every_call_of_the_shipped_functions() {
    let sandbox = Sandbox::in_memory().run_by(Runner::of("python3", &["-S"]));
    let code = "import ast, boto3\n\
        def handler(event, context):\n\
        \x20   calls = [one for one in ast.walk(ast.parse(event)) if isinstance(one, ast.Call)]\n\
        \x20   named = [(getattr(one.func, 'attr', getattr(one.func, 'id', '')), one) for one in calls]\n\
        \x20   services = {one.args[0].value for name, one in named if name in ('client', 'resource')\n\
        \x20       and one.args and isinstance(one.args[0], ast.Constant)}\n\
        \x20   asked = {name for name, one in named if isinstance(one.func, ast.Attribute)\n\
        \x20       and any((word.arg or '')[:1].isupper() for word in one.keywords)}\n\
        \x20   known = {call for service in services for call in boto3.KNOWN.get(service, [])}\n\
        \x20   return {'services': sorted(services), 'calls': sorted(asked),\n\
        \x20       'unknown': sorted(services - set(boto3.KNOWN)) + sorted(asked - known)}\n";
    with_function(&sandbox, "reader", code);
    let mut calls = BTreeSet::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../functions");
    for function in std::fs::read_dir(folder).unwrap() {
        let Ok(source) = std::fs::read_to_string(function.unwrap().path().join("index.py")) else {
            continue;
        };
        let found = answer(&sandbox, "reader", json!(source)).await;
        assert_eq!(found["unknown"], json!([]), "{found}");
        let found =
            [&found["services"], &found["calls"]].map(|all| all.as_array().unwrap().clone());
        calls.extend(found.concat().iter().map(|call| call.as_str().unwrap().to_owned()));
    }
    // What the reader must find at least: a plain call, one of a table, and one with unpacked arguments.
    for call in ["ecs", "get_secret_value", "put_item", "send_message"] {
        assert!(calls.contains(call), "{call}: {calls:?}");
    }
}

/// Where there is a boto3, functions get it, and otherwise its stand-in. `tests/it/cli_serve.rs` demands a
/// real one.
#[tokio::test]
async fn shipped_functions_work_with_the_boto3_of_this_machine() {
    let mut python = std::process::Command::new("python3");
    let has = python.args(["-c", "import boto3, botocore"]).output().unwrap().status.success();
    let sandbox = Sandbox::in_memory();
    let code = "import boto3\n\
        def handler(event, context):\n\
        \x20   return boto3.__file__\n";
    with_function(&sandbox, "where", code);
    let place = answer(&sandbox, "where", json!({})).await;
    assert_eq!(!place.as_str().unwrap().contains("stand_in"), has, "{place}");
    if has {
        shipped_functions_work(Runner::default()).await;
    }
}

#[tokio::test]
async fn a_function_acts_as_its_role_and_may_call_another() {
    let sandbox = Sandbox::in_memory().run_by(Runner::of("python3", &["-S"]));
    let ask = "import http.client, os, urllib.parse\n\
        def ask(service, method, path, body, **headers):\n\
        \x20   place = urllib.parse.urlsplit(os.environ['AWS_ENDPOINT_URL'])\n\
        \x20   connection = http.client.HTTPConnection(place.hostname, place.port)\n\
        \x20   scope = f\"{os.environ['AWS_ACCESS_KEY_ID']}/20260101/{os.environ['AWS_REGION']}/{service}/aws4_request\"\n\
        \x20   headers['Authorization'] = f'AWS4-HMAC-SHA256 Credential={scope}, Signature=0'\n\
        \x20   connection.request(method, path, body, headers)\n\
        \x20   return connection.getresponse().read().decode()\n";
    let who = "from ask import ask\n\
        def handler(event, context):\n\
        \x20   form = {'Content-Type': 'application/x-www-form-urlencoded'}\n\
        \x20   return ask('sts', 'POST', '/', 'Action=GetCallerIdentity&Version=2011-06-15', **form)\n";
    let outer = "from ask import ask\n\
        def handler(event, context):\n\
        \x20   return ask('lambda', 'POST', '/2015-03-31/functions/who/invocations', '{}')\n";
    with_files(&sandbox, "who", &[("index.py", who), ("ask.py", ask)], json!({}));
    with_files(&sandbox, "outer", &[("index.py", outer), ("ask.py", ask)], json!({}));
    let told = answer(&sandbox, "outer", json!({})).await;
    let arn = "arn:aws:sts::000000000000:assumed-role/work/who";
    assert!(told.as_str().unwrap().contains(arn), "{told}");
}
