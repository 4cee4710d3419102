//! The rules of `[dashboards]`.

use std::collections::BTreeSet;

use super::Rules;
use crate::config::key_path::KeyPath;
use crate::config::schema::dashboards::{Line, Widget};
use crate::config::schema::text::MetricId;

impl Rules<'_> {
    pub(super) fn dashboards(&mut self) {
        for (name, dashboard) in &self.config.dashboards {
            let path = KeyPath::of("dashboards").key(name);
            if dashboard.generate.is_none() && dashboard.widgets.is_empty() {
                let fix = "add `widgets`, or `generate = \"operations\"`";
                self.say(&path, "the dashboard is empty", fix);
            }
            for (place, widget) in dashboard.widgets.iter().enumerate() {
                self.widget(&path.key("widgets").item(place), widget);
            }
        }
    }

    fn widget(&mut self, path: &KeyPath, widget: &Widget) {
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
            let path = path.key("period");
            let fix = "use 1, 5, 10, 30, or a multiple of 60";
            self.say(&path, format!("{period} seconds is not a valid period"), fix);
        }
        let mut seen: BTreeSet<&MetricId> = BTreeSet::new();
        for (place, line) in metrics.iter().enumerate() {
            let Line { expression, metrics, .. } = line;
            let path = path.key("metrics").item(place);
            self.measured(&path, line.into(), expression.as_deref(), metrics);
            for id in metrics.keys().filter(|id| !seen.insert(id)) {
                let path = path.key("metrics").key(&id.0);
                let message = format!("the widget uses the id `{}` twice", id.0);
                self.say(&path, message, "choose another id");
            }
        }
    }
}
