//! The environments of an account: a table for people, JSON, and the job matrix of a CI system.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::style::{count, table};
use payctl_engine::model::live::Tags;
use payctl_engine::model::scope::{TAG_CREATED, TAG_EXPIRES, is_protected};

/// An environment, as its tags describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The project.
    pub project: String,
    /// The environment.
    pub env: String,
    /// The region.
    pub region: String,
    /// The person or the team that its tags name.
    pub owner: Option<String>,
    /// The pull request that its tags or its name tell.
    pub pull_request: Option<String>,
    /// The time of its first object.
    pub created: Option<OffsetDateTime>,
    /// When it may be collected.
    pub expires: Option<OffsetDateTime>,
    /// The number of its objects.
    pub resources: usize,
    /// Its state.
    pub state: State,
}

/// The state of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has objects that nothing may delete.
    Protected,
    /// Its time has passed: `payctl gc` destroys it.
    Expired,
    /// Its time has not passed.
    Live,
    /// It has no time limit.
    Kept,
}

impl State {
    /// As the table and JSON say it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Protected => "protected",
            Self::Expired => "expired",
            Self::Live => "live",
            Self::Kept => "kept",
        }
    }
}

/// The keys of the tags that name an owner, the best first.
const OWNERS: &[&str] = &["Owner", "Author", "Team"];
/// The key of the tag that names a pull request.
const PULL_REQUEST: &str = "PRNumber";
/// The keys of the tags with the time of a creation, the best first.
const CREATED: [&str; 2] = ["CreatedAt", TAG_CREATED];

/// The latest time until which one of these objects may live.
pub fn expiry<'a>(all: impl IntoIterator<Item = &'a Tags>) -> Option<OffsetDateTime> {
    all.into_iter().filter_map(|tags| at(tags.get(TAG_EXPIRES)?)).max()
}

/// When an object was created, if its tags say so.
pub fn created(tags: &Tags) -> Option<OffsetDateTime> {
    CREATED.iter().find_map(|key| at(tags.get(*key)?))
}

fn at(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

/// Describes an environment by the tags of its objects.
pub fn row((project, env, region): (&str, &str, &str), all: &[&Tags], now: OffsetDateTime) -> Row {
    let said = |key: &str| {
        let said = all.iter().filter_map(|tags| tags.get(key));
        said.filter(|text| !text.is_empty() && *text != "unknown").min().cloned()
    };
    let digits = env.rsplit(|c: char| !c.is_ascii_digit()).next().filter(|text| !text.is_empty());
    let numbered = digits.filter(|digits| is_pull_request(env, digits)).map(str::to_owned);
    let expires = expiry(all.iter().copied());
    let state = match expires {
        _ if all.iter().any(|tags| is_protected(tags)) => State::Protected,
        None => State::Kept,
        Some(time) if time <= now => State::Expired,
        Some(_) => State::Live,
    };
    Row {
        project: project.to_owned(),
        env: env.to_owned(),
        region: region.to_owned(),
        owner: OWNERS.iter().find_map(|key| said(key)),
        pull_request: said(PULL_REQUEST).or(numbered),
        created: all.iter().filter_map(|tags| created(tags)).min(),
        expires,
        resources: all.len(),
        state,
    }
}

/// Whether a name is that of a pull request's environment: `pr-7`, `pr7`.
fn is_pull_request(env: &str, digits: &str) -> bool {
    env.strip_suffix(digits).is_some_and(|head| head.trim_end_matches('-') == "pr")
}

/// The rows for people.
pub fn text(rows: &[Row], now: OffsetDateTime) -> String {
    if rows.is_empty() {
        return "No environments.\n".to_owned();
    }
    let head = ["environment", "project", "owner", "pull request", "age", "expires", "resources"];
    let mut cells = vec![head.iter().chain(&["state"]).map(|text| (*text).to_owned()).collect()];
    cells.extend(rows.iter().map(|row| {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        [
            row.env.clone(),
            row.project.clone(),
            or_dash(row.owner.clone()),
            or_dash(row.pull_request.clone()),
            or_dash(row.created.map(|time| until(time, now))),
            or_dash(row.expires.map(|time| match time <= now {
                true => format!("{} ago", until(time, now)),
                false => format!("in {}", until(now, time)),
            })),
            row.resources.to_string(),
            row.state.word().to_owned(),
        ]
        .to_vec()
    }));
    let lines = table(&cells).into_iter().map(|line| line + "\n");
    lines.chain([format!("{}.\n", count(rows.len(), "environment"))]).collect()
}

/// The time between two moments in its largest unit.
fn until(from: OffsetDateTime, to: OffsetDateTime) -> String {
    let between = Duration::try_from(to - from).unwrap_or_default().as_secs();
    match (between / 3600, between / 60) {
        (hours, _) if hours >= 48 => format!("{} d", hours / 24),
        (hours, _) if hours >= 1 => format!("{hours} h"),
        (_, minutes) => format!("{minutes} min"),
    }
}

/// The rows for programs.
pub fn json(rows: &[Row]) -> Value {
    let time = |time: Option<OffsetDateTime>| time.and_then(|time| time.format(&Rfc3339).ok());
    let body = |row: &Row| {
        json!({
            "name": row.env,
            "project": row.project,
            "region": row.region,
            "owner": row.owner,
            "pull_request": row.pull_request,
            "created": time(row.created),
            "expires": time(row.expires),
            "resources": row.resources,
            "state": row.state.word(),
        })
    };
    json!({ "environments": rows.iter().map(body).collect::<Vec<_>>() })
}

/// The form of a job matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matrix {
    /// For `strategy.matrix` of GitHub Actions.
    Github,
    /// A hidden job with `parallel:matrix`, which a job of a GitLab child pipeline extends.
    Gitlab,
    /// A list of objects, for any other engine.
    Json,
}

