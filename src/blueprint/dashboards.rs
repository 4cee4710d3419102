//! `[dashboards]`: widgets from the config, and widgets generated from the environment.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::aws::kinds::cloudwatch::dashboard::Dashboard as DashboardSpec;
use crate::config::KeyPath;
use crate::config::metrics::{Source, balancer_of, watchable};
use crate::config::schema::dashboards::{Dashboard, Generate, GraphKind, Line, Widget};
use crate::config::schema::text::{ItemName, MetricName, Statistic, WatchedItem};
use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Output, Text};

use super::{Builder, Item};

/// The columns of the grid.
const COLUMNS: u32 = 24;

/// A generated graph: these metrics of every item of a section.
struct Panel {
    title: &'static str,
    section: &'static str,
    /// The metrics with their statistics. An empty one is the usual statistic.
    metrics: &'static [(&'static str, &'static str)],
    period: u32,
}

const fn panel(
    title: &'static str,
    section: &'static str,
    metrics: &'static [(&'static str, &'static str)],
) -> Panel {
    Panel { title, section, metrics, period: 300 }
}

/// S3 measures its storage once a day.
const fn daily(panel: Panel) -> Panel {
    Panel { period: 86_400, ..panel }
}

#[rustfmt::skip]
const OPERATIONS: &[Panel] = &[
    panel("API requests", "apis", &[("Count", "")]),
    panel("API latency", "apis", &[("Latency", "p50"), ("Latency", "p99")]),
    panel("API errors", "apis", &[("4XXError", ""), ("5XXError", "")]),
    panel("Load balancer requests", "load_balancers", &[("RequestCount", "")]),
    panel("Response time", "load_balancers", &[("TargetResponseTime", "p50"), ("TargetResponseTime", "p99")]),
    panel("Load balancer errors", "load_balancers", &[("HTTPCode_ELB_5XX_Count", ""), ("HTTPCode_Target_5XX_Count", "")]),
    panel("Load balancer connections", "load_balancers", &[("ActiveFlowCount", ""), ("NewFlowCount", "")]),
    panel("Broken connections", "load_balancers", &[("TCP_ELB_Reset_Count", ""), ("TCP_Target_Reset_Count", "")]),
    panel("Healthy targets", "target_groups", &[("HealthyHostCount", ""), ("UnHealthyHostCount", "")]),
    panel("Function calls", "functions", &[("Invocations", "")]),
    panel("Function errors", "functions", &[("Errors", ""), ("Throttles", "")]),
    panel("Function duration", "functions", &[("Duration", "p95")]),
    panel("Function concurrency", "functions", &[("ConcurrentExecutions", "")]),
    panel("Service CPU and memory", "services", &[("CPUUtilization", ""), ("MemoryUtilization", "")]),
    panel("Fleet CPU", "fleets", &[("CPUUtilization", "")]),
    panel("Database CPU", "databases", &[("CPUUtilization", "")]),
    panel("Database connections", "databases", &[("DatabaseConnections", "")]),
    panel("Table capacity", "tables", &[("ConsumedReadCapacityUnits", ""), ("ConsumedWriteCapacityUnits", "")]),
    panel("Table throttling", "tables", &[("ReadThrottleEvents", ""), ("WriteThrottleEvents", "")]),
    panel("Waiting messages", "queues", &[("ApproximateNumberOfMessagesVisible", "")]),
    panel("Oldest message", "queues", &[("ApproximateAgeOfOldestMessage", "")]),
    panel("Events", "events", &[("Invocations", ""), ("FailedInvocations", "")]),
    panel("Counted from logs", "metric_filters", &[("", "")]),
];

#[rustfmt::skip]
const SECURITY: &[Panel] = &[
    panel("Firewall", "firewalls", &[("AllowedRequests", ""), ("BlockedRequests", "")]),
    panel("Refused by APIs", "apis", &[("4XXError", "")]),
    panel("Refused behind load balancers", "load_balancers", &[("HTTPCode_ELB_4XX_Count", ""), ("HTTPCode_Target_4XX_Count", "")]),
    panel("Failing functions", "functions", &[("Errors", ""), ("Throttles", "")]),
    panel("Refused by tables", "tables", &[("ConditionalCheckFailedRequests", "")]),
    panel("Undelivered notifications", "topics", &[("NumberOfNotificationsFailed", "")]),
    panel("Failed events", "events", &[("FailedInvocations", "")]),
    panel("Counted from logs", "metric_filters", &[("", "")]),
];

