//! The permissions that AWS checks for a call itself: its actions and their resources.
//!
//! They follow the service authorization reference. An action without a resource type there is
//! checked against `*`, and so is a list action.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::toolbox::{list, text, texts};
use super::super::wire::Request;
use super::super::{ACCOUNT, Call, World, ec2, iam, kms, s3, secretsmanager};
use super::Need;
use super::tagged::{given, specified};

/// The needs of a call to any service but S3.
pub(super) fn of_call(world: &World, request: &Request, call: &Call) -> Vec<Need> {
    let Call { service, operation, input, region } = call;
    let at = |service: &str, tail: String| format!("arn:aws:{service}:{region}:{ACCOUNT}:{tail}");
    let of = |members: &[&str]| first(input, members);
    let operation = operation.as_str();
    if service == "ec2" {
        return of_ec2(world, call);
    }
    if service == "apigateway" {
        return of_gateway(request, call);
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
            let arn = |name: &str| match name.starts_with("arn:") {
                true => name.to_owned(),
                false => at(service, format!("table/{name}")),
            };
            // A restore acts on what it takes from, and on what it makes.
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
            on(if looks { Vec::new() } else { arns })
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
            on(mapping.or(function).or(tagged).into_iter().collect())
        }
        "logs" => {
            // Even where the group is only made.
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
            let id = of(&["SecretId"]).map(|id| match id.starts_with("arn:") {
                true => id.to_owned(),
                false => secretsmanager::arn_of(&world.secretsmanager, region, id)
                    .unwrap_or_else(|| at(service, format!("secret:{id}"))),
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
    needs.extend(of_tags(call, prefix, &needs));
    needs
}

/// Tags given at creation need the permission to tag what is made.
fn of_tags(call: &Call, prefix: &str, made: &[Need]) -> Vec<Need> {
    let tags = given(&call.input);
    let creates = ["Create", "Put", "Register", "Request", "Restore", "Run"];
    if tags.is_empty() || !creates.iter().any(|verb| call.operation.starts_with(verb)) {
        return Vec::new();
    }
    let action = match (prefix, call.operation.as_str()) {
        ("acm", _) => "acm:AddTagsToCertificate",
        ("autoscaling", _) => "autoscaling:CreateOrUpdateTags",
        ("elasticloadbalancing", _) => "elasticloadbalancing:AddTags",
        ("iam", "CreateRole") => "iam:TagRole",
        ("iam", "CreateInstanceProfile") => "iam:TagInstanceProfile",
        ("rds", _) => "rds:AddTagsToResource",
        ("sqs", _) => "sqs:TagQueue",
        ("ssm", _) => "ssm:AddTagsToResource",
        (prefix, _) => return of_tag_resource(call, prefix, made, &tags),
    };
    let parent = first(&call.input, &["LoadBalancerArn", "ListenerArn"]);
    match (call.operation.as_str(), parent) {
        ("CreateRule", Some(listener)) => {
            let rule = listener.replace(":listener/", ":listener-rule/");
            vec![Need::new(action, format!("{rule}/0"))]
        }
        ("CreateListener", Some(balancer)) => {
            let listener = balancer.replace(":loadbalancer/", ":listener/");
            vec![Need::new(action, format!("{listener}/0"))]
        }
        _ if prefix == "rds" => {
            let own = |need: &&Need| !need.resource.contains(":default");
            let own = made.iter().filter(own).take(1);
            own.map(|need| Need::new(action, need.resource.clone())).collect()
        }
        _ => made.iter().map(|need| Need::new(action, need.resource.clone())).collect(),
    }
}

fn of_tag_resource(
    call: &Call,
    prefix: &str,
    made: &[Need],
    tags: &BTreeMap<String, String>,
) -> Vec<Need> {
    let Call { operation, region, .. } = call;
    let action = format!("{prefix}:TagResource");
    let arn = |tail: &str| format!("arn:aws:{prefix}:{region}:{ACCOUNT}:{tail}");
    let resource = match (prefix, operation.as_str()) {
        ("kms", _) => arn("key/0"),
        ("guardduty", _) => arn("detector/0"),
        ("lambda", "CreateEventSourceMapping") => arn("event-source-mapping:0"),
        ("ecs", "RegisterTaskDefinition") => arn(&format!(
            "task-definition/{}:0",
            first(&call.input, &["family"]).unwrap_or_default()
        )),
        ("ce", _) => "*".to_owned(),
        _ => made.first().map_or_else(|| "*".to_owned(), |need| need.resource.clone()),
    };
    let mut need = Need::new(action, resource);
    for (key, value) in tags {
        need = need.with(format!("aws:RequestTag/{key}"), value);
    }
    vec![need]
}

/// EC2 checks every object that takes part; those of a kind that it lists, not at all.
fn of_ec2(world: &World, call: &Call) -> Vec<Need> {
    let Call { operation, input, region, .. } = call;
    let action = format!("ec2:{operation}");
    let looks = operation.starts_with("Describe");
    if looks && !matches!(operation.as_str(), "DescribeVpcAttribute" | "DescribeInstanceAttribute")
    {
        return vec![Need::new(action, "*")];
    }
    let arn = |kind: &str, id: &str| format!("arn:aws:ec2:{region}:{ACCOUNT}:{kind}/{id}");
    let mut needs = Vec::new();
    for kind in made_by(operation) {
        let mut need = Need::new(action.clone(), arn(kind, "*"));
        let tags = specified(input, kind);
        for (key, value) in &tags {
            need = need.with(format!("aws:RequestTag/{key}"), value);
        }
        let tagging = Need::new("ec2:CreateTags", arn(kind, "*"));
        needs.push(need);
        if !tags.is_empty() {
            needs.push(tagging.with("ec2:CreateAction", operation.as_str()));
        }
    }
    let mut ids = Vec::new();
    gather(input, &mut ids);
    let joined: Vec<String> =
        ids.iter().flat_map(|id| ec2::associated(&world.ec2, region, id)).collect();
    ids.extend(joined);
    ids.sort();
    ids.dedup();
    for id in ids {
        let Some(kind) = ec2::type_of(&id) else { continue };
        if !used_by(operation).is_none_or(|kinds| kinds.contains(&kind)) {
            continue;
        }
        let mut need = Need::new(action.clone(), arn(kind, &id));
        for (key, value) in ec2::tags_of(&world.ec2, region, &id) {
            need = need.with(format!("aws:ResourceTag/{key}"), value);
        }
        needs.push(need);
    }
    if operation == "RunInstances"
        && let Some(image) = text(input, "ImageId")
    {
        needs.push(Need::new(action, format!("arn:aws:ec2:{region}::image/{image}")));
    }
    needs
}

/// The types of what an operation makes.
fn made_by(operation: &str) -> &'static [&'static str] {
    match operation {
        "AllocateAddress" => &["elastic-ip"],
        "CreateFlowLogs" => &["vpc-flow-log"],
        "CreateInternetGateway" => &["internet-gateway"],
        "CreateLaunchTemplate" => &["launch-template"],
        "CreateNatGateway" => &["natgateway"],
        "CreateRouteTable" => &["route-table"],
        "CreateSecurityGroup" => &["security-group"],
        "CreateSubnet" => &["subnet"],
        "CreateVpc" => &["vpc"],
        "CreateVpcEndpoint" => &["vpc-endpoint"],
        "RunInstances" => &["instance", "network-interface", "volume"],
        _ => &[],
    }
}

/// The types of what an operation uses, where it names others that are not checked.
fn used_by(operation: &str) -> Option<&'static [&'static str]> {
    Some(match operation {
        // Rules name groups, and templates what their instances will use.
        "AuthorizeSecurityGroupEgress"
        | "AuthorizeSecurityGroupIngress"
        | "RevokeSecurityGroupEgress"
        | "RevokeSecurityGroupIngress"
        | "UpdateSecurityGroupRuleDescriptionsEgress"
        | "UpdateSecurityGroupRuleDescriptionsIngress" => &["security-group"],
        "CreateLaunchTemplate" => &[],
        "CreateLaunchTemplateVersion" | "ModifyLaunchTemplate" => &["launch-template"],
        "CreateRoute" | "ReplaceRoute" | "DeleteRoute" => &["route-table"],
        _ => return None,
    })
}

/// The ids of objects in an input.
fn gather(input: &Value, ids: &mut Vec<String>) {
    match input {
        Value::String(text) if ec2::type_of(text).is_some() || text.starts_with("rtbassoc-") => {
            ids.push(text.clone());
        }
        Value::Array(values) => values.iter().for_each(|value| gather(value, ids)),
        // Values of tags may look like ids.
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "Tag" | "TagSpecification" | "UserData"))
            .for_each(|(_, value)| gather(value, ids)),
        _ => {}
    }
}

