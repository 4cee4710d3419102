//! New objects that other services do not see yet: roles, the roles that services create on first
//! use in an account, and objects of neighbour services.
//!
//! The service of an object sees it at once. Other services see it some seconds later. Until then
//! they refuse it in their own words. Only a strict sandbox takes that time.

use super::permissions::{first_use, passed, profile};
use super::toolbox::{text, texts};
use super::{Call, Refusal, World, apigateway, ec2, iam, lambda};

/// How long services do not see a new role, in seconds.
const ROLE: f64 = 8.0;
/// The same for a service-linked role.
const OWN: f64 = 15.0;
/// How long launches of Auto Scaling fail after it created its own role. It retries by itself.
const LAUNCHES: f64 = 240.0;
/// How long some services do not see a new object. Lambda does not see a new security group of EC2.
/// Lambda's event sources do not see a function that has just become active. The request validators
/// of API Gateway do not see a new API.
const OBJECT: f64 = 10.0;

/// Creates the service-linked role that a call needs, and refuses calls that come too early.
pub(crate) fn check(world: &mut World, call: &Call) -> Result<(), Refusal> {
    if let Some(service) = first_use(call) {
        iam::link(world, service);
        if is_fresh(world, &iam::linked_arn(service), OWN) {
            unlinked(call).map_or(Ok(()), Err)?;
        }
    }
    // EC2 gets a role through its instance profile.
    if let Some(profile) = profile(world, call) {
        return bare(world, call, &profile).map_or(Ok(()), Err);
    }
    let roles = passed(world, call).map(|(_, roles)| roles).unwrap_or_default();
    match roles.iter().find(|arn| is_fresh(world, arn, ROLE)) {
        Some(arn) => Err(unknown(call, arn)),
        None => unseen(world, call).map_or(Ok(()), Err),
    }
}

/// Whether Auto Scaling cannot launch yet. The reason is that of its activities.
pub(crate) fn cannot_launch(world: &World) -> Option<String> {
    let arn = iam::linked_arn("autoscaling.amazonaws.com");
    is_fresh(world, &arn, LAUNCHES).then(|| {
        format!(
            "Access denied when attempting to assume role {arn}. Validating load balancer \
             configuration failed."
        )
    })
}

fn is_fresh(world: &World, arn: &str, lasts: f64) -> bool {
    is_new(world, iam::made(&world.iam, arn), lasts)
}

/// Whether an object is new. A missing object is not new.
fn is_new(world: &World, made: Option<f64>, lasts: f64) -> bool {
    world.base.strict && made.is_some_and(|made| world.base.now() < made + lasts)
}

/// The refusal of a reference to an object that the service does not see yet.
fn unseen(world: &World, call: &Call) -> Option<Refusal> {
    let Call { region, input, .. } = call;
    match (call.service.as_str(), call.operation.as_str()) {
        ("apigateway", "CreateRequestValidator") => {
            let api = text(input, "api").unwrap_or_default();
            let made = apigateway::made(&world.apigateway, region, api);
            is_new(world, made, OBJECT).then(apigateway::no_such_api)
        }
        ("lambda", "CreateEventSourceMapping") => {
            let function = text(input, "FunctionName").unwrap_or_default();
            let active = lambda::active_since(&world.lambda, region, function);
            is_new(world, active, OBJECT).then(lambda::no_such_function)
        }
        ("lambda", "CreateFunction" | "UpdateFunctionConfiguration") => {
            let groups = texts(input.get("VpcConfig")?, "SecurityGroupIds");
            let made = |group: &&String| ec2::lent::group_made(world, region, group);
            let new = groups.iter().find(|group| is_new(world, made(group), OBJECT))?;
            let message = format!(
                "Error occurred while DescribeSecurityGroups. EC2 Error Code: InvalidGroup.NotFound. \
                 EC2 Error Message: The security group '{new}' does not exist"
            );
            Some(Refusal::new("InvalidParameterValueException", message))
        }
        _ => None,
    }
}

/// The refusal of a call whose service cannot assume its own role yet. Other services wait for
/// their roles and say nothing.
fn unlinked(call: &Call) -> Option<Refusal> {
    let refusal = match (call.service.as_str(), call.operation.as_str()) {
        ("application-autoscaling", _) => {
            let arn = iam::linked_arn("ecs.application-autoscaling.amazonaws.com");
            Refusal::new("ValidationException", format!("Unable to assume IAM role: {arn}"))
        }
        ("ecs", _) => Refusal::new(
            "InvalidParameterException",
            "Unable to assume the service linked role. Please verify that the ECS service linked \
             role exists.",
        ),
        ("rds", "CreateDBSubnetGroup") => Refusal::new(
            "InvalidParameterValue",
            "Missing necessary credentials. Please check \
             http://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAM.ServiceLinkedRoles.html",
        ),
        ("rds", _) => Refusal::new(
            "InvalidParameterValue",
            "Unable to create the resource. Verify that you have permission to create service linked \
             role. Otherwise wait and try again later",
        ),
        ("wafv2", _) => Refusal::new(
            "WAFServiceLinkedRoleErrorException",
            "AWS WAF couldn't create the service linked role. Retry your request.",
        ),
        _ => return None,
    };
    Some(refusal)
}

