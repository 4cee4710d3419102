//! The description of a kind of resource, for `explain` and for the pages of the docs.

use serde_json::{Value, json};

use super::style::span;
use payctl_engine::model::meta::{Meta, Pricing, Replace};
use payctl_engine::model::permit::{Only, Permit};
use payctl_engine::model::verdict::Asked;

/// The facts about a kind that users may want to know, as titles with rows; code stands in
/// backticks. A title without rows is left out.
pub fn facts(meta: &Meta) -> Vec<(&'static str, Vec<String>)> {
    let code = |rows: &[&str]| rows.iter().map(|row| format!("`{row}`")).collect::<Vec<_>>();
    let transient = meta.transient.iter().map(|(code, fragment)| match *fragment {
        "" => format!("`{code}`"),
        fragment => format!("`{code}` with \"{fragment}\""),
    });
    let mut facts = vec![
        ("Good to know", meta.notes.iter().map(|&note| note.to_owned()).collect()),
        ("Fields that AWS cannot change in place", code(meta.immutable)),
        ("Fields that are set at creation and not compared later", code(meta.create_only)),
        (
            "Fields that show the status in AWS and may differ from the plan",
            code(meta.status_fields),
        ),
        ("Cost", pricing(meta)),
        ("Life", life(meta)),
        ("What `payctl check` asks once it exists and is ready", checked(meta)),
        ("Errors that payctl also retries for this kind", transient.collect()),
        ("IAM actions", meta.permits.iter().map(permit).collect()),
    ];
    facts.retain(|(_, rows)| !rows.is_empty());
    facts
}

fn pricing(meta: &Meta) -> Vec<String> {
    match meta.pricing {
        Pricing::Unsaid => Vec::new(),
        Pricing::Free(said) | Pricing::Charged(said) => vec![said.to_owned()],
    }
}

fn life(meta: &Meta) -> Vec<String> {
    let mut life = vec![
        match meta.replace {
            Replace::CreateFirst => {
                "Replacement: payctl creates the new one, then deletes the old one."
            }
            Replace::DeleteFirst => {
                "Replacement: payctl deletes the old one first, since it occupies the name or the \
                 slot."
            }
            Replace::Forbidden => {
                "Replacement: payctl refuses it, since the object holds data; move the data to a \
                 new one yourself."
            }
        }
        .to_owned(),
    ];
    life.extend(meta.data.map(|data| format!("A deletion loses this for good: {data}.")));
    if meta.use_blocks_delete {
        life.push("AWS refuses to delete it while other resources use it.".to_owned());
    }
    let used = meta.does_not_block.iter();
    life.extend(
        used.map(|used| format!("AWS deletes a `{used}` even while one of these uses it.")),
    );
    let outlived = meta.delete_after.iter();
    life.extend(
        outlived.map(|kind| format!("If both are deleted, payctl deletes each `{kind}` first.")),
    );
    if meta.updatable_while_pending {
        life.push("payctl can change it while an earlier change is still in progress.".to_owned());
    }
    if meta.listed_after_delete {
        life.push("AWS may still list it for days after its deletion.".to_owned());
    }
    life.extend(meta.floating_versions.iter().map(|field| {
        format!("AWS may raise `{field}` on its own: payctl accepts a later version.")
    }));
    life.extend(meta.aws_defaults.iter().map(|(field, given)| {
        format!("payctl accepts `{field}` if it equals the value that AWS assigned (`{given}`).")
    }));
    life.extend(meta.protection_field.map(|guard| {
        format!("In a protected environment payctl deletes it only after `{guard}` is off.")
    }));
    life.extend(meta.changed_outputs.iter().map(|(field, output)| {
        let output = json!(output);
        format!("A change of `{field}` changes the output {output}.")
    }));
    life.push(if meta.tagged {
        "Ownership: by its tags, and by its name if it has one.".to_owned()
    } else {
        "Ownership: by its parent or its name; AWS does not store tags for it.".to_owned()
    });
    life.push(format!("payctl waits up to {} for AWS.", span(meta.deadline)));
    life.push(format!(
        "AWS may not see a referenced resource for {} after its creation.",
        span(meta.propagation)
    ));
    life.push(format!("Reads may show the old state for {} after a change.", span(meta.read_lag)));
    life
}

