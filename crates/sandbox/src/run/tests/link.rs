//! Functions behind a load balancer that an API reaches through a VPC link.

use super::routes::Routes;
use super::*;

/// Answers with its event and the name of its version.
fn telling(version: &str) -> String {
    format!(
        "def handler(event, context):\n    import json\n    \
         return {{'statusCode': 200, 'isBase64Encoded': False, \
         'headers': {{'Content-Type': 'application/json', 'X-Version': '{version}'}}, \
         'body': json.dumps(event)}}\n"
    )
}

/// An API with `POST /process` behind a load balancer with blue and green.
struct Linked {
    routes: Routes,
    listener: String,
    blue: String,
    green: String,
}

impl Linked {
    fn elb(&self, operation: &str, input: Value) -> Value {
        api(&self.routes.served.sandbox, "elasticloadbalancing", operation, input)
    }

    async fn start(template: Option<&str>) -> Self {
        let routes = Routes::start().await;
        let sandbox = &routes.served.sandbox;
        let of = |answer: &Value, pointer: &str| {
            answer.pointer(pointer).unwrap().as_str().unwrap().to_owned()
        };
        let vpc = api(sandbox, "ec2", "CreateVpc", json!({ "CidrBlock": "10.0.0.0/16" }));
        let vpc = of(&vpc, "/vpc/vpcId");
        let subnets: Vec<String> = ["a", "b"]
            .iter()
            .enumerate()
            .map(|(at, zone)| {
                let range = format!("10.0.{at}.0/24");
                let zone = format!("{REGION}{zone}");
                let input = json!({ "VpcId": vpc, "CidrBlock": range, "AvailabilityZone": zone });
                of(&api(sandbox, "ec2", "CreateSubnet", input), "/subnet/subnetId")
            })
            .collect();
        let input = json!({ "VpcId": vpc, "GroupName": "lb", "GroupDescription": "lb" });
        let groups = [of(&api(sandbox, "ec2", "CreateSecurityGroup", input), "/groupId")];
        let link = json!({ "name": "link", "subnetIds": subnets, "securityGroupIds": groups });
        let link = of(&api(sandbox, "apigateway", "CreateVpcLink", link), "/vpcLinkId");
        let elb = |operation, input| api(sandbox, "elasticloadbalancing", operation, input);
        let balancer = elb(
            "CreateLoadBalancer",
            json!({
                "Name": "dev-alb", "Scheme": "internal", "Subnets": subnets, "SecurityGroups": groups,
            }),
        );
        let balancer = of(&balancer, "/LoadBalancers/0/LoadBalancerArn");
        let sides = ["blue", "green"].map(|side| {
            with_function(sandbox, side, &telling(side));
            admit(sandbox, side, "elasticloadbalancing.amazonaws.com");
            let group = elb("CreateTargetGroup", json!({ "Name": side, "TargetType": "lambda" }));
            let group = of(&group, "/TargetGroups/0/TargetGroupArn");
            let function = format!("arn:aws:lambda:{REGION}:000000000000:function:{side}");
            let targets = json!({ "TargetGroupArn": group, "Targets": [{ "Id": function }] });
            elb("RegisterTargets", targets);
            group
        });
        let [blue, green] = sides;
        let listener = elb(
            "CreateListener",
            json!({
                "LoadBalancerArn": balancer, "Port": "80", "Protocol": "HTTP",
                "DefaultActions": weights(&blue, 100, &green, 0),
            }),
        );
        let listener = of(&listener, "/Listeners/0/ListenerArn");
        let mut integration = json!({
            "type": "HTTP_PROXY", "httpMethod": "POST", "uri": "http://dev-alb.example/process",
            "connectionType": "VPC_LINK", "connectionId": link, "integrationTarget": balancer,
        });
        if let Some(template) = template {
            integration["requestTemplates"] = json!({ "application/json": template });
        }
        routes.add("process", "POST", json!({}), integration);
        routes.deploy();
        Self { routes, listener, blue, green }
    }

    fn weigh(&self, blue: i64, green: i64) {
        let actions = weights(&self.blue, blue, &self.green, green);
        self.elb(
            "ModifyListener",
            json!({ "ListenerArn": self.listener, "DefaultActions": actions }),
        );
    }

    /// The status, the version that answered, and the event that it got.
    async fn pay(&self) -> (u16, String, Value) {
        let headers = ["content-type: application/json", "x-shop: one"];
        let sent = self.routes.send("POST", "/dev/process?x=1&x=2", &headers, "{\"amount\":1}");
        let (status, head, event) = sent.await;
        let version = head.lines().find_map(|line| line.strip_prefix("x-version: "));
        (status, version.unwrap_or_default().trim().to_owned(), event)
    }
}

