//! The calls that AWS makes with the caller's permissions behind a call. Services read networks,
//! use keys, pass roles, and create service-linked roles on first use.

use serde_json::Value;

use super::super::toolbox::{list, text};
use super::super::{ACCOUNT, Call, World, dynamodb, ec2, iam, kms, lambda, secretsmanager};
use super::Need;

/// All needs of a call beside its own actions.
pub(super) fn of(world: &World, call: &Call) -> Vec<Need> {
    let mut needs = looks(call);
    needs.extend(makes_role(call));
    needs.extend(passes(world, call));
    needs.extend(keys(world, call));
    needs.extend(others(world, call));
    needs
}

/// The reads that services make for the caller.
fn looks(call: &Call) -> Vec<Need> {
    let actions: &[&str] = match (call.service.as_str(), call.operation.as_str()) {
        ("elasticloadbalancing", "CreateLoadBalancer") => &[
            "ec2:DescribeAccountAttributes",
            "ec2:DescribeAddresses",
            "ec2:DescribeInternetGateways",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
        ],
        ("elasticloadbalancing", "CreateTargetGroup") => {
            &["ec2:DescribeInternetGateways", "ec2:DescribeVpcs"]
        }
        ("lambda", "CreateFunction") if call.input.get("VpcConfig").is_some() => {
            &["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"]
        }
        ("apigateway", "CreateVpcLink") => &["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets"],
        ("route53", "CreateHostedZone") if call.input.get("VPC").is_some() => &["ec2:DescribeVpcs"],
        _ => &[],
    };
    actions.iter().map(|action| Need::new(*action, "*")).collect()
}

/// The service that creates its service-linked role when an account first makes this call.
pub(crate) fn first_use(call: &Call) -> Option<&'static str> {
    Some(match (call.service.as_str(), call.operation.as_str()) {
        ("apigateway", "CreateDomainName" | "CreateVpcLink") => "ops.apigateway.amazonaws.com",
        ("application-autoscaling", "RegisterScalableTarget") => {
            match text(&call.input, "ServiceNamespace") {
                Some("lambda") => "lambda.application-autoscaling.amazonaws.com",
                _ => "ecs.application-autoscaling.amazonaws.com",
            }
        }
        ("autoscaling", "CreateAutoScalingGroup") => "autoscaling.amazonaws.com",
        ("ecs", "CreateCluster" | "CreateService") => "ecs.amazonaws.com",
        ("elasticloadbalancing", "CreateLoadBalancer") => "elasticloadbalancing.amazonaws.com",
        ("guardduty", "CreateDetector") => "guardduty.amazonaws.com",
        ("wafv2", "PutLoggingConfiguration") => "wafv2.amazonaws.com",
        ("rds", "CreateDBSubnetGroup" | "CreateDBCluster") => "rds.amazonaws.com",
        _ => return None,
    })
}

fn makes_role(call: &Call) -> Option<Need> {
    let service = first_use(call)?;
    let need = Need::new("iam:CreateServiceLinkedRole", iam::linked_arn(service));
    Some(need.with("iam:AWSServiceName", service))
}

