//! The outputs that a string may refer to, by section, and the resources that have them.

use super::problem::suggest;
use super::tree::{Node, Value};
use payctl_engine::model::address::Address;
use payctl_engine::model::text::Output;

/// An output that every item of a section offers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer {
    /// The section.
    pub(crate) section: &'static str,
    /// The word after the item's name.
    pub(crate) word: &'static str,
    /// The kind of the resource that it belongs to.
    kind: &'static str,
    /// The output of that resource.
    pub(crate) output: Output,
    /// The suffix of the resource's logical name after the item's.
    suffix: &'static str,
    /// The key without which the item has no such output.
    needs: Option<&'static str>,
    /// The key of the item under which the things stand that have the output: `ITEM:NAME.OUTPUT`.
    within: Option<&'static str>,
}

impl Offer {
    /// The resource of an item.
    pub(crate) fn address(&self, item: &str) -> Address {
        Address::new(self.kind, format!("{}{}", item.replace(':', "-"), self.suffix))
    }
}

const fn offer(
    section: &'static str,
    word: &'static str,
    kind: &'static str,
    output: Output,
) -> Offer {
    Offer { section, word, kind, output, suffix: "", needs: None, within: None }
}

/// What stands under a key of an item has it. The logical name joins both names.
const fn of_each(within: &'static str, offer: Offer) -> Offer {
    Offer { within: Some(within), ..offer }
}

/// Only items with the key `needs` have it. The logical name is the item's name with `suffix`.
const fn only_with(needs: &'static str, suffix: &'static str, offer: Offer) -> Offer {
    Offer { suffix, needs: Some(needs), ..offer }
}

/// Every offer of a section of named items, one line each, in the order of sections.
#[rustfmt::skip]
const OFFERS: &[Offer] = &[
    offer("alarms", "arn", "cloudwatch.alarm", Output::Arn),
    offer("alarms", "name", "cloudwatch.alarm", Output::Name),
    offer("apis", "arn", "apigateway.rest_api", Output::Arn),
    only_with("domain", "", offer("apis", "domain", "apigateway.domain_name", Output::Name)),
    only_with("domain", "", offer("apis", "domain_target", "apigateway.domain_name", Output::Endpoint)),
    offer("apis", "id", "apigateway.rest_api", Output::Id),
    offer("apis", "name", "apigateway.rest_api", Output::Name),
    offer("apis", "stage", "apigateway.stage", Output::Name),
    offer("apis", "stage_arn", "apigateway.stage", Output::Arn),
    offer("apis", "url", "apigateway.stage", Output::Url),
    offer("buckets", "arn", "s3.bucket", Output::Arn),
    offer("buckets", "name", "s3.bucket", Output::Name),
    offer("certificates", "arn", "acm.certificate", Output::Arn),
    offer("clusters", "arn", "ecs.cluster", Output::Arn),
    offer("clusters", "name", "ecs.cluster", Output::Name),
    offer("dashboards", "name", "cloudwatch.dashboard", Output::Name),
    offer("dashboards", "url", "cloudwatch.dashboard", Output::Url),
    offer("databases", "arn", "rds.cluster", Output::Arn),
    offer("databases", "endpoint", "rds.cluster", Output::Endpoint),
    offer("databases", "id", "rds.cluster", Output::Id),
    offer("databases", "port", "rds.cluster", Output::Port),
    offer("databases", "reader_endpoint", "rds.cluster", Output::ReaderEndpoint),
    offer("databases", "secret_arn", "secretsmanager.secret", Output::Arn),
    offer("events", "arn", "events.rule", Output::Arn),
    offer("events", "name", "events.rule", Output::Name),
    offer("firewalls", "arn", "waf.web_acl", Output::Arn),
    offer("firewalls", "id", "waf.web_acl", Output::Id),
    offer("firewalls", "name", "waf.web_acl", Output::Name),
    offer("fleets", "arn", "autoscaling.group", Output::Arn),
    offer("fleets", "name", "autoscaling.group", Output::Name),
    offer("functions", "arn", "lambda.function", Output::Arn),
    offer("functions", "name", "lambda.function", Output::Name),
    of_each("aliases", offer("functions", "arn", "lambda.alias", Output::Arn)),
    of_each("aliases", offer("functions", "version", "lambda.alias", Output::Version)),
    offer("keys", "alias", "kms.key", Output::Name),
    offer("keys", "arn", "kms.key", Output::Arn),
    offer("keys", "id", "kms.key", Output::Id),
    offer("load_balancers", "arn", "elb.load_balancer", Output::Arn),
    offer("load_balancers", "dns_name", "elb.load_balancer", Output::Endpoint),
    offer("load_balancers", "metric", "elb.load_balancer", Output::Metric),
    offer("load_balancers", "name", "elb.load_balancer", Output::Name),
    offer("log_groups", "arn", "logs.log_group", Output::Arn),
    offer("log_groups", "name", "logs.log_group", Output::Name),
    offer("queues", "arn", "sqs.queue", Output::Arn),
    only_with("dead_letter", "-dlq", offer("queues", "dead_letter_arn", "sqs.queue", Output::Arn)),
    only_with("dead_letter", "-dlq", offer("queues", "dead_letter_name", "sqs.queue", Output::Name)),
    only_with("dead_letter", "-dlq", offer("queues", "dead_letter_url", "sqs.queue", Output::Url)),
    offer("queues", "name", "sqs.queue", Output::Name),
    offer("queues", "url", "sqs.queue", Output::Url),
    offer("roles", "arn", "iam.role", Output::Arn),
    only_with("instance_profile", "", offer("roles", "instance_profile_arn", "iam.instance_profile", Output::Arn)),
    only_with("instance_profile", "", offer("roles", "instance_profile_name", "iam.instance_profile", Output::Name)),
    offer("roles", "name", "iam.role", Output::Name),
    offer("secrets", "arn", "secretsmanager.secret", Output::Arn),
    offer("secrets", "name", "secretsmanager.secret", Output::Name),
    offer("security_groups", "id", "ec2.security_group", Output::Id),
    offer("security_groups", "name", "ec2.security_group", Output::Name),
    offer("services", "arn", "ecs.service", Output::Arn),
    offer("services", "name", "ecs.service", Output::Name),
    offer("services", "task_definition_arn", "ecs.task_definition", Output::Arn),
    offer("tables", "arn", "dynamodb.table", Output::Arn),
    offer("tables", "name", "dynamodb.table", Output::Name),
    only_with("stream", "", offer("tables", "stream_arn", "dynamodb.table", Output::StreamArn)),
    offer("target_groups", "arn", "elb.target_group", Output::Arn),
    offer("target_groups", "metric", "elb.target_group", Output::Metric),
    offer("target_groups", "name", "elb.target_group", Output::Name),
    offer("topics", "arn", "sns.topic", Output::Arn),
    offer("topics", "name", "sns.topic", Output::Name),
    offer("vpc_links", "id", "apigateway.vpc_link", Output::Id),
];

