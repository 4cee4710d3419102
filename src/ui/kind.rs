//! What a kind of resource is like: for `explain` and for the pages of the docs.

use serde_json::{Value, json};

use super::style::span;
use payctl_engine::model::meta::{Meta, Replace};
use payctl_engine::model::permit::{Only, Permit};

/// Everything that a user may want to know of a kind, as titles with their rows; code stands in
/// backticks. What there is nothing to say of is left out.
pub fn facts(meta: &Meta) -> Vec<(&'static str, Vec<String>)> {
    let code = |rows: &[&str]| rows.iter().map(|row| format!("`{row}`")).collect::<Vec<_>>();
    let transient = meta.transient.iter().map(|(code, fragment)| match *fragment {
        "" => format!("`{code}`"),
        fragment => format!("`{code}` with \"{fragment}\""),
    });
    let mut facts = vec![
        ("Good to know", meta.notes.iter().map(|&note| note.to_owned()).collect()),
        ("Fields that AWS cannot change in place", code(meta.immutable)),
        ("Fields that are set at creation and not compared again", code(meta.create_only)),
        ("Fields that tell what AWS is at, and may differ from the plan", code(meta.observed)),
        ("Life", life(meta)),
        ("Errors that payctl waits out here, beside the usual ones", transient.collect()),
        ("IAM actions", meta.permits.iter().map(permit).collect()),
    ];
    facts.retain(|(_, rows)| !rows.is_empty());
    facts
}

fn life(meta: &Meta) -> Vec<String> {
    let mut life = vec![
        match meta.replace {
            Replace::CreateFirst => {
                "Replacement: the new one is made first, then the old one goes."
            }
            Replace::DeleteFirst => {
                "Replacement: the old one goes first, since the name or the slot is taken."
            }
            Replace::Forbidden => {
                "Replacement: refused, since it holds data; move the data to a new one yourself."
            }
        }
        .to_owned(),
    ];
    life.extend(meta.data.map(|data| format!("Lost for good when it is deleted: {data}.")));
    if meta.held {
        life.push("AWS refuses to delete it while others use it.".to_owned());
    }
    let used = meta.lets_go.iter();
    life.extend(used.map(|used| format!("AWS deletes a `{used}` although one of these uses it.")));
    let outlived = meta.outlives.iter();
    life.extend(outlived.map(|kind| format!("Where both are deleted, each `{kind}` goes first.")));
    if meta.open {
        life.push("It can be changed while AWS is still at work on it.".to_owned());
    }
    if meta.lingers {
        life.push("AWS may list it for days after its deletion.".to_owned());
    }
    life.extend(meta.rises.iter().map(|field| {
        format!("AWS may move `{field}` ahead by itself: a later version is as wanted.")
    }));
    life.extend(meta.given.iter().map(|(field, given)| {
        format!("What `{field}` wants at the value that AWS gave it (`{given}`) is as wanted.")
    }));
    life.extend(meta.guard.map(|guard| {
        format!("In a protected environment it is deleted only once `{guard}` is off.")
    }));
    life.extend(meta.moves.iter().map(|(field, output)| {
        let output = json!(output);
        format!("A change of `{field}` gives the output {output} a new value.")
    }));
    life.push(match meta.tagged {
        true => "Ownership: its tags, and its name where it has one.".to_owned(),
        false => "Ownership: through its parent or its name; AWS keeps no tags on it.".to_owned(),
    });
    life.push(format!("AWS may take up to {}; then payctl gives up.", span(meta.deadline)));
    life.push(format!(
        "What it refers to may be unknown to its service for {} after it was made.",
        span(meta.propagation)
    ));
    life.push(format!("Reads may lag {} behind a change.", span(meta.settle)));
    life
}

/// The permissions of one sort of call, as a sentence.
fn permit(permit: &Permit) -> String {
    let code = |texts: &[&str]| {
        texts.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(", ")
    };
    let only = match permit.only {
        Only::Always => String::new(),
        Only::Ours => ", if it carries the environment's tags".to_owned(),
        Only::MadeOurs => ", if the call gives it the environment's tags".to_owned(),
        Only::Equal(key, value) => format!(", if `{key}` is `{value}`"),
    };
    format!("to {}: {} on {}{only}", permit.when.word(), code(permit.actions), code(permit.on))
}

fn permit_body(permit: &Permit) -> Value {
    let only = match permit.only {
        Only::Always => Value::Null,
        Only::Ours => json!({ "object_has": "the environment's tags" }),
        Only::MadeOurs => json!({ "call_gives": "the environment's tags" }),
        Only::Equal(key, value) => json!({ "key": key, "value": value }),
    };
    json!({ "when": permit.when.word(), "actions": permit.actions, "on": permit.on, "only": only })
}

