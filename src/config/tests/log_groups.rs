//! Where logs go.

use super::check;

#[test]
fn logs_go_only_where_aws_delivers_them() {
    let flows = |to: &str, more: &str| {
        format!("[network]\ncidr = \"10.0.0.0/16\"\nflow_log = {{ to = {to} }}\n{more}")
    };
    let bucket = "[buckets.flows]\n";
    check(&flows("{ retention_days = 8 }", ""), "5:38 logs cannot be kept for 8 days");
    check(
        &flows("{ bucket = \"flows\" }", bucket),
        "the bucket `flows` does not admit log delivery",
    );
    let admitted = format!("{bucket}log_delivery = true\n[keys.k]\n");
    check(&flows("{ bucket = \"flows\", key = \"k\" }", &admitted), "`key` is for a log group");
    let requests =
        format!("[firewalls.main]\nlog = {{ to = {{ bucket = \"flows\" }} }}\n{admitted}");
    check(&requests, "4:25 WAF would not write into a bucket of this name (give it a `name`");
    check("[firewalls.main]\nlog = { redact = [\"Cookie\"] }\n", "is written in lower case");
}

#[test]
fn a_lock_needs_versions_and_no_deliveries() {
    let bucket = |more: &str| format!("[buckets.b]\nobject_lock = {{ days = 1 }}\n{more}");
    check(&bucket("versioning = false\n"), "4:1 Object Lock holds versions, and there are none");
    let delivered = "no service delivers logs into a bucket with such a lock";
    check(&bucket("log_delivery = true\n"), delivered);
    check(&bucket("[buckets.c]\naccess_log_to = \"b\"\n"), delivered);
    check(&bucket("").replace("days = 1", "days = 0"), "0 is out of range (1 to 36500)");
}
