//! A layered drawing: resources without dependencies stand at the left, all others to the right of
//! their dependencies (longest path). The boxes of a column are ordered by the mean height of their
//! dependencies.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::graph::{Node, by_component};
use payctl_engine::model::address::Address;

const BOX: (usize, usize) = (230, 40);
const GAP: (usize, usize) = (90, 14);
const MARGIN: usize = 20;
/// Fill colours, one for each component, repeated if there are more.
const FILLS: [&str; 8] =
    ["#dbeafe", "#dcfce7", "#fef3c7", "#fae8ff", "#ffe4e6", "#e0f2fe", "#ecfccb", "#f3f4f6"];

/// The whole picture.
pub(super) fn draw(nodes: &[Node]) -> String {
    let layers = columns(nodes);
    let at = places(&layers);
    let rows = layers.iter().map(Vec::len).max().unwrap_or_default();
    let components = by_component(nodes);
    let width = 2 * MARGIN + layers.len().max(1) * (BOX.0 + GAP.0) - GAP.0;
    let legend = 2 * MARGIN + rows * (BOX.1 + GAP.1);
    let height = legend + components.len() * 20 + MARGIN;
    let fills: BTreeMap<&str, &str> =
        components.keys().copied().zip(FILLS.into_iter().cycle()).collect();

    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <g fill=\"none\" stroke=\"#94a3b8\">\n"
    );
    for node in nodes {
        for to in node.refs.iter().filter_map(|to| at.get(to)) {
            edge(&mut text, *to, at[&node.address]);
        }
    }
    text.push_str("</g>\n");
    for node in nodes {
        resource(&mut text, node, at[&node.address], fills[node.component.as_str()]);
    }
    for (row, (component, fill)) in fills.iter().enumerate() {
        let y = legend + row * 20;
        let component = escaped(component);
        let _ = writeln!(
            text,
            "<rect x=\"{MARGIN}\" y=\"{y}\" width=\"14\" height=\"14\" fill=\"{fill}\" \
             stroke=\"#475569\"/><text x=\"{}\" y=\"{}\">{component}</text>",
            MARGIN + 20,
            y + 11,
        );
    }
    text.push_str("</svg>\n");
    text
}

/// The nodes by the length of their longest chain of dependencies.
fn columns(nodes: &[Node]) -> Vec<Vec<&Node>> {
    let mut depth: BTreeMap<&Address, usize> =
        nodes.iter().map(|node| (&node.address, 0)).collect();
    // A graph without cycles settles within as many rounds as it has nodes. The limit ends the loop
    // for any other graph.
    for _ in 0..nodes.len() {
        let mut settled = true;
        for node in nodes {
            let below = node.refs.iter().filter_map(|to| depth.get(to)).max();
            let deeper = below.map_or(0, |below| below + 1).min(nodes.len());
            settled &= depth.insert(&node.address, deeper) == Some(deeper);
        }
        if settled {
            break;
        }
    }
    let last = depth.values().max().map_or(0, |deepest| deepest + 1);
    let mut columns = vec![Vec::new(); last];
    for node in nodes {
        columns[depth[&node.address]].push(node);
    }
    columns.retain(|column| !column.is_empty());
    let mut rows: BTreeMap<&Address, usize> = BTreeMap::new();
    for column in &mut columns {
        column.sort_by_cached_key(|node| {
            let below: Vec<usize> =
                node.refs.iter().filter_map(|to| rows.get(to).copied()).collect();
            // In hundredths, since floats do not have a total order.
            let mean = 100 * below.iter().sum::<usize>() / below.len().max(1);
            (mean, node.component.clone(), node.address.clone())
        });
        rows.extend(column.iter().enumerate().map(|(row, node)| (&node.address, row)));
    }
    columns
}

/// The upper left corner of every box.
fn places<'a>(columns: &[Vec<&'a Node>]) -> BTreeMap<&'a Address, (usize, usize)> {
    let column = |(at, nodes): (usize, &Vec<&'a Node>)| {
        let x = MARGIN + at * (BOX.0 + GAP.0);
        let place = move |(row, node): (usize, &&'a Node)| {
            (&node.address, (x, MARGIN + row * (BOX.1 + GAP.1)))
        };
        nodes.iter().enumerate().map(place).collect::<Vec<_>>()
    };
    columns.iter().enumerate().flat_map(column).collect()
}

/// A curve from the right side of a dependency to the left side of the resource that needs it.
fn edge(text: &mut String, needed: (usize, usize), by: (usize, usize)) {
    let (x1, y1) = (needed.0 + BOX.0, needed.1 + BOX.1 / 2);
    let (x2, y2) = (by.0, by.1 + BOX.1 / 2);
    let middle = usize::midpoint(x1, x2);
    let _ = writeln!(text, "<path d=\"M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}\"/>");
}

fn resource(text: &mut String, node: &Node, (x, y): (usize, usize), fill: &str) {
    let (width, height) = BOX;
    let Address { kind, name } = &node.address;
    let (kind, name) = (escaped(kind), escaped(&clipped(name)));
    let _ = writeln!(
        text,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"5\" \
         fill=\"{fill}\" stroke=\"#475569\"/>\
         <text x=\"{left}\" y=\"{upper}\" fill=\"#475569\" font-size=\"10\">{kind}</text>\
         <text x=\"{left}\" y=\"{lower}\">{name}</text>",
        left = x + 8,
        upper = y + 15,
        lower = y + 31,
    );
}

/// A name that fits into a box.
fn clipped(name: &str) -> String {
    match name.chars().count() {
        0..=32 => name.to_owned(),
        _ => name.chars().take(31).chain(['…']).collect(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawing_a_cycle_terminates() {
        let address = |name: &str| Address::new("ec2.security_group", name);
        let node = |name: &str, to: &str| Node {
            address: address(name),
            component: "network".into(),
            refs: [address(to)].into(),
        };
        assert!(draw(&[node("a", "b"), node("b", "a")]).contains("</svg>"));
        assert!(draw(&[]).contains("</svg>"));
    }
}
