//! The permissions that AWS checks for a call itself: its actions and their resources.
//!
//! They follow the service authorization reference. An action that has no resource type there is
//! checked against `*`, and so is a list action.

use serde_json::Value;

use super::super::toolbox::{list, text, texts};
use super::super::wire::Request;
use super::super::{ACCOUNT, Call, World, elb, iam, kms, secretsmanager};
use super::{Need, ec2, rest, tagged};

/// The needs of a call to any service but S3. EC2 and API Gateway have rules of their own.
pub(super) fn of_call(world: &World, request: &Request, call: &Call) -> Vec<Need> {
    let Call { service, operation, input, region } = call;
    let at = |service: &str, tail: String| format!("arn:aws:{service}:{region}:{ACCOUNT}:{tail}");
    let of = |members: &[&str]| first(input, members);
    let operation = operation.as_str();
    if service == "ec2" {
        return ec2::of_call(world, call);
    }
    if service == "apigateway" {
        return rest::of_gateway(request, call);
    }
    let prefix = match service.as_str() {
        "monitoring" => "cloudwatch",
        "tagging" => "tag",
        other => other,
    };
    let on = |resources: Vec<String>| {
        let everything = || vec!["*".to_owned()];
        let resources = if resources.is_empty() { everything() } else { resources };
        let needs =
            resources.into_iter().map(|one| Need::new(format!("{prefix}:{operation}"), one));
        needs.collect::<Vec<_>>()
    };
    let mut needs = match service.as_str() {
        "acm" => on(of(&["CertificateArn"]).map(str::to_owned).into_iter().collect()),
        "application-autoscaling" => match operation {
            "DescribeScalableTargets" | "DescribeScalingPolicies" => on(Vec::new()),
            _ => {
                let space = of(&["ServiceNamespace"]);
                let needs = on(vec![at(service, "scalable-target/0".into())]);
                let key = "application-autoscaling:service-namespace";
                match space {
                    Some(space) => needs.into_iter().map(|need| need.with(key, space)).collect(),
                    None => needs,
                }
            }
        },
        "autoscaling" => {
            let tagged = list(input, "Tags").first().and_then(|tag| text(tag, "ResourceId"));
            let name = of(&["AutoScalingGroupName"]).or(tagged);
            let arn = |name| at(service, format!("autoScalingGroup:0:autoScalingGroupName/{name}"));
            let looks = operation.starts_with("Describe");
            on(name.filter(|_| !looks).map(arn).into_iter().collect())
        }
        "ce" => on(of(&["MonitorArn", "SubscriptionArn", "ResourceArn"])
            .filter(|_| !operation.starts_with("Get"))
            .map(str::to_owned)
            .into_iter()
            .collect()),
        "dynamodb" => {
            let arn = |name: &str| {
                if name.starts_with("arn:") {
                    name.to_owned()
                } else {
                    at(service, format!("table/{name}"))
                }
            };
            // A restore acts on its source and on its target.
            let members =
                ["TableName", "ResourceArn", "BackupArn", "SourceTableName", "TargetTableName"];
            let named = members.iter().filter_map(|member| of(&[member])).map(arn);
            on(if operation == "ListBackups" { Vec::new() } else { named.collect() })
        }
        "ecs" => of_ecs(call, &on),
        "elasticloadbalancing" => {
            let made = of(&["Name"]).map(|name| match operation {
                "CreateLoadBalancer" => {
                    let kind = if of(&["Type"]) == Some("network") { "net" } else { "app" };
                    at(service, format!("loadbalancer/{kind}/{name}/0"))
                }
                _ => at(service, format!("targetgroup/{name}/0")),
            });
            let one = of(&["LoadBalancerArn", "ListenerArn", "TargetGroupArn", "RuleArn"]);
            let mut arns = texts(input, "ResourceArns");
            let moved = list(input, "RulePriorities").iter().filter_map(|one| text(one, "RuleArn"));
            arns.extend(moved.map(str::to_owned));
            arns.extend(one.map(str::to_owned).or(made));
            let looks = operation.starts_with("Describe");
            let mut needs = on(if looks { Vec::new() } else { arns });
            for need in &mut needs {
                let tags = elb::all_tags(&world.elb, region).find(|(arn, _)| *arn == need.resource);
                let tags = tags.iter().flat_map(|(_, tags)| tags.iter());
                let tags =
                    tags.map(|(key, value)| (format!("aws:ResourceTag/{key}"), value.clone()));
                need.context.extend(tags);
                if operation == "AddTags" {
                    let given = tagged::given(input).into_iter();
                    need.context
                        .extend(given.map(|(key, value)| (format!("aws:RequestTag/{key}"), value)));
                }
            }
            needs
        }
        "events" => {
            let rule = |name| at(service, format!("rule/{name}"));
            let arn = of(&["ResourceARN"]).map(str::to_owned);
            let name = of(&["Name", "Rule"]).filter(|_| operation != "ListRules").map(rule);
            on(arn.or(name).into_iter().collect())
        }
        "guardduty" => {
            let id = of(&["detectorId"]).map(|id| at(service, format!("detector/{id}")));
            on(id.or(of(&["resourceArn"]).map(decoded)).into_iter().collect())
        }
        "iam" => {
            let (role, profile) = (of(&["RoleName"]), of(&["InstanceProfileName"]));
            let path = of(&["Path"]).unwrap_or("/");
            let arn = match (role, profile) {
                (_, Some(name)) => Some(match operation {
                    "CreateInstanceProfile" => {
                        format!("arn:aws:iam::{ACCOUNT}:instance-profile{path}{name}")
                    }
                    _ => iam::profile_arn(&world.iam, name),
                }),
                (Some(name), None) => Some(match operation {
                    "CreateRole" => format!("arn:aws:iam::{ACCOUNT}:role{path}{name}"),
                    _ => iam::role_arn(&world.iam, name),
                }),
                (None, None) => None,
            };
            on(arn.into_iter().collect())
        }
        "kms" => of_kms(world, call, &on),
        "lambda" => {
            let mapping = of(&["UUID"]).map(|id| at(service, format!("event-source-mapping:{id}")));
            let function = of(&["FunctionName"])
                .filter(|_| !operation.contains("EventSourceMapping"))
                .map(|name| name.split(":function:").last().unwrap_or(name))
                .map(|name| match of(&["Qualifier"]) {
                    Some(qualifier) if !name.contains(':') => format!("{name}:{qualifier}"),
                    _ => name.to_owned(),
                })
                .map(|name| at(service, format!("function:{name}")));
            let tagged = of(&["Resource"]).map(decoded);
            let mut needs = on(mapping.or(function).or(tagged).into_iter().collect());
            for need in needs.iter_mut().filter(|need| need.action == "lambda:Invoke") {
                need.action = "lambda:InvokeFunction".to_owned();
            }
            needs
        }
        "logs" => {
            // Logs checks the streams even when the call only creates the group.
            let streams = |name| at(service, format!("log-group:{name}:log-stream:"));
            let name = of(&["logGroupName"]).map(streams);
            let looks = operation.starts_with("Describe");
            let name = name.filter(|_| !looks);
            on(name.or(of(&["resourceArn"]).map(str::to_owned)).into_iter().collect())
        }
        "monitoring" => {
            let alarms = texts(input, "AlarmNames").into_iter();
            let alarms = alarms.chain(of(&["AlarmName"]).map(str::to_owned));
            let alarms = alarms.map(|name| at("cloudwatch", format!("alarm:{name}")));
            let boards = texts(input, "DashboardNames").into_iter();
            let boards = boards.chain(of(&["DashboardName"]).map(str::to_owned));
            let board = |name| format!("arn:aws:cloudwatch::{ACCOUNT}:dashboard/{name}");
            let arn = of(&["ResourceARN"]).map(str::to_owned);
            match operation {
                "DescribeAlarms" | "ListDashboards" => on(Vec::new()),
                _ => on(alarms.chain(boards.map(board)).chain(arn).collect()),
            }
        }
        "rds" => of_rds(call, &on),
        "route53" => {
            let last = |id: &str| id.rsplit('/').next().unwrap_or(id).to_owned();
            let sort = if operation == "GetChange" { "change" } else { "hostedzone" };
            let id = of(&["Id", "ResourceId"]).map(last);
            on(id.map(|id| format!("arn:aws:route53:::{sort}/{id}")).into_iter().collect())
        }
        "secretsmanager" => {
            let id = of(&["SecretId"]).map(|id| {
                if id.starts_with("arn:") {
                    id.to_owned()
                } else {
                    secretsmanager::arn_of(&world.secretsmanager, region, id)
                        .unwrap_or_else(|| at(service, format!("secret:{id}")))
                }
            });
            let made = of(&["Name"]).map(|name| at(service, format!("secret:{name}")));
            on(id.or(made).into_iter().collect())
        }
        "sns" => match operation {
            "GetSubscriptionAttributes"
            | "SetSubscriptionAttributes"
            | "Unsubscribe"
            | "ListTopics"
            | "ListSubscriptions" => on(Vec::new()),
            _ => {
                let arn = of(&["TopicArn", "ResourceArn"]).map(str::to_owned);
                on(arn.or(of(&["Name"]).map(|name| at(service, name.into()))).into_iter().collect())
            }
        },
        "sqs" => {
            let of_url = |url: &str| url.rsplit('/').next().unwrap_or(url).to_owned();
            let name = of(&["QueueUrl"]).map(of_url).or(of(&["QueueName"]).map(str::to_owned));
            on(name.map(|name| at(service, name)).into_iter().collect())
        }
        "ssm" => {
            let arn = |name: &str| {
                let owner = if name.starts_with("/aws/") { "" } else { ACCOUNT };
                let name = name.trim_start_matches('/');
                format!("arn:aws:ssm:{region}:{owner}:parameter/{name}")
            };
            let names = texts(input, "Names").into_iter();
            let one = of(&["Name", "ResourceId"]).map(str::to_owned);
            match operation {
                "DescribeParameters" => on(Vec::new()),
                _ => on(names.chain(one).map(|name| arn(&name)).collect()),
            }
        }
        "wafv2" => of_waf(call, &on),
        _ => on(Vec::new()),
    };
    needs.extend(tagged::of_creation(call, prefix, &needs));
    needs
}

