//! The environment's outputs: as a table, as an env file, as shell commands.

use std::collections::BTreeMap;

use super::style::{Paint, Style, table};
use super::text::is_obeyed;
use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Outputs as Live, Part, Ref, Text};

/// Outputs by name; an output that still has references is not known yet.
pub type Outputs = BTreeMap<String, Text>;

/// The outputs, with references replaced by live values.
pub fn resolved(outputs: &Outputs, live: &BTreeMap<Address, Live>) -> Outputs {
    outputs.iter().map(|(name, text)| (name.clone(), filled(text, live))).collect()
}

/// A text with its references replaced by live values, as far as these are known.
pub fn filled(text: &Text, live: &BTreeMap<Address, Live>) -> Text {
    let fill = |part: &Part| match part {
        Part::Ref(Ref { to, output }) => {
            let known = live.get(to).and_then(|outputs| outputs.get(output));
            known.map_or_else(|| part.clone(), |known| Part::Literal(known.clone()))
        }
        Part::Literal(_) => part.clone(),
    };
    Text::from_parts(text.parts().iter().map(fill))
}

/// Why outputs cannot become variables.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoVariables {
    /// Two outputs whose variables would have the same name.
    #[error("the outputs `{one}` and `{other}` would both become the variable {variable}")]
    Clash {
        /// One output.
        one: String,
        /// The other output.
        other: String,
        /// The variable.
        variable: String,
    },
    /// A value with characters that may control a terminal.
    #[error("the output `{0}` contains control characters")]
    Control(String),
}

/// A table of names, values and descriptions.
pub fn text(outputs: &Outputs, described: &BTreeMap<String, String>, style: Style) -> String {
    if outputs.is_empty() {
        return "No outputs.\n".to_owned();
    }
    let rows: Vec<Vec<String>> = outputs
        .iter()
        .map(|(name, value)| {
            let value = match value.literal() {
                Some(known) => known.to_owned(),
                None => style.paint(Paint::Dim, &format!("(not known yet: {value})")),
            };
            let about = described.get(name).map(|about| style.paint(Paint::Dim, about));
            [name.clone(), value].into_iter().chain(about).collect()
        })
        .collect();
    lines(table(&rows))
}

/// `NAME=value` lines that a shell, docker and dotenv can read.
pub fn env_file(outputs: &Outputs) -> Result<String, NoVariables> {
    variables(outputs, |name, value| format!("{name}={}", quoted_if_needed(value)))
}

/// `export NAME='value'` lines for `eval`.
pub fn shell(outputs: &Outputs) -> Result<String, NoVariables> {
    variables(outputs, |name, value| format!("export {name}={}", quoted(value)))
}

fn variables(
    outputs: &Outputs,
    line: impl Fn(&str, &str) -> String,
) -> Result<String, NoVariables> {
    let is_obeyed = |text: &str| text.chars().any(|c| is_obeyed(c) && !['\n', '\t'].contains(&c));
    let mut named: BTreeMap<String, (&String, &Text)> = BTreeMap::new();
    for (name, value) in outputs {
        if let Some((one, _)) = named.insert(variable(name), (name, value)) {
            let (one, other) = (one.clone(), name.clone());
            return Err(NoVariables::Clash { one, variable: variable(name), other });
        }
        if value.literal().is_some_and(is_obeyed) {
            return Err(NoVariables::Control(name.clone()));
        }
    }
    let line = |(name, (_, value)): (&String, &(&String, &Text))| match value.literal() {
        Some(known) => line(name, known),
        None => format!("# {name} is not known yet"),
    };
    Ok(lines(named.iter().map(line).collect()))
}

fn lines(lines: Vec<String>) -> String {
    lines.into_iter().map(|line| line + "\n").collect()
}