/// The same for programs. All members are named, so that none that is added is forgotten.
pub fn body(meta: &Meta, sample: &Value) -> Value {
    let Meta {
        kind,
        section,
        service,
        summary,
        notes,
        immutable,
        create_only,
        made_from,
        regain,
        rises,
        given,
        complaint,
        observed,
        moves,
        replace,
        doubles,
        held,
        lets_go,
        outlives,
        data,
        guard,
        tagged,
        open,
        lingers,
        deadline,
        propagation,
        settle,
        steady,
        transient,
        permits,
    } = *meta;
    let replace = match replace {
        Replace::CreateFirst => "create_first",
        Replace::DeleteFirst => "delete_first",
        Replace::Forbidden => "forbidden",
    };
    let moves = moves.iter().map(|(field, output)| json!({ "field": field, "output": output }));
    let given = given.iter().map(|(field, by)| json!({ "field": field, "given_by": by }));
    let transient =
        transient.iter().map(|(code, message)| json!({ "code": code, "message": message }));
    json!({
        "kind": kind,
        "section": section,
        "service": service,
        "summary": summary,
        "notes": notes,
        "immutable": immutable,
        "create_only": create_only,
        "made_from": made_from,
        "regain": regain.is_some(),
        "rises": rises,
        "given": given.collect::<Vec<_>>(),
        "complaint": complaint,
        "observed": observed,
        "moves": moves.collect::<Vec<_>>(),
        "replace": replace,
        "doubles": doubles,
        "held": held,
        "lets_go": lets_go,
        "outlives": outlives,
        "data": data,
        "guard": guard,
        "tagged": tagged,
        "open": open,
        "lingers": lingers,
        "deadline_s": deadline.as_secs(),
        "propagation_s": propagation.as_secs(),
        "settle_s": settle.as_secs(),
        "steady": steady,
        "transient": transient.collect::<Vec<_>>(),
        "actions": meta.actions(),
        "permits": permits.iter().map(permit_body).collect::<Vec<_>>(),
        "sample": sample,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use payctl_engine::model::text::Output;

    const PERMITS: &[Permit] = &[
        Permit::look(&["service:List"], &["*"]),
        Permit::set(&["service:Act", "service:Tag"], &["service:{here}:{name}"]).ours(),
        Permit::create(&["iam:PassRole"], &["iam::{account}:role{path}*"])
            .where_equal("iam:PassedToService", "service.amazonaws.com"),
    ];

    #[test]
    fn every_fact_is_told() {
        let meta = Meta {
            notes: &["A note."],
            immutable: &["name"],
            create_only: &["password"],
            rises: &["version"],
            moves: &[("stream", Output::Arn)],
            replace: Replace::Forbidden,
            held: true,
            lets_go: &["a.used"],
            outlives: &["a.neighbour"],
            observed: &["stable"],
            open: true,
            data: Some("everything"),
            guard: Some("kept"),
            tagged: false,
            lingers: true,
            deadline: Duration::from_secs(7200),
            propagation: Duration::from_secs(300),
            settle: Duration::from_secs(33),
            transient: &[("Code", "words"), ("Other", "")],
            permits: PERMITS,
            ..Meta::new("service.thing", "service", "A thing.")
        };
        let told: Vec<String> = facts(&meta)
            .into_iter()
            .map(|(title, rows)| format!("{title}\n{}\n", rows.join("\n")))
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        Good to know
        A note.

        Fields that AWS cannot change in place
        `name`

        Fields that are set at creation and not compared again
        `password`

        Fields that tell what AWS is at, and may differ from the plan
        `stable`

        Life
        Replacement: refused, since it holds data; move the data to a new one yourself.
        Lost for good when it is deleted: everything.
        AWS refuses to delete it while others use it.
        AWS deletes a `a.used` although one of these uses it.
        Where both are deleted, each `a.neighbour` goes first.
        It can be changed while AWS is still at work on it.
        AWS may list it for days after its deletion.
        AWS may move `version` ahead by itself: a later version is as wanted.
        In a protected environment it is deleted only once `kept` is off.
        A change of `stream` gives the output "arn" a new value.
        Ownership: through its parent or its name; AWS keeps no tags on it.
        AWS may take up to 2 h 00 m; then payctl gives up.
        What it refers to may be unknown to its service for 5 m 00 s after it was made.
        Reads may lag 33 s behind a change.

        Errors that payctl waits out here, beside the usual ones
        `Code` with "words"
        `Other`

        IAM actions
        to look: `service:List` on `*`
        to create or change: `service:Act`, `service:Tag` on `service:{here}:{name}`, if it carries the environment's tags
        to create: `iam:PassRole` on `iam::{account}:role{path}*`, if `iam:PassedToService` is `service.amazonaws.com`
        "#);
    }
}
