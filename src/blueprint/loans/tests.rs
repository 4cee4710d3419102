//! What stands for a loan, and what its references become. Nothing here asks AWS.

use serde_json::{Value, json};

use super::*;
use crate::blueprint::{Facts, build};
use crate::config::{Loaded, Problem, inspect};
use payctl_engine::model::desired::Blueprint;
use payctl_engine::model::live::{Found, Owner, Phase, Tags};
use payctl_engine::model::text::{Output, Outputs};

fn loaded(text: &str) -> Loaded {
    let dir = tempfile::tempdir().expect("a folder");
    let text = format!("project = \"shop\"\nregion = \"us-east-1\"\n{text}\n");
    std::fs::write(dir.path().join("dev.toml"), text).expect("a file");
    std::fs::create_dir(dir.path().join("f")).expect("a folder");
    std::fs::write(dir.path().join("f/index.py"), "def h(e, c): pass").expect("a file");
    let (loaded, problems) = inspect(dir.path(), "dev", &|_| None, None);
    assert!(problems.is_empty(), "{problems:#?}");
    loaded.expect("a config")
}

fn found(address: &str, spec: Value, outputs: &[(Output, &str)]) -> Found {
    let address: Address = address.parse().expect("an address");
    let id = outputs.first().map_or("", |(_, id)| id).to_owned();
    let outputs = outputs.iter().map(|(output, value)| (*output, (*value).to_owned()));
    let outputs: Outputs = outputs.collect();
    let live = Live { id, spec, outputs, tags: Tags::new(), phase: Phase::Ready };
    Found { address, owner: Owner::Ours, live }
}

/// The answers, by what was asked. What nobody mentions was not found.
fn answers(loaded: &Loaded, all: &[(&str, Found)]) -> BTreeMap<Asked, Vec<Found>> {
    let asked = loans(&loaded.config).iter().flat_map(Loan::asks).collect::<Vec<_>>();
    let is_of = |asked: &Asked, place: &str, kind: &str| match asked {
        Asked::Env { env, kind: other } => place == env && other == kind,
        Asked::Others { by, kind: other } => by.to_string().contains(place) && other == kind,
    };
    let of = |asked: &Asked| {
        let here = all.iter().filter(|(place, found)| is_of(asked, place, &found.address.kind));
        here.map(|(_, found)| found.clone()).collect()
    };
    asked.iter().map(|asked| (asked.clone(), of(asked))).collect()
}

fn take(loaded: &Loaded, all: &[(&str, Found)]) -> Result<Lent, Vec<Problem>> {
    taken(loaded, &loans(&loaded.config), &answers(loaded, all))
}

/// The only problem, with its line.
fn refused(loaded: &Loaded, all: &[(&str, Found)]) -> String {
    let problems = take(loaded, all).expect_err("a problem");
    let shown: Vec<String> =
        problems.iter().map(|one| format!("{} {}", one.place.line, one.message)).collect();
    shown.join("; ")
}

fn built(loaded: &Loaded, lent: Lent) -> Result<Blueprint, Vec<Problem>> {
    let facts = Facts::placeholder("us-east-1");
    build(loaded, &Facts { account: "123456789012".into(), lent: Some(lent), ..facts })
}

const VPC_OF_OTHERS: &str = "[network]\nvpc = { tags = { Name = \"shared\" } }\n\
                             private_subnets = { tags = { Tier = \"private\" } }\n";

fn vpc(id: &str) -> (&'static str, Found) {
    ("shared", found("ec2.vpc/x", json!({ "cidr": "10.9.0.0/16" }), &[(Output::Id, id)]))
}

fn subnet(id: &str, vpc: &str, zone: &str) -> (&'static str, Found) {
    let spec = json!({ "vpc": vpc, "zone": zone });
    ("private", found("ec2.subnet/x", spec, &[(Output::Id, id)]))
}

