//! What an application load balancer does with a request: the rule that fits, and the target of its
//! action.

use serde_json::Value;

use super::super::toolbox::{list, number, text};
use super::State;
use super::listeners::Listener;

/// A request as a load balancer sees it.
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    /// Names in lower case.
    pub(crate) headers: &'a [(String, String)],
    pub(crate) query: &'a [(String, String)],
}

/// What the load balancer does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Does {
    /// It answers by itself.
    Answers { status: u16, headers: Vec<(&'static str, String)>, body: String },
    /// It calls a function.
    Calls { function: String, group: String, has_lists: bool },
    /// It would do something that the sandbox does not.
    Other(String),
}

impl Does {
    fn says(status: u16, words: &str) -> Self {
        Self::Answers { status, headers: Vec::new(), body: words.to_owned() }
    }
}

/// What a load balancer does with a request to one of its ports; nobody listens on the others.
/// `chance`, from 0 to 1, picks one of several target groups by their weights.
pub(crate) fn serving(
    state: &State,
    balancer: &str,
    port: i64,
    asked: &Asked<'_>,
    chance: f64,
) -> Option<Does> {
    let mut listeners = state.listeners.iter();
    let is_it = |one: &Listener| one.balancer == balancer && one.port == port;
    let (arn, listener) = listeners.find(|(_, one)| is_it(one))?;
    if !listener.speaks_http() {
        return Some(Does::Other("is behind a network load balancer".to_owned()));
    }
    let mut rules: Vec<_> = state.rules.values().filter(|rule| rule.listener == *arn).collect();
    rules.sort_by_key(|rule| rule.priority);
    let rule = rules.into_iter().find(|rule| rule.conditions.iter().all(|one| fits(one, asked)));
    let action = rule.map_or(&listener.action, |rule| &rule.action);
    Some(match text(action, "Type").unwrap_or_default() {
        "forward" => forwarded(state, &action["ForwardConfig"], chance),
        "fixed-response" => {
            let answer = &action["FixedResponseConfig"];
            let kind = text(answer, "ContentType").map(|kind| ("content-type", kind.to_owned()));
            Does::Answers {
                status: number(answer, "StatusCode")
                    .and_then(|it| it.try_into().ok())
                    .unwrap_or(500),
                headers: kind.into_iter().collect(),
                body: text(answer, "MessageBody").unwrap_or_default().to_owned(),
            }
        }
        other => Does::Other(format!("gets a {other} from the load balancer")),
    })
}

/// One of the target groups of an action. Its only function, if it has one, gets the request.
fn forwarded(state: &State, forward: &Value, chance: f64) -> Does {
    let groups = list(forward, "TargetGroups").iter();
    let groups: Vec<(&str, i64)> = groups
        .filter_map(|one| Some((text(one, "TargetGroupArn")?, number(one, "Weight").unwrap_or(1))))
        .collect();
    let sum: i64 = groups.iter().map(|(_, weight)| weight).sum();
    let mut left = chance * sum as f64;
    let picked = groups.iter().find(|(_, weight)| {
        left -= *weight as f64;
        left < 0.0
    });
    let found = picked.and_then(|(arn, _)| Some((*arn, state.targets.get(*arn)?)));
    match found {
        Some((_, group)) if group.kind != "lambda" => {
            Does::Other(format!("is behind targets of the type {}", group.kind))
        }
        Some((arn, group)) if !group.members.is_empty() => Does::Calls {
            function: group.members[0].id.clone(),
            group: arn.to_owned(),
            has_lists: group.has_lists(),
        },
        _ => Does::says(503, "<html><h1>503 Service Temporarily Unavailable</h1></html>"),
    }
}

/// Whether a request meets a condition. All requests come from this machine, which is in no range.
fn fits(condition: &Value, asked: &Asked<'_>) -> bool {
    let field = text(condition, "Field").unwrap_or_default();
    let given = |member: &str| list(&condition[member], "Values").to_vec();
    let header = |name: &str| {
        let name = name.to_ascii_lowercase();
        let found = asked.headers.iter().filter(move |(known, _)| *known == name);
        found.map(|(_, value)| value.to_ascii_lowercase())
    };
    let any = |values: Vec<Value>, said: &str, is_folded: bool| {
        values.iter().filter_map(Value::as_str).any(|pattern| {
            if is_folded { like(&pattern.to_ascii_lowercase(), said) } else { like(pattern, said) }
        })
    };
    match field {
        "path-pattern" => any(given("PathPatternConfig"), asked.path, false),
        "http-request-method" => {
            given("HttpRequestMethodConfig").iter().any(|method| method == asked.method)
        }
        "host-header" => header("host").any(|host| {
            any(given("HostHeaderConfig"), host.split(':').next().unwrap_or_default(), true)
        }),
        "http-header" => {
            let config = &condition["HttpHeaderConfig"];
            let name = text(config, "HttpHeaderName").unwrap_or_default();
            header(name).any(|value| any(given("HttpHeaderConfig"), &value, true))
        }
        "query-string" => given("QueryStringConfig").iter().any(|pair| {
            let of = |key: &str| text(pair, key).map(str::to_ascii_lowercase);
            asked.query.iter().any(|(key, value)| {
                of("Key").is_none_or(|pattern| like(&pattern, &key.to_ascii_lowercase()))
                    && of("Value")
                        .is_some_and(|pattern| like(&pattern, &value.to_ascii_lowercase()))
            })
        }),
        _ => false,
    }
}

/// Whether a text is like a pattern, in which `*` stands for any characters and `?` for one.
fn like(pattern: &str, said: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => said.is_empty(),
        Some('*') => {
            let mut ends = said.char_indices().map(|(at, _)| at).chain([said.len()]);
            ends.any(|at| like(rest.as_str(), &said[at..]))
        }
        Some(one) => {
            let mut have = said.chars();
            let next = have.next();
            next.is_some_and(|next| one == '?' || one == next) && like(rest.as_str(), have.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_two_wildcards() {
        for (pattern, said, expected) in [
            ("/a/*", "/a/b/c", true),
            ("/a/*", "/a", false),
            ("/a?", "/ab", true),
            ("/a?", "/a", false),
            ("*.example.com", "pay.example.com", true),
            ("*a*b", "xaxb", true),
            ("*a*b", "xbxa", false),
            ("", "", true),
        ] {
            assert_eq!(like(pattern, said), expected, "{pattern} {said}");
        }
    }
}
