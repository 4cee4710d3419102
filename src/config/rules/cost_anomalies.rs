//! The rules of `[cost_anomalies]`.

use super::Rules;
use crate::config::schema::aws_services::Service;
use crate::config::schema::cost_anomalies::{CostAnomaly, CostWatch};
use crate::config::schema::text::ItemName;

impl Rules<'_> {
    pub(super) fn cost_anomalies(&mut self) {
        let mut of_services = None;
        for (name, anomaly) in &self.config.cost_anomalies {
            if let CostWatch::All(_) = anomaly.watch
                && let Some(other) = of_services.replace(name)
            {
                let message = format!("[cost_anomalies.{}] watches all services already", other.0);
                let fix = "an account has one such monitor: watch a tag or a cost category here";
                self.say(&["cost_anomalies", name], message, fix);
            }
            self.cost_anomaly(name, anomaly);
        }
    }

    fn cost_anomaly(&mut self, name: &str, anomaly: &CostAnomaly) {
        let path = ["cost_anomalies", name];
        if let CostWatch::Some(some) = &anomaly.watch
            && some.tag.is_some() == some.category.is_some()
        {
            let message = "a monitor watches either a tag or a cost category";
            self.say(&["cost_anomalies", name, "watch"], message, "write `tag` or `category`");
        }
        let mails = anomaly.email.iter().count();
        if anomaly.topic.is_some() && mails > 0 {
            let message = "a topic hears of anomalies at once, addresses once a day or week";
            let fix = "name one of them here; a topic can have e-mail addresses of its own";
            self.say(&["cost_anomalies", name, "email"], message, fix);
        }
        if anomaly.frequency.is_some() && mails == 0 {
            let message = "only e-mail addresses hear of anomalies once a day or week";
            self.say(&["cost_anomalies", name, "frequency"], message, "remove it, or add `email`");
        }
        if mails > 10 {
            let fix = "Cost Explorer takes 10: use a topic";
            self.say(&path, format!("{mails} addresses are too many"), fix);
        }
        if anomaly.threshold.amount.is_none() && anomaly.threshold.percent.is_none() {
            let message = "nothing says from which size on an anomaly counts";
            let fix = "write `amount` (dollars), `percent`, or both";
            self.say(&["cost_anomalies", name, "threshold"], message, fix);
        }
        let Some(topic) = &anomaly.topic else { return };
        let Some(found) = self.config.topics.get(&ItemName(topic.0.clone())) else { return };
        let path = ["cost_anomalies", name, "topic"];
        if found.fifo {
            let message = format!("the topic `{}` is FIFO", topic.0);
            self.say(&path, message, "cost anomaly detection publishes to standard topics only");
        }
        if !found.publishers.contains(&Service::Costalerts) {
            let message = format!("the topic `{}` does not admit cost anomaly detection", topic.0);
            let fix = format!("add \"costalerts\" to `publishers` of [topics.{}]", topic.0);
            self.say(&path, message, fix);
        }
    }
}
