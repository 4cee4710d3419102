//! The page: the drawing, its controls, a list of all resources, and the script that joins them. It
//! needs no network: its policy forbids any.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::model::{Action, Drawing, Field, Line, Resource};
use crate::svg::{STYLE, inline};
use crate::symbols::symbol_of;
use crate::text::escaped;

const PAGE_STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// A page that needs nothing else.
pub fn html(drawing: &Drawing) -> String {
    let title = escaped(&drawing.title);
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; \
         form-action 'none'\">\n\
         <title>{title}</title>\n<style>\n{STYLE}{PAGE_STYLE}</style>\n</head>\n<body{}>\n",
        if drawing.is_plan { " class=\"plan\"" } else { "" },
    );
    let _ = writeln!(
        text,
        "<header>\n<div class=\"headline\"><h1>{title}</h1><p>{}</p></div>",
        escaped(&drawing.summary)
    );
    controls(&mut text, drawing);
    text.push_str("</header>\n<main>\n");
    if !drawing.remarks.is_empty() {
        text.push_str("<ul class=\"remarks\" aria-label=\"Remarks\">\n");
        for remark in &drawing.remarks {
            let _ = writeln!(text, "<li>{}</li>", escaped(remark));
        }
        text.push_str("</ul>\n");
    }
    text.push_str(
        "<div class=\"stage\" id=\"stage\" role=\"region\" aria-label=\"Architecture\" \
         tabindex=\"0\">\n",
    );
    text.push_str(&inline(drawing));
    text.push_str("</div>\n");
    legend(&mut text, drawing);
    list(&mut text, drawing);
    text.push_str(
        "</main>\n<aside id=\"panel\" aria-label=\"Chosen resource\" hidden>\n\
         <button type=\"button\" id=\"close\" aria-label=\"Close\">\u{d7}</button>\n\
         <div id=\"chosen\" tabindex=\"0\" role=\"region\" aria-label=\"Fields\"></div>\n</aside>\n\
         <p id=\"said\" role=\"status\" class=\"unseen\"></p>\n",
    );
    let _ = write!(text, "<script>\n{SCRIPT}</script>\n</body>\n</html>\n");
    text
}

fn controls(text: &mut String, drawing: &Drawing) {
    let all = drawing.resources();
    text.push_str("<div class=\"controls\" role=\"group\" aria-label=\"Controls\">\n");
    text.push_str(
        "<label>Search <input type=\"search\" id=\"search\" placeholder=\"name (press /)\" \
         autocomplete=\"off\"></label>\n<label>Component <select id=\"component\">\
         <option value=\"\">all</option>",
    );
    let components: BTreeSet<&str> =
        all.iter().map(|resource| resource.component.as_str()).collect();
    for component in components {
        let _ = write!(text, "<option>{}</option>", escaped(component));
    }
    text.push_str("</select></label>\n");
    if drawing.is_plan {
        text.push_str("<span class=\"actions\" role=\"group\" aria-label=\"Changes\">");
        let mut numbers: BTreeMap<Option<Action>, usize> = BTreeMap::new();
        for resource in &all {
            *numbers.entry(resource.action).or_default() += 1;
        }
        for action in Action::ALL.into_iter().map(Some).chain([None]) {
            let Some(number) = numbers.get(&action) else { continue };
            let (word, sign) = action.map_or(("unchanged", "="), |one| (one.word(), one.sign()));
            let _ = write!(
                text,
                "<button type=\"button\" class=\"toggle {word}\" aria-pressed=\"true\" \
                 data-action=\"{word}\"><span aria-hidden=\"true\">{sign}</span> {number} \
                 {word}</button>"
            );
        }
        text.push_str("</span>\n");
    }
    text.push_str(
        "<span class=\"view\" role=\"group\" aria-label=\"View\">\
         <button type=\"button\" id=\"smaller\" aria-label=\"Smaller\">\u{2212}</button>\
         <button type=\"button\" id=\"fit\">Fit</button>\
         <button type=\"button\" id=\"larger\" aria-label=\"Larger\">+</button>\
         <button type=\"button\" id=\"theme\" aria-pressed=\"false\">Dark</button></span>\n</div>\n",
    );
}