/// API Gateway permits by the method and the path.
fn of_gateway(request: &Request, call: &Call) -> Vec<Need> {
    let Call { operation, input, region, .. } = call;
    let arn = |path: &str| format!("arn:aws:apigateway:{region}::{path}");
    let path = request.path();
    let path = path.strip_prefix("/v2").unwrap_or(path);
    let mut needs = vec![Need::new(format!("apigateway:{}", request.method), arn(path))];
    let patches = list(input, "patchOperations").iter();
    let policy = patches.filter_map(|patch| text(patch, "path")).any(|path| path == "/policy");
    if policy || (operation == "CreateRestApi" && input.get("policy").is_some()) {
        needs.push(Need::new("apigateway:UpdateRestApiPolicy", arn(path)));
    }
    if operation.starts_with("Create") && !given(input).is_empty() {
        let method = if request.path().starts_with("/v2") { "POST" } else { "PUT" };
        needs.push(Need::new(format!("apigateway:{method}"), arn("/tags/0")));
    }
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
    let definition = |name: &str| match name.starts_with("arn:") {
        true => name.to_owned(),
        false => at(format!("task-definition/{name}")),
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
            for (key, value) in given(input) {
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
    // An alias that moves must be allowed on the key that it leaves and on the one that it gets.
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
    // A key that is not there is refused by its service.
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
        match snapshot.starts_with("arn:") {
            true => snapshot.to_owned(),
            false => at("cluster-snapshot", snapshot),
        }
    }));
    // What nobody names is AWS's own.
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

