//! The text of a plan: by component, change by change, field by field.
//!
//! A pure function of the plan and a style. It never shows payctl's own tags; it lists the tags of
//! every new resource once, at the top.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use super::report::Block;
use super::style::{Paint, Style, count, span, telling_id, words};
use super::text::one_line;
use super::value::{self, Line};
use brief::{settings, wrapped};
use payctl_engine::diff::FieldChange;
use payctl_engine::model::live::Tags;
use payctl_engine::model::scope::{TAG_DISPOSABLE, TAG_PROTECT};
use payctl_engine::plan::{Action, Change, LeftAlone, Note, Plan, Purpose, Refused};
use payctl_engine::survey::SurveyError;

mod brief;

/// How wide wrapped lines get.
const WIDE: usize = 100;

/// How much of new resources is shown. Changes are always shown field by field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// A line or two for each.
    Short,
    /// Every field.
    Full,
}

/// The effort of making the plan.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// How many API calls.
    pub calls: usize,
    /// How long.
    pub elapsed: Duration,
}

/// How many changes of each sort a plan holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// To create.
    pub create: usize,
    /// To change in place.
    pub update: usize,
    /// To replace.
    pub replace: usize,
    /// To delete.
    pub delete: usize,
    /// Changes that lose something for good.
    pub irreversible: usize,
}

impl Counts {
    /// Counts the changes of a plan.
    pub fn of(plan: &Plan) -> Self {
        let mut counts = Self::default();
        for change in &plan.changes {
            match change.action {
                Action::Create => counts.create += 1,
                Action::Update => counts.update += 1,
                Action::Replace => counts.replace += 1,
                Action::Delete => counts.delete += 1,
            }
            counts.irreversible += usize::from(change.irreversible.is_some());
        }
        counts
    }
}

/// The whole text, ending in the summary line.
pub fn text(plan: &Plan, style: Style, detail: Detail, effort: Option<Effort>) -> String {
    let mut text = String::new();
    let title = match plan.purpose {
        Purpose::Apply => "Plan for",
        Purpose::Destroy => "Plan to destroy",
    };
    line(&mut text, 0, &style.paint(Paint::Bold, &format!("{title} {}", plan.scope)));
    let common = common_tags(plan);
    if !common.is_empty() {
        line(&mut text, 0, "Tags on every new resource:");
        wrapped(&tag_list(&common), ",", WIDE).iter().for_each(|tags| line(&mut text, 2, tags));
    }
    for (component, changes) in by_component(plan) {
        text.push('\n');
        line(&mut text, 0, &style.paint(Paint::Bold, component));
        for change in changes {
            write_change(&mut text, change, &common, style, detail);
        }
    }
    for refused in plan.refused.chunk_by(is_alike) {
        text.push('\n');
        text.push_str(&refusal(refused).text(style));
    }
    for note in &plan.notes {
        let Note { address, origin, text: said, hint } = note;
        text.push('\n');
        line(&mut text, 0, &format!("note: {address} ({origin}): {said}"));
        line(&mut text, 2, hint);
    }
    if !plan.left_alone.is_empty() {
        text.push('\n');
        text.push_str(&left_alone(&plan.left_alone, style));
    }
    text.push('\n');
    if detail == Detail::Short && plan.changes.iter().any(is_new) {
        let note = "New resources are shown in short; -v shows every field.";
        line(&mut text, 0, &style.paint(Paint::Dim, note));
    }
    line(&mut text, 0, &summary(plan, style, effort));
    text
}

/// `Plan: 12 to create, 3 to change, 1 to replace, 0 to delete, 14 unchanged.` and the effort.
pub fn summary(plan: &Plan, style: Style, effort: Option<Effort>) -> String {
    let Counts { create, update, replace, delete, irreversible } = Counts::of(plan);
    let unchanged = plan.unchanged.len();
    let mut text = if !plan.changes.is_empty() {
        let part = |number: usize, paint, verb: &str| {
            let text = format!("{number} {verb}");
            if number == 0 { text } else { style.paint(paint, &text) }
        };
        format!(
            "Plan: {}, {}, {}, {}, {unchanged} unchanged.",
            part(create, Paint::Good, "to create"),
            part(update, Paint::Warn, "to change"),
            part(replace, Paint::Odd, "to replace"),
            part(delete, Paint::Bad, "to delete"),
        )
    } else if !plan.refused.is_empty() {
        format!("Plan: no changes possible, {unchanged} unchanged.")
    } else {
        match plan.purpose {
            Purpose::Apply => format!("No changes: {} as configured.", are(unchanged)),
            Purpose::Destroy if plan.unseen.iter().all(SurveyError::is_unsupported) => {
                "Nothing to destroy: the environment does not exist.".to_owned()
            }
            Purpose::Destroy => "Nothing to destroy was found.".to_owned(),
        }
    };
    if irreversible > 0 {
        let note = format!(" {} data for good.", loses(irreversible));
        text.push_str(&style.paint(Paint::Bad, &note));
    }
    if !plan.refused.is_empty() {
        let note = format!(" {} refused.", plan.refused.len());
        text.push_str(&style.paint(Paint::Bad, &note));
    }
    if !plan.unseen.is_empty() {
        let note = format!(" {} not read.", count(plan.unseen.len(), "kind"));
        text.push_str(&style.paint(Paint::Warn, &note));
    }
    if let Some(Effort { calls, elapsed }) = effort {
        // The unit of a span never ends a sentence twice.
        let _ = write!(text, " {} in {}.", count(calls, "API call"), span(elapsed));
    }
    text
}