fn of_ecs(call: &Call, on: &dyn Fn(Vec<String>) -> Vec<Need>) -> Vec<Need> {
    let Call { operation, input, region, .. } = call;
    let at = |tail: String| format!("arn:aws:ecs:{region}:{ACCOUNT}:{tail}");
    let last = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
    let cluster = first(input, &["cluster", "clusterName"]).map(last);
    let service = |name: &str| {
        let name = last(name);
        at(format!("service/{}/{name}", cluster.clone().unwrap_or_default()))
    };
    let definition = |name: &str| {
        if name.starts_with("arn:") {
            name.to_owned()
        } else {
            at(format!("task-definition/{name}"))
        }
    };
    let arns = match operation.as_str() {
        "DescribeClusters" => {
            let named = texts(input, "clusters");
            named.iter().map(|name| at(format!("cluster/{}", last(name)))).collect()
        }
        "DescribeServices" => texts(input, "services").iter().map(|name| service(name)).collect(),
        "CreateService" => first(input, &["serviceName"]).map(service).into_iter().collect(),
        "UpdateService" | "DeleteService" => {
            first(input, &["service"]).map(service).into_iter().collect()
        }
        "DeleteTaskDefinitions" => {
            texts(input, "taskDefinitions").iter().map(|name| definition(name)).collect()
        }
        "TagResource" | "UntagResource" | "ListTagsForResource" => {
            first(input, &["resourceArn"]).map(str::to_owned).into_iter().collect()
        }
        "CreateCluster" | "DeleteCluster" | "UpdateCluster" | "PutClusterCapacityProviders" => {
            cluster.iter().map(|name| at(format!("cluster/{name}"))).collect()
        }
        _ => Vec::new(),
    };
    on(arns)
}

