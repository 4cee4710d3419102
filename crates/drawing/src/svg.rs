//! The drawing as SVG: for itself, or inside a page.

use std::fmt::Write as _;

use crate::layout::{Layout, Rect, Route, TITLE, layout, shown_label};
use crate::model::{Action, Badge, Card, Drawing, Flow, Frame, Look, Resource};
use crate::symbols::symbol_of;
use crate::text::{clipped, escaped};

/// The colours, and how everything looks; shared with the page.
pub(crate) const STYLE: &str = include_str!("drawing.css");

/// How many letters of a title fit into a box.
const TITLE_LETTERS: usize = 17;
const NOTE_LETTERS: usize = 21;
/// How many badges fit into a box.
const BADGES: usize = 5;

/// A picture that needs nothing else.
pub fn svg(drawing: &Drawing) -> String {
    let layout = layout(drawing);
    let Layout { width, height, .. } = layout;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"drawing\" role=\"img\" \
         width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         aria-label=\"{title}\">\n<title>{title}</title>\n<desc>{summary}</desc>\n\
         <style>{STYLE}</style>\n<rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>\n",
        title = escaped(&drawing.title),
        summary = escaped(&drawing.summary),
    );
    contents(&mut text, drawing, &layout, false);
    text.push_str("</svg>\n");
    text
}

/// The drawing as a part of a page, whose boxes a reader can choose.
pub(crate) fn inline(drawing: &Drawing) -> String {
    let layout = layout(drawing);
    let Layout { width, height, .. } = layout;
    let mut text = format!(
        "<svg class=\"drawing\" id=\"drawing\" role=\"group\" aria-label=\"Drawing\" \
         width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n"
    );
    contents(&mut text, drawing, &layout, true);
    text.push_str("</svg>\n");
    text
}

fn contents(text: &mut String, drawing: &Drawing, layout: &Layout, live: bool) {
    for (id, class) in [("arrow", "tip"), ("arrow-quiet", "tip quiet"), ("arrow-hot", "tip hot")] {
        let _ = writeln!(
            text,
            "<marker id=\"{id}\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" \
             markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto\">\
             <path class=\"{class}\" d=\"M0 .5L8 4L0 7.5z\"/></marker>"
        );
    }
    for (at, frame) in drawing.frames.iter().enumerate() {
        write_frame(text, frame, layout.frames[at], &layout.cells[at], live);
    }
    // Quiet lines lie below the others, and all lines below labels and boxes.
    for quiet in [true, false] {
        for (flow, route) in drawing.flows.iter().zip(&layout.routes) {
            if let Some(route) = route.as_ref().filter(|_| flow.quiet == quiet) {
                write_line(text, drawing, flow, route);
            }
        }
    }
    for (flow, route) in drawing.flows.iter().zip(&layout.routes) {
        if let Some(label) = route.as_ref().and_then(|route| route.label) {
            write_label(text, drawing, flow, label);
        }
    }
    for (card, rect) in drawing.boxes.iter().zip(&layout.boxes) {
        write_box(text, card, *rect, live);
    }
}

/// The number of a box, which its lines name.
fn number(drawing: &Drawing, id: &str) -> usize {
    drawing.boxes.iter().position(|card| card.id == id).unwrap_or_default()
}