fn are(number: usize) -> String {
    let verb = if number == 1 { "is" } else { "are" };
    format!("{} {verb}", count(number, "resource"))
}

fn loses(number: usize) -> String {
    let verb = if number == 1 { "loses" } else { "lose" };
    format!("{} {verb}", count(number, "change"))
}

/// Objects that payctl leaves alone although their tags name the environment.
pub fn left_alone(left: &[LeftAlone], style: Style) -> String {
    let mut text = String::new();
    line(
        &mut text,
        0,
        &style.paint(
            Paint::Warn,
            "Left alone, because only the tags say that this environment owns it:",
        ),
    );
    for LeftAlone { address, id, reason } in left {
        line(&mut text, 2, &format!("{address}  {}", style.paint(Paint::Dim, id)));
        line(&mut text, 6, reason);
    }
    text
}

/// Whether two resources cannot be planned for the same reason.
fn is_alike(one: &Refused, other: &Refused) -> bool {
    (&one.reason, &one.hint) == (&other.reason, &other.hint)
}

/// The error block for resources that cannot be planned, all for the same reason.
fn refusal(alike: &[Refused]) -> Block {
    let all = |text: fn(&Refused) -> String| {
        let texts = alike.iter().map(text).filter(|text| !text.is_empty());
        texts.collect::<Vec<_>>()
    };
    let unique = |text: fn(&Refused) -> String| all(text).into_iter().next();
    let mut places = all(|refused| refused.origin.clone());
    places.dedup();
    Block {
        title: format!("cannot plan {}", all(|refused| refused.address.to_string()).join(", ")),
        what: unique(|refused| refused.reason.clone()),
        place: Some(places.join(", ")).filter(|places| !places.is_empty()),
        hints: unique(|refused| refused.hint.clone()).into_iter().collect(),
        details: Vec::new(),
    }
}

fn by_component(plan: &Plan) -> BTreeMap<&str, Vec<&Change>> {
    let mut components: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
    for change in &plan.changes {
        let component = match change.component.as_str() {
            "" => "no longer configured",
            known => known,
        };
        components.entry(component).or_default().push(change);
    }
    components
}

fn write_change(text: &mut String, change: &Change, common: &Tags, style: Style, detail: Detail) {
    let shown = words(change.action);
    let mut head = style.paint(shown.paint, &format!("{} {}", shown.mark, change.address));
    let known_as = match (&change.action, &change.live) {
        (Action::Delete, Some(live)) => match telling_id(&live.id, &change.name) {
            Some(id) => format!("{}  {id}", change.name),
            None => change.name.clone(),
        },
        _ => change.name.clone(),
    };
    for more in [known_as, change.origin.clone()] {
        if !more.is_empty() {
            let _ = write!(head, "  {}", style.paint(Paint::Dim, &more));
        }
    }
    line(text, 2, &head);
    if let Some(because) = &change.because {
        line(text, 6, &format!("because: {because}"));
    }
    if change.action == Action::Replace {
        let order = if change.create_first {
            "the new one is created before the old one is deleted"
        } else {
            "the old one is deleted before the new one is created"
        };
        line(text, 6, order);
    }
    match &change.want {
        Some(want) if detail == Detail::Short && is_new(change) => {
            let all = settings(&want.spec, &change.name);
            wrapped(&all, ",", WIDE).iter().for_each(|some| line(text, 6, some));
        }
        _ => write_fields(text, change, style),
    }
    let tags = new_tags(change, common);
    if !tags.is_empty() {
        line(text, 6, &format!("tags: {}", tag_list(&tags).join(", ")));
    }
    if let Some(lost) = &change.irreversible {
        line(text, 6, &style.paint(Paint::Bad, &format!("! lost for good: {lost}")));
    }
    if let Some(regain) = &change.regain {
        line(text, 6, &format!("recoverable: {regain}"));
    }
}

/// Whether a change creates a resource that did not exist.
fn is_new(change: &Change) -> bool {
    change.action == Action::Create
}

fn write_fields(text: &mut String, change: &Change, style: Style) {
    let fields: Vec<FieldChange> = match (&change.action, &change.want) {
        (Action::Delete, _) => Vec::new(),
        (Action::Create, Some(want)) if change.fields.is_empty() => as_fields(&want.spec),
        _ => change.fields.iter().filter_map(visible).collect(),
    };
    let shown: Vec<(String, Shape)> = fields
        .iter()
        .map(|field| (field.path.clone(), shape(field, change.action, style)))
        .collect();
    let width = shown.iter().filter(|(_, shape)| matches!(shape, Shape::Short(_)));
    let width = width.map(|(path, _)| path.chars().count() + 1).max().unwrap_or_default();
    for (path, shape) in shown {
        match shape {
            Shape::Short(value) => line(text, 6, &format!("{:<width$} {value}", path + ":")),
            Shape::Long(lines) => {
                line(text, 6, &format!("{path}:"));
                lines.iter().for_each(|nested| line(text, 8, nested));
            }
        }
    }
}

