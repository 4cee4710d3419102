//! Specs as lines for people: YAML-like, references spelled out, and the difference of two values
//! line by line.

use serde_json::Value;

use payctl_engine::model::text::{Part, Ref, Text};

/// Lists and objects no wider than this stand on one line.
const WIDE: usize = 60;

/// How many equal lines are shown around a difference.
const CONTEXT: usize = 2;

/// A value as lines; one line if it is short.
pub(super) fn lines(value: &Value) -> Vec<String> {
    match short(value) {
        Some(line) => vec![line],
        None => match value {
            Value::Object(map) => map.iter().flat_map(|(key, value)| entry(key, value)).collect(),
            Value::Array(items) => items.iter().flat_map(item).collect(),
            Value::String(text) => text.lines().map(str::to_owned).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) => vec![value.to_string()],
        },
    }
}

/// `key: value`, the value below if it takes more than a line.
fn entry(key: &str, value: &Value) -> Vec<String> {
    match short(value) {
        Some(line) => vec![format!("{key}: {line}")],
        None => {
            let nested = lines(value).into_iter().map(|line| format!("  {line}"));
            std::iter::once(format!("{key}:")).chain(nested).collect()
        }
    }
}

/// `- value`, further lines aligned below the first.
fn item(value: &Value) -> Vec<String> {
    let mut mark = "- ";
    let prefix = |line: String| format!("{}{line}", std::mem::replace(&mut mark, "  "));
    lines(value).into_iter().map(prefix).collect()
}

/// The value on one line, if it is a scalar, a reference or a short list of such.
pub(super) fn short(value: &Value) -> Option<String> {
    if let Some(text) = Text::from_value(value) {
        return reference(&text).or_else(|| scalar(value));
    }
    match value {
        Value::Array(items) => {
            let items: Option<Vec<String>> =
                items.iter().map(|item| if item.is_array() { None } else { short(item) }).collect();
            let line = format!("[{}]", items?.join(", "));
            (line.chars().count() <= WIDE).then_some(line)
        }
        Value::Object(map) if map.is_empty() => Some("{}".to_owned()),
        Value::Object(_) => None,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => scalar(value),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.contains('\n') => None,
        Value::Null => Some("(not set)".to_owned()),
        Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => Some(value.to_string()),
    }
}

/// A text with references; `None` for plain text.
fn reference(text: &Text) -> Option<String> {
    match text.parts() {
        [Part::Ref(Ref { to, output })] => Some(format!("(known after apply: {to} {output})")),
        parts if parts.iter().any(|part| matches!(part, Part::Ref(_))) => {
            Some(format!("\"{text}\" (known after apply)"))
        }
        _ => None,
    }
}

/// A line of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// In both.
    Same(String),
    /// Only before.
    Old(String),
    /// Only after.
    New(String),
    /// The number of equal lines left out.
    Gap(usize),
}

/// The difference between two values, line by line, with a little context.
pub(super) fn difference(before: &[String], after: &[String]) -> Vec<Line> {
    let all = align(before, after);
    let differs: Vec<bool> = all.iter().map(|line| !matches!(line, Line::Same(_))).collect();
    let near = |at: usize| {
        let from = at.saturating_sub(CONTEXT);
        let to = (at + CONTEXT + 1).min(differs.len());
        differs[from..to].contains(&true)
    };
    let mut shown = Vec::new();
    for (at, line) in all.into_iter().enumerate() {
        match shown.last_mut() {
            _ if near(at) => shown.push(line),
            Some(Line::Gap(left_out)) => *left_out += 1,
            Some(_) | None => shown.push(Line::Gap(1)),
        }
    }
    shown
}

/// The longest common subsequence of lines, with the lines of only one side in between.
fn align(before: &[String], after: &[String]) -> Vec<Line> {
    let (rows, columns) = (before.len(), after.len());
    let mut common = vec![vec![0_usize; columns + 1]; rows + 1];
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            common[row][column] = if before[row] == after[column] {
                common[row + 1][column + 1] + 1
            } else {
                common[row + 1][column].max(common[row][column + 1])
            };
        }
    }
    let (mut row, mut column) = (0, 0);
    let mut lines = Vec::with_capacity(rows.max(columns));
    while row < rows || column < columns {
        if row < rows && column < columns && before[row] == after[column] {
            lines.push(Line::Same(before[row].clone()));
            (row, column) = (row + 1, column + 1);
        } else if column == columns
            || (row < rows && common[row + 1][column] >= common[row][column + 1])
        {
            lines.push(Line::Old(before[row].clone()));
            row += 1;
        } else {
            lines.push(Line::New(after[column].clone()));
            column += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use payctl_engine::model::address::Address;
    use payctl_engine::model::text::Output;

    #[test]
    fn nested_values_read_like_yaml() {
        let id = Text::reference(Address::new("ec2.vpc", "main"), Output::Id);
        let value = json!({
            "vpc": id,
            "rules": [{ "port": 443, "from": ["10.0.0.0/16"] }, { "port": 80 }],
            "arn": id.clone().then("/*"),
            "none": null,
        });
        insta::assert_snapshot!(lines(&value).join("\n"), @r#"
        arn: "${ec2.vpc/main.id}/*" (known after apply)
        none: (not set)
        rules:
          - from: ["10.0.0.0/16"]
            port: 443
          - port: 80
        vpc: (known after apply: ec2.vpc/main id)
        "#);
    }

    #[test]
    fn distant_equal_lines_are_omitted() {
        let text = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let lines = difference(&text("a b c d e f"), &text("a b c d X f"));
        let same = |text: &str| Line::Same(text.into());
        let expected = [
            Line::Gap(2),
            same("c"),
            same("d"),
            Line::Old("e".into()),
            Line::New("X".into()),
            same("f"),
        ];
        assert_eq!(lines, expected);
    }
}