#[rustfmt::skip]
const COST: &[Panel] = &[
    panel("Function time", "functions", &[("Duration", "sum")]),
    panel("Function calls", "functions", &[("Invocations", "")]),
    panel("API requests", "apis", &[("Count", "")]),
    panel("Load balancer capacity", "load_balancers", &[("ConsumedLCUs", "")]),
    panel("Service CPU", "services", &[("CPUUtilization", "")]),
    panel("Fleet CPU", "fleets", &[("CPUUtilization", "")]),
    panel("Database capacity", "databases", &[("ServerlessDatabaseCapacity", "")]),
    panel("Table capacity", "tables", &[("ConsumedReadCapacityUnits", ""), ("ConsumedWriteCapacityUnits", "")]),
    panel("Messages", "queues", &[("NumberOfMessagesSent", "")]),
    daily(panel("Stored bytes", "buckets", &[("BucketSizeBytes", "")])),
];

impl Builder<'_> {
    pub(super) fn dashboards(&mut self) {
        for (key, config) in &self.config.dashboards {
            let path = &KeyPath::of("dashboards").key(key);
            let name = self.item_name("cloudwatch.dashboard", key, config.name.as_ref(), path);
            let spec = DashboardSpec { name: name.clone(), body: self.body(config) };
            let address = Address::new("cloudwatch.dashboard", key.0.as_str());
            self.add(Item::new(address, name, path), &spec);
        }
    }

    fn body(&self, config: &Dashboard) -> Value {
        let mut grid = Grid::default();
        if let Some(question) = config.generate {
            self.generate(question, &mut grid);
        }
        for widget in &config.widgets {
            let (kind, properties) = self.widget(widget);
            if widget.new_row {
                grid.begin_row();
            }
            grid.place(kind, (widget.width, widget.height), properties);
        }
        json!({ "widgets": grid.widgets })
    }

    fn widget(&self, widget: &Widget) -> (&'static str, Value) {
        if let Some(text) = &widget.text {
            return ("text", json!({ "markdown": text }));
        }
        if !widget.alarms.is_empty() {
            let names = widget.alarms.iter().map(|alarm| alarm.0.as_str());
            return ("alarm", alarm_states(&widget.title, names));
        }
        let lines = widget.metrics.iter().flat_map(|line| self.line(line)).collect();
        ("metric", self.graph(&widget.title, widget.kind, widget.period, lines))
    }

    /// A line, and the metrics that it is computed from.
    fn line(&self, line: &Line) -> Vec<Value> {
        let Some(expression) = &line.expression else {
            let mut options = Map::new();
            options.extend(line.label.clone().map(|label| ("label".to_owned(), label.into())));
            return vec![self.plot(line.into(), options)];
        };
        let mut options = json!({ "expression": expression });
        if let Some(label) = &line.label {
            options["label"] = label.as_str().into();
        }
        let parts = line.metrics.iter().map(|(id, part)| {
            let hidden = [("id", json!(id.0)), ("visible", json!(false))];
            self.plot(
                part.into(),
                hidden.map(|(key, value)| (key.to_owned(), value)).into_iter().collect(),
            )
        });
        std::iter::once(json!([options])).chain(parts).collect()
    }

    /// A metric in the array form of dashboards: `[namespace, name, dimension, value, ..., options]`.
    fn plot(&self, source: Source<'_>, mut options: Map<String, Value>) -> Value {
        let found = self.resolved(source);
        let mut plot = vec![json!(found.namespace), json!(found.metric)];
        for (name, value) in found.dimensions {
            plot.extend([json!(name), json!(value)]);
        }
        options.insert("stat".to_owned(), found.statistic.into());
        plot.push(Value::Object(options));
        Value::Array(plot)
    }

    fn graph(&self, title: &str, kind: GraphKind, period: u32, lines: Vec<Value>) -> Value {
        let view = match kind {
            GraphKind::Line | GraphKind::Stacked => "timeSeries",
            GraphKind::Number => "singleValue",
            GraphKind::Bar => "bar",
            GraphKind::Pie => "pie",
        };
        json!({
            "title": title, "metrics": lines, "region": self.facts.region, "view": view,
            "stacked": kind == GraphKind::Stacked, "period": period,
        })
    }

    fn generate(&self, question: Generate, grid: &mut Grid) {
        let (word, panels) = match question {
            Generate::Operations => ("Operations", OPERATIONS),
            Generate::Security => ("Security", SECURITY),
            Generate::Cost => ("Cost", COST),
        };
        let heading = format!("# {word} of {}, {}", self.scope.project, self.scope.env);
        grid.place("text", (COLUMNS, 1), json!({ "markdown": heading }));
        match question {
            Generate::Cost => grid.place("metric", (COLUMNS / 2, 6), charges()),
            Generate::Operations | Generate::Security if self.config.alarms.is_empty() => {}
            Generate::Operations | Generate::Security => {
                let names = self.config.alarms.keys().map(|name| name.0.as_str());
                grid.place("alarm", (COLUMNS, 3), alarm_states("Alarms", names));
            }
        }
        for panel in panels {
            let lines = self.lines_of(panel);
            if !lines.is_empty() {
                let graph = self.graph(panel.title, GraphKind::Line, panel.period, lines);
                grid.place("metric", (COLUMNS / 2, 6), graph);
            }
        }
    }

    /// The lines of a panel, labelled by item and, if there are several, by metric.
    fn lines_of(&self, panel: &Panel) -> Vec<Value> {
        let none = BTreeMap::new();
        let mut lines = Vec::new();
        for item in self.loaded.names(panel.section) {
            // A target group has metrics only behind a load balancer, and counts only targets that
            // the load balancer checks.
            let group = self.config.target_groups.get(&ItemName(item.to_owned()));
            if panel.section == "target_groups"
                && (balancer_of(self.loaded, item).is_none()
                    || group.is_some_and(|group| group.checks().is_none()))
            {
                continue;
            }
            let has = watchable(self.loaded, panel.section, item);
            for (metric, statistic) in panel.metrics {
                // Each type of load balancer has its own metrics.
                if has.is_some_and(|has| has.statistic(metric).is_none()) {
                    continue;
                }
                let watch = WatchedItem(format!("{}.{item}", panel.section));
                let (name, wanted) = (MetricName((*metric).into()), Statistic((*statistic).into()));
                let source = Source {
                    watch: Some(&watch),
                    namespace: None,
                    metric: Some(&name).filter(|name| !name.is_empty()),
                    dimensions: &none,
                    statistic: Some(&wanted).filter(|wanted| !wanted.is_empty()),
                };
                let label = match panel.metrics {
                    [_] => item.to_owned(),
                    _ => [item, metric, statistic].join(" ").trim_end().to_owned(),
                };
                lines.push(self.plot(source, Map::from_iter([("label".to_owned(), label.into())])));
            }
        }
        lines
    }
}

