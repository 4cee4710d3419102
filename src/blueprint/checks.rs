//! `[checks]`: requests of one's own, and the answers to expect. They are no resources.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::{Builder, Facts};
use crate::config::Loaded;
use crate::config::schema::checks::{Check as Config, Expected};
use crate::words::checks::CheckAuthorization;
use payctl_engine::model::text::Text;
use payctl_engine::model::verdict::Verdict;

/// A check as the config asks for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The method.
    pub method: &'static str,
    /// The address.
    pub url: Text,
    /// The headers by name.
    pub headers: BTreeMap<String, Text>,
    /// The body; empty without one.
    pub body: Text,
    /// Whether the request is signed.
    pub is_signed: bool,
    /// After what time payctl gives up.
    pub timeout: Duration,
    status: u16,
    json: BTreeMap<String, Value>,
    latency: Option<Duration>,
}

/// The checks of a checked config by name.
pub fn checks(loaded: &Loaded, facts: &Facts) -> BTreeMap<String, Check> {
    let builder = Builder::new(loaded, facts);
    let all = loaded.config.checks.iter();
    all.map(|(name, config)| (name.0.clone(), builder.check(config))).collect()
}

impl Builder<'_> {
    fn check(&self, config: &Config) -> Check {
        let headers = config.headers.iter();
        let json = config.json.iter();
        Check {
            method: config.method.aws(),
            url: self.text(&config.url),
            headers: headers.map(|(name, text)| (name.0.clone(), self.text(text))).collect(),
            body: config.body.as_ref().map(|body| self.text(body)).unwrap_or_default(),
            is_signed: config.authorization == CheckAuthorization::Iam,
            timeout: Duration::from_secs(config.timeout.into()),
            status: config.status,
            json: json.map(|(path, value)| (path.0.clone(), value_of(value))).collect(),
            latency: config.latency_ms.map(|most| Duration::from_millis(most.into())),
        }
    }
}

fn value_of(expected: &Expected) -> Value {
    match expected {
        Expected::Flag(flag) => (*flag).into(),
        Expected::Number(number) => number.clone().into(),
        Expected::Text(text) => text.as_str().into(),
    }
}

impl Check {
    /// What must hold of the answer from an address. Its query may hold a secret, so it is left out.
    pub fn what(&self, url: &Text) -> String {
        let url = url.to_string();
        let url = url.split(['?', '#']).next().unwrap_or_default();
        format!("{} {url} answers {}", self.method, self.status)
    }

    /// Whether an answer is the expected one. All differences are named. `error` is AWS's name for it.
    pub fn judge(&self, status: u16, error: Option<&str>, body: &[u8], took: Duration) -> Verdict {
        let mut wrong = Vec::new();
        if status != self.status {
            let error = error.map(|error| format!(" ({error})")).unwrap_or_default();
            wrong.push(format!("the status is {status}{error}, not {}", self.status));
        }
        if !self.json.is_empty() {
            match serde_json::from_slice::<Value>(body) {
                Ok(body) => wrong.extend(self.json.iter().filter_map(|(path, want)| {
                    let found = at(&body, path);
                    match found {
                        Some(found) if is_equal(found, want) => None,
                        Some(found) => Some(format!("{path} is {}, not {want}", short(found))),
                        None => Some(format!("there is no {path}, which should be {want}")),
                    }
                })),
                Err(_) => wrong.push("the answer is not JSON".to_owned()),
            }
        }
        if let Some(most) = self.latency
            && took > most
        {
            let (took, most) = (took.as_millis(), most.as_millis());
            wrong.push(format!("it took {took} ms, at most {most} ms"));
        }
        if wrong.is_empty() { Verdict::passed() } else { Verdict::Failed(wrong.join("; ")) }
    }
}

/// The value at a path of names and numbers of elements.
fn at<'a>(body: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(body, |value, step| match value {
        Value::Array(all) => all.get(step.parse::<usize>().ok()?),
        value => value.get(step),
    })
}

/// Numbers are equal if they have the same value: 1 is 1.0.
fn is_equal(found: &Value, want: &Value) -> bool {
    match (found.as_f64(), want.as_f64()) {
        (Some(one), Some(other)) if found.is_f64() || want.is_f64() => {
            (one - other).abs() <= f64::EPSILON * other.abs()
        }
        _ => found == want,
    }
}

/// A value, shortened.
fn short(value: &Value) -> String {
    const MOST: usize = 100;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(json: Value, latency: Option<u64>) -> Check {
        let Value::Object(json) = json else { panic!("values by path") };
        Check {
            method: "POST",
            url: "https://pay.example.com/validate?token=hidden".into(),
            headers: BTreeMap::new(),
            body: Text::default(),
            is_signed: false,
            timeout: Duration::from_secs(10),
            status: 200,
            json: json.into_iter().collect(),
            latency: latency.map(Duration::from_millis),
        }
    }

    fn fault(check: &Check, status: u16, body: &str, ms: u64) -> String {
        let error = (status == 403).then_some("AccessDeniedException");
        match check.judge(status, error, body.as_bytes(), Duration::from_millis(ms)) {
            Verdict::Passed(_) => String::new(),
            Verdict::Failed(why) | Verdict::NotRun(why) => why,
        }
    }

    #[test]
    fn an_answer_passes_only_if_all_of_it_is_as_expected() {
        let body = r#"{"validated": true, "items": [{"id": "a", "amount": 12}], "n": 1.5}"#;
        let good = check(
            json!({ "validated": true, "items.0.id": "a", "items.0.amount": 12.0, "n": 1.5 }),
            Some(200),
        );
        assert_eq!(fault(&good, 200, body, 200), "");
        assert_eq!(
            fault(&good, 500, body, 201),
            "the status is 500, not 200; it took 201 ms, at most 200 ms"
        );
        assert_eq!(
            fault(&good, 403, body, 1),
            "the status is 403 (AccessDeniedException), not 200"
        );
        assert_eq!(fault(&good, 200, "<html>", 1), "the answer is not JSON");
        let other = json!({
            "items.0.id": "b", "items.0.amount": 13, "items.1.id": "c", "validated": "true",
        });
        let other = check(other, None);
        assert_eq!(
            fault(&other, 200, body, 1),
            "items.0.amount is 12, not 13; items.0.id is \"a\", not \"b\"; there is no items.1.id, which should be \"c\"; \
             validated is true, not \"true\""
        );
    }

    #[test]
    fn whole_numbers_are_compared_exactly() {
        let id = check(json!({ "id": 9_007_199_254_740_993_u64 }), None);
        assert_eq!(fault(&id, 200, r#"{"id": 9007199254740993}"#, 1), "");
        let words = "id is 9007199254740992, not 9007199254740993";
        assert_eq!(fault(&id, 200, r#"{"id": 9007199254740992}"#, 1), words);
    }

    #[test]
    fn a_long_value_is_shortened_and_the_query_is_not_shown() {
        let check = check(json!({ "text": "x" }), None);
        let body = json!({ "text": "y".repeat(500) }).to_string();
        assert!(fault(&check, 200, &body, 1).len() < 150);
        assert_eq!(check.what(&check.url), "POST https://pay.example.com/validate answers 200");
    }
}
