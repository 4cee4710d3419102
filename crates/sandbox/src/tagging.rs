//! The sandbox's Resource Groups Tagging API: tagged objects of all services.
//!
//! Quirks kept: It is regional. It knows only some types. It returns objects only by ARN. It lags
//! if a test wants that.

use serde_json::{Value, json};

use super::toolbox::{KEY_VALUE, Tags, list, number, page, tag_pairs, text, texts};
use super::{
    Answer, Call, Refusal, World, acm, apigateway, cloudwatch, dynamodb, ec2, ecs, elb, events,
    kms, lambda, logs, rds, route53, s3, secretsmanager, sns, sqs, ssm, waf,
};

/// Answers a call.
pub(crate) fn call(world: &World, call: &Call) -> Answer {
    match call.operation.as_str() {
        "GetResources" => {
            let seen = world.tagged.as_deref().unwrap_or(world);
            get_resources(seen, &call.region, &call.input)
        }
        operation => Err(Refusal::not_covered(&call.service, operation)),
    }
}

/// All objects with tags in a region, by ARN.
fn everything(world: &World, region: &str) -> Vec<(String, Tags)> {
    let mut all: Vec<(String, Tags)> = dynamodb::all_tags(&world.dynamodb, region).collect();
    all.extend(acm::all_tags(&world.acm, region));
    all.extend(apigateway::all_tags(&world.apigateway, region));
    all.extend(elb::all_tags(&world.elb, region));
    all.extend(ec2::all_tags(&world.ec2, region));
    all.extend(ecs::all_tags(&world.ecs, region));
    all.extend(events::all_tags(&world.events, region));
    all.extend(lambda::all_tags(&world.lambda, region));
    all.extend(kms::all_tags(&world.kms, region));
    all.extend(logs::all_tags(&world.logs, region));
    all.extend(cloudwatch::all_tags(&world.cloudwatch, region));
    all.extend(rds::all_tags(&world.rds, region));
    all.extend(route53::all_tags(&world.route53, region));
    all.extend(secretsmanager::all_tags(&world.secretsmanager, region));
    all.extend(s3::all_tags(&world.s3, region));
    all.extend(sns::all_tags(&world.sns, region));
    all.extend(sqs::all_tags(&world.sqs, region));
    all.extend(ssm::all_tags(&world.ssm, region));
    all.extend(waf::all_tags(&world.waf, region));
    all.retain(|(_, tags)| !tags.is_empty());
    all.sort();
    all
}

fn get_resources(world: &World, region: &str, input: &Value) -> Answer {
    let filters = list(input, "TagFilters");
    let has = |tags: &Tags, filter: &Value| {
        let value = tags.get(text(filter, "Key").unwrap_or_default());
        let wanted = texts(filter, "Values");
        value.is_some_and(|value| wanted.is_empty() || wanted.contains(value))
    };
    let types = texts(input, "ResourceTypeFilters");
    let fitting = everything(world, region).into_iter().filter(|(arn, tags)| {
        let fits = types.is_empty() || types.iter().any(|name| is_of_type(arn, name));
        fits && filters.iter().all(|filter| has(tags, filter))
    });
    let fitting = fitting.map(|(arn, tags)| {
        let shown = json!({ "ResourceARN": arn, "Tags": tag_pairs(&tags, KEY_VALUE) });
        (arn, shown)
    });
    let most = number(input, "ResourcesPerPage").unwrap_or(50).clamp(1, 100);
    let token = text(input, "PaginationToken").filter(|token| !token.is_empty());
    let (found, next) = page(fitting.collect(), token, usize::try_from(most).unwrap_or(1));
    let next = next.unwrap_or_default();
    Ok(json!({ "PaginationToken": next, "ResourceTagMappingList": found }))
}

/// Whether an ARN has this type, such as `sns` or `dynamodb:table`.
fn is_of_type(arn: &str, name: &str) -> bool {
    let mut parts = arn.splitn(6, ':').skip(2);
    let (service, thing) = (parts.next(), parts.nth(2).unwrap_or_default());
    match name.split_once(':') {
        Some((wanted, sort)) => {
            let rest = thing.strip_prefix(sort);
            service == Some(wanted) && rest.is_some_and(|rest| rest.starts_with(['/', ':']))
        }
        None => service == Some(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_from_arns() {
        let table = "arn:aws:dynamodb:eu-west-1:1:table/users";
        assert!(is_of_type(table, "dynamodb") && is_of_type(table, "dynamodb:table"));
        assert!(!is_of_type(table, "dynamodb:backup"));
        assert!(is_of_type("arn:aws:logs:eu-west-1:1:log-group:/a", "logs:log-group"));
        assert!(is_of_type("arn:aws:s3:::bucket", "s3"));
    }
}