/// How one field is shown.
enum Shape {
    /// Beside its name.
    Short(String),
    /// Below its name.
    Long(Vec<String>),
}

fn shape(field: &FieldChange, action: Action, style: Style) -> Shape {
    // A new resource does not have old values to mark.
    let is_new = action == Action::Create;
    let before = field.before.as_ref().filter(|value| !value.is_null());
    let after = field.after.as_ref().filter(|value| !value.is_null());
    let one = |value: Option<&Value>| match value {
        Some(value) => value::short(value),
        None => Some("(not set)".to_owned()),
    };
    let unknown = |value: String| {
        if field.unknown && !value.contains("known after apply") {
            format!("{value} (known after apply)")
        } else {
            value
        }
    };
    match (one(before), one(after)) {
        (_, Some(new)) if is_new => Shape::Short(unknown(new)),
        (Some(old), Some(new)) => Shape::Short(format!(
            "{} -> {}",
            style.paint(Paint::Bad, &old),
            style.paint(Paint::Good, &unknown(new))
        )),
        _ => {
            let lines = |value: Option<&Value>| value.map(value::lines).unwrap_or_default();
            if is_new {
                return Shape::Long(lines(after));
            }
            let lines = value::difference(&lines(before), &lines(after));
            Shape::Long(lines.iter().map(|line| marked(line, style)).collect())
        }
    }
}

fn marked(line: &Line, style: Style) -> String {
    match line {
        Line::Same(text) => format!("  {text}"),
        Line::Old(text) => style.paint(Paint::Bad, &format!("- {text}")),
        Line::New(text) => style.paint(Paint::Good, &format!("+ {text}")),
        Line::Gap(lines) => {
            style.paint(Paint::Dim, &format!("  ... {} unchanged", count(*lines, "line")))
        }
    }
}

/// Every top-level field of a spec, as something new.
pub(super) fn as_fields(spec: &Value) -> Vec<FieldChange> {
    let fields = spec.as_object().into_iter().flatten();
    let fields = fields.filter(|(_, value)| !value.is_null());
    let field = |(path, value): (&String, &Value)| FieldChange {
        path: path.clone(),
        before: None,
        after: Some(value.clone()),
        unknown: false,
    };
    fields.map(field).collect()
}

/// Whether a tag is internal to payctl. The tags of protection and disposability are not: the user
/// sets them.
fn is_own(tag: &str) -> bool {
    tag.starts_with("payctl:") && tag != TAG_PROTECT && tag != TAG_DISPOSABLE
}

/// The field without payctl's own tags; `None` if it has no others.
pub(super) fn visible(field: &FieldChange) -> Option<FieldChange> {
    if field.path.strip_prefix("tags.").is_some_and(is_own) {
        return None;
    }
    if field.path != "tags" {
        return Some(field.clone());
    }
    let strip = |value: &Option<Value>| match value {
        Some(Value::Object(tags)) => {
            let tags = tags.iter().filter(|(key, _)| !is_own(key));
            Some(Value::Object(tags.map(|(key, value)| (key.clone(), value.clone())).collect()))
        }
        other => other.clone(),
    };
    let field =
        FieldChange { before: strip(&field.before), after: strip(&field.after), ..field.clone() };
    (field.before != field.after).then_some(field)
}

/// The user's tags that every new resource gets.
fn common_tags(plan: &Plan) -> Tags {
    let mut created = plan.changes.iter().filter(|change| change.action == Action::Create);
    let (Some(first), Some(second)) = (created.next(), created.next()) else { return Tags::new() };
    let nothing = Tags::new();
    let mut common = new_tags(first, &nothing);
    for change in std::iter::once(second).chain(created) {
        let tags = new_tags(change, &nothing);
        // Only kinds with tags count.
        if !tags.is_empty() {
            common.retain(|key, value| tags.get(key) == Some(value));
        }
    }
    common
}

/// The user's tags of a new resource, without the common ones and without its name.
fn new_tags(change: &Change, common: &Tags) -> Tags {
    let want = match change.action {
        Action::Create => change.want.as_ref(),
        Action::Update | Action::Replace | Action::Delete => None,
    };
    let tags = want.into_iter().flat_map(|want| want.tags.iter().chain(&want.tags_once));
    let said = |key: &str, value: &String| {
        is_own(key) || common.get(key) == Some(value) || (key == "Name" && *value == change.name)
    };
    tags.filter(|(key, value)| !said(key, value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn tag_list(tags: &Tags) -> Vec<String> {
    tags.iter().map(|(key, value)| format!("{key}={value}")).collect()
}

fn line(text: &mut String, indent: usize, line: &str) {
    let _ = writeln!(text, "{:indent$}{}", "", one_line(line));
}

#[cfg(test)]
pub(super) mod tests;
