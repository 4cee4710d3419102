//! The text of a plan: causes first, each with its consequences.
//!
//! The order is that of a reader's interest: what is refused, what loses data, what is replaced, changed,
//! created, deleted. In short, the consequences of a change are counted below it, a new
//! resource takes one line, and a long value shows only the lines that differ. A pure function of the
//! plan and a view. It never shows payctl's own tags.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::impact::{self, Impact};
use super::report::Block;
use super::style::{Paint, Style, count, span, step_words, telling_id, words};
use super::text::one_line;
use super::value::{self, Line};
use brief::wrapped;
use payctl_engine::diff::FieldChange;
use payctl_engine::model::address::Address;
use payctl_engine::model::live::Tags;
use payctl_engine::model::meta::{Meta, Traffic};
use payctl_engine::model::scope::{TAG_BORROWS, TAG_DISPOSABLE, TAG_PROTECT};
use payctl_engine::outlook::{self, Estimate, Outlook, Undo};
use payctl_engine::plan::{Action, Change, LeftAlone, Note, Plan, Purpose, Refused};
use payctl_engine::survey::SurveyError;

pub(super) mod brief;
pub(super) mod tree;

use tree::{Section, Tree};

/// How wide wrapped lines get.
const WIDE: usize = 100;

/// In short: how many lines of one long value are shown, and how many fields of one change.
const SHORT_VALUE: usize = 12;
const SHORT_FIELDS: usize = 8;

/// From which time on it is said how long one change takes.
const LONG: Duration = Duration::from_secs(30);

/// How much of a plan is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// A line for each new resource, a count for consequences.
    Short,
    /// Every field of every change.
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

/// Something that an environment uses and does not own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Used {
    /// The address that stands for it in the config.
    pub address: Address,
    /// Its id or ids at AWS.
    pub ids: Vec<String>,
    /// Its owner: another environment, or somebody else.
    pub owner: String,
}

impl Used {
    /// The line of a plan.
    pub(super) fn line(&self) -> String {
        let Self { address, ids, owner } = self;
        format!("uses {} {} of {owner} (never changed)", address.kind, ids.join(", "))
    }
}

/// How a plan is shown, and what is known besides it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// How it looks.
    pub style: Style,
    /// How much is shown.
    pub detail: Detail,
    /// What it took to make the plan, if it is worth saying.
    pub effort: Option<Effort>,
    /// The facts of the kinds.
    pub kinds: &'a [&'static Meta],
    /// What it will take to carry it out.
    pub estimate: Option<&'a Estimate>,
    /// Whether the estimate is of AWS, and the plan is for an endpoint with another pace.
    pub is_elsewhere: bool,
    /// What it does to the cost.
    pub cost: Option<&'a Impact>,
    /// What the environment uses and does not own.
    pub uses: &'a [Used],
}

