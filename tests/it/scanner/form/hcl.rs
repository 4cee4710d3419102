//! Resources as text: the language of Terraform.

use std::fmt::{self, Write};

use serde_json::{Value, json};

use super::Resources;

/// A tree whose strings mean themselves in Terraform, where `${` and `%{` begin an expression.
pub(super) fn escaped(tree: &Value) -> Value {
    match tree {
        Value::String(text) => text.replace("${", "$${").replace("%{", "%%{").into(),
        Value::Array(items) => items.iter().map(escaped).collect(),
        Value::Object(map) => {
            map.iter().map(|(key, value)| (key.clone(), escaped(value))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => tree.clone(),
    }
}

pub(super) fn write_all(resources: &Resources, out: &mut String) -> fmt::Result {
    for (kind, named) in resources {
        for (name, body) in named {
            writeln!(out, "resource \"{kind}\" \"{name}\" {{")?;
            write_body(body, out)?;
            out.push_str("}\n");
        }
    }
    Ok(())
}

/// Attributes whose value is a map. Every other object is a block.
const MAPS: &[&str] = &["tags", "variables"];

fn write_body(body: &Value, out: &mut String) -> fmt::Result {
    for (key, value) in body.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::Object(_) if !MAPS.contains(&key.as_str()) => write_block(key, value, out)?,
            Value::Array(blocks) if !blocks.is_empty() && blocks.iter().all(Value::is_object) => {
                for block in blocks {
                    write_block(key, block, out)?;
                }
            }
            _ => {
                write!(out, "{key} = ")?;
                write_expression(value, out)?;
                out.push('\n');
            }
        }
    }
    Ok(())
}

fn write_block(name: &str, body: &Value, out: &mut String) -> fmt::Result {
    writeln!(out, "{name} {{")?;
    write_body(body, out)?;
    out.push_str("}\n");
    Ok(())
}

fn write_expression(value: &Value, out: &mut String) -> fmt::Result {
    match value {
        // A reference alone: the rules follow it only without quotes.
        Value::String(text) => match text.strip_prefix("${").and_then(|t| t.strip_suffix('}')) {
            Some(path) if !path.contains(['$', '{', '}']) => out.push_str(path),
            _ => write!(out, "{value}")?,
        },
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_expression(item, out)?;
                out.push_str(", ");
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push_str("{\n");
            for (key, value) in map {
                write!(out, "{} = ", json!(key))?;
                write_expression(value, out)?;
                out.push('\n');
            }
            out.push('}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => write!(out, "{value}")?,
    }
    Ok(())
}
