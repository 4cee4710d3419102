//! The sandbox's Resource Groups Tagging API: tagged objects of all services.
//!
//! Quirks kept: It is regional. It knows only some types. It returns objects only by ARN. It lags
//! if a test wants that.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::toolbox::{KEY_VALUE, Tags, list, number, page, tag_pairs, text, texts};
use super::{
    Answer, Call, Refusal, World, acm, apigateway, cloudwatch, costexplorer, dynamodb, ec2, ecs,
    elb, events, kms, lambda, logs, rds, route53, s3, secretsmanager, sns, sqs, ssm, waf,
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
fn everything<'a>(
    world: &'a World,
    region: &'a str,
) -> impl Iterator<Item = (String, Cow<'a, Tags>)> {
    let s3 = s3::all_tags(&world.s3, region);
    let all = dynamodb::all_tags(&world.dynamodb, region)
        .chain(acm::all_tags(&world.acm, region))
        .chain(apigateway::all_tags(&world.apigateway, region))
        .chain(costexplorer::all_tags(&world.costexplorer, region))
        .chain(elb::all_tags(&world.elb, region))
        .chain(ec2::all_tags(&world.ec2, region))
        .chain(ecs::all_tags(&world.ecs, region))
        .chain(events::all_tags(&world.events, region))
        .chain(lambda::all_tags(&world.lambda, region))
        .chain(kms::all_tags(&world.kms, region))
        .chain(logs::all_tags(&world.logs, region))
        .chain(cloudwatch::all_tags(&world.cloudwatch, region))
        .chain(rds::all_tags(&world.rds, region))
        .chain(route53::all_tags(&world.route53, region))
        .chain(secretsmanager::all_tags(&world.secretsmanager, region))
        .chain(s3.into_iter().map(|(arn, tags)| (arn, Cow::Owned(tags))))
        .chain(sns::all_tags(&world.sns, region))
        .chain(sqs::all_tags(&world.sqs, region))
        .chain(ssm::all_tags(&world.ssm, region))
        .chain(waf::all_tags(&world.waf, region));
    all.filter(|(_, tags)| !tags.is_empty())
}

fn get_resources(world: &World, region: &str, input: &Value) -> Answer {
    let filters: Vec<(&str, Vec<String>)> = list(input, "TagFilters")
        .iter()
        .map(|filter| (text(filter, "Key").unwrap_or_default(), texts(filter, "Values")))
        .collect();
    let has = |tags: &Tags, (key, wanted): &(&str, Vec<String>)| {
        tags.get(*key).is_some_and(|value| wanted.is_empty() || wanted.contains(value))
    };
    let types = texts(input, "ResourceTypeFilters");
    let token = text(input, "PaginationToken").filter(|token| !token.is_empty());
    let fits = |(arn, tags): &(String, Cow<'_, Tags>)| {
        token.is_none_or(|last| arn.as_str() > last)
            && filters.iter().all(|filter| has(tags, filter))
            && (types.is_empty() || types.iter().any(|name| is_of_type(arn, name)))
    };
    let mut fitting: Vec<(String, Cow<'_, Tags>)> =
        everything(world, region).filter(fits).collect();
    fitting.sort_unstable();
    let most = number(input, "ResourcesPerPage").unwrap_or(50).clamp(1, 100);
    let fitting = fitting.into_iter().map(|(arn, tags)| (arn.clone(), (arn, tags))).collect();
    let (found, next) = page(fitting, token, usize::try_from(most).unwrap_or(1));
    let shown = found
        .into_iter()
        .map(|(arn, tags)| json!({ "ResourceARN": arn, "Tags": tag_pairs(&tags, KEY_VALUE) }));
    let next = next.unwrap_or_default();
    Ok(json!({ "PaginationToken": next, "ResourceTagMappingList": shown.collect::<Vec<_>>() }))
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