fn legend(text: &mut String, drawing: &Drawing) {
    let mut symbols: BTreeMap<&str, String> = BTreeMap::new();
    for badge in drawing.boxes.iter().flat_map(|card| &card.badges) {
        let name = &*badge.word;
        let names = symbols.entry(symbol_of(&badge.symbol).name).or_default();
        if !names.split(", ").any(|known| known == name) {
            let between = if names.is_empty() { "" } else { ", " };
            let _ = write!(names, "{between}{name}");
        }
    }
    text.push_str(
        "<section class=\"legend\" aria-label=\"Legend\"><h2>Legend</h2><ul>\
         <li><svg aria-hidden=\"true\" class=\"drawing\" width=\"34\" height=\"12\">\
         <path class=\"flow\" d=\"M1 6L32 6\"/></svg> calls, events, data</li>\
         <li><svg aria-hidden=\"true\" class=\"drawing\" width=\"34\" height=\"12\">\
         <path class=\"flow quiet\" d=\"M1 6L32 6\"/></svg> follows from a permission or a \
         setting</li>",
    );
    for (symbol, names) in symbols {
        let _ = write!(
            text,
            "<li><svg aria-hidden=\"true\" class=\"drawing\" width=\"14\" height=\"14\" \
             viewBox=\"0 0 24 24\"><g class=\"badge\"><path d=\"{}\"/></g></svg> {}</li>",
            symbol_of(symbol).path,
            escaped(&names),
        );
    }
    text.push_str("</ul></section>\n");
}

fn list(text: &mut String, drawing: &Drawing) {
    let mut components: BTreeMap<&str, Vec<&Resource>> = BTreeMap::new();
    for resource in drawing.resources() {
        components.entry(&resource.component).or_default().push(resource);
    }
    text.push_str("<section id=\"resources\"><h2>Resources</h2>\n");
    for (component, resources) in components {
        let _ = writeln!(text, "<section><h3>{}</h3>", escaped(component));
        for resource in resources {
            write_resource(text, resource);
        }
        text.push_str("</section>\n");
    }
    text.push_str("</section>\n");
}

fn write_resource(text: &mut String, resource: &Resource) {
    let Resource { address, name, component, origin, action, remarks, fields } = resource;
    let (word, sign) = action.map_or(("unchanged", ""), |one| (one.word(), one.sign()));
    let differs = matches!(action, Some(Action::Change | Action::Replace));
    let _ = write!(
        text,
        "<details class=\"resource {word}\" data-address=\"{}\" data-component=\"{}\" \
         data-action=\"{word}\"{}><summary><span class=\"mark\" aria-hidden=\"true\">{sign}</span> \
         <span class=\"address\">{}</span>",
        escaped(&address.replace(' ', "_")),
        escaped(component),
        if differs { " data-differs" } else { "" },
        escaped(address),
    );
    if action.is_some() {
        let _ = write!(text, " <span class=\"word\">{word}</span>");
    }
    text.push_str("</summary>\n<div class=\"body\">");
    for (label, value) in [("Name", name), ("Config", origin)] {
        if !value.is_empty() {
            let _ = write!(text, "<p class=\"fact\">{label}: <code>{}</code></p>", escaped(value));
        }
    }
    for remark in remarks {
        let _ = write!(text, "<p class=\"remark\">{}</p>", escaped(remark));
    }
    if !fields.is_empty() {
        text.push_str("<dl>");
        for Field { path, lines } in fields {
            let _ = write!(text, "<dt>{}</dt><dd><pre>", escaped(path));
            for line in lines {
                let (tag, mark, said) = match line {
                    Line::Same(said) => ("span", if differs { "  " } else { "" }, said),
                    Line::Old(said) => ("del", "\u{2212} ", said),
                    Line::New(said) => ("ins", "+ ", said),
                };
                let said = said.split('\n').map(escaped).collect::<Vec<_>>().join("\n");
                let _ = write!(text, "<{tag}>{mark}{said}</{tag}>");
            }
            text.push_str("</pre></dd>");
        }
        text.push_str("</dl>");
    }
    text.push_str("</div></details>\n");
}