/// The outputs of the network.
const NETWORK: &[&str] =
    &["cidr", "isolated_subnets", "private_subnets", "public_subnets", "vpc_id"];

/// The offer that `section.item.word` takes.
pub(crate) fn find(section: &str, item: &str, word: &str) -> Option<&'static Offer> {
    of_item(section, item).find(|offer| offer.word == word)
}

/// The offers of an item, or of what stands within it.
fn of_item(section: &str, item: &str) -> impl Iterator<Item = &'static Offer> {
    let is_within = item.contains(':');
    OFFERS
        .iter()
        .filter(move |offer| offer.section == section && offer.within.is_some() == is_within)
}

/// The sections, each once.
fn sections() -> impl Iterator<Item = &'static str> {
    let mut last = "";
    let names = OFFERS.iter().map(|offer| offer.section);
    names.filter(move |name| std::mem::replace(&mut last, name) != *name)
}

/// Checks `tables.transactions.name` against the config. The error is message and fix.
pub(crate) fn check(expr: &str, tree: &Node) -> Result<(), (String, String)> {
    let unknown = |fix: String| Err((format!("unknown reference `${{{expr}}}`"), fix));
    let steps: Vec<&str> = expr.split('.').collect();
    if let ["network", output] = steps.as_slice() {
        return match (NETWORK.contains(output), tree.get("network")) {
            (false, _) => unknown(suggest(output, NETWORK.iter().copied(), "outputs of network")),
            (true, None) => unknown("this environment has no [network]".into()),
            (true, Some(_)) => Ok(()),
        };
    }
    let all = || sections().chain(["network"]);
    let Some(section) = steps.first().filter(|name| all().any(|known| known == **name)) else {
        let first = steps.first().copied().unwrap_or_default();
        let inputs = ["env", "project", "region", "zone", "account", "var.NAME"];
        let known: Vec<&str> = all().chain(inputs).collect();
        return unknown(suggest(first, known.iter().copied(), "a string can refer to"));
    };
    let [_, item, output] = steps.as_slice() else {
        return unknown(match *section {
            "network" => "write `${network.vpc_id}`".to_owned(),
            section => format!("write `${{{section}.NAME.OUTPUT}}`"),
        });
    };
    let (name, inner) = match item.split_once(':') {
        Some((name, inner)) => (name, Some(inner)),
        None => (*item, None),
    };
    let node = tree.get(section).and_then(|items| items.get(name));
    if node.is_none() {
        let names = tree.keys(section);
        return unknown(if names.is_empty() {
            format!("this environment has no [{section}]")
        } else {
            suggest(name, names.iter().copied(), &format!("names in [{section}]"))
        });
    }
    let Some(offer) = find(section, item, output) else {
        let words: Vec<&str> = of_item(section, item).map(|offer| offer.word).collect();
        let what = format!("outputs of {section}");
        return unknown(suggest(output, words.iter().copied(), &what));
    };
    if let Some((within, inner)) = offer.within.zip(inner) {
        let known = node.map(|node| node.keys(within)).unwrap_or_default();
        if !known.contains(&inner) {
            let what = format!("names in [{section}.{name}.{within}]");
            return unknown(suggest(inner, known.iter().copied(), &what));
        }
    }
    let has = |key: &str| {
        let value = node.and_then(|node| node.get(key)).map(|node| &node.value);
        value.is_some_and(|value| !matches!(value, Value::Bool(false)))
    };
    match offer.needs.filter(|key| !has(key)) {
        None => Ok(()),
        Some(key) => unknown(format!("[{section}.{item}] has no `{key}`")),
    }
}
