//! `[cost_anomalies]`.

use std::collections::BTreeSet;

use crate::aws::kinds::costs::anomaly_monitor;
use crate::aws::kinds::costs::anomaly_monitor::{AnomalyMonitor, Watched};
use crate::aws::kinds::costs::anomaly_subscription::{AnomalySubscription, Subscriber, Threshold};
use crate::config::KeyPath;
use crate::config::schema::cost_anomalies::{AnomalyThreshold, CostAnomaly, CostWatch, When};
use crate::words::cost_anomalies::AlertFrequency;
use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Output, Text};

use super::{Builder, Item};

impl Builder<'_> {
    pub(super) fn cost_anomalies(&mut self) {
        for (key, config) in &self.config.cost_anomalies {
            let path = &KeyPath::of("cost_anomalies").key(key);
            let kind = "costs.anomaly_monitor";
            let name = self.item_name(kind, key, config.name.as_ref(), path);
            let watches = watched(&config.watch);
            let monitor = Address::new(kind, key.0.as_str());
            let wanted = anomaly_monitor::physical_name(&name, &watches);
            self.add(Item::new(monitor.clone(), wanted, path), &AnomalyMonitor { name, watches });
            let told = subscribers(config);
            if told.is_empty() {
                continue;
            }
            let kind = "costs.anomaly_subscription";
            let name = self.item_name(kind, key, config.name.as_ref(), path);
            let spec = AnomalySubscription {
                name: name.clone(),
                monitors: BTreeSet::from([Text::reference(monitor, Output::Arn)]),
                subscribers: told,
                frequency: if config.topic.is_some() {
                    "IMMEDIATE".into()
                } else {
                    config.frequency.unwrap_or(AlertFrequency::Daily).aws().into()
                },
                threshold: threshold(&config.threshold),
            };
            self.add(Item::new(Address::new(kind, key.0.as_str()), name, path), &spec);
        }
    }
}

fn watched(watch: &CostWatch) -> Watched {
    match watch {
        CostWatch::All(_) => Watched::Services,
        CostWatch::Some(some) => {
            let values = some.values.clone();
            match (&some.tag, &some.category) {
                (Some(tag), _) => Watched::Tag { key: tag.clone(), values },
                (None, category) => {
                    Watched::CostCategory { key: category.clone().unwrap_or_default(), values }
                }
            }
        }
    }
}

fn subscribers(config: &CostAnomaly) -> BTreeSet<Subscriber> {
    let topic = config.topic.as_ref().map(|topic| {
        let address = Address::new("sns.topic", topic.0.as_str());
        Subscriber::Topic(Text::reference(address, Output::Arn))
    });
    let mails = config.email.iter().map(|address| Subscriber::Email(address.0.clone()));
    topic.into_iter().chain(mails).collect()
}

fn threshold(threshold: &AnomalyThreshold) -> Threshold {
    let whole = |number: Option<u32>| number.map(u64::from);
    match (whole(threshold.amount), whole(threshold.percent), threshold.when) {
        (Some(amount), Some(percent), When::Both) => Threshold::Both { amount, percent },
        (Some(amount), Some(percent), When::Either) => Threshold::Either { amount, percent },
        (None, Some(percent), _) => Threshold::Percent(percent),
        (amount, None, _) => Threshold::Amount(amount.unwrap_or_default()),
    }
}