fn write_frame(text: &mut String, frame: &Frame, rect: Rect, cells: &[Rect], live: bool) {
    let look = match frame.look {
        Look::Account => "account",
        Look::Region => "region",
        Look::Network => "network",
        Look::Tier => "tier",
    };
    let Rect { x, y, w, h } = rect;
    let own = frame.resource.as_ref().and_then(|resource| resource.action);
    let class = own.map(|action| format!(" {}", action.word())).unwrap_or_default();
    let _ = writeln!(
        text,
        "<g class=\"frame {look}{class}\"><rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" \
         rx=\"6\"/>",
    );
    let resources: Vec<&Resource> = frame.resource.iter().chain(folded(&frame.badges)).collect();
    open(text, &Part { resources: &resources, name: &frame.title, class: "head", live });
    let mut badges = String::new();
    for Badge { label, resources, .. } in &frame.badges {
        let mark = marks(resources);
        let _ = write!(badges, " \u{b7} {}{mark}", escaped(label));
    }
    let sign = own.map(|action| format!("{} ", action.sign())).unwrap_or_default();
    let note = match frame.note.as_str() {
        "" => String::new(),
        note => format!(" {}", escaped(note)),
    };
    let _ = writeln!(
        text,
        "<rect class=\"strip\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{TITLE}\" rx=\"6\"/>\
         <text x=\"{}\" y=\"{}\"><tspan class=\"title\">{sign}{}</tspan>\
         <tspan class=\"note\">{note}{badges}</tspan></text></g>",
        x + 12,
        y + 17,
        escaped(&frame.title),
    );
    for (cell, rect) in frame.cells.iter().zip(cells) {
        let Rect { x, y, w, h } = *rect;
        let action = cell.resource.action;
        let sign = action.map(|action| format!("{} ", action.sign())).unwrap_or_default();
        let name = format!("{} {}", cell.title, cell.note);
        open(text, &Part { resources: &[&cell.resource], name: &name, class: "cell", live });
        let _ = writeln!(
            text,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"3\"/>\
             <text x=\"{}\" y=\"{}\"><tspan class=\"title\">{sign}{}</tspan> \
             <tspan class=\"note\">{}</tspan></text></g>",
            x + 8,
            y + 16,
            escaped(&cell.title),
            escaped(&cell.note),
        );
    }
    text.push_str("</g>\n");
}

fn folded(badges: &[Badge]) -> impl Iterator<Item = &Resource> {
    badges.iter().flat_map(|badge| &badge.resources)
}

/// The signs of what happens to some resources, each once.
fn marks(resources: &[Resource]) -> String {
    let happens =
        |action: &Action| resources.iter().any(|resource| resource.action == Some(*action));
    let signs: String =
        Action::ALL.iter().filter(|action| happens(action)).map(|action| action.sign()).collect();
    if signs.is_empty() { signs } else { format!(" {signs}") }
}

/// A part of the drawing that stands for resources.
struct Part<'a> {
    resources: &'a [&'a Resource],
    name: &'a str,
    class: &'a str,
    live: bool,
}

/// Opens the group of a part. In a page a reader can choose it.
fn open(text: &mut String, part: &Part<'_>) {
    let Part { resources, name, class, live } = *part;
    let first = resources.first();
    let action = first.and_then(|resource| resource.action);
    let style = action.map(|action| format!(" {}", action.word())).unwrap_or_default();
    let _ = write!(text, "<g class=\"part {class}{style}\"");
    if live && !resources.is_empty() {
        let happens = action.map_or("unchanged", Action::word);
        let told = match first {
            Some(first) if action.is_some() => format!("{}, {happens}", first.address),
            Some(first) => first.address.clone(),
            None => name.to_owned(),
        };
        let told = if class == "head" { name.to_owned() } else { told };
        let own: Vec<String> =
            resources.iter().map(|resource| escaped(&resource.address.replace(' ', "_"))).collect();
        let _ = write!(
            text,
            " role=\"button\" tabindex=\"-1\" aria-label=\"{}\" data-own=\"{}\"",
            escaped(&told),
            own.join(" "),
        );
    }
    text.push('>');
    let _ = write!(text, "<title>{}</title>", escaped(name));
}

fn write_line(text: &mut String, drawing: &Drawing, flow: &Flow, route: &Route) {
    let (from, to) = (number(drawing, &flow.from), number(drawing, &flow.to));
    let quiet = if flow.quiet { " quiet" } else { "" };
    let _ = writeln!(
        text,
        "<path class=\"flow{quiet}\" data-from=\"b{from}\" data-to=\"b{to}\" d=\"{}\"/>",
        path(&route.points),
    );
}

/// A line with round corners.
fn path(points: &[(i32, i32)]) -> String {
    const ROUND: i32 = 6;
    let mut path = String::new();
    for (at, (x, y)) in points.iter().enumerate() {
        let (Some(before), Some(after)) = (at.checked_sub(1), points.get(at + 1)) else {
            let _ = write!(path, "{}{x} {y}", if at == 0 { "M" } else { "L" });
            continue;
        };
        let towards = |(ox, oy): (i32, i32)| {
            let half = ((ox - x).abs() + (oy - y).abs()) / 2;
            let by = ROUND.min(half);
            (x + (ox - x).signum() * by, y + (oy - y).signum() * by)
        };
        let ((ax, ay), (bx, by)) = (towards(points[before]), towards(*after));
        let _ = write!(path, "L{ax} {ay}Q{x} {y} {bx} {by}");
    }
    path
}

