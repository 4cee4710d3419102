//! The rules of `[dashboards]`.

use std::collections::BTreeSet;

use super::Rules;
use crate::config::schema::dashboards::{Line, Widget};
use crate::config::schema::text::MetricId;

impl Rules<'_> {
    pub(super) fn dashboards(&mut self) {
        for (name, dashboard) in &self.config.dashboards {
            let path = ["dashboards", &**name];
            if dashboard.generate.is_none() && dashboard.widgets.is_empty() {
                let fix = "add `widgets`, or `generate = \"operations\"`";
                self.say(&path, "the dashboard is empty", fix);
            }
            for (place, widget) in dashboard.widgets.iter().enumerate() {
                let place = place.to_string();
                self.widget(&[&path[..], &["widgets", place.as_str()]].concat(), widget);
            }
        }
    }

    fn widget(&mut self, path: &[&str], widget: &Widget) {
        let Widget { metrics, text, alarms, period, .. } = widget;
        let given = [!metrics.is_empty(), text.is_some(), !alarms.is_empty()];
        if given.into_iter().filter(|given| *given).count() != 1 {
            self.say(
                path,
                "a widget needs exactly one content",
                "set one of `metrics`, `text`, `alarms`",
            );
        }
        if !matches!(period, 1 | 5 | 10 | 30) && period % 60 != 0 {
            let path = [path, &["period"]].concat();
            let fix = "use 1, 5, 10, 30, or a multiple of 60";
            self.say(&path, format!("{period} seconds is not a valid period"), fix);
        }
        let mut seen: BTreeSet<&MetricId> = BTreeSet::new();
        for (place, line) in metrics.iter().enumerate() {
            let Line { expression, metrics, .. } = line;
            let place = place.to_string();
            let path = [path, &["metrics", place.as_str()]].concat();
            self.measured(&path, line.into(), expression.as_deref(), metrics);
            for id in metrics.keys().filter(|id| !seen.insert(id)) {
                let path = [&path[..], &["metrics", id.0.as_str()]].concat();
                let message = format!("the widget uses the id `{}` twice", id.0);
                self.say(&path, message, "choose another id");
            }
        }
    }
}