/// The needs of a request to S3. Deleting objects by version needs the permission for that.
pub(super) fn of_s3(request: &Request, operation: &str) -> Vec<Need> {
    let (bucket, key) = s3::place(request);
    let arn = format!("arn:aws:s3:::{bucket}");
    let on = |action: &str| Need::new(format!("s3:{action}"), arn.clone());
    let inside = |action: &str| Need::new(format!("s3:{action}"), format!("{arn}/any"));
    let body = std::str::from_utf8(&request.body).unwrap_or_default();
    match operation {
        "ListBuckets" => vec![Need::new("s3:ListAllMyBuckets", "*")],
        "CreateBucket" => {
            let mut needs = vec![on("CreateBucket")];
            if request.header("x-amz-object-ownership").is_some() {
                needs.push(on("PutBucketOwnershipControls"));
            }
            if request.header("x-amz-bucket-object-lock-enabled").is_some() {
                needs.extend([on("PutBucketObjectLockConfiguration"), on("PutBucketVersioning")]);
            }
            if body.contains("<Tag>") {
                needs.push(on("TagResource"));
            }
            needs
        }
        "DeleteObjects" => vec![inside("DeleteObject"), inside("DeleteObjectVersion")],
        "AbortMultipartUpload" => vec![inside("AbortMultipartUpload")],
        _ if !key.is_empty() => vec![inside(operation)],
        "HeadBucket" | "ListObjects" | "ListObjectsV2" => vec![on("ListBucket")],
        "ListObjectVersions" => vec![on("ListBucketVersions")],
        "ListMultipartUploads" => vec![on("ListBucketMultipartUploads")],
        "GetBucketEncryption" => vec![on("GetEncryptionConfiguration")],
        "PutBucketEncryption" | "DeleteBucketEncryption" => vec![on("PutEncryptionConfiguration")],
        "GetBucketLifecycleConfiguration" => vec![on("GetLifecycleConfiguration")],
        "PutBucketLifecycleConfiguration" | "DeleteBucketLifecycle" => {
            vec![on("PutLifecycleConfiguration")]
        }
        "GetObjectLockConfiguration" => vec![on("GetBucketObjectLockConfiguration")],
        "PutObjectLockConfiguration" => vec![on("PutBucketObjectLockConfiguration")],
        "GetPublicAccessBlock" => vec![on("GetBucketPublicAccessBlock")],
        "PutPublicAccessBlock" | "DeletePublicAccessBlock" => {
            vec![on("PutBucketPublicAccessBlock")]
        }
        "DeleteBucketTagging" => vec![on("PutBucketTagging")],
        operation => vec![on(operation)],
    }
}

/// The first of some members that is a text.
fn first<'a>(input: &'a Value, members: &[&str]) -> Option<&'a str> {
    members.iter().find_map(|member| text(input, member)).filter(|text| !text.is_empty())
}

/// An ARN from a path.
fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}