/// The account's charges, which AWS measures only in one region, in steps of hours.
fn charges() -> Value {
    let options = json!({ "stat": "Maximum", "label": "whole account" });
    json!({
        "title": "Estimated charges of the month, US dollars",
        "metrics": [["AWS/Billing", "EstimatedCharges", "Currency", "USD", options]],
        "region": "us-east-1", "view": "timeSeries", "stacked": false, "period": 21_600,
    })
}

fn alarm_states<'a>(title: &str, names: impl Iterator<Item = &'a str>) -> Value {
    let arn = |name| Text::reference(Address::new("cloudwatch.alarm", name), Output::Arn);
    json!({ "title": title, "alarms": names.map(arn).collect::<Vec<_>>() })
}

/// Places widgets from left to right, and begins a new row if the next one does not fit.
#[derive(Default)]
struct Grid {
    widgets: Vec<Value>,
    x: u32,
    y: u32,
    /// The height of the row.
    row: u32,
}

impl Grid {
    fn place(&mut self, kind: &str, (width, height): (u32, u32), properties: Value) {
        if self.x + width > COLUMNS {
            self.begin_row();
        }
        self.widgets.push(json!({
            "type": kind, "x": self.x, "y": self.y, "width": width, "height": height,
            "properties": properties,
        }));
        self.x += width;
        self.row = self.row.max(height);
    }

    /// Below everything placed so far; an empty row stays.
    fn begin_row(&mut self) {
        (self.x, self.y, self.row) = (0, self.y + self.row, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widgets_fill_rows() {
        let mut grid = Grid::default();
        for size in [(12, 6), (12, 3), (24, 1), (8, 6), (18, 6)] {
            grid.place("text", size, json!({}));
        }
        let places = grid.widgets.iter().map(|widget| (widget["x"].clone(), widget["y"].clone()));
        let places: Vec<(u64, u64)> =
            places.map(|(x, y)| (x.as_u64().unwrap(), y.as_u64().unwrap())).collect();
        assert_eq!(places, [(0, 0), (12, 0), (0, 6), (0, 7), (0, 13)]);
    }

    #[test]
    fn a_widget_may_begin_a_new_row() {
        let mut grid = Grid::default();
        for _ in 0..3 {
            grid.begin_row();
            grid.place("text", (6, 6), json!({}));
        }
        let places: Vec<&Value> = grid.widgets.iter().flat_map(|it| [&it["x"], &it["y"]]).collect();
        assert_eq!(places, [0, 0, 0, 6, 0, 12]);
    }
}