/// The name of an output as a variable: `vpc.id`, `vpc-id` and `VpcId` become `VPC_ID`.
fn variable(name: &str) -> String {
    let mut variable = String::new();
    let mut after_lower = false;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && after_lower {
            variable.push('_');
        }
        after_lower = letter.is_ascii_lowercase() || letter.is_ascii_digit();
        variable.push(if letter.is_ascii_alphanumeric() {
            letter.to_ascii_uppercase()
        } else {
            '_'
        });
    }
    if variable.starts_with(|first: char| first.is_ascii_digit()) {
        format!("_{variable}")
    } else {
        variable
    }
}

fn quoted_if_needed(value: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_./:@%+,=-".contains(letter);
    if value.chars().all(plain) { value.to_owned() } else { quoted(value) }
}

fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use payctl_engine::model::text::Output;

    fn outputs() -> Outputs {
        let unknown = Text::reference(Address::new("ec2.vpc", "main"), Output::Id);
        Outputs::from([
            ("queue-url".into(), "https://sqs.us-east-1.amazonaws.com/1/q?a=b&c".into()),
            ("TableName".into(), "dev-payment-table".into()),
            ("note".into(), "it's $HOME\nand `more`".into()),
            ("vpc.id".into(), unknown),
        ])
    }

    #[test]
    fn a_table_for_people() {
        let none = BTreeMap::new();
        insta::assert_snapshot!(text(&outputs(), &none, Style::PLAIN), @r#"
        TableName  dev-payment-table
        note       it's $HOME\nand `more`
        queue-url  https://sqs.us-east-1.amazonaws.com/1/q?a=b&c
        vpc.id     (not known yet: ${ec2.vpc/main.id})
        "#);
    }

    #[test]
    fn a_described_output_has_a_third_column() {
        let described = BTreeMap::from([("TableName".to_owned(), "The payments".to_owned())]);
        let shown = text(&outputs(), &described, Style::PLAIN);
        let line = shown.lines().next().unwrap();
        assert_eq!(
            line.split_whitespace().collect::<Vec<_>>().join(" "),
            "TableName dev-payment-table The payments"
        );
    }

    #[test]
    fn an_env_file_quotes_only_what_needs_it() {
        insta::assert_snapshot!(env_file(&outputs()).unwrap(), @r#"
        NOTE='it'\''s $HOME
        and `more`'
        QUEUE_URL='https://sqs.us-east-1.amazonaws.com/1/q?a=b&c'
        TABLE_NAME=dev-payment-table
        # VPC_ID is not known yet
        "#);
    }

    #[test]
    fn the_shell_expands_nothing() {
        insta::assert_snapshot!(shell(&outputs()).unwrap(), @r#"
        export NOTE='it'\''s $HOME
        and `more`'
        export QUEUE_URL='https://sqs.us-east-1.amazonaws.com/1/q?a=b&c'
        export TABLE_NAME='dev-payment-table'
        # VPC_ID is not known yet
        "#);
    }

    #[test]
    fn outputs_are_filled_from_live_objects() {
        let live = Live::from([(Output::Id, "vpc-1".to_owned())]);
        let live = BTreeMap::from([(Address::new("ec2.vpc", "main"), live)]);
        assert_eq!(resolved(&outputs(), &live)["vpc.id"].literal(), Some("vpc-1"));
    }

    #[test]
    fn values_with_control_characters_are_not_exported() {
        for value in ["a\u{1b}[2J", "a\rb", "a\u{202e}b"] {
            let outputs = Outputs::from([("note".into(), value.into())]);
            let refused = "the output `note` contains control characters";
            assert_eq!(shell(&outputs).unwrap_err().to_string(), refused);
            assert_eq!(env_file(&outputs).unwrap_err().to_string(), refused);
        }
    }

    #[test]
    fn clashing_variables_are_refused() {
        let clash = Outputs::from([("a-b".into(), "1".into()), ("a.b".into(), "2".into())]);
        assert_eq!(
            env_file(&clash).unwrap_err().to_string(),
            "the outputs `a-b` and `a.b` would both become the variable A_B"
        );
    }
}