fn checked(meta: &Meta) -> Vec<String> {
    let row = |asked: Asked| match asked.behind {
        None => format!("Whether {}.", asked.what),
        Some(behind) => format!(
            "Whether {}. An endpoint that stands in for AWS has no {behind}: there it is not run.",
            asked.what
        ),
    };
    meta.check.map(row).into_iter().collect()
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

/// The same as JSON. The pattern names all members, so that the compiler points out a new one.
pub fn body(meta: &Meta, sample: &Value) -> Value {
    let Meta {
        kind,
        section,
        service,
        summary,
        notes,
        // A drawing shows it.
        drawn: _,
        // What the blueprint is drawn by is told where the config is.
        names: _,
        may_share_name: _,
        arn: _,
        // What a plan knows and says.
        predicted: _,
        new_identity: _,
        part_of: _,
        asked: _,
        serves: _,
        felt: _,
        typical,
        // How a destroy reads the index of tags.
        types: _,
        kept_types: _,
        sizes: _,
        immutable,
        create_only,
        made_from,
        regain,
        floating_versions,
        aws_defaults,
        failure_field,
        // A hint, shown where it helps.
        unsettled: _,
        status_fields,
        // A note of a plan.
        under_way: _,
        // Another command, which its notes name.
        moved: _,
        changed_outputs,
        replace,
        can_duplicate,
        use_blocks_delete,
        does_not_block,
        delete_after,
        data,
        protection_field,
        tagged,
        updatable_while_pending,
        listed_after_delete,
        deadline,
        propagation,
        read_lag,
        agreeing_reads,
        transient,
        check,
        pricing,
        permits,
        // Whether a step reads after it.
        told: _,
        gone_at_once: _,
    } = *meta;
    let pricing = match pricing {
        Pricing::Unsaid => Value::Null,
        Pricing::Free(why) => json!({ "charged": false, "why": why }),
        Pricing::Charged(why) => json!({ "charged": true, "why": why }),
    };
    let replace = match replace {
        Replace::CreateFirst => "create_first",
        Replace::DeleteFirst => "delete_first",
        Replace::Forbidden => "forbidden",
    };
    let changed_outputs =
        changed_outputs.iter().map(|(field, output)| json!({ "field": field, "output": output }));
    let aws_defaults =
        aws_defaults.iter().map(|(field, by)| json!({ "field": field, "given_by": by }));
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
        "rises": floating_versions,
        "given": aws_defaults.collect::<Vec<_>>(),
        "complaint": failure_field,
        "observed": status_fields,
        "moves": changed_outputs.collect::<Vec<_>>(),
        "replace": replace,
        "doubles": can_duplicate,
        "held": use_blocks_delete,
        "lets_go": does_not_block,
        "outlives": delete_after,
        "data": data,
        "guard": protection_field,
        "tagged": tagged,
        "open": updatable_while_pending,
        "lingers": listed_after_delete,
        "deadline_s": deadline.as_secs(),
        "propagation_s": propagation.as_secs(),
        "typical_s": {
            "create": typical.create, "change": typical.change, "delete": typical.delete,
        },
        "settle_s": read_lag.as_secs(),
        "steady": agreeing_reads,
        "transient": transient.collect::<Vec<_>>(),
        "check": check.map(|asked| json!({ "what": asked.what, "behind": asked.behind })),
        "actions": meta.actions(),
        "pricing": pricing,
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
    fn every_fact_of_a_kind_is_shown() {
        let meta = Meta {
            notes: &["A note."],
            immutable: &["name"],
            create_only: &["password"],
            floating_versions: &["version"],
            changed_outputs: &[("stream", Output::Arn)],
            replace: Replace::Forbidden,
            use_blocks_delete: true,
            does_not_block: &["a.used"],
            delete_after: &["a.neighbour"],
            status_fields: &["stable"],
            updatable_while_pending: true,
            data: Some("everything"),
            protection_field: Some("kept"),
            tagged: false,
            listed_after_delete: true,
            deadline: Duration::from_secs(7200),
            propagation: Duration::from_secs(300),
            read_lag: Duration::from_secs(33),
            transient: &[("Code", "words"), ("Other", "")],
            check: Some(Asked::at_aws("its targets are healthy", "targets")),
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

        Fields that are set at creation and not compared later
        `password`

        Fields that show the status in AWS and may differ from the plan
        `stable`

        Life
        Replacement: payctl refuses it, since the object holds data; move the data to a new one yourself.
        A deletion loses this for good: everything.
        AWS refuses to delete it while other resources use it.
        AWS deletes a `a.used` even while one of these uses it.
        If both are deleted, payctl deletes each `a.neighbour` first.
        payctl can change it while an earlier change is still in progress.
        AWS may still list it for days after its deletion.
        AWS may raise `version` on its own: payctl accepts a later version.
        In a protected environment payctl deletes it only after `kept` is off.
        A change of `stream` changes the output "arn".
        Ownership: by its parent or its name; AWS does not store tags for it.
        payctl waits up to 2 h 00 m for AWS.
        AWS may not see a referenced resource for 5 m 00 s after its creation.
        Reads may show the old state for 33 s after a change.

        What `payctl check` asks once it exists and is ready
        Whether its targets are healthy. An endpoint that stands in for AWS has no targets: there it is not run.

        Errors that payctl also retries for this kind
        `Code` with "words"
        `Other`

        IAM actions
        to look: `service:List` on `*`
        to create or change: `service:Act`, `service:Tag` on `service:{here}:{name}`, if it carries the environment's tags
        to create: `iam:PassRole` on `iam::{account}:role{path}*`, if `iam:PassedToService` is `service.amazonaws.com`
        "#);
    }
}