/// The service that a call passes roles to, and the ARNs of the roles.
pub(crate) fn passed(world: &World, call: &Call) -> Option<(&'static str, Vec<String>)> {
    let Call { service, operation, input, .. } = call;
    let roles_of = |profile: &str| iam::roles_of(&world.iam, profile);
    let given = |names: &[&str]| -> Vec<String> {
        names.iter().filter_map(|name| text(input, name)).map(str::to_owned).collect()
    };
    let (to, roles) = match (service.as_str(), operation.as_str()) {
        ("lambda", "CreateFunction" | "UpdateFunctionConfiguration") => {
            ("lambda.amazonaws.com", given(&["Role"]))
        }
        ("ecs", "RegisterTaskDefinition") => {
            ("ecs-tasks.amazonaws.com", given(&["taskRoleArn", "executionRoleArn"]))
        }
        ("ecs", "CreateService" | "UpdateService") => {
            let targets = list(input, "loadBalancers").iter();
            let hooks = input.get("deploymentConfiguration").unwrap_or(&Value::Null);
            let hooks = list(hooks, "lifecycleHooks").iter();
            let users = targets.filter_map(|one| one.get("advancedConfiguration")).chain(hooks);
            let roles = users.filter_map(|one| text(one, "roleArn"));
            ("ecs.amazonaws.com", roles.map(str::to_owned).collect())
        }
        ("ec2", "CreateFlowLogs") => {
            ("vpc-flow-logs.amazonaws.com", given(&["DeliverLogsPermissionArn"]))
        }
        ("ec2", "RunInstances")
        | ("autoscaling", "CreateAutoScalingGroup" | "UpdateAutoScalingGroup") => {
            let roles = profile(world, call).map(|name| roles_of(&name)).unwrap_or_default();
            ("ec2.amazonaws.com", roles)
        }
        ("iam", "AddRoleToInstanceProfile") => {
            let role = text(input, "RoleName").map(|name| iam::role_arn(&world.iam, name));
            ("ec2.amazonaws.com", role.into_iter().collect())
        }
        ("rds", "CreateDBInstance" | "ModifyDBInstance") => {
            ("monitoring.rds.amazonaws.com", given(&["MonitoringRoleArn"]))
        }
        ("apigateway", "UpdateAccount") => {
            let patches = list(input, "patchOperations").iter();
            let roles = patches
                .filter(|patch| text(patch, "path") == Some("/cloudwatchRoleArn"))
                .filter_map(|patch| text(patch, "value"));
            ("apigateway.amazonaws.com", roles.map(str::to_owned).collect())
        }
        _ => return None,
    };
    let arn = |role: String| {
        if role.starts_with("arn:") { role } else { iam::role_arn(&world.iam, &role) }
    };
    Some((to, roles.into_iter().filter(|role| !role.is_empty()).map(arn).collect()))
}

/// The name or ARN of the instance profile that a call gives to instances.
pub(crate) fn profile(world: &World, call: &Call) -> Option<String> {
    let launched = match (call.service.as_str(), call.operation.as_str()) {
        ("ec2", "RunInstances") => call.input.clone(),
        ("autoscaling", "CreateAutoScalingGroup" | "UpdateAutoScalingGroup") => {
            template(world, call)?
        }
        _ => return None,
    };
    let profile = launched.get("IamInstanceProfile")?;
    text(profile, "Name").or(text(profile, "Arn")).map(str::to_owned)
}

fn passes(world: &World, call: &Call) -> Vec<Need> {
    let (to, roles) = passed(world, call).unwrap_or_default();
    let pass = |arn| Need::new("iam:PassRole", arn).with("iam:PassedToService", to);
    roles.into_iter().map(pass).collect()
}

/// The data of a group's launch template.
fn template(world: &World, call: &Call) -> Option<Value> {
    let template = call.input.get("LaunchTemplate")?;
    let version = text(template, "Version").unwrap_or("$Default");
    let id = text(template, "LaunchTemplateId")?;
    ec2::templates::data(world, &call.region, id, version)
}

