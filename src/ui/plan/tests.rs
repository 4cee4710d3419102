//! The plan as people see it, with and without colours.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::text::shown;
use super::*;
use payctl_engine::model::address::Address;
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
        outputs: BTreeMap::new(),
    }
}

const EFFORT: Effort = Effort { calls: 61, elapsed: Duration::from_millis(812) };

#[test]
fn a_plan_without_colour() {
    insta::assert_snapshot!(text(&example(), Style::PLAIN, Detail::Full, Some(EFFORT)), @r#"
    Plan for payment dev (account 123456789012, us-east-1)
    Tags on every new resource:
      CreatedAt=2026-11-20, Environment=dev, Team=payments

    keys
      + kms.key/data  dev-payment-data  config/base.toml:12
          policy:
            Statement:
              - Action:
                  - "sqs:SendMessage"
                  - "sqs:ReceiveMessage"
                  - "sqs:GetQueueAttributes"
                Effect: "Allow"
                Principal:
                  Service: "sns.amazonaws.com"
                Resource: "*"
                Sid: "First"
              - Action:
                  - "sqs:SendMessage"
                  - "sqs:ReceiveMessage"
                  - "sqs:GetQueueAttributes"
                Effect: "Allow"
                Principal:
                  Service: "sns.amazonaws.com"
                Resource: "*"
                Sid: "Second"
            Version: "2012-10-17"
          rotation: true

    network
      + ec2.subnet/private-a  dev-payment-private-a  config/base.toml:12
          cidr:   "10.0.0.0/20"
          public: true
          vpc:    (known after apply: ec2.vpc/main id)
          zone:   "us-east-1a"
          tags: Tier=private
      ± ec2.vpc/main  dev-payment-main  config/base.toml:8
          because: AWS cannot change `cidr` in place
          the new one is created before the old one is deleted
          cidr: "10.0.0.0/16" -> "10.1.0.0/16"

    no longer configured
      - dynamodb.table/old  dev-payment-old
          because: it is no longer in the config
          ! lost for good: the items in the table
          recoverable: AWS keeps a backup

    queues
      ~ sqs.queue/payments  dev-payment-payments  config/dev.toml:41
          visibility_timeout: 60 -> 120
          delay:              (not set) -> 5
          encryption.kms:     "arn:aws:kms:x" -> (known after apply: kms.key/data arn)
          policy:
              ... 12 lines unchanged
                    - "sqs:ReceiveMessage"
                    - "sqs:GetQueueAttributes"
            -     Effect: "Deny"
            +     Effect: "Allow"
                  Principal:
                    Service: "sns.amazonaws.com"
            -     Resource: "*"
            +     Resource: "arn:aws:sqs:q"
                  Sid: "Second"
              Version: "2012-10-17"
          tags.Team:          "core" -> "payments"
          redrive:
            - max_receives: 5
            - target: "arn:d"

    error: cannot plan s3.bucket/audit
      what:  the name dev-payment-audit belongs to somebody else (it has no tags)
      where: config/base.toml:77
      hint:  choose another name with `name = "..."`

    note: dynamodb.table/refunds (config/base.toml:80): `restore_from` is set, but dev-payment-refunds exists
      remove it

    Plan: 2 to create, 1 to change, 1 to replace, 1 to delete, 1 unchanged. 1 change loses data for good. 1 refused. 61 API calls in 0.8 s.
    "#);
}

#[test]
fn new_resources_are_summarised() {
    let new = |change: &Change| change.action == Action::Create;
    let changes = example().changes.into_iter().filter(new).collect();
    let plan = Plan { changes, refused: Vec::new(), ..example() };
    insta::assert_snapshot!(text(&plan, Style::PLAIN, Detail::Short, None), @r"
    Plan for payment dev (account 123456789012, us-east-1)
    Tags on every new resource:
      CreatedAt=2026-11-20, Environment=dev, Team=payments

    keys
      + kms.key/data  dev-payment-data  config/base.toml:12
          rotation: true, policy: 2 statements

    network
      + ec2.subnet/private-a  dev-payment-private-a  config/base.toml:12
          cidr: 10.0.0.0/20, public: true, zone: us-east-1a, vpc: ${ec2.vpc/main.id}
          tags: Tier=private

    note: dynamodb.table/refunds (config/base.toml:80): `restore_from` is set, but dev-payment-refunds exists
      remove it

    New resources are shown in short; -v shows every field.
    Plan: 2 to create, 0 to change, 0 to replace, 0 to delete, 1 unchanged.
    ");
}

#[test]
fn a_plan_with_colour() {
    let page = shown(
        Style { color: true },
        &text(&example(), Style { color: true }, Detail::Full, Some(EFFORT)),
    )
    .replace('\u{1b}', "^");
    insta::assert_snapshot!(page, @r#"
    ^[1mPlan for payment dev (account 123456789012, us-east-1)^[0m
    Tags on every new resource:
      CreatedAt=2026-11-20, Environment=dev, Team=payments

    ^[1mkeys^[0m
      ^[32m+ kms.key/data^[0m  ^[2mdev-payment-data^[0m  ^[2mconfig/base.toml:12^[0m
          policy:
            Statement:
              - Action:
                  - "sqs:SendMessage"
                  - "sqs:ReceiveMessage"
                  - "sqs:GetQueueAttributes"
                Effect: "Allow"
                Principal:
                  Service: "sns.amazonaws.com"
                Resource: "*"
                Sid: "First"
              - Action:
                  - "sqs:SendMessage"
                  - "sqs:ReceiveMessage"
                  - "sqs:GetQueueAttributes"
                Effect: "Allow"
                Principal:
                  Service: "sns.amazonaws.com"
                Resource: "*"
                Sid: "Second"
            Version: "2012-10-17"
          rotation: true

    ^[1mnetwork^[0m
      ^[32m+ ec2.subnet/private-a^[0m  ^[2mdev-payment-private-a^[0m  ^[2mconfig/base.toml:12^[0m
          cidr:   "10.0.0.0/20"
          public: true
          vpc:    (known after apply: ec2.vpc/main id)
          zone:   "us-east-1a"
          tags: Tier=private
      ^[35m± ec2.vpc/main^[0m  ^[2mdev-payment-main^[0m  ^[2mconfig/base.toml:8^[0m
          because: AWS cannot change `cidr` in place
          the new one is created before the old one is deleted
          cidr: ^[31m"10.0.0.0/16"^[0m -> ^[32m"10.1.0.0/16"^[0m

    ^[1mno longer configured^[0m
      ^[31m- dynamodb.table/old^[0m  ^[2mdev-payment-old^[0m
          because: it is no longer in the config
          ^[31m! lost for good: the items in the table^[0m
          recoverable: AWS keeps a backup

    ^[1mqueues^[0m
      ^[33m~ sqs.queue/payments^[0m  ^[2mdev-payment-payments^[0m  ^[2mconfig/dev.toml:41^[0m
          visibility_timeout: ^[31m60^[0m -> ^[32m120^[0m
          delay:              ^[31m(not set)^[0m -> ^[32m5^[0m
          encryption.kms:     ^[31m"arn:aws:kms:x"^[0m -> ^[32m(known after apply: kms.key/data arn)^[0m
          policy:
            ^[2m  ... 12 lines unchanged^[0m
                    - "sqs:ReceiveMessage"
                    - "sqs:GetQueueAttributes"
            ^[31m-     Effect: "Deny"^[0m
            ^[32m+     Effect: "Allow"^[0m
                  Principal:
                    Service: "sns.amazonaws.com"
            ^[31m-     Resource: "*"^[0m
            ^[32m+     Resource: "arn:aws:sqs:q"^[0m
                  Sid: "Second"
              Version: "2012-10-17"
          tags.Team:          ^[31m"core"^[0m -> ^[32m"payments"^[0m
          redrive:
            ^[31m- max_receives: 5^[0m
            ^[31m- target: "arn:d"^[0m

    ^[31merror:^[0m cannot plan s3.bucket/audit
      ^[1mwhat: ^[0m the name dev-payment-audit belongs to somebody else (it has no tags)
      ^[1mwhere:^[0m config/base.toml:77
      ^[1mhint: ^[0m choose another name with `name = "..."`

    note: dynamodb.table/refunds (config/base.toml:80): `restore_from` is set, but dev-payment-refunds exists
      remove it

    Plan: ^[32m2 to create^[0m, ^[33m1 to change^[0m, ^[35m1 to replace^[0m, ^[31m1 to delete^[0m, 1 unchanged.^[31m 1 change loses data for good.^[0m^[31m 1 refused.^[0m 61 API calls in 0.8 s.
    "#);
}

#[test]
fn colour_does_not_change_the_text() {
    let colored =
        shown(Style { color: true }, &text(&example(), Style { color: true }, Detail::Full, None));
    let codes = regex_lite::Regex::new("\u{1b}\\[[0-9]*m").unwrap();
    assert_eq!(codes.replace_all(&colored, ""), text(&example(), Style::PLAIN, Detail::Full, None));
}

#[test]
fn own_tags_are_never_shown() {
    let plan = example();
    assert!(!text(&plan, Style::PLAIN, Detail::Full, None).contains("payctl:"));
    assert!(!super::super::json::plan(&plan, None).to_string().contains("payctl:"));
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
    insta::assert_snapshot!(text(&plan, Style::PLAIN, Detail::Short, None), @"
    Plan for payment dev (account 123456789012, us-east-1)

    note: dynamodb.table/refunds (config/base.toml:80): `restore_from` is set, but dev-payment-refunds exists
      remove it

    Left alone, because only the tags say that this environment owns it:
      secretsmanager.secret/api  stripe-live
          its tags say that it is, but `stripe-live` does not name dev

    No changes: 1 resource is as configured.
    ");
}
