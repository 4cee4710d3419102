use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::model::address::Address;
use crate::model::desired::Desired;
use crate::model::live::{Live, Phase};
use crate::model::scope::Scope;
use crate::model::text::{Output, Outputs, Text};

fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn change(action: Action, address: Address, component: &str, origin: &str) -> Change {
    Change {
        name: format!("dev-payment-{}", address.name),
        address,
        action,
        component: component.into(),
        origin: origin.into(),
        fields: Vec::new(),
        because: None,
        irreversible: None,
        create_first: false,
        want: None,
        live: None,
        needs: BTreeSet::new(),
        uses: BTreeSet::new(),
    }
}

fn create(address: Address, component: &str, spec: Value, more: &[(&str, &str)]) -> Change {
    let name = format!("dev-payment-{}", address.name);
    let mut all = tags(&[
        ("Environment", "dev"),
        ("Name", &name),
        ("Team", "payments"),
        ("payctl:address", &address.to_string()),
        ("payctl:env", "dev"),
    ]);
    all.extend(tags(more));
    let want = Desired {
        address: address.clone(),
        name,
        component: component.into(),
        origin: "config/base.toml:12".into(),
        spec,
        tags: all,
        tags_once: tags(&[("CreatedAt", "2026-11-20")]),
        after: BTreeSet::new(),
    };
    Change { want: Some(want), ..change(Action::Create, address, component, "config/base.toml:12") }
}

fn field(path: &str, before: Value, after: Value) -> FieldChange {
    FieldChange { path: path.into(), before: Some(before), after: Some(after), unknown: false }
}

fn policy(effect: &str, resource: Value) -> Value {
    let statement = |sid: &str, effect: &str, resource: Value| {
        json!({
            "Sid": sid,
            "Effect": effect,
            "Action": ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:GetQueueAttributes"],
            "Principal": { "Service": "sns.amazonaws.com" },
            "Resource": resource,
        })
    };
    json!({
        "Version": "2012-10-17",
        "Statement": [statement("First", "Allow", json!("*")), statement("Second", effect, resource)],
    })
}

fn example() -> Plan {
    let vpc = Address::new("ec2.vpc", "main");
    let key = Address::new("kms.key", "data");
    let queue = Address::new("sqs.queue", "payments");
    let key_arn = serde_json::to_value(Text::reference(key.clone(), Output::Arn)).unwrap();
    let subnet = json!({
        "vpc": Text::reference(vpc.clone(), Output::Id),
        "cidr": "10.0.0.0/20",
        "zone": "us-east-1a",
        "public": true,
    });
    let update = Change {
        fields: vec![
            field("visibility_timeout", json!(60), json!(120)),
            field("delay", Value::Null, json!(5)),
            FieldChange {
                unknown: true,
                ..field("encryption.kms", json!("arn:aws:kms:x"), key_arn)
            },
            field("policy", policy("Deny", json!("*")), policy("Allow", json!("arn:aws:sqs:q"))),
            field("tags.Team", json!("core"), json!("payments")),
            field("tags.payctl:tags", json!("Team"), json!("Environment Team")),
            field("redrive", json!({ "max_receives": 5, "target": "arn:d" }), Value::Null),
        ],
        ..change(Action::Update, queue, "queues", "config/dev.toml:41")
    };
    let replace = Change {
        fields: vec![field("cidr", json!("10.0.0.0/16"), json!("10.1.0.0/16"))],
        because: Some("AWS cannot change `cidr` in place".into()),
        create_first: true,
        ..change(Action::Replace, vpc, "network", "config/base.toml:8")
    };
    let delete = Change {
        because: Some("it is no longer in the config".into()),
        irreversible: Some("the items in the table".into()),
        live: Some(Live {
            id: "dev-payment-old".into(),
            spec: Value::Null,
            outputs: Outputs::new(),
            tags: Tags::new(),
            phase: Phase::Ready,
        }),
        ..change(Action::Delete, Address::new("dynamodb.table", "old"), "", "")
    };
    Plan {
        format: 1,
        scope: Scope {
            project: "payment".into(),
            env: "dev".into(),
            account: "123456789012".into(),
            region: "us-east-1".into(),
            partition: "aws".into(),
        },
        purpose: Purpose::Apply,
        changes: vec![
            delete,
            create(
                Address::new("ec2.subnet", "private-a"),
                "network",
                subnet,
                &[("Tier", "private")],
            ),
            replace,
            create(
                key,
                "keys",
                json!({ "rotation": true, "policy": policy("Allow", json!("*")) }),
                &[],
            ),
            update,
        ],
        unchanged: vec![Address::new("ec2.internet_gateway", "main")],
        refused: vec![Refused {
            address: Address::new("s3.bucket", "audit"),
            origin: "config/base.toml:77".into(),
            reason: "the name dev-payment-audit belongs to somebody else (it has no tags)".into(),
            hint: "choose another name with `name = \"...\"`".into(),
        }],
        digests: BTreeMap::new(),
        outputs: BTreeMap::new(),
    }
}

const EFFORT: Effort = Effort { calls: 61, elapsed: Duration::from_millis(812) };

#[test]
fn a_plan_without_colour() {
    insta::assert_snapshot!(text(&example(), Style::PLAIN, Some(EFFORT)), @"");
}

#[test]
fn a_plan_with_colour() {
    let shown = text(&example(), Style { color: true }, Some(EFFORT)).replace('\u{1b}', "^");
    insta::assert_snapshot!(shown, @"");
}

#[test]
fn colour_changes_nothing_but_colour() {
    let colored = text(&example(), Style { color: true }, None);
    let codes = regex::Regex::new("\u{1b}\\[[0-9]*m").unwrap();
    assert_eq!(codes.replace_all(&colored, ""), text(&example(), Style::PLAIN, None));
}

#[test]
fn own_tags_are_never_shown() {
    let plan = example();
    assert!(!text(&plan, Style::PLAIN, None).contains("payctl:"));
    assert!(!super::super::json::plan(&plan, None).to_string().contains("payctl:"));
}

#[test]
fn nothing_to_do_is_said_in_one_sentence() {
    let plan = Plan { changes: Vec::new(), refused: Vec::new(), ..example() };
    insta::assert_snapshot!(summary(&plan, Style::PLAIN, Some(EFFORT)), @"");
    let plan = Plan { purpose: Purpose::Destroy, unchanged: Vec::new(), ..plan };
    insta::assert_snapshot!(summary(&plan, Style::PLAIN, None), @"");
}