fn of_kms(world: &World, call: &Call, on: &dyn Fn(Vec<String>) -> Vec<Need>) -> Vec<Need> {
    let Call { operation, input, region, .. } = call;
    if operation.starts_with("ListKeys") || operation.starts_with("ListAliases") {
        return on(Vec::new());
    }
    if operation == "CreateKey" {
        let mut needs = on(Vec::new());
        for need in &mut needs {
            for (key, value) in tagged::given(input) {
                need.context.insert(format!("aws:RequestTag/{key}"), value);
            }
        }
        return needs;
    }
    let alias = first(input, &["AliasName"]);
    let mut needs = match alias {
        Some(alias) => on(vec![format!("arn:aws:kms:{region}:{ACCOUNT}:{alias}")]),
        None => Vec::new(),
    };
    // A call that moves an alias must be allowed on the key that loses it and on the key that gets
    // it.
    let old = alias.filter(|_| operation != "CreateAlias");
    let named = [first(input, &["KeyId", "TargetKeyId"]), old];
    for reference in named.into_iter().flatten() {
        let Some((arn, tags)) = kms::described(&world.kms, region, reference) else { continue };
        for need in on(vec![arn]) {
            let tagged = tags.iter().fold(need, |need, (key, value)| {
                need.with(format!("aws:ResourceTag/{key}"), value)
            });
            needs.push(tagged);
        }
    }
    // The service itself refuses a key that does not exist.
    needs
}