/// The uses of a customer's key that services make for the caller.
fn keys(world: &World, call: &Call) -> Vec<Need> {
    let Call { service, operation, input, region } = call;
    let secret = || {
        let id = text(input, "SecretId")?;
        secretsmanager::key_of(&world.secretsmanager, region, id)
    };
    let given = |name: &str| text(input, name).filter(|key| !key.is_empty()).map(str::to_owned);
    let (key, actions): (Option<String>, &[&str]) = match (service.as_str(), operation.as_str()) {
        (
            "dynamodb",
            "CreateTable" | "UpdateTable" | "RestoreTableFromBackup" | "RestoreTableToPointInTime",
        ) => {
            let spec = ["SSESpecification", "SSESpecificationOverride"];
            let spec = spec.iter().find_map(|member| input.get(*member));
            let key = spec.and_then(|spec| text(spec, "KMSMasterKeyId"));
            let actions: &[&str] = &[
                "CreateGrant",
                "Decrypt",
                "Encrypt",
                "GenerateDataKey",
                "ReEncryptFrom",
                "ReEncryptTo",
            ];
            (key.map(str::to_owned), actions)
        }
        // Items of a table are encrypted with the key of the table.
        ("dynamodb", "GetItem" | "PutItem" | "Query" | "Scan" | "UpdateItem" | "DeleteItem") => {
            let table = text(input, "TableName").unwrap_or_default();
            (dynamodb::key_of(&world.dynamodb, region, table), &["Decrypt"])
        }
        ("lambda", "CreateFunction" | "UpdateFunctionConfiguration") => {
            (given("KMSKeyArn"), &["CreateGrant", "Decrypt", "Encrypt"])
        }
        ("lambda", "GetFunction") => {
            let name = text(input, "FunctionName");
            (name.and_then(|name| lambda::key_of(&world.lambda, region, name)), &["Decrypt"])
        }
        (
            "rds",
            "CreateDBCluster" | "RestoreDBClusterFromSnapshot" | "RestoreDBClusterToPointInTime",
        ) => (given("KmsKeyId"), &["CreateGrant", "Decrypt", "GenerateDataKey"]),
        ("rds", "CreateDBInstance" | "ModifyDBInstance") => {
            (given("PerformanceInsightsKMSKeyId"), &["CreateGrant", "Decrypt", "GenerateDataKey"])
        }
        ("secretsmanager", "CreateSecret") => (given("KmsKeyId"), &["Decrypt", "GenerateDataKey"]),
        ("secretsmanager", "UpdateSecret") => {
            (given("KmsKeyId"), &["Decrypt", "Encrypt", "GenerateDataKey"])
        }
        ("secretsmanager", "GetSecretValue") => (secret(), &["Decrypt"]),
        ("secretsmanager", "PutSecretValue") => (secret(), &["Decrypt", "GenerateDataKey"]),
        _ => return Vec::new(),
    };
    let described = key.and_then(|key| kms::described(&world.kms, region, &key));
    let Some((arn, _)) = described.filter(|(arn, _)| !kms::is_managed(region, arn)) else {
        return Vec::new();
    };
    let via = format!("{service}.{region}.amazonaws.com");
    let mut needs: Vec<Need> = actions
        .iter()
        .map(|action| Need::new(format!("kms:{action}"), &*arn).with("kms:ViaService", &*via))
        .collect();
    if service == "rds" {
        // RDS checks the key before it uses it.
        needs.push(Need::new("kms:DescribeKey", arn));
    }
    needs
}

