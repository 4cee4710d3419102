//! The ways to name a function, a version or an alias: by name, by ARN or by a part of the ARN,
//! with or without a qualifier.

use serde_json::Value;

use super::super::constraints::Broken;
use super::super::toolbox::{refuse, text};
use super::super::{ACCOUNT, Refusal};
use super::{function_arn, invalid};

/// The model of a name.
pub(super) struct Model {
    longest: usize,
    /// The characters of a name beside letters, digits, `-` and `_`.
    others: &'static str,
    pattern: &'static str,
}

/// The name in a call that creates or changes a function.
pub(super) const NAME: Model = Model {
    longest: 140,
    others: "",
    pattern: r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?",
};

/// The name in all other calls.
pub(super) const NAMESPACED: Model = Model {
    longest: 256,
    others: ".",
    pattern: r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?",
};

const QUALIFIER: &str = r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+";

/// The version that changes apply to.
pub(super) const LATEST: &str = "$LATEST";

/// The function that a request names.
#[derive(Debug, PartialEq)]
pub(super) struct Named<'a> {
    pub(super) name: &'a str,
    pub(super) qualifier: Option<&'a str>,
}

impl Named<'_> {
    /// The ARN, with the qualifier if there is one.
    pub(super) fn arn(&self, region: &str) -> String {
        let arn = function_arn(region, self.name);
        self.qualifier.map_or(arn.clone(), |qualifier| format!("{arn}:{qualifier}"))
    }
}

/// The parts of a reference to a function.
#[derive(Debug, Default, PartialEq)]
struct Reference<'a> {
    region: Option<&'a str>,
    account: Option<&'a str>,
    name: &'a str,
    qualifier: Option<&'a str>,
}

impl Model {
    /// The parts of a reference that fits the pattern.
    fn parts<'a>(&self, reference: &'a str) -> Option<Reference<'a>> {
        let all: Vec<&str> = reference.split(':').collect();
        let mut found = Reference::default();
        let mut rest = match all[..] {
            ["arn", partition, "lambda", _, ..] if is_partition(partition) => &all[3..],
            _ => &all[..],
        };
        if rest.len() > 1 && is_region(rest[0]) {
            (found.region, rest) = (Some(rest[0]), &rest[1..]);
        }
        if rest.len() > 1 && is_account(rest[0]) {
            (found.account, rest) = (Some(rest[0]), &rest[1..]);
        }
        if rest.len() > 1 && rest[0] == "function" {
            rest = &rest[1..];
        }
        (found.name, found.qualifier) = match *rest {
            [name] => (name, None),
            [name, qualifier] => (name, Some(qualifier)),
            _ => return None,
        };
        let published = self.others.contains('.') && found.qualifier == Some("$LATEST.PUBLISHED");
        let fits = is_word(found.name, self.others)
            && found.qualifier.is_none_or(|it| it == LATEST || published || is_word(it, ""));
        fits.then_some(found)
    }

    /// Notes the violations in a name.
    pub(super) fn check(&self, name: &str, broken: &mut Broken) {
        if self.parts(name).is_none() {
            let rule = format!("Member must satisfy regular expression pattern: {}", self.pattern);
            broken.note("functionName", name, &rule);
        }
        if name.len() > self.longest {
            broken.note("functionName", name, &at_most(self.longest));
        }
    }
}

/// The function that a request names, if it is in this region and account.
pub(super) fn read_name<'a>(
    region: &str,
    input: &'a Value,
    model: &Model,
) -> Result<Named<'a>, Refusal> {
    let reference = text(input, "FunctionName").unwrap_or_default();
    let asked = text(input, "Qualifier");
    let mut broken = Broken::default();
    model.check(reference, &mut broken);
    if let Some(qualifier) = asked {
        if qualifier.len() > 128 {
            broken.note("qualifier", qualifier, &at_most(128));
        }
        if qualifier != "$LATEST.PUBLISHED" && !is_word(qualifier, "$") {
            let rule = format!("Member must satisfy regular expression pattern: {QUALIFIER}");
            broken.note("qualifier", qualifier, &rule);
        }
    }
    broken.refuse()?;
    let found = model.parts(reference).unwrap_or_default();
    if found.account.is_some_and(|account| account != ACCOUNT) {
        return Err(refuse(403, "AccessDeniedException", ""));
    }
    if let Some(other) = found.region.filter(|other| *other != region) {
        let message =
            format!("Functions from '{other}' are not reachable in this region ('{region}')");
        return Err(refuse(404, "ResourceNotFoundException", message));
    }
    if found.qualifier.is_some() && asked.is_some() && found.qualifier != asked {
        return Err(invalid(
            "The derived qualifier from the function name does not match the specified qualifier.",
        ));
    }
    Ok(Named { name: found.name, qualifier: found.qualifier.or(asked) })
}

