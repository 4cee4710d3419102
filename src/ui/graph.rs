//! The resources of an environment and the references between them: DOT, Mermaid, JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use payctl_engine::model::address::Address;
use payctl_engine::model::desired::Desired;
use payctl_engine::model::text::each_ref;

/// One resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its identity.
    pub address: Address,
    /// The part of the platform that it belongs to.
    pub component: String,
    /// The resources that must exist before it.
    pub refs: BTreeSet<Address>,
}

impl Node {
    /// The node of a desired resource. It needs the resources that its spec refers to, and those
    /// that it comes after.
    pub fn of(desired: &Desired) -> Self {
        let mut refs = desired.after.clone();
        each_ref(&desired.spec, &mut |reference| {
            refs.insert(reference.to.clone());
        });
        refs.remove(&desired.address);
        Self { address: desired.address.clone(), component: desired.component.clone(), refs }
    }
}

/// How a graph is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Graphviz.
    Dot,
    /// Mermaid, which GitHub and GitLab draw in Markdown.
    Mermaid,
}

/// The graph in one format. Arrows point from a resource to what it needs.
pub fn text(nodes: &[Node], format: Format) -> String {
    match format {
        Format::Dot => dot(nodes),
        Format::Mermaid => mermaid(nodes),
    }
}

/// The graph as the body of a `graph` line.
pub fn json(nodes: &[Node]) -> Value {
    let nodes = nodes.iter().map(
        |node| json!({ "address": node.address, "component": node.component, "needs": node.refs }),
    );
    json!({ "resources": nodes.collect::<Vec<_>>() })
}

/// The nodes by component.
fn by_component(nodes: &[Node]) -> BTreeMap<&str, Vec<&Node>> {
    let mut components: BTreeMap<&str, Vec<&Node>> = BTreeMap::new();
    for node in nodes {
        components.entry(&node.component).or_default().push(node);
    }
    components
}

fn dot(nodes: &[Node]) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""));
    let mut text =
        "digraph payctl {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n"
            .to_owned();
    for (number, (component, nodes)) in by_component(nodes).into_iter().enumerate() {
        let _ = writeln!(text, "  subgraph cluster_{number} {{");
        let _ = writeln!(text, "    label={};", quoted(component));
        for node in nodes {
            let _ = writeln!(text, "    {};", quoted(&node.address.to_string()));
        }
        text.push_str("  }\n");
    }
    for node in nodes {
        for to in &node.refs {
            let (from, to) = (quoted(&node.address.to_string()), quoted(&to.to_string()));
            let _ = writeln!(text, "  {from} -> {to};");
        }
    }
    text.push_str("}\n");
    text
}

fn mermaid(nodes: &[Node]) -> String {
    let ids: BTreeMap<&Address, String> =
        nodes.iter().enumerate().map(|(at, node)| (&node.address, format!("n{at}"))).collect();
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "#quot;"));
    let mut text = "flowchart LR\n".to_owned();
    for (number, (component, nodes)) in by_component(nodes).into_iter().enumerate() {
        let _ = writeln!(text, "  subgraph c{number}[{}]", quoted(component));
        for node in nodes {
            let label = quoted(&node.address.to_string());
            let _ = writeln!(text, "    {}[{label}]", ids[&node.address]);
        }
        text.push_str("  end\n");
    }
    for node in nodes {
        for to in node.refs.iter().filter_map(|to| ids.get(to)) {
            let _ = writeln!(text, "  {} --> {to}", ids[&node.address]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes() -> Vec<Node> {
        let address = |text: &str| text.parse::<Address>().unwrap();
        let node = |component: &str, name: &str, refs: &[&str]| Node {
            address: address(name),
            component: component.into(),
            refs: refs.iter().map(|to| address(to)).collect(),
        };
        vec![
            node("network", "ec2.vpc/main", &[]),
            node("network", "ec2.subnet/private-a", &["ec2.vpc/main"]),
            node("keys", "kms.key/main", &[]),
            node("queues", "sqs.queue/jobs", &["kms.key/main"]),
        ]
    }

    #[test]
    fn dot_groups_by_component() {
        insta::assert_snapshot!(text(&nodes(), Format::Dot), @r#"
        digraph payctl {
          rankdir=LR;
          node [shape=box, fontname="sans-serif"];
          subgraph cluster_0 {
            label="keys";
            "kms.key/main";
          }
          subgraph cluster_1 {
            label="network";
            "ec2.vpc/main";
            "ec2.subnet/private-a";
          }
          subgraph cluster_2 {
            label="queues";
            "sqs.queue/jobs";
          }
          "ec2.subnet/private-a" -> "ec2.vpc/main";
          "sqs.queue/jobs" -> "kms.key/main";
        }
        "#);
    }

    #[test]
    fn mermaid_groups_by_component() {
        insta::assert_snapshot!(text(&nodes(), Format::Mermaid), @r#"
        flowchart LR
          subgraph c0["keys"]
            n2["kms.key/main"]
          end
          subgraph c1["network"]
            n0["ec2.vpc/main"]
            n1["ec2.subnet/private-a"]
          end
          subgraph c2["queues"]
            n3["sqs.queue/jobs"]
          end
          n1 --> n0
          n3 --> n2
        "#);
    }
}