fn of_rds(call: &Call, on: &dyn Fn(Vec<String>) -> Vec<Need>) -> Vec<Need> {
    let Call { operation, input, region, .. } = call;
    let at = |kind: &str, name: &str| format!("arn:aws:rds:{region}:{ACCOUNT}:{kind}:{name}");
    let of = |member: &str, kind: &str| first(input, &[member]).map(|name| at(kind, name));
    if operation.starts_with("Describe") && operation != "DescribeDBClusterParameters" {
        return on(Vec::new());
    }
    let members = [
        ("DBClusterIdentifier", "cluster"),
        ("DBInstanceIdentifier", "db"),
        ("DBClusterParameterGroupName", "cluster-pg"),
        ("DBSubnetGroupName", "subgrp"),
        ("FinalDBSnapshotIdentifier", "cluster-snapshot"),
        ("DBClusterSnapshotIdentifier", "cluster-snapshot"),
        ("SourceDBClusterIdentifier", "cluster"),
    ];
    let mut arns: Vec<String> = match first(input, &["DBInstanceIdentifier"]) {
        Some(name) if operation.starts_with("Create") => vec![at("db", name)],
        _ => Vec::new(),
    };
    arns.extend(members.iter().filter_map(|(member, kind)| of(member, kind)));
    arns.extend(first(input, &["ResourceName", "ResourceArn"]).map(str::to_owned));
    arns.extend(first(input, &["SnapshotIdentifier"]).map(|snapshot| {
        if snapshot.starts_with("arn:") {
            snapshot.to_owned()
        } else {
            at("cluster-snapshot", snapshot)
        }
    }));
    // A call that names no parameter group uses one of AWS.
    let groups = first(input, &["DBClusterParameterGroupName"]).is_some();
    let makes_cluster = operation == "CreateDBCluster" || operation.starts_with("RestoreDBCluster");
    arns.extend(match operation.as_str() {
        _ if makes_cluster && groups => vec![at("og", "default:any")],
        _ if makes_cluster => vec![at("og", "default:any"), at("cluster-pg", "default.any")],
        "CreateDBInstance" => vec![at("og", "default:any"), at("pg", "default.any")],
        _ => Vec::new(),
    });
    arns.dedup();
    on(arns)
}

fn of_waf(call: &Call, on: &dyn Fn(Vec<String>) -> Vec<Need>) -> Vec<Need> {
    let Call { operation, input, region, .. } = call;
    let at = |tail: String| format!("arn:aws:wafv2:{region}:{ACCOUNT}:regional/{tail}");
    let named = || {
        let name = first(input, &["Name"])?;
        Some(at(format!("webacl/{name}/{}", first(input, &["Id"]).unwrap_or("0"))))
    };
    if operation.starts_with("ListWebACLs") {
        return on(Vec::new());
    }
    let given = ["WebACLArn", "ResourceARN", "ResourceArn", "ARN"];
    let mut arns: Vec<String> =
        given.iter().filter_map(|member| text(input, member)).map(str::to_owned).collect();
    let nested = input.get("LoggingConfiguration").and_then(|one| text(one, "ResourceArn"));
    arns.extend(nested.map(str::to_owned));
    if arns.is_empty() {
        arns.extend(named());
    }
    if operation == "GetWebACLForResource" {
        arns.push(at("webacl/any/0".into()));
    }
    let managed = input.to_string().contains("\"ManagedRuleGroupStatement\"");
    if managed && matches!(operation.as_str(), "CreateWebACL" | "UpdateWebACL") {
        arns.push(at("managedruleset/any/0".into()));
    }
    on(arns)
}

/// The first of these members that is a text.
fn first<'a>(input: &'a Value, members: &[&str]) -> Option<&'a str> {
    members.iter().find_map(|member| text(input, member)).filter(|text| !text.is_empty())
}

/// The ARN in a path, without its encoding.
fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}