/// The refusal of an instance profile that has just got its role. EC2 sees the profile first, and
/// the role in it later.
fn bare(world: &World, call: &Call, profile: &str) -> Option<Refusal> {
    let filled = iam::profile_filled(&world.iam, profile);
    let text = match (is_new(world, filled, ROLE / 2.0), is_new(world, filled, ROLE)) {
        (true, _) => "Invalid IAM Instance Profile name",
        (false, true) => "IAM Instance Profile has no associated IAM Roles",
        (false, false) => return None,
    };
    Some(match call.service.as_str() {
        "autoscaling" => {
            let text = format!("You must use a valid fully-formed launch template. {text}");
            Refusal::new("ValidationError", text)
        }
        _ => Refusal::new("InvalidParameterValue", text),
    })
}

/// The refusal of a role that a service does not know yet.
fn unknown(call: &Call, arn: &str) -> Refusal {
    let name = arn.rsplit('/').next().unwrap_or(arn);
    match call.service.as_str() {
        "apigateway" => Refusal::new(
            "BadRequestException",
            "The role ARN does not have required permissions configured. Please grant trust \
             permission for API Gateway and add the required role policy.",
        ),
        "ec2" => Refusal::new("InvalidParameter", "Unable to assume given IAM role"),
        "iam" => {
            Refusal::new("NoSuchEntity", format!("The role with name {name} cannot be found."))
                .with_status(404)
        }
        "lambda" => Refusal::new(
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
        ),
        "rds" => Refusal::new(
            "InvalidParameterValue",
            "IAM role ARN value is invalid or does not include the required permissions for: \
             ENHANCED_MONITORING",
        ),
        _ => Refusal::new(
            "AccessDeniedException",
            format!(
                "User: arn:aws:iam::{}:user/sandbox is not authorized to perform: iam:PassRole on \
                 resource: {arn}",
                super::ACCOUNT
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::super::toolbox::testing::ask;
    use super::*;

    fn strict() -> World {
        let mut world = World::default();
        world.base.strict = true;
        world
    }

    fn make_role(world: &mut World) -> String {
        let trust = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": { "Service": "ecs-tasks.amazonaws.com" },
        }] });
        let input = json!({ "RoleName": "tasks", "AssumeRolePolicyDocument": trust.to_string() });
        let made = ask(world, "iam", "CreateRole", input).unwrap();
        made["Role"]["Arn"].as_str().unwrap().to_owned()
    }

    fn task(role: &str) -> Value {
        json!({
            "family": "web", "cpu": "256", "memory": "512", "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"], "taskRoleArn": role,
            "containerDefinitions": [{ "name": "web", "image": "nginx" }],
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_role_cannot_be_passed_to_tasks_yet() {
        let mut world = strict();
        let role = make_role(&mut world);
        let refused = ask(&mut world, "ecs", "RegisterTaskDefinition", task(&role)).unwrap_err();
        assert_eq!(refused.code, "AccessDeniedException");
        assert!(refused.message.ends_with(&format!("iam:PassRole on resource: {role}")));
        tokio::time::advance(Duration::from_secs(9)).await;
        ask(&mut world, "ecs", "RegisterTaskDefinition", task(&role)).unwrap();
        // A sandbox that is not strict takes no time.
        let mut world = World::default();
        let role = make_role(&mut world);
        ask(&mut world, "ecs", "RegisterTaskDefinition", task(&role)).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_validator_does_not_see_a_new_api_yet() {
        let mut world = strict();
        let api = ask(&mut world, "apigateway", "CreateRestApi", json!({ "name": "a" })).unwrap();
        let validator = || json!({ "api": api["id"], "name": "v" });
        let mut make = || ask(&mut world, "apigateway", "CreateRequestValidator", validator());
        let refused = make().unwrap_err();
        assert_eq!((refused.status, refused.code.as_str()), (400, "BadRequestException"));
        tokio::time::advance(Duration::from_secs(11)).await;
        make().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn first_use_of_a_service_creates_its_role_and_fails_meanwhile() {
        let mut world = strict();
        let cluster = || json!({ "clusterName": "c" });
        let role = || json!({ "RoleName": "AWSServiceRoleForECS" });
        assert!(ask(&mut world, "iam", "GetRole", role()).is_err());
        let refused = ask(&mut world, "ecs", "CreateCluster", cluster()).unwrap_err();
        assert!(refused.message.starts_with("Unable to assume the service linked role"));
        let made = ask(&mut world, "iam", "GetRole", role()).unwrap();
        assert_eq!(made["Role"]["Path"], "/aws-service-role/ecs.amazonaws.com/");
        let kept = ask(&mut world, "iam", "DeleteRole", role()).unwrap_err();
        assert_eq!(kept.code, "UnmodifiableEntity");
        tokio::time::advance(Duration::from_secs(16)).await;
        ask(&mut world, "ecs", "CreateCluster", cluster()).unwrap();
        assert!(iam::counts(&world.iam).iter().all(|(_, count)| *count == 0));
    }
}
