//! The plan as people see it, with and without colours.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::text::shown;
use super::*;
use payctl_engine::model::desired::Desired;
use payctl_engine::model::live::{Live, Phase};
use payctl_engine::model::scope::Scope;
use payctl_engine::model::text::{Output, Outputs, Text};

fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn change(action: Action, address: Address, component: &str, origin: &str) -> Change {
    Change {
        name: format!("dev-payment-{}", address.name),
        component: component.into(),
        origin: origin.into(),
        ..Change::new(address, action)
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

pub(in crate::ui) fn example() -> Plan {
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
        regain: Some("AWS keeps a backup".into()),
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
        targets: Vec::new(),
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
        notes: vec![Note {
            address: Address::new("dynamodb.table", "refunds"),
            origin: "config/base.toml:80".into(),
            text: "`restore_from` is set, but dev-payment-refunds exists".into(),
            hint: "remove it".into(),
        }],
        unseen: Vec::new(),
        left_alone: Vec::new(),
        beyond: Vec::new(),
        staying: BTreeMap::new(),
        outputs: BTreeMap::new(),
    }
}

/// A view without facts of the kinds.
pub(in crate::ui) fn view(style: Style, detail: Detail, effort: Option<Effort>) -> View<'static> {
    View {
        style,
        detail,
        effort,
        kinds: &[],
        estimate: None,
        is_elsewhere: false,
        cost: None,
        uses: &[],
    }
}

const EFFORT: Effort = Effort { calls: 61, elapsed: Duration::from_millis(812) };

#[test]
fn a_plan_without_colour() {
    insta::assert_snapshot!(text(&example(), view(Style::PLAIN, Detail::Full, Some(EFFORT))));
}

#[test]
fn a_plan_in_short() {
    insta::assert_snapshot!(text(&example(), view(Style::PLAIN, Detail::Short, Some(EFFORT))));
}

