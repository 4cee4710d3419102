//! The destinations of logs.

use super::check;

#[test]
fn logs_go_only_to_destinations_that_aws_supports() {
    let flows = |to: &str, more: &str| {
        format!("[network]\ncidr = \"10.0.0.0/16\"\nflow_log = {{ to = {to} }}\n{more}")
    };
    let bucket = "[buckets.flows]\n";
    check(&flows("{ retention_days = 8 }", ""), "5:38 CloudWatch cannot keep logs for 8 days");
    check(
        &flows("{ bucket = \"flows\" }", bucket),
        "AWS may not deliver logs to the bucket `flows`",
    );
    let admitted = format!("{bucket}log_delivery = true\n[keys.k]\n");
    check(
        &flows("{ bucket = \"flows\", key = \"k\" }", &admitted),
        "`key` is only for a log group",
    );
    check(
        &flows("{ bucket = \"flows\", class = \"infrequent_access\" }", &admitted),
        "`class` is only for a log group",
    );
    let requests =
        format!("[firewalls.main]\nlog = {{ to = {{ bucket = \"flows\" }} }}\n{admitted}");
    check(&requests, "4:25 WAF does not write into a bucket with this name (give it a `name`");
    check("[firewalls.main]\nlog = { redact = [\"Cookie\"] }\n", "is written in lower case");
}

#[test]
fn a_lock_needs_versions_and_forbids_log_delivery() {
    let bucket = |more: &str| format!("[buckets.b]\nobject_lock = {{ days = 1 }}\n{more}");
    check(&bucket("versioning = false\n"), "4:1 Object Lock needs versions");
    let delivered = "AWS services cannot deliver logs into a bucket with Object Lock";
    check(&bucket("log_delivery = true\n"), delivered);
    check(&bucket("[buckets.c]\naccess_log_to = \"b\"\n"), delivered);
    check(&bucket("").replace("days = 1", "days = 0"), "0 is out of range (use 1 to 36500)");
}