fn weights(blue: &str, first: i64, green: &str, second: i64) -> Value {
    let groups = json!([
        { "TargetGroupArn": blue, "Weight": first.to_string() },
        { "TargetGroupArn": green, "Weight": second.to_string() },
    ]);
    json!([{ "Type": "forward", "ForwardConfig": { "TargetGroups": groups } }])
}

const OVERRIDE: &str = "#set($context.requestOverride.path = \"/process\")$input.body";

#[tokio::test]
async fn a_route_reaches_the_function_behind_a_load_balancer() {
    let linked = Linked::start(Some(OVERRIDE)).await;
    let (status, version, event) = linked.pay().await;
    assert_eq!((status, version.as_str()), (200, "blue"), "{event}");
    for (pointer, expected) in [
        ("/requestContext", json!({ "elb": { "targetGroupArn": linked.blue } })),
        ("/httpMethod", json!("POST")),
        ("/path", json!("/process")),
        ("/queryStringParameters", json!({ "x": "2" })),
        ("/headers/x-shop", json!("one")),
        ("/headers/host", json!("dev-alb.example")),
        ("/body", json!("{\"amount\":1}")),
        ("/isBase64Encoded", json!(false)),
    ] {
        assert_eq!(event.pointer(pointer), Some(&expected), "{pointer}: {event}");
    }
    assert_eq!(event.pointer("/multiValueHeaders"), None);
    let lists = json!([{ "Key": "lambda.multi_value_headers.enabled", "Value": "true" }]);
    let input = json!({ "TargetGroupArn": linked.blue, "Attributes": lists });
    linked.elb("ModifyTargetGroupAttributes", input);
    let (_, _, event) = linked.pay().await;
    assert_eq!(event["multiValueQueryStringParameters"], json!({ "x": ["1", "2"] }), "{event}");
}

#[tokio::test]
async fn the_weights_of_the_listener_and_its_rules_pick_the_target_group() {
    let linked = Linked::start(Some(OVERRIDE)).await;
    linked.weigh(0, 100);
    assert_eq!(linked.pay().await.1, "green");
    linked.weigh(1, 1);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..40 {
        seen.insert(linked.pay().await.1);
        if seen.len() == 2 {
            break;
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["blue", "green"]);
    let answer =
        json!({ "StatusCode": "503", "ContentType": "text/plain", "MessageBody": "closed" });
    let rule = |priority: &str, values: [&str; 1]| {
        json!({
            "ListenerArn": linked.listener, "Priority": priority,
            "Conditions": [{ "Field": "path-pattern", "PathPatternConfig": { "Values": values } }],
            "Actions": [{ "Type": "fixed-response", "FixedResponseConfig": answer }],
        })
    };
    linked.elb("CreateRule", rule("10", ["/other/*"]));
    assert_eq!(linked.pay().await.0, 200);
    linked.elb("CreateRule", rule("20", ["/pro*"]));
    let (status, _, said) = linked.pay().await;
    assert_eq!((status, said), (503, json!("closed")));
}

#[tokio::test]
async fn without_a_template_the_path_has_the_name_of_the_stage() {
    let linked = Linked::start(None).await;
    assert_eq!(linked.pay().await.2["path"], "/dev/process");
}

#[tokio::test]
async fn a_load_balancer_says_what_is_wrong_behind_it() {
    let linked = Linked::start(Some(OVERRIDE)).await;
    let sandbox = &linked.routes.served.sandbox;
    let statement = json!({
        "FunctionName": "blue", "StatementId": "elasticloadbalancing-amazonaws-com",
    });
    api(sandbox, "lambda", "RemovePermission", statement);
    assert_eq!(linked.pay().await.0, 502);
    linked.weigh(0, 1);
    let code = package(&[("index.py", "def handler(event, context):\n    return 'no'\n")]);
    api(
        sandbox,
        "lambda",
        "UpdateFunctionCode",
        json!({ "FunctionName": "green", "ZipFile": code }),
    );
    assert_eq!(linked.pay().await.0, 502);
    let function = format!("arn:aws:lambda:{REGION}:000000000000:function:green");
    let targets = json!({ "TargetGroupArn": linked.green, "Targets": [{ "Id": function }] });
    linked.elb("DeregisterTargets", targets);
    assert_eq!(linked.pay().await.0, 503);
    linked.elb("DeleteListener", json!({ "ListenerArn": linked.listener }));
    assert_eq!(linked.pay().await.0, 504);
}