#[test]
fn subnets_of_other_vpcs_are_not_taken_and_zones_decide_the_order() {
    let loaded = loaded(VPC_OF_OTHERS);
    let all = [
        vpc("vpc-1"),
        subnet("subnet-b", "vpc-1", "us-east-1b"),
        subnet("subnet-z", "vpc-1", "us-east-1a"),
        subnet("subnet-x", "vpc-2", "us-east-1a"),
    ];
    let lent = take(&loaded, &all).expect("all is there");
    let seen: Vec<(String, &str)> =
        lent.iter().map(|(address, live)| (address.to_string(), live.id.as_str())).collect();
    let expected = [
        ("ec2.subnet/private-1".to_owned(), "subnet-z"),
        ("ec2.subnet/private-2".to_owned(), "subnet-b"),
        ("ec2.vpc/main".to_owned(), "vpc-1"),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn missing_ambiguous_and_unfit_objects_are_named_with_their_line() {
    let config = loaded(VPC_OF_OTHERS);
    assert_eq!(refused(&config, &[]), "4 there is no ec2.vpc with the tag Name = shared here");
    let two = [vpc("vpc-1"), vpc("vpc-2")];
    let words = "4 2 of ec2.vpc have the tag Name = shared here: vpc-1, vpc-2";
    assert_eq!(refused(&config, &two), words);
    let elsewhere = [vpc("vpc-1"), subnet("subnet-x", "vpc-2", "us-east-1a")];
    let words = "5 vpc-1 has no subnet with the tag Tier = private; in other VPCs: subnet-x";
    assert_eq!(refused(&config, &elsewhere), words);
    let mut disabled = found("kms.key/x", Value::Null, &[(Output::Id, "1234")]);
    disabled.live.phase = Phase::Pending("Disabled".into());
    let config = loaded("[keys.main]\nexisting = { alias = \"shared\" }\n");
    let words = "4 kms.key 1234 cannot be used: Disabled";
    assert_eq!(refused(&config, &[("shared", disabled)]), words);
}

#[test]
fn one_zone_is_not_enough_for_a_database() {
    let database = "[security_groups.db]\ndescription = \"x\"\n[secrets.db]\ntemplate = { username = \"app\" }\n[databases.main]\n\
                    engine_version = \"15\"\nsecret = \"db\"\nsecurity_groups = [\"db\"]\n\
                    subnets = \"private\"\nserverless = { min = 1, max = 2 }\n\
                    instances = [{ class = \"db.serverless\" }]\n";
    let config = loaded(&format!("{VPC_OF_OTHERS}{database}"));
    let one = [vpc("vpc-1"), subnet("subnet-a", "vpc-1", "us-east-1a")];
    let problems = built(&config, take(&config, &one).expect("found")).expect_err("a problem");
    let words = "the private subnets of the network are all in us-east-1a";
    assert!(problems.iter().any(|one| one.message.contains(words)), "{problems:#?}");
    let more = [one[0].clone(), one[1].clone(), subnet("subnet-b", "vpc-1", "us-east-1b")];
    built(&config, take(&config, &more).expect("found")).expect("two zones are enough");
}

#[test]
fn a_database_comes_with_its_instances_and_its_secret_and_no_others() {
    let config = loaded(
        "[network]\nfrom = \"stage\"\n[databases.main]\nfrom = \"stage\"\n[outputs]\n\
         Secret = \"${databases.main.secret_arn}\"\nHost = \"${databases.main.endpoint}\"\n",
    );
    let cluster = |name: &str, id: &str| {
        let outputs = [(Output::Id, id), (Output::Endpoint, "db.example.com")];
        ("stage", found(&format!("rds.cluster/{name}"), Value::Null, &outputs))
    };
    let attachment = |name: &str, cluster: &str, arn: &str| {
        let spec = json!({ "cluster": cluster, "secret": arn });
        ("stage", found(&format!("secretsmanager.attachment/{name}"), spec, &[]))
    };
    let instance = |name: &str| ("stage", found(&format!("rds.instance/{name}"), Value::Null, &[]));
    let all = [
        ("stage", found("ec2.vpc/main", json!({ "cidr": "10.0.0.0/16" }), &[(Output::Id, "v")])),
        cluster("main", "stage-main"),
        cluster("main-2", "stage-main-2"),
        attachment("a", "stage-main-2", "arn:2"),
        attachment("b", "stage-main", "arn:1"),
        instance("main-1"),
        instance("main-2-1"),
        instance("other-1"),
    ];
    let lent = take(&config, &all).expect("all is there");
    let seen: Vec<String> = lent.keys().map(Address::to_string).collect();
    let expected = [
        "ec2.vpc/main",
        "rds.cluster/main",
        "rds.instance/main-1",
        "secretsmanager.attachment/database:main",
    ];
    assert_eq!(seen, expected);
    let blueprint = built(&config, lent).expect("a blueprint");
    assert_eq!(blueprint.outputs["Secret"].literal(), Some("arn:1"));
    assert_eq!(blueprint.outputs["Host"].literal(), Some("db.example.com"));
    assert!(blueprint.resources.is_empty(), "it owns nothing of them");
}

#[test]
fn a_rule_on_the_listener_of_another_environment_is_its_own() {
    let config = loaded(
        "[load_balancers.public]\nfrom = \"stage\"\n[[load_balancers.public.listeners]]\nport = 443\n\
         rules.app = { when = { host = \"pr.example.com\" }, forward = \"app\" }\n\
         [functions.f]\nsource = \"f\"\nruntime = \"python3.13\"\nhandler = \"index.h\"\nrole = \"r\"\n\
         [roles.r]\nservices = \"lambda.amazonaws.com\"\n[target_groups.app]\nfunction = \"f\"\n",
    );
    let outputs = [(Output::Arn, "arn:lb"), (Output::Name, "stage-lb")];
    let all = [
        ("stage", found("elb.load_balancer/public", Value::Null, &outputs)),
        ("stage", found("elb.listener/public-443", Value::Null, &[(Output::Arn, "arn:listener")])),
        ("stage", found("elb.listener/other-443", Value::Null, &[(Output::Arn, "arn:other")])),
    ];
    let blueprint = built(&config, take(&config, &all).expect("found")).expect("a blueprint");
    let rule = &blueprint.resources[&Address::new("elb.listener_rule", "public-443-app")];
    assert_eq!((&rule.spec["listener"], rule.spec.get("priority")), (&json!("arn:listener"), None));
    assert_eq!(rule.name, "stage-lb:443 app");
    let kinds: BTreeSet<&str> = blueprint.resources.keys().map(|it| it.kind.as_str()).collect();
    assert!(!kinds.contains("elb.load_balancer") && !kinds.contains("elb.listener"), "{kinds:?}");

    let without = [all[0].clone()];
    let problems = built(&config, take(&config, &without).expect("found")).expect_err("a problem");
    let words = "refers to elb.listener/public-443, which stage does not have";
    assert!(problems.iter().any(|one| one.message.contains(words)), "{problems:#?}");
}