/// A subnet that is replaced, with what follows from it: counted in short, unfolded with -v.
#[test]
fn consequences_are_counted_below_their_cause() {
    const KINDS: &[&Meta] = &[
        &Meta {
            serves: true,
            typical: payctl_engine::model::meta::Typical::seconds(3, 2, 5),
            ..Meta::new("ec2.subnet", "ec2", "A subnet.")
        },
        &Meta {
            serves: true,
            typical: payctl_engine::model::meta::Typical::seconds(110, 1, 70),
            ..Meta::new("ec2.nat_gateway", "ec2", "A gateway.")
        },
    ];
    let subnet = Address::new("ec2.subnet", "private-1");
    let mut changes = vec![Change {
        fields: vec![field("cidr", json!("10.0.2.0/24"), json!("10.0.3.0/24"))],
        because: Some("AWS cannot change cidr in place".into()),
        ..change(Action::Replace, subnet.clone(), "network", "config/base.toml:43")
    }];
    let gateway = Address::new("ec2.nat_gateway", "nat-1");
    changes.push(Change {
        because: Some("its subnet private-1 is replaced".into()),
        follows: Some(subnet.clone()),
        ..change(Action::Replace, gateway.clone(), "network", "config/base.toml:43")
    });
    let follower = |kind: &str, name: &str, cause: &Address, path: &str| Change {
        fields: vec![field(path, json!("before"), json!("after"))],
        follows: Some(cause.clone()),
        ..change(Action::Update, Address::new(kind, name), "network", "config/base.toml:50")
    };
    changes.push(follower("ec2.route_table", "private", &gateway, "routes"));
    for name in ["a", "b", "c"] {
        changes.push(follower("lambda.function", name, &subnet, "network.subnets"));
    }
    let refused = Vec::new();
    let plan = Plan { changes, refused, notes: Vec::new(), ..example() };
    let estimate = Estimate::of(&plan, KINDS, &outlook::Learned::new(), 1);
    let shown = |detail| {
        let view =
            View { kinds: KINDS, estimate: Some(&estimate), ..view(Style::PLAIN, detail, None) };
        text(&plan, view)
    };
    insta::assert_snapshot!(shown(Detail::Short), @"
    Plan for payment dev (account 123456789012, us-east-1)

    Replaces (1)
      ± ec2.subnet/private-1  dev-payment-private-1  config/base.toml:43
          replaced because AWS cannot change cidr in place
          the old one is deleted before the new one is created
          cidr: \"10.0.2.0/24\" -> \"10.0.3.0/24\"
          traffic: an outage of about 3 m 00 s
          ± 1 replaced: ec2.nat_gateway/nat-1
          ~ 4 changed: ec2.route_table/private, lambda.function x 3

    In short; -v shows every field and consequence.
    Takes about 3 m 00 s, about 14 calls. Critical path: - ec2.nat_gateway/nat-1 1 m 10 s > + ec2.nat_gateway/nat-1 1 m 50 s.
    Plan: 0 to create, 4 to change, 2 to replace, 0 to delete, 1 unchanged.
    ");
    let full = shown(Detail::Full);
    for line in ["replaced because its subnet private-1 is replaced", "network.subnets: \"before\""]
    {
        assert!(full.contains(line), "{full}");
    }
}

#[test]
fn the_critical_path_names_what_takes_long_and_what_lingers() {
    const KINDS: &[&Meta] = &[
        &Meta {
            typical: payctl_engine::model::meta::Typical::seconds(20, 15, 5).lingering(1200),
            ..Meta::new("lambda.function", "lambda", "A function.")
        },
        &Meta { use_blocks_delete: true, ..Meta::new("ec2.subnet", "ec2", "A subnet.") },
        &Meta::new("sqs.queue", "sqs", "A queue."),
    ];
    let takes = |changes: Vec<Change>| {
        let plan = Plan { changes, ..example() };
        let estimate = Estimate::of(&plan, KINDS, &outlook::Learned::new(), 1);
        [false, true].map(|is_elsewhere| takes(&plan, &estimate, is_elsewhere))
    };
    let subnet = Address::new("ec2.subnet", "private-1");
    let function = Address::new("lambda.function", "api");
    let gone = |address: &Address, uses: BTreeSet<Address>| Change {
        uses,
        ..change(Action::Delete, address.clone(), "", "")
    };
    let uses = BTreeSet::from([subnet.clone()]);
    assert_eq!(
        takes(vec![gone(&function, uses), gone(&subnet, BTreeSet::new())])[0],
        "Takes about 20 m 06 s, about 4 calls. Critical path: 20 m 00 s until lambda.function/api is gone."
    );
    // No step of a long chain of short ones is worth naming.
    let queue = |at: usize| Address::new("sqs.queue", format!("q{at:02}"));
    let chain = (0..30).map(|at| Change {
        needs: (at > 0).then(|| queue(at - 1)).into_iter().collect(),
        ..change(Action::Create, queue(at), "queues", "")
    });
    assert_eq!(
        takes(chain.collect()),
        ["Takes about 30 s, about 90 calls.", "Takes about 30 s on AWS, about 90 calls."]
    );
    assert_eq!(
        takes(vec![change(Action::Create, queue(0), "queues", "")]),
        ["Takes some seconds, about 3 calls.", "Takes some seconds on AWS, about 3 calls."]
    );
}

/// A reference to what exists is shown as what it is.
#[test]
fn a_new_resource_shows_what_is_known_of_its_references() {
    const KINDS: &[&Meta] =
        &[&Meta { asked: &["target"], ..Meta::new("sqs.queue", "sqs", "A queue.") }];
    let target = Text::reference(Address::new("sqs.queue", "failed"), Output::Arn);
    let spec = json!({ "target": target });
    let mut new = create(Address::new("sqs.queue", "payments"), "queues", spec, &[]);
    new.fields = vec![FieldChange {
        before: None,
        ..field("target", Value::Null, json!("arn:aws:sqs:us-east-1:1:failed"))
    }];
    let plan = Plan { changes: vec![new], refused: Vec::new(), ..example() };
    let view = View { kinds: KINDS, ..view(Style::PLAIN, Detail::Short, None) };
    let text = text(&plan, view);
    assert!(text.contains("target arn:aws:sqs:us-east-1:1:failed"), "{text}");
}

#[test]
fn new_resources_are_summarised() {
    let new = |change: &Change| change.action == Action::Create;
    let changes = example().changes.into_iter().filter(new).collect();
    let plan = Plan { changes, refused: Vec::new(), ..example() };
    insta::assert_snapshot!(text(&plan, view(Style::PLAIN, Detail::Short, None)));
}

/// Resources that lose the same stand together in short, and alone with -v.
#[test]
fn losses_of_one_kind_are_told_once() {
    let lost = |name: &str, regain: &str| Change {
        irreversible: Some("the log events".into()),
        regain: Some(regain.to_owned()).filter(|regain| !regain.is_empty()),
        ..change(Action::Delete, Address::new("logs.log_group", name), "logs", "config/dev.toml:9")
    };
    let changes = vec![lost("a", ""), lost("b", "S3 has a copy"), lost("c", "")];
    let plan = Plan { changes, refused: Vec::new(), notes: Vec::new(), ..example() };
    let shown = |detail| text(&plan, view(Style::PLAIN, detail, None));
    insta::assert_snapshot!(shown(Detail::Short), @"
    Plan for payment dev (account 123456789012, us-east-1)

    Loses data (3)
      - logs.log_group x 2: a, c
          ! lost for good: the log events
          undo: no
      - logs.log_group/b  dev-payment-b  config/dev.toml:9
          ! lost for good: the log events
          recoverable: S3 has a copy
          undo: with a restore

    In short; -v shows every field and consequence.
    Plan: 0 to create, 0 to change, 0 to replace, 3 to delete, 1 unchanged. 3 changes lose data for good.
    ");
    assert_eq!(shown(Detail::Full).matches("lost for good").count(), 3);
}

#[test]
fn a_plan_with_colour() {
    let page = shown(
        Style { color: true },
        &text(&example(), view(Style { color: true }, Detail::Full, Some(EFFORT))),
    )
    .replace('\u{1b}', "^");
    insta::assert_snapshot!(page);
}

#[test]
fn colour_does_not_change_the_text() {
    let colored = shown(
        Style { color: true },
        &text(&example(), view(Style { color: true }, Detail::Full, None)),
    );
    let codes = regex_lite::Regex::new("\u{1b}\\[[0-9]*m").unwrap();
    assert_eq!(
        codes.replace_all(&colored, ""),
        text(&example(), view(Style::PLAIN, Detail::Full, None))
    );
}

#[test]
fn own_tags_are_never_shown() {
    let plan = example();
    assert!(!text(&plan, view(Style::PLAIN, Detail::Full, None)).contains("payctl:"));
    assert!(
        !super::super::json::plan(&plan, view(Style::PLAIN, Detail::Full, None))
            .to_string()
            .contains("payctl:")
    );
}

#[test]
fn an_empty_plan_is_one_sentence() {
    let plan = Plan { changes: Vec::new(), refused: Vec::new(), ..example() };
    insta::assert_snapshot!(summary(&plan, Style::PLAIN, Some(EFFORT)), @"No changes: 1 resource is as configured. 61 API calls in 0.8 s.");
    let plan = Plan { purpose: Purpose::Destroy, unchanged: Vec::new(), ..plan };
    insta::assert_snapshot!(summary(&plan, Style::PLAIN, None), @"Nothing to destroy: the environment does not exist.");
}

#[test]
fn disputed_objects_are_named() {
    let left_alone = vec![LeftAlone {
        address: Address::new("secretsmanager.secret", "api"),
        id: "stripe-live".into(),
        reason: "its tags say that it is, but `stripe-live` does not name dev".into(),
    }];
    let plan = Plan { changes: Vec::new(), refused: Vec::new(), left_alone, ..example() };
    insta::assert_snapshot!(text(&plan, view(Style::PLAIN, Detail::Short, None)), @"
    Plan for payment dev (account 123456789012, us-east-1)

    note: dynamodb.table/refunds (config/base.toml:80): `restore_from` is set, but dev-payment-refunds exists
      remove it

    Left alone, because only the tags say that this environment owns it:
      secretsmanager.secret/api  stripe-live
          its tags say that it is, but `stripe-live` does not name dev

    No changes: 1 resource is as configured.
    ");
}