/// One job for each environment.
pub fn matrix(rows: &[Row], form: Matrix) -> String {
    let job = |row: &Row, keys: [&str; 3]| -> BTreeMap<String, String> {
        let values = [&row.env, &row.project, &row.region];
        keys.into_iter().map(str::to_owned).zip(values.into_iter().cloned()).collect()
    };
    let plain = |row: &Row| job(row, ["env", "project", "region"]);
    let of_env = |row: &Row| job(row, ["PAYCTL_ENV", "PAYCTL_PROJECT", "AWS_REGION"]);
    let value = match form {
        Matrix::Github => json!({ "include": rows.iter().map(plain).collect::<Vec<_>>() }),
        Matrix::Json => json!(rows.iter().map(plain).collect::<Vec<_>>()),
        // JSON is YAML as well.
        Matrix::Gitlab => json!({ ".payctl-environments": { "parallel": {
            "matrix": rows.iter().map(of_env).collect::<Vec<_>>(),
        } } }),
    };
    format!("{value}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-30 12:00 UTC);

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn rows() -> Vec<Row> {
        let old = tags(&[
            ("CreatedAt", "2026-11-27T11:00:00Z"),
            ("Author", "ada"),
            (TAG_EXPIRES, "2026-11-30T11:00:00Z"),
        ]);
        let new =
            tags(&[(TAG_CREATED, "2026-11-30T11:30:00Z"), (TAG_EXPIRES, "2026-12-03T11:30:00Z")]);
        let prod =
            tags(&[("Team", "payments"), ("payctl:protect", "true"), ("PRNumber", "unknown")]);
        let here = |env| ("payment", env, "us-east-1");
        vec![
            row(here("pr-7"), &[&old], NOW),
            row(here("pr-8"), &[&old, &new], NOW),
            row(here("pr-9"), &[&new], NOW),
            row(here("prod"), &[&prod], NOW),
            row(here("dev-2"), &[&tags(&[])], NOW),
        ]
    }

    #[test]
    fn the_latest_expiry_of_any_object_counts() {
        let states: Vec<State> = rows().iter().map(|row| row.state).collect();
        let [expired, live, protected, kept] =
            [State::Expired, State::Live, State::Protected, State::Kept];
        assert_eq!(states, [expired, live, live, protected, kept]);
    }

    #[test]
    fn the_table_says_who_and_until_when() {
        insta::assert_snapshot!(text(&rows(), NOW), @r"
        environment  project  owner     pull request  age     expires  resources  state
        pr-7         payment  ada       7             3 d     1 h ago  1          expired
        pr-8         payment  ada       8             3 d     in 2 d   2          live
        pr-9         payment  -         9             30 min  in 2 d   1          live
        prod         payment  payments  -             -       -        1          protected
        dev-2        payment  -         -             -       -        1          kept
        5 environments.
        ");
    }

    #[test]
    fn every_engine_gets_its_own_form_of_the_matrix() {
        let rows = &rows()[..1];
        assert_eq!(
            matrix(rows, Matrix::Github),
            "{\"include\":[{\"env\":\"pr-7\",\"project\":\"payment\",\"region\":\"us-east-1\"}]}\n"
        );
        assert_eq!(
            matrix(rows, Matrix::Json),
            "[{\"env\":\"pr-7\",\"project\":\"payment\",\"region\":\"us-east-1\"}]\n"
        );
        assert_eq!(
            matrix(rows, Matrix::Gitlab),
            "{\".payctl-environments\":{\"parallel\":{\"matrix\":[{\"AWS_REGION\":\"us-east-1\",\
             \"PAYCTL_ENV\":\"pr-7\",\"PAYCTL_PROJECT\":\"payment\"}]}}}\n"
        );
    }
}
