//! `[variables]`: the environment variables that `${var.NAME}` may read, and those that it never may.
//!
//! The author of a config may be somebody who must not see this machine. So payctl reads only variables
//! that the config declares, where a reviewer sees them, and none that is named like a credential.

use std::collections::BTreeMap;

use super::files::Refusal;
use super::key_path::KeyPath;
use super::layers::whole_match;
use super::problem::{Problem, Sources, did_you_mean};
use super::tree::Node;

/// The section.
pub(crate) const SECTION: &str = "variables";

/// The values of the variables that a config declares, by name; without a value, the reason.
pub(crate) struct Variables(BTreeMap<String, Result<String, Refusal>>);

impl Variables {
    /// The value that `${var.NAME}` stands for.
    pub(crate) fn value(&self, name: &str) -> Result<String, Refusal> {
        if let Some((name, default)) = name.split_once(":-") {
            let message = format!("`:-{default}` is not a way to set a default");
            let fix = format!(
                "write `${{var.{name}}}`, and {name} = {{ default = \"{default}\" }} in [{SECTION}]"
            );
            return Err((message, fix));
        }
        match self.0.get(name) {
            Some(value) => value.clone(),
            None if is_credential(name) => Err(credential(name)),
            None => {
                let message = format!("the variable {name} is not declared");
                let near = did_you_mean(name, self.0.keys().map(String::as_str));
                let near = near.map(|near| format!("; {near}")).unwrap_or_default();
                Err((message, format!("add {name} = {{}} to [{SECTION}]{near}")))
            }
        }
    }
}

/// Reads the variables that a tree declares, and no others. Also returns the problems of the
/// declarations; the schema reports values of the wrong format.
pub(crate) fn declared(
    tree: &Node,
    vars: &dyn Fn(&str) -> Option<String>,
    sources: &Sources,
) -> (Variables, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut values = BTreeMap::new();
    for name in tree.keys(SECTION) {
        let path = KeyPath::of(SECTION).key(name);
        let mut say = |path: &KeyPath, message: String, fix: String| {
            problems.push(sources.problem(tree.locate(path), message, fix));
        };
        if is_credential(name) {
            let (message, fix) = credential(name);
            say(&path, message.clone(), fix.clone());
            values.insert(name.to_owned(), Err((message, fix)));
            continue;
        }
        let variable = tree.get(SECTION).and_then(|all| all.get(name));
        let text = |key| variable.and_then(|variable| variable.text(key));
        let (default, pattern) = (text("default"), text("pattern"));
        let regex = pattern.and_then(whole_match);
        if pattern.is_some() && regex.is_none() {
            let fix = "for example [a-z0-9-]+".to_owned();
            say(&path.key("pattern"), "this is not a regular expression".to_owned(), fix);
        }
        let fits = |value: &str| regex.as_ref().is_none_or(|regex| regex.is_match(value));
        if let Some(default) = default.filter(|default| !fits(default)) {
            let message = format!("`{default}` does not match the pattern");
            say(&path.key("default"), message, "change one of the two".to_owned());
        }
        let set = vars(name).filter(|value| !value.is_empty());
        let value = match (set, default) {
            // The message does not show the value, which may be a secret.
            (Some(value), _) if !fits(&value) => {
                let message = format!("the variable {name} does not match its pattern");
                let pattern = pattern.unwrap_or_default();
                Err((message, format!("set it to a value that matches {pattern}")))
            }
            (Some(value), _) => Ok(value),
            (None, Some(default)) => Ok(default.to_owned()),
            (None, None) => {
                let fix = format!("set it, or give it a `default` in [{SECTION}.{name}]");
                Err((format!("the variable {name} is not set"), fix))
            }
        };
        values.insert(name.to_owned(), value);
    }
    (Variables(values), problems)
}

/// Whether a variable is named like a credential.
fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let of_aws =
        name.starts_with("AWS_") && !["AWS_REGION", "AWS_DEFAULT_REGION"].contains(&&*name);
    let words = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "KEY"];
    of_aws || words.iter().any(|word| name.contains(word))
}

fn credential(name: &str) -> Refusal {
    let message =
        format!("{name} is named like a credential, and a config cannot read credentials");
    let fix =
        "rename it if it is not a credential; put a secret into [secrets]: see `payctl secret set`";
    (message, fix.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::tree;
    use super::*;

    /// The value of a variable with these declarations and this environment, or the
    /// message.
    fn value(declared: &str, name: &str, set: &[(&str, &str)]) -> Result<String, String> {
        let mut sources = Sources::default();
        let text = format!("[variables]\n{declared}");
        let file = sources.add("dev.toml".into(), text.clone());
        let found = |name: &str| {
            let found = set.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let (variables, _) = super::declared(&tree::parse(&text, file).0, &found, &sources);
        variables.value(name).map_err(|(message, _)| message)
    }

    #[test]
    fn only_declared_variables_are_read() {
        let set = [("TEAM", "core"), ("HOME", "/root")];
        assert_eq!(value("TEAM = {}", "TEAM", &set).unwrap(), "core");
        assert_eq!(
            value("TEAM = {}", "HOME", &set).unwrap_err(),
            "the variable HOME is not declared"
        );
        assert_eq!(value("TEAM = {}", "TEAM", &[]).unwrap_err(), "the variable TEAM is not set");
        let default = "TEAM = { default = \"payments\" }";
        assert_eq!(value(default, "TEAM", &[("TEAM", "")]).unwrap(), "payments");
        assert_eq!(value(default, "TEAM", &set).unwrap(), "core");
        assert!(
            value(default, "TEAM:-x", &set).unwrap_err().contains("is not a way to set a default")
        );
    }

    #[test]
    fn a_whole_value_must_match_its_pattern_and_is_not_shown() {
        let declared = "TEAM = { pattern = \"[a-z]+\" }";
        assert_eq!(value(declared, "TEAM", &[("TEAM", "core")]).unwrap(), "core");
        for wrong in ["Core", "core ", "core\n", "a1"] {
            let message = value(declared, "TEAM", &[("TEAM", wrong)]).unwrap_err();
            assert_eq!(message, "the variable TEAM does not match its pattern");
        }
    }

    #[test]
    fn credential_variables_are_never_read() {
        let names = [
            "AWS_SECRET_ACCESS_KEY",
            "AWS_ACCESS_KEY_ID",
            "AWS_SESSION_TOKEN",
            "AWS_CONTAINER_AUTHORIZATION",
            "aws_profile",
            "GITHUB_TOKEN",
            "Npm_Token",
            "CLIENT_SECRET",
            "DB_PASSWORD",
            "db_password_file",
            "SIGNING_KEY",
            "KEY",
        ];
        for name in names {
            for declared in [format!("{name} = {{ default = \"x\" }}"), String::new()] {
                let message = value(&declared, name, &[(name, "hidden")]).unwrap_err();
                assert!(message.contains("is named like a credential"), "{message}");
            }
        }
        for name in ["AWS_REGION", "AWS_DEFAULT_REGION", "GITHUB_ACTOR", "AWSOME"] {
            let declared = format!("{name} = {{}}");
            assert_eq!(value(&declared, name, &[(name, "seen")]).unwrap(), "seen");
        }
    }
}
