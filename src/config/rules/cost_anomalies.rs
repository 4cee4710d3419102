//! The rules of `[cost_anomalies]`.

use super::Rules;
use crate::config::key_path::KeyPath;
use crate::config::schema::cost_anomalies::{CostAnomaly, CostWatch};
use crate::config::schema::text::ItemName;
use crate::words::aws_services::Service;

impl Rules<'_> {
    pub(super) fn cost_anomalies(&mut self) {
        let mut of_services = None;
        for (name, anomaly) in &self.config.cost_anomalies {
            if let CostWatch::All(_) = anomaly.watch
                && let Some(other) = of_services.replace(name)
            {
                let message = format!("[cost_anomalies.{}] already monitors all services", other.0);
                let fix = "watch a tag or a cost category here: an account can have only one monitor of all services";
                self.say(&KeyPath::of("cost_anomalies").key(name), message, fix);
            }
            self.cost_anomaly(name, anomaly);
        }
    }

    fn cost_anomaly(&mut self, name: &str, anomaly: &CostAnomaly) {
        let path = KeyPath::of("cost_anomalies").key(name);
        if let CostWatch::Some(some) = &anomaly.watch
            && some.tag.is_some() == some.category.is_some()
        {
            let message = "`tag` and `category` cannot be used together";
            self.say(&path.key("watch"), message, "remove one");
        }
        let mails = anomaly.email.iter().count();
        if anomaly.topic.is_some() && mails > 0 {
            let message = "`topic` and `email` cannot be used together: a topic gets messages at once, addresses once a day or week";
            let fix = "remove one; a topic can have its own e-mail addresses";
            self.say(&path.key("email"), message, fix);
        }
        if anomaly.frequency.is_some() && mails == 0 {
            let message = "`frequency` is only for e-mail addresses";
            self.say(&path.key("frequency"), message, "remove it, or add `email`");
        }
        if mails > 10 {
            let fix = "use a topic: Cost Explorer allows at most 10";
            self.say(&path, format!("too many addresses: {mails}"), fix);
        }
        if anomaly.threshold.amount.is_none() && anomaly.threshold.percent.is_none() {
            let message = "the threshold has no limit";
            let fix = "set `amount` (US dollars), `percent`, or both";
            self.say(&path.key("threshold"), message, fix);
        }
        let Some(topic) = &anomaly.topic else { return };
        let Some(found) = self.config.topics.get(&ItemName(topic.0.clone())) else { return };
        let path = path.key("topic");
        if found.fifo {
            let message = format!("the topic `{}` is a FIFO topic", topic.0);
            self.say(
                &path,
                message,
                "use a standard topic: cost anomaly detection cannot publish to FIFO topics",
            );
        }
        if !found.publishers.contains(&Service::Costalerts) {
            let message =
                format!("cost anomaly detection may not publish to the topic `{}`", topic.0);
            let fix = format!("add \"costalerts\" to `publishers` of [topics.{}]", topic.0);
            self.say(&path, message, fix);
        }
    }
}