fn write_label(text: &mut String, drawing: &Drawing, flow: &Flow, Rect { x, y, w, h }: Rect) {
    let (from, to) = (number(drawing, &flow.from), number(drawing, &flow.to));
    let quiet = if flow.quiet { " quiet" } else { "" };
    let _ = writeln!(
        text,
        "<g class=\"label{quiet}\" data-from=\"b{from}\" data-to=\"b{to}\"><title>{}</title>\
         <rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"3\"/>\
         <text x=\"{}\" y=\"{}\">{}</text></g>",
        escaped(&flow.label),
        x + w / 2,
        y + h - 4,
        escaped(&shown_label(flow)),
    );
}

fn write_box(text: &mut String, card: &Card, rect: Rect, live: bool) {
    let Rect { x, y, w, h } = rect;
    let symbol = symbol_of(&card.symbol);
    let resources: Vec<&Resource> = card.resource.iter().chain(folded(&card.badges)).collect();
    let name = match &card.resource {
        Some(resource) => format!("{} ({})", resource.address, resource.name),
        None => card.title.clone(),
    };
    let action = card.resource.as_ref().and_then(|resource| resource.action);
    // Nothing happens to it, but to what is folded into it.
    let inner = action.is_none() && resources.iter().any(|resource| resource.action.is_some());
    let class = if inner { "box inner" } else { "box" };
    open(text, &Part { resources: &resources, name: &name, class, live });
    let title = if card.note.is_empty() { y + 29 } else { y + 21 };
    let _ = write!(
        text,
        "<rect class=\"card\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"6\"/>\
         <rect class=\"tile {group}\" x=\"{}\" y=\"{}\" width=\"32\" height=\"32\" rx=\"5\"/>\
         <path class=\"glyph\" transform=\"translate({} {})\" d=\"{}\"/>\
         <text class=\"title\" x=\"{}\" y=\"{title}\">{}</text>",
        x + 8,
        y + 8,
        x + 12,
        y + 12,
        symbol.path,
        x + 48,
        escaped(&clipped(&card.title, TITLE_LETTERS)),
        group = symbol.group.style(),
    );
    if !card.note.is_empty() {
        let note = escaped(&clipped(&card.note, NOTE_LETTERS));
        let _ =
            write!(text, "<text class=\"note\" x=\"{}\" y=\"{}\">{note}</text>", x + 48, y + 36);
    }
    let mut left = x + 8;
    let shown = if card.badges.len() > BADGES { BADGES - 1 } else { BADGES };
    for badge in card.badges.iter().take(shown) {
        write_badge(text, badge, (left, y + 48));
        left += 31;
    }
    let rest = card.badges.len().saturating_sub(shown);
    if rest > 0 {
        let _ =
            write!(text, "<text class=\"more\" x=\"{}\" y=\"{}\">+{rest}</text>", left + 4, y + 60);
    }
    if let Some(action) = action {
        let _ = write!(
            text,
            "<g class=\"sign\"><circle cx=\"{}\" cy=\"{}\" r=\"9\"/>\
             <text x=\"{}\" y=\"{}\">{}</text></g>",
            x + w - 4,
            y + 4,
            x + w - 4,
            y + 9,
            action.sign(),
        );
    }
    text.push_str("</g>\n");
}

fn write_badge(text: &mut String, badge: &Badge, (x, y): (i32, i32)) {
    let action = badge.resources.iter().filter_map(|resource| resource.action).max();
    let style = action.map(|action| format!(" {}", action.word())).unwrap_or_default();
    let number = badge.resources.len();
    let number = if number > 1 { number.to_string() } else { String::new() };
    let _ = write!(
        text,
        "<g class=\"badge{style}\"><title>{}{}</title>\
         <rect x=\"{x}\" y=\"{y}\" width=\"28\" height=\"17\" rx=\"8\"/>\
         <path transform=\"translate({} {}) scale(.5)\" d=\"{}\"/>\
         <text x=\"{}\" y=\"{}\">{number}</text></g>",
        escaped(&badge.label),
        marks(&badge.resources),
        if number.is_empty() { x + 8 } else { x + 3 },
        y + 2,
        symbol_of(&badge.symbol).path,
        x + 20,
        y + 12,
    );
}
