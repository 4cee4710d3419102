//! What an environment cost, from Cost Explorer.
//!
//! AWS quirks: AWS charges 0.01 US dollars for each request. The end of a period is not part of it. Costs
//! are known by a tag only from its activation on, which the account that pays does. Data comes up to a
//! day late. A group names its keys in the order of the question.

use aws_sdk_costexplorer::types::{
    CostAllocationTagStatus, DateInterval, Expression, Granularity, GroupDefinition,
    GroupDefinitionType, TagValues,
};
use time::Date;

use super::clients::Aws;
use super::error::op;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::permit::Permit;
use payctl_engine::model::scope::{TAG_ENV, TAG_PROJECT, TAG_REGION};
use payctl_money::actual::Spent;
use payctl_money::decimal;

/// What reading costs needs.
pub const PERMITS: &[Permit] =
    &[Permit::look(&["ce:GetCostAndUsage", "ce:ListCostAllocationTags"], &["*"])];

/// The tags that tell environments apart.
pub const KEYS: [&str; 3] = [TAG_PROJECT, TAG_ENV, TAG_REGION];

const METRIC: &str = "UnblendedCost";

/// Whether Cost Explorer tells environments apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allocation {
    /// Since this day, if AWS says so.
    Active(Option<Date>),
    /// These tags are not active.
    Inactive(Vec<&'static str>),
}

/// Asks whether the tags that tell environments apart are active: one paid request.
pub async fn allocation(aws: &Aws) -> Result<Allocation, OpError> {
    let call = aws.costexplorer.list_cost_allocation_tags();
    let call = call.status(CostAllocationTagStatus::Active);
    let call = call.set_tag_keys(Some(KEYS.map(str::to_owned).to_vec()));
    let answer = call.send().await.map_err(op("ListCostAllocationTags"))?;
    let active = answer.cost_allocation_tags.unwrap_or_default();
    let is_active = |key: &&&str| active.iter().any(|tag| tag.tag_key == **key);
    let inactive: Vec<&str> = KEYS.iter().filter(|key| !is_active(key)).copied().collect();
    if !inactive.is_empty() {
        return Ok(Allocation::Inactive(inactive));
    }
    let days = active.iter().filter_map(|tag| day(tag.last_updated_date.as_deref()?));
    Ok(Allocation::Active(days.max()))
}

/// The day of a time.
fn day(text: &str) -> Option<Date> {
    let form = time::macros::format_description!("[year]-[month]-[day]");
    Date::parse(text.get(..10)?, form).ok()
}

/// What the environment cost from one day to another, which does not count, by usage; and the number of
/// paid requests.
pub async fn by_usage(aws: &Aws, from: Date, to: Date) -> Result<(Vec<Spent>, usize), OpError> {
    let needed = "the builder has all members that the SDK demands";
    let scope = &aws.scope;
    let own = [(TAG_PROJECT, &scope.project), (TAG_ENV, &scope.env), (TAG_REGION, &scope.region)];
    let own = own.map(|(key, value)| {
        Expression::builder().tags(TagValues::builder().key(key).values(value).build()).build()
    });
    let by = |key: &str| {
        GroupDefinition::builder().r#type(GroupDefinitionType::Dimension).key(key).build()
    };
    let period = DateInterval::builder().start(from.to_string()).end(to.to_string());
    let call = aws
        .costexplorer
        .get_cost_and_usage()
        .time_period(period.build().expect(needed))
        .granularity(Granularity::Monthly)
        .metrics(METRIC)
        .filter(Expression::builder().set_and(Some(own.to_vec())).build())
        .group_by(by("SERVICE"))
        .group_by(by("USAGE_TYPE"));
    let (mut spent, mut requests, mut token) = (Vec::new(), 0, None);
    loop {
        requests += 1;
        let page = call.clone().set_next_page_token(token.take()).send().await;
        let page = page.map_err(op("GetCostAndUsage"))?;
        let periods = page.results_by_time.unwrap_or_default();
        for group in periods.into_iter().flat_map(|period| period.groups.unwrap_or_default()) {
            let metrics = group.metrics.unwrap_or_default();
            let cost = metrics.get(METRIC);
            let amount = cost.and_then(|cost| decimal(cost.amount.as_deref()?));
            let unit = cost.and_then(|cost| cost.unit.as_deref());
            let (Some([service, usage]), Some(amount), Some("USD")) =
                (group.keys.as_deref(), amount, unit)
            else {
                let message = "Cost Explorer answered a group without keys or an amount in USD";
                return Err(OpError::new(
                    "GetCostAndUsage",
                    ErrorClass::Invalid,
                    "Unreadable",
                    message,
                ));
            };
            let (service, usage) = (service.clone(), usage.clone());
            spent.push(Spent { service, usage, amount });
        }
        token = page.next_page_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok((spent, requests));
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::super::clients::tests::{Does, connected};
    use super::*;

    const FIRST: &str = r#"{"NextPageToken":"p2","GroupDefinitions":[],"ResultsByTime":[
        {"TimePeriod":{"Start":"2026-10-31","End":"2026-11-01"},"Total":{},"Estimated":false,"Groups":[
          {"Keys":["AWS Lambda","EUC1-Request"],"Metrics":{"UnblendedCost":{"Amount":"0.1000000001","Unit":"USD"}}}]}]}"#;
    const SECOND: &str = r#"{"ResultsByTime":[
        {"TimePeriod":{"Start":"2026-11-01","End":"2026-11-30"},"Total":{},"Estimated":true,"Groups":[
          {"Keys":["Tax","NoUsageType"],"Metrics":{"UnblendedCost":{"Amount":"1.9E-8","Unit":"USD"}}}]}]}"#;

    #[tokio::test(start_paused = true)]
    async fn all_pages_count_and_each_is_paid() {
        let aws = connected(|request| {
            let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default());
            assert!(body.contains(r#""Start":"2026-10-31","End":"2026-11-30""#), "{body}");
            assert!(body.contains("payctl:project") && body.contains("payctl:env"), "{body}");
            Does::Answer(200, if body.contains("p2") { SECOND } else { FIRST })
        });
        let found = by_usage(&aws.await, date!(2026 - 10 - 31), date!(2026 - 11 - 30)).await;
        let (spent, requests) = found.expect("costs");
        let amounts: Vec<String> = spent.iter().map(|one| one.amount.to_string()).collect();
        assert_eq!((requests, amounts), (2, vec!["0.1000000001".into(), "0.000000019".into()]));
    }

    #[tokio::test(start_paused = true)]
    async fn the_youngest_activation_counts_and_each_inactive_tag_is_named() {
        let tag = |key: &str, day: &str| {
            format!(
                r#"{{"TagKey":"{key}","Type":"UserDefined","Status":"Active","LastUpdatedDate":"{day}T10:00:00Z"}}"#
            )
        };
        let answer = |tags: &[String]| -> &'static str {
            format!(r#"{{"CostAllocationTags":[{}]}}"#, tags.join(",")).leak()
        };
        let (old, new) = ("2026-01-02", "2026-03-04");
        let all = answer(&[tag(KEYS[0], old), tag(KEYS[1], new), tag(KEYS[2], old)]);
        let some = answer(&[tag(KEYS[1], old)]);
        let asked =
            async |said| allocation(&connected(move |_| Does::Answer(200, said)).await).await;
        let active = Allocation::Active(Some(date!(2026 - 03 - 04)));
        assert_eq!(asked(all).await.expect("tags"), active);
        let inactive = Allocation::Inactive(vec![KEYS[0], KEYS[2]]);
        assert_eq!(asked(some).await.expect("tags"), inactive);
    }
}