impl View<'_> {
    /// The facts of a change's kind.
    pub(super) fn meta(&self, change: &Change) -> Option<&'static Meta> {
        self.kinds.iter().find(|meta| meta.kind == change.address.kind).copied()
    }

    fn is_short(&self) -> bool {
        self.detail == Detail::Short
    }

    /// How long the steps of a change take, if that is worth saying.
    fn lasts(&self, change: usize) -> Option<Duration> {
        let Estimate { graph, lasts, .. } = self.estimate?;
        let steps = graph.steps.iter().zip(lasts).filter(|(step, _)| step.change == change);
        let lasts: Duration = steps.map(|(_, lasts)| *lasts).sum();
        (lasts >= LONG).then_some(lasts)
    }

    /// How many calls the steps of a change make, where every detail is shown.
    fn calls(&self, change: usize) -> Option<usize> {
        let Estimate { graph, calls, .. } = self.estimate.filter(|_| !self.is_short())?;
        let steps = graph.steps.iter().zip(calls).filter(|(step, _)| step.change == change);
        Some(steps.map(|(_, calls)| *calls as usize).sum())
    }
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
pub fn text(plan: &Plan, view: View<'_>) -> String {
    let style = view.style;
    let mut text = String::new();
    let title = match plan.purpose {
        Purpose::Apply => "Plan for",
        Purpose::Destroy => "Plan to destroy",
    };
    line(&mut text, 0, &style.paint(Paint::Bold, &format!("{title} {}", plan.scope)));
    view.uses.iter().for_each(|used| line(&mut text, 2, &used.line()));
    let common = common_tags(plan);
    if !common.is_empty() && !view.is_short() {
        line(&mut text, 0, "Tags on every new resource:");
        wrapped(&tag_list(&common), ",", WIDE).iter().for_each(|tags| line(&mut text, 2, tags));
    }
    for refused in plan.refused.chunk_by(is_alike) {
        text.push('\n');
        text.push_str(&refusal(refused).text(style));
    }
    let tree = Tree::of(plan);
    for section in Section::ALL {
        let causes = tree.causes(section);
        if causes.is_empty() {
            continue;
        }
        text.push('\n');
        let head = format!("{} ({})", section.title(), causes.len());
        line(&mut text, 0, &style.paint(Paint::Bold, &head));
        if view.is_short() && matches!(section, Section::Creates | Section::Deletes) {
            write_lines(&mut text, &tree, &causes, view);
        } else if view.is_short() && section == Section::LosesData {
            write_losses(&mut text, &tree, &causes, &common, view);
        } else {
            causes.iter().for_each(|cause| write_cause(&mut text, &tree, *cause, &common, view));
        }
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
    if view.is_short() && !plan.changes.is_empty() {
        line(
            &mut text,
            0,
            &style.paint(Paint::Dim, "In short; -v shows every field and consequence."),
        );
    }
    if let Some(estimate) = view.estimate.filter(|_| !plan.changes.is_empty()) {
        line(&mut text, 0, &takes(plan, estimate, view.is_elsewhere));
    }
    line(&mut text, 0, &summary(plan, style, view.effort));
    if let Some(cost) = view.cost {
        text.push_str(&impact::block(cost, style));
    }
    text
}

/// `Takes about 11 m 20 s, about 240 calls. Critical path: + rds.cluster/main 5 m 00 s > ...`.
pub(super) fn takes(plan: &Plan, estimate: &Estimate, is_elsewhere: bool) -> String {
    /// A step that takes less of the whole is not worth naming.
    const WORTH: u32 = 20;
    let total = estimate.total();
    let place = if is_elsewhere { " on AWS" } else { "" };
    let calls = about(estimate.total_calls());
    if total < Duration::from_secs(5) {
        return format!("Takes some seconds{place}, {calls}.");
    }
    let mut named = Vec::new();
    let mut before: Option<usize> = None;
    for step in estimate.path.iter().copied() {
        let of = |step: usize| estimate.graph.steps[step];
        let address = |step: usize| &plan.changes[of(step).change].address;
        let (lasts, begins) = (estimate.lasts[step], estimate.ends[step] - estimate.lasts[step]);
        // AWS keeps for a while what a deleted object used.
        let waits = before.map(|before| (before, begins.saturating_sub(estimate.ends[before])));
        if let Some((before, waits)) = waits.filter(|(_, waits)| *waits * WORTH >= total) {
            named.push(format!("{} until {} is gone", span(waits), address(before)));
        }
        if lasts * WORTH >= total {
            let mark = step_words(of(step).verb).mark;
            named.push(format!("{mark} {} {}", address(step), span(lasts)));
        }
        before = Some(step);
    }
    let path = match named.is_empty() {
        // Many short steps, one after the other.
        true => String::new(),
        false => format!(" Critical path: {}.", named.join(" > ")),
    };
    format!("Takes about {}{place}, {calls}.{path}", span(total))
}

/// `about 12 calls`.
fn about(calls: usize) -> String {
    format!("about {}", count(calls, "call"))
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

/// New or deleted resources, under their components.
fn write_lines(text: &mut String, tree: &Tree<'_>, causes: &[usize], view: View<'_>) {
    for (component, (_, lines)) in lines(tree, causes, view) {
        line(text, 2, &view.style.paint(Paint::Bold, &component));
        lines.lines().for_each(|one| line(text, 4, one));
    }
}

/// New or deleted resources by component: how many, and a line for each. Those of one kind of which there is
/// the same to say share a line.
pub(super) fn lines(
    tree: &Tree<'_>,
    causes: &[usize],
    view: View<'_>,
) -> BTreeMap<String, (usize, String)> {
    let mut components: BTreeMap<String, Vec<(String, Vec<usize>)>> = BTreeMap::new();
    for cause in causes {
        let change = tree.change(*cause);
        let component = match change.component.as_str() {
            "" => "no longer configured",
            known => known,
        };
        let said = said(change, *cause, view);
        let alike = components.entry(component.to_owned()).or_default();
        let is_alike = |(other, of): &(String, Vec<usize>)| {
            let one = tree.change(of[0]);
            *other == said
                && (one.action, &one.address.kind) == (change.action, &change.address.kind)
        };
        match alike.iter().position(is_alike) {
            Some(at) => alike[at].1.push(*cause),
            None => alike.push((said, vec![*cause])),
        }
    }
    let written = |alike: Vec<(String, Vec<usize>)>| {
        let mut text = String::new();
        for (said, of) in &alike {
            write_alike(&mut text, tree, of, said, view);
        }
        (alike.iter().map(|(_, of)| of.len()).sum(), text)
    };
    components.into_iter().map(|(component, alike)| (component, written(alike))).collect()
}

/// What there is to say about a new or deleted resource, beside its name.
fn said(change: &Change, index: usize, view: View<'_>) -> String {
    let mut said = match (&change.want, change.action) {
        (Some(want), Action::Create) => {
            // The fields hold what is known of the references.
            let mut spec = want.spec.clone();
            for FieldChange { path, after, .. } in &change.fields {
                if let (Some(known), Some(after)) = (spec.get_mut(path), after) {
                    known.clone_from(after);
                }
            }
            brief::asked(&spec, &change.name, view.meta(change))
        }
        _ => Vec::new(),
    };
    said.extend(why(change));
    said.extend(view.lasts(index).map(|lasts| format!("takes about {}", span(lasts))));
    said.join(", ")
}

/// Resources of one kind, with what there is to say about each of them.
fn write_alike(text: &mut String, tree: &Tree<'_>, of: &[usize], said: &str, view: View<'_>) {
    write_names(text, 0, tree, of, said, view);
    for one in of {
        write_consequences(text, 4, tree, *one, view);
    }
}

/// The names of resources of one kind, and what is said about them.
fn write_names(
    text: &mut String,
    indent: usize,
    tree: &Tree<'_>,
    of: &[usize],
    said: &str,
    view: View<'_>,
) {
    let first = tree.change(of[0]);
    let shown = words(first.action);
    let names: Vec<String> = match of {
        [only] => vec![tree.change(*only).address.to_string()],
        _ => of.iter().map(|one| tree.change(*one).address.name.clone()).collect(),
    };
    let mut head = format!("{} ", shown.mark);
    if of.len() > 1 {
        let _ = write!(head, "{}: ", tree::times(&first.address.kind, of.len()));
    }
    let lines = wrapped(&names, ",", WIDE - head.chars().count());
    for (at, names) in lines.iter().enumerate() {
        let start = if at == 0 { head.clone() } else { " ".repeat(4) };
        let mut one = view.style.paint(shown.paint, &format!("{start}{names}"));
        if at + 1 == lines.len() && !said.is_empty() {
            let _ = write!(one, "  {}", view.style.paint(Paint::Dim, said));
        }
        line(text, indent, &one);
    }
}

/// What loses data. Resources of one kind of which there is the same to say stand together.
fn write_losses(
    text: &mut String,
    tree: &Tree<'_>,
    causes: &[usize],
    common: &Tags,
    view: View<'_>,
) {
    let mut groups: Vec<(&str, String, Vec<usize>)> = Vec::new();
    for cause in causes.iter().copied() {
        let mut whole = String::new();
        write_cause(&mut whole, tree, cause, common, view);
        let below = whole.split_once('\n').map_or("", |(_, below)| below);
        let Change { address, action, .. } = tree.change(cause);
        let is_alike = |(kind, said, of): &&mut (&str, String, Vec<usize>)| {
            (*kind, said.as_str(), tree.change(of[0]).action) == (&address.kind, below, *action)
        };
        match groups.iter_mut().find(is_alike) {
            Some((_, _, of)) => of.push(cause),
            None => groups.push((&address.kind, below.to_owned(), vec![cause])),
        }
    }
    for (_, below, of) in groups {
        match &of[..] {
            [only] => write_cause(text, tree, *only, common, view),
            _ => {
                write_names(text, 2, tree, &of, "", view);
                text.push_str(&below);
            }
        }
    }
}

/// A change with everything that it says, and its consequences, as a text of its own.
pub(super) fn cause(tree: &Tree<'_>, cause: usize, view: View<'_>) -> String {
    let mut text = String::new();
    write_cause(&mut text, tree, cause, &Tags::new(), view);
    text
}

/// `replaced because its subnet private-1 is replaced`.
pub(super) fn why(change: &Change) -> Option<String> {
    let because = change.because.as_ref()?;
    // An update waits for AWS, and says so itself.
    Some(match change.action {
        Action::Update | Action::Create => because.clone(),
        action => format!("{} because {because}", words(action).done),
    })
}

/// A change with everything that it says, and its consequences below it.
fn write_cause(text: &mut String, tree: &Tree<'_>, cause: usize, common: &Tags, view: View<'_>) {
    write_change(text, 2, tree.change(cause), common, view);
    write_effects(text, 6, tree, &tree.with_consequences(cause), view);
    write_consequences(text, 6, tree, cause, view);
    if !view.is_short() {
        write_unfolded(text, 8, tree, cause, common, view);
    }
}

/// Every consequence of a change, each below what it follows.
fn write_unfolded(
    text: &mut String,
    indent: usize,
    tree: &Tree<'_>,
    cause: usize,
    common: &Tags,
    view: View<'_>,
) {
    for consequence in tree.follow(cause).iter().copied() {
        write_change(text, indent, tree.change(consequence), common, view);
        write_effects(text, indent + 4, tree, &[consequence], view);
        write_unfolded(text, indent + 4, tree, consequence, common, view);
    }
}

/// The consequences of a change, counted: `3 replaced: ec2.nat_gateway/nat-1, lambda.permissions x 2`.
fn write_consequences(
    text: &mut String,
    indent: usize,
    tree: &Tree<'_>,
    cause: usize,
    view: View<'_>,
) {
    for (action, named) in tree.counted(cause) {
        let shown = words(action);
        let number: usize = named.iter().map(|(_, number)| number).sum();
        let head = format!("{} {number} {}:", shown.mark, shown.done);
        let named: Vec<String> =
            named.into_iter().map(|(name, number)| tree::times(&name, number)).collect();
        let lines = wrapped(&named, ",", WIDE - indent);
        for (at, some) in lines.iter().enumerate() {
            let head = if at == 0 { view.style.paint(shown.paint, &head) } else { " ".repeat(4) };
            line(text, indent, &format!("{head} {some}"));
        }
    }
}

/// How long a change takes, what traffic notices, and whether it can be taken back, if there is anything to
/// say.
fn write_effects(
    text: &mut String,
    indent: usize,
    tree: &Tree<'_>,
    changes: &[usize],
    view: View<'_>,
) {
    if let Some(effects) = effects(tree, changes, view) {
        line(text, indent, &view.style.paint(Paint::Warn, &effects));
    }
}

/// `takes about 25 s; traffic: an outage of about 25 s; undo: no`, the time that of the first change, in full
/// also its calls; `None` if it is short, traffic notices nothing and all can be undone.
pub(super) fn effects(tree: &Tree<'_>, changes: &[usize], view: View<'_>) -> Option<String> {
    let outlook =
        |change: &usize| outlook::of(tree.change(*change), view.meta(tree.change(*change)));
    let outlooks: Vec<Outlook> = changes.iter().map(outlook).collect();
    let traffic = outlooks.iter().map(|one| one.traffic).max()?;
    let undo = outlooks.iter().map(|one| one.undo).max()?;
    let lasts = outlooks.iter().filter_map(|one| one.outage).max();
    let mut effects = Vec::new();
    let takes = changes.first().and_then(|change| view.lasts(*change));
    effects.extend(takes.map(|takes| format!("takes about {}", span(takes))));
    effects.extend(changes.first().and_then(|change| view.calls(*change)).map(about));
    if traffic != Traffic::Nothing {
        effects.push(format!("traffic: {}", noticed(traffic, lasts)));
    }
    if undo != Undo::Yes {
        effects.push(format!("undo: {}", undone(undo)));
    }
    (!effects.is_empty()).then(|| effects.join("; "))
}

/// What traffic notices, in words.
pub(super) fn noticed(traffic: Traffic, lasts: Option<Duration>) -> String {
    match (traffic, lasts) {
        (Traffic::Nothing, _) => "nothing".to_owned(),
        (Traffic::NewConnections, _) => "new connections".to_owned(),
        (Traffic::Outage, Some(lasts)) => format!("an outage of about {}", span(lasts)),
        (Traffic::Outage, None) => "an outage of what uses it".to_owned(),
    }
}

/// Whether a change can be taken back, in words.
pub(super) fn undone(undo: Undo) -> &'static str {
    match undo {
        Undo::Yes => "yes",
        Undo::Restore => "with a restore",
        Undo::No => "no",
    }
}

fn write_change(text: &mut String, indent: usize, change: &Change, common: &Tags, view: View<'_>) {
    let style = view.style;
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
    line(text, indent, &head);
    let indent = indent + 4;
    if let Some(why) = why(change) {
        line(text, indent, &why);
    }
    if change.action == Action::Replace {
        let order = if change.create_first {
            "the new one is created before the old one is deleted"
        } else {
            "the old one is deleted before the new one is created"
        };
        line(text, indent, order);
    }
    write_fields(text, indent, change, view);
    let tags = new_tags(change, common);
    if !tags.is_empty() {
        line(text, indent, &format!("tags: {}", tag_list(&tags).join(", ")));
    }
    if let Some(lost) = &change.irreversible {
        line(text, indent, &style.paint(Paint::Bad, &format!("! lost for good: {lost}")));
    }
    if let Some(regain) = &change.regain {
        line(text, indent, &format!("recoverable: {regain}"));
    }
}

fn write_fields(text: &mut String, indent: usize, change: &Change, view: View<'_>) {
    let style = view.style;
    let fields: Vec<FieldChange> = match (&change.action, &change.want) {
        (Action::Delete, _) => Vec::new(),
        (Action::Create, Some(want)) if change.fields.is_empty() => as_fields(&want.spec),
        _ => change.fields.iter().filter_map(visible).collect(),
    };
    let most = if view.is_short() { SHORT_FIELDS } else { usize::MAX };
    let left_out = fields.len().saturating_sub(most);
    let shown: Vec<(String, Shape)> = fields
        .iter()
        .take(most)
        .map(|field| (field.path.clone(), shape(field, change.action, view)))
        .collect();
    let width = shown.iter().filter(|(_, shape)| matches!(shape, Shape::Short(_)));
    let width = width.map(|(path, _)| path.chars().count() + 1).max().unwrap_or_default();
    for (path, shape) in shown {
        match shape {
            Shape::Short(value) => line(text, indent, &format!("{:<width$} {value}", path + ":")),
            Shape::Long(lines) => {
                line(text, indent, &format!("{path}:"));
                lines.iter().for_each(|nested| line(text, indent + 2, nested));
            }
        }
    }
    if left_out > 0 {
        let more = format!("... {} more", count(left_out, "field"));
        line(text, indent, &style.paint(Paint::Dim, &more));
    }
}

/// How one field is shown.
enum Shape {
    /// Beside its name.
    Short(String),
    /// Below its name.
    Long(Vec<String>),
}

fn shape(field: &FieldChange, action: Action, view: View<'_>) -> Shape {
    let style = view.style;
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
            let most = if view.is_short() { SHORT_VALUE } else { usize::MAX };
            let left_out = lines.len().saturating_sub(most);
            let mut shown: Vec<String> =
                lines.iter().take(most).map(|line| marked(line, style)).collect();
            if left_out > 0 {
                let more = format!("  ... {} more", count(left_out, "line"));
                shown.push(style.paint(Paint::Dim, &more));
            }
            Shape::Long(shown)
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

/// Whether a tag is internal to payctl. Those of protection, disposability and borrowing are not: they
/// say what the config says.
fn is_own(tag: &str) -> bool {
    tag.starts_with("payctl:") && ![TAG_PROTECT, TAG_DISPOSABLE, TAG_BORROWS].contains(&tag)
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
