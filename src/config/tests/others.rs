//! What others own and a config uses.

use super::{all, check, dir};

#[test]
fn an_object_of_another_owner_is_named_in_one_way_and_stands_alone() {
    check("[keys.k]\nexisting = {}", "4:1 nothing says which one (give exactly one key)");
    let both = "[keys.k]\nexisting = { alias = \"a\", tags = { A = \"b\" } }";
    check(both, "alias and tags cannot be used together");
    check("[keys.k]\nexisting = { tags = {} }", "`tags` is empty: it would mean every one");
    let beside = "[keys.k]\nexisting = { alias = \"a\" }\nrotation = false";
    check(beside, "5:12 `rotation` cannot be used with `existing` (remove it: its owner decides");
    let lent = "[keys.k]\nfrom = \"prod\"\nexisting = { alias = \"a\" }";
    check(lent, "`existing` cannot be used with `from` (remove it: prod decides");
    check("[roles.r]\nexisting = { name = \"a b\" }", "`a b` has the wrong format (a role's name");
    check("[buckets.b]\nexisting = { name = \"B\" }", "`B` has the wrong format (a bucket's name");
    let beside = "[roles.r]\nexisting = { name = \"r\" }\nservices = \"lambda.amazonaws.com\"";
    check(beside, "`services` cannot be used with `existing`");
    check(
        "zone_ids = { \"example.com\" = \"x\" }",
        "`x` has the wrong format (a hosted zone looks",
    );
}

#[test]
fn a_vpc_of_another_owner_has_only_subnets_of_that_owner() {
    let network = |more: &str| format!("[network]\nvpc = {{ tags = {{ Name = \"a\" }} }}\n{more}");
    check(&network("cidr = \"10.0.0.0/16\""), "5:8 `cidr` cannot be used with `vpc`");
    let fix = "payctl creates no subnet in the VPC of another owner (write { ids";
    check(&network("private_subnets = true"), fix);
    check(&network("private_subnets = { ids = [] }"), "`ids` is empty");
    let own = "[network]\ncidr = \"10.0.0.0/16\"\nprivate_subnets = { tags = { A = \"b\" } }";
    check(own, "only a VPC that payctl did not create has such subnets");
    let lent = "[network]\nfrom = \"prod\"\nvpc = { id = \"vpc-12345678\" }";
    check(lent, "`vpc` cannot be used with `from`");
    let tier = "[security_groups.g]\ndescription = \"x\"\n[load_balancers.b]\n\
                scheme = \"internal\"\nsecurity_groups = [\"g\"]\n";
    let lacking = "the network has no private subnets (add `private_subnets = { ids = [...] }`";
    check(&network(tier), lacking);
}

#[test]
fn what_a_file_names_of_another_owner_replaces_what_it_inherits() {
    let base = "project = \"pay\"\nregion = \"eu-west-1\"\n[network]\ncidr = \"10.0.0.0/16\"\n\
                private_subnets = true\n[keys.k]\nfrom = \"prod\"\n[roles.r]\n\
                services = \"lambda.amazonaws.com\"\n";
    let own = "extends = \"base.toml\"\n[network]\nvpc = { id = \"vpc-12345678\" }\n\
               private_subnets = { ids = [\"subnet-12345678\"] }\n[keys.k]\n\
               existing = { alias = \"a\" }\n[roles.r]\nexisting = { name = \"r\" }\n";
    let problems = all(&dir(&[("base.toml", base), ("dev.toml", own)]), "dev");
    assert!(problems.is_empty(), "{problems:#?}");
}