/// Whether a qualifier is the number of a version.
pub(super) fn is_version(qualifier: &str) -> bool {
    qualifier.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a qualifier is a valid name of an alias.
pub(super) fn is_alias(qualifier: &str) -> bool {
    !is_version(qualifier) && is_word(qualifier, "")
}

pub(super) fn at_most(length: usize) -> String {
    format!("Member must have length less than or equal to {length}")
}

/// Whether a text is not empty and has only these characters, beside letters, digits, `-` and `_`.
pub(super) fn is_word(text: &str, others: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c) || others.contains(c);
    !text.is_empty() && text.chars().all(fits)
}

fn is_partition(text: &str) -> bool {
    let rest = text.strip_prefix("aws");
    rest.is_some_and(|rest| rest.chars().all(|c| c.is_ascii_alphabetic() || c == '-'))
}

/// A region such as `eu-west-1`, `us-gov-west-1` or `us-isob-east-1`.
pub(super) fn is_region(text: &str) -> bool {
    let text = text.strip_prefix("eusc-").unwrap_or(text);
    let parts: Vec<&str> = text.split('-').collect();
    let lower = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    let (country, side, number) = match parts[..] {
        [country, side, number] => (country, side, number),
        [country, part, side, number]
            if part == "gov" || part.starts_with("iso") && part.len() < 5 =>
        {
            (country, side, number)
        }
        _ => return false,
    };
    country.len() == 2 && lower(country) && lower(side) && number.len() == 1 && is_version(number)
}

pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && is_version(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_function_is_named_in_many_ways() {
        let parts = |text| NAMESPACED.parts(text).map(|found| (found.name, found.qualifier));
        for (reference, expected) in [
            ("f", Some(("f", None))),
            ("f:1", Some(("f", Some("1")))),
            ("function:f", Some(("f", None))),
            ("000000000000:function:f:$LATEST", Some(("f", Some("$LATEST")))),
            ("arn:aws:lambda:eu-west-1:000000000000:function:f:live", Some(("f", Some("live")))),
            ("arn:aws:lambda:us-gov-west-1:000000000000:function:f", Some(("f", None))),
            ("arn:aws:lambda:eu-west-1:000000000000:function", Some(("function", None))),
            ("arn:aws:lambda::000000000000:function:f", None),
            ("arn:aws:lambda:eu-west-1::function:f", None),
            ("arn:aws:ec2:eu-west-1:000000000000:instance:i", None),
            ("f:1:2", None),
            ("f:$LATES", None),
            ("f!", None),
            ("", None),
        ] {
            assert_eq!(parts(reference), expected, "{reference}");
        }
        assert!(NAME.parts("a.b").is_none() && NAMESPACED.parts("a.b").is_some());
    }

    #[test]
    fn all_model_violations_are_reported_at_once() {
        let input = json!({ "FunctionName": "*", "Qualifier": "a".repeat(129) });
        let refusal = read_name("eu-west-1", &input, &NAMESPACED).unwrap_err();
        assert_eq!(refusal.code, "ValidationException");
        assert!(refusal.message.starts_with("2 validation errors detected: Value '*' at"));
        assert!(refusal.message.ends_with("less than or equal to 128"), "{}", refusal.message);
    }

    #[test]
    fn arns_of_other_accounts_and_regions_are_refused() {
        let ask = |name: &str, qualifier: &str| {
            let input = json!({ "FunctionName": name, "Qualifier": qualifier });
            read_name("eu-west-1", &input, &NAMESPACED).unwrap_err()
        };
        let far = ask("arn:aws:lambda:eu-west-2:000000000000:function:f", "1");
        assert_eq!((far.status, far.code.as_str()), (404, "ResourceNotFoundException"));
        let foreign = ask("123456789012:function:f", "1");
        assert_eq!((foreign.status, foreign.code.as_str()), (403, "AccessDeniedException"));
        assert!(ask("f:2", "1").message.contains("does not match"));
    }
}