/// The needs of calls on objects of other services.
fn others(world: &World, call: &Call) -> Vec<Need> {
    let Call { service, operation, input, region } = call;
    let at = |service: &str, tail: &str| format!("arn:aws:{service}:{region}:{ACCOUNT}:{tail}");
    match (service.as_str(), operation.as_str()) {
        ("autoscaling", "CreateAutoScalingGroup" | "UpdateAutoScalingGroup") => {
            let Some(launched) = template(world, call) else { return Vec::new() };
            let mut needs = vec![Need::new("ec2:RunInstances", "*")];
            let tagged = list(&launched, "TagSpecification").iter();
            for kind in tagged.filter_map(|one| text(one, "ResourceType")) {
                let need = Need::new("ec2:CreateTags", at("ec2", &format!("{kind}/*")));
                needs.push(need.with("ec2:CreateAction", "RunInstances"));
            }
            needs
        }
        ("application-autoscaling", "RegisterScalableTarget" | "PutScalingPolicy") => {
            let service = text(input, "ResourceId").unwrap_or_default();
            let (scaled, actions) = match text(input, "ServiceNamespace") {
                Some("lambda") => (
                    at("lambda", service),
                    [
                        "lambda:GetProvisionedConcurrencyConfig",
                        "lambda:PutProvisionedConcurrencyConfig",
                    ],
                ),
                _ => (at("ecs", service), ["ecs:DescribeServices", "ecs:UpdateService"]),
            };
            let needs = actions.map(|action| Need::new(action, scaled.clone()));
            let mut needs = Vec::from(needs);
            if operation == "PutScalingPolicy" {
                let alarm = at("cloudwatch", &format!("alarm:TargetTracking-{service}-AlarmHigh"));
                needs.push(Need::new("cloudwatch:PutMetricAlarm", alarm));
                needs.push(Need::new("cloudwatch:DescribeAlarms", "*"));
            }
            needs
        }
        ("application-autoscaling", "DeleteScalingPolicy" | "DeregisterScalableTarget") => {
            let service = text(input, "ResourceId").unwrap_or_default();
            let alarm = at("cloudwatch", &format!("alarm:TargetTracking-{service}-AlarmHigh"));
            vec![Need::new("cloudwatch:DeleteAlarms", alarm)]
        }
        ("apigateway", "CreateStage" | "UpdateStage")
            if input.to_string().contains("/accessLogSettings") =>
        {
            vec![Need::new("logs:CreateLogDelivery", "*")]
        }
        // AWS writes the items in the caller's name.
        ("dynamodb", "RestoreTableFromBackup" | "RestoreTableToPointInTime") => {
            let name = text(input, "TargetTableName").unwrap_or_default();
            let table = at("dynamodb", &format!("table/{name}"));
            let actions = [
                "BatchWriteItem",
                "DeleteItem",
                "GetItem",
                "PutItem",
                "Query",
                "Scan",
                "UpdateItem",
            ];
            actions.map(|action| Need::new(format!("dynamodb:{action}"), &*table)).into()
        }
        // Its answer has the tags of the function only for callers who may list them.
        ("lambda", "GetFunction") => {
            let name = text(input, "FunctionName").unwrap_or_default();
            // Versions and aliases have no tags of their own.
            let name = name.split(":function:").last().unwrap_or(name);
            let name = name.split(':').next().unwrap_or(name);
            vec![Need::new("lambda:ListTags", at("lambda", &format!("function:{name}")))]
        }
        ("ec2", "CreateFlowLogs") if text(input, "LogDestinationType") == Some("s3") => {
            let bucket = text(input, "LogDestination").unwrap_or_default();
            let bucket = bucket.split('/').next().unwrap_or(bucket);
            vec![Need::new("logs:CreateLogDelivery", "*"), Need::new("s3:GetBucketPolicy", bucket)]
        }
        ("ec2", "DeleteFlowLogs") | ("wafv2", "DeleteLoggingConfiguration") => {
            vec![Need::new("logs:DeleteLogDelivery", "*")]
        }
        ("wafv2", "PutLoggingConfiguration") => [
            "CreateLogDelivery",
            "DescribeLogGroups",
            "DescribeResourcePolicies",
            "PutResourcePolicy",
        ]
        .map(|action| Need::new(format!("logs:{action}"), "*"))
        .into(),
        ("ec2", "CreateLaunchTemplate" | "CreateLaunchTemplateVersion") => {
            let data = input.get("LaunchTemplateData");
            let image = data.and_then(|data| text(data, "ImageId")).unwrap_or_default();
            let parameter = image.strip_prefix("resolve:ssm:").map(|name| {
                let arn = format!("arn:aws:ssm:{region}::parameter/{}", name.trim_matches('/'));
                Need::new("ssm:GetParameters", arn)
            });
            parameter.into_iter().collect()
        }
        ("rds", "DeleteDBCluster") if text(input, "FinalDBSnapshotIdentifier").is_some() => {
            let snapshot = text(input, "FinalDBSnapshotIdentifier").unwrap_or_default();
            let cluster = text(input, "DBClusterIdentifier").unwrap_or_default();
            let snapshot = at("rds", &format!("cluster-snapshot:{snapshot}"));
            vec![
                Need::new("rds:CreateDBClusterSnapshot", at("rds", &format!("cluster:{cluster}"))),
                Need::new("rds:CreateDBClusterSnapshot", &*snapshot),
                Need::new("rds:AddTagsToResource", snapshot),
            ]
        }
        ("secretsmanager", "RotateSecret") => {
            let function = text(input, "RotationLambdaARN");
            function.map(|arn| Need::new("lambda:InvokeFunction", arn)).into_iter().collect()
        }
        ("wafv2", "AssociateWebACL" | "DisassociateWebACL" | "GetWebACLForResource") => {
            let resource = text(input, "ResourceArn").unwrap_or_default();
            let balancing =
                |action: &str, on: &str| Need::new(format!("elasticloadbalancing:{action}"), on);
            match (operation.as_str(), resource.contains(":loadbalancer/")) {
                ("GetWebACLForResource", true) => {
                    vec![balancing("GetLoadBalancerWebACL", resource)]
                }
                ("GetWebACLForResource", false) => Vec::new(),
                ("AssociateWebACL", true) => vec![
                    balancing("SetWebAcl", "*"),
                    balancing("CreateWebACLAssociation", resource),
                ],
                (_, true) => vec![
                    balancing("SetWebAcl", "*"),
                    balancing("DeleteWebACLAssociation", resource),
                ],
                (_, false) => vec![Need::new("apigateway:SetWebACL", resource)],
            }
        }
        _ => Vec::new(),
    }
}
