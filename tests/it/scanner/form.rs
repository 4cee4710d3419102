//! A blueprint in the words of Terraform: each kind has a table of members of its spec and of the
//! attributes with the same meaning.
//!
//! An attribute without such a member is left out, even if the kind always sets it. The only values
//! written here by hand are those that say what a resource is: the engine of a database, an address
//! of a VPC.

use std::collections::BTreeMap;

use payctl_engine::model::desired::{Blueprint, Desired};
use payctl_engine::model::text::{Output, Ref, resolve};
use serde_json::{Map, Value, json};

mod apigateway;
mod ec2;
mod ecs;
mod elb;
mod hcl;
mod lambda;
mod rds;
mod s3;
mod waf;

/// Kinds that no rule checks.
const NO_RULES: &[&str] = &[
    "apigateway.account",
    "cloudwatch.dashboard",
    "costs.anomaly_monitor",
    "costs.anomaly_subscription",
    "elb.listener_rule",
    "elb.target",
    "logs.metric_filter",
    "scaling.target",
    "secretsmanager.attachment",
];

/// The engine of every `rds.cluster` and `rds.instance`.
const ENGINE: &str = "aurora-postgresql";

/// The type of a kind in Terraform.
fn type_of(kind: &str) -> &'static str {
    match kind {
        "acm.certificate" => "aws_acm_certificate",
        "apigateway.domain_name" => "aws_api_gateway_domain_name",
        "apigateway.rest_api" => "aws_api_gateway_rest_api",
        "apigateway.stage" => "aws_api_gateway_stage",
        "apigateway.vpc_link" => "aws_apigatewayv2_vpc_link",
        "autoscaling.group" => "aws_autoscaling_group",
        "cloudwatch.alarm" => "aws_cloudwatch_metric_alarm",
        "dynamodb.table" => "aws_dynamodb_table",
        "ec2.elastic_ip" => "aws_eip",
        "ec2.flow_log" => "aws_flow_log",
        "ec2.gateway_endpoint" => "aws_vpc_endpoint",
        "ec2.instance" => "aws_instance",
        "ec2.internet_gateway" => "aws_internet_gateway",
        "ec2.launch_template" => "aws_launch_template",
        "ec2.nat_gateway" => "aws_nat_gateway",
        "ec2.route_table" => "aws_route_table",
        "ec2.security_group" => "aws_security_group",
        "ec2.subnet" => "aws_subnet",
        "ec2.vpc" => "aws_vpc",
        "ecs.cluster" => "aws_ecs_cluster",
        "ecs.service" => "aws_ecs_service",
        "ecs.task_definition" => "aws_ecs_task_definition",
        "elb.listener" => "aws_lb_listener",
        "elb.load_balancer" => "aws_lb",
        "elb.target_group" => "aws_lb_target_group",
        "events.rule" => "aws_cloudwatch_event_rule",
        "guardduty.detector" => "aws_guardduty_detector",
        "iam.instance_profile" => "aws_iam_instance_profile",
        "iam.role" => "aws_iam_role",
        "kms.key" => "aws_kms_key",
        "lambda.alias" => "aws_lambda_alias",
        "lambda.event_source" => "aws_lambda_event_source_mapping",
        "lambda.function" => "aws_lambda_function",
        "logs.log_group" => "aws_cloudwatch_log_group",
        "rds.cluster" => "aws_rds_cluster",
        "rds.cluster_parameter_group" => "aws_rds_cluster_parameter_group",
        "rds.instance" => "aws_rds_cluster_instance",
        "rds.subnet_group" => "aws_db_subnet_group",
        "route53.record" => "aws_route53_record",
        "s3.bucket" => "aws_s3_bucket",
        "secretsmanager.rotation" => "aws_secretsmanager_secret_rotation",
        "secretsmanager.secret" => "aws_secretsmanager_secret",
        "sns.subscription" => "aws_sns_topic_subscription",
        "sns.topic" => "aws_sns_topic",
        "sqs.queue" => "aws_sqs_queue",
        "ssm.parameter" => "aws_ssm_parameter",
        "waf.association" => "aws_wafv2_web_acl_association",
        "waf.web_acl" => "aws_wafv2_web_acl",
        _ => panic!("{kind} has no type in Terraform"),
    }
}

fn name_of(logical: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    logical.trim_matches('/').chars().map(plain).collect()
}

/// A reference as Terraform writes it. There is one for every reference.
fn reference(to: &Ref) -> Option<String> {
    let attribute = match (to.to.kind.as_str(), to.output) {
        ("kms.key", Output::Id) => "key_id".to_owned(),
        ("s3.bucket", Output::Name) => "id".to_owned(),
        ("lambda.function", Output::Name) => "function_name".to_owned(),
        ("elb.load_balancer", Output::Endpoint) => "dns_name".to_owned(),
        ("ec2.instance", Output::InterfaceId) => "primary_network_interface_id".to_owned(),
        (_, output) => output.to_string(),
    };
    let kind = type_of(&to.to.kind);
    Some(format!("${{{kind}.{}.{attribute}}}", name_of(&to.to.name)))
}

/// A resource that is being written.
struct Form<'a> {
    kind: &'a str,
    name: String,
    spec: Value,
    tags: Value,
    out: &'a mut Resources,
}

/// Resources by type and name, with their attributes.
type Resources = BTreeMap<String, BTreeMap<String, Value>>;

/// The blueprint as a file of Terraform, and the number of resources in it.
pub fn terraform(blueprint: &Blueprint) -> (String, usize) {
    let mut out = Resources::new();
    for desired in blueprint.resources.values() {
        let Desired { address, spec, tags, .. } = desired;
        if NO_RULES.contains(&address.kind.as_str()) {
            continue;
        }
        Form {
            kind: &address.kind,
            name: name_of(&address.name),
            spec: resolve(&hcl::escaped(spec), &reference),
            tags: hcl::escaped(&json!(tags)),
            out: &mut out,
        }
        .write();
    }
    let mut text = String::new();
    hcl::write_all(&out, &mut text).expect("a string takes everything");
    (text, out.values().map(BTreeMap::len).sum())
}

/// A member of the spec, and the attribute with the same meaning.
type Row = (&'static str, &'static str);

impl Form<'_> {
    fn at(&self, pointer: &str) -> Value {
        self.spec.pointer(pointer).cloned().unwrap_or_default()
    }

    fn is(&self, pointer: &str) -> bool {
        self.at(pointer) == Value::Bool(true)
    }

    fn each(&self, pointer: &str) -> Map<String, Value> {
        self.at(pointer).as_object().cloned().unwrap_or_default()
    }

    fn list(&self, pointer: &str) -> Vec<Value> {
        self.at(pointer).as_array().cloned().unwrap_or_default()
    }

    /// A policy as text, as Terraform expects it.
    fn text(&self, pointer: &str) -> Value {
        self.at(pointer).to_string().into()
    }

    fn own(&self) -> String {
        format!("{}.{}", type_of(self.kind), self.name)
    }

    fn rows(&self, rows: &[Row]) -> Value {
        let pairs = rows.iter().map(|(member, attribute)| {
            ((*attribute).to_owned(), self.at(&format!("/{}", member.replace('.', "/"))))
        });
        Value::Object(pairs.filter(|(_, value)| !value.is_null()).collect())
    }

    fn add(&mut self, kind: &str, name: &str, body: Value) {
        self.out.entry(kind.to_owned()).or_default().insert(name.to_owned(), body);
    }

    /// The resource itself: attributes from rows, and others.
    fn main(&mut self, rows: &[Row], more: Value) {
        let mut body = self.rows(rows);
        for (key, value) in more.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        body["tags"] = self.tags.clone();
        let name = self.name.clone();
        self.add(type_of(self.kind), &name, body);
    }

    /// Another resource of Terraform that belongs to it.
    fn beside(&mut self, kind: &str, more: &str, body: Value) {
        let name =
            if more.is_empty() { self.name.clone() } else { format!("{}_{more}", self.name) };
        self.add(kind, &name_of(&name), body);
    }

    /// The policy, which is a resource of its own in Terraform. Its `attribute` refers to `output` of this
    /// one.
    fn policy(&mut self, kind: &str, attribute: &str, output: &str) {
        if !self.at("/policy").is_null() {
            let to = format!("${{{}.{output}}}", self.own());
            self.beside(kind, "", json!({ (attribute): to, "policy": self.text("/policy") }));
        }
    }

    fn write(mut self) {
        match self.kind.split('.').next().unwrap_or_default() {
            "apigateway" => self.apigateway(),
            "ec2" => self.ec2(),
            "ecs" => self.ecs(),
            "elb" => self.elb(),
            "lambda" => self.lambda(),
            "rds" => self.rds(),
            "s3" => self.s3(),
            "waf" => self.waf(),
            _ => self.rest(),
        }
    }

    /// The services that need few words.
    fn rest(&mut self) {
        match self.kind {
            "acm.certificate" => self.main(
                &[
                    ("domain", "domain_name"),
                    ("names", "subject_alternative_names"),
                    ("key", "key_algorithm"),
                ],
                json!({ "validation_method": "DNS" }),
            ),
            "autoscaling.group" => {
                let template = self.rows(&[("template", "id"), ("template_version", "version")]);
                self.main(
                    &[
                        ("name", "name"),
                        ("min", "min_size"),
                        ("max", "max_size"),
                        ("subnets", "vpc_zone_identifier"),
                        ("health_check", "health_check_type"),
                    ],
                    json!({ "launch_template": template }),
                );
            }
            "cloudwatch.alarm" => self.main(
                &[
                    ("name", "alarm_name"),
                    ("comparison", "comparison_operator"),
                    ("threshold", "threshold"),
                    ("periods", "evaluation_periods"),
                    ("enabled", "actions_enabled"),
                    ("alarm_actions", "alarm_actions"),
                ],
                json!({}),
            ),
            "dynamodb.table" => {
                let key = self.at("/encryption/kms");
                let on_demand = self.at("/billing") == "on_demand";
                let billing = if on_demand { "PAY_PER_REQUEST" } else { "PROVISIONED" };
                self.main(
                    &[
                        ("name", "name"),
                        ("partition_key.name", "hash_key"),
                        ("sort_key.name", "range_key"),
                        ("deletion_protection", "deletion_protection_enabled"),
                    ],
                    json!({
                        "billing_mode": billing,
                        "point_in_time_recovery": { "enabled": self.at("/point_in_time_recovery") },
                        "server_side_encryption": { "enabled": !key.is_null(), "kms_key_arn": key },
                    }),
                );
            }
            "events.rule" => {
                self.main(&[("name", "name"), ("schedule", "schedule_expression")], json!({}));
            }
            "guardduty.detector" => {
                self.main(&[("frequency", "finding_publishing_frequency")], json!({}));
            }
            "iam.instance_profile" => {
                self.main(&[("name", "name"), ("path", "path"), ("role", "role")], json!({}));
            }
            "iam.role" => self.role(),
            "kms.key" => self.main(
                &[
                    ("description", "description"),
                    ("enabled", "is_enabled"),
                    ("rotation", "enable_key_rotation"),
                    ("rotation_days", "rotation_period_in_days"),
                    ("recovery_days", "deletion_window_in_days"),
                ],
                json!({ "policy": self.text("/policy") }),
            ),
            "logs.log_group" => self.main(
                &[
                    ("name", "name"),
                    ("retention_days", "retention_in_days"),
                    ("class", "log_group_class"),
                    ("key", "kms_key_id"),
                ],
                json!({}),
            ),
            "route53.record" => {
                let alias = self.rows(&[("target", "name"), ("target_zone", "zone_id")]);
                self.main(&[("name", "name")], json!({ "type": "A", "alias": alias }));
            }
            "secretsmanager.rotation" => {
                let schedule = self.at("/schedule");
                let rate = schedule.as_str().and_then(|text| text.strip_prefix("rate("));
                let days = rate.and_then(|text| text.split(' ').next()?.parse::<u32>().ok());
                let rules = json!({ "automatically_after_days": days });
                self.main(
                    &[("secret", "secret_id"), ("function", "rotation_lambda_arn")],
                    json!({ "rotation_rules": rules }),
                );
            }
            "secretsmanager.secret" => self.main(
                &[
                    ("name", "name"),
                    ("description", "description"),
                    ("key", "kms_key_id"),
                    ("recovery_days", "recovery_window_in_days"),
                ],
                json!({}),
            ),
            "sns.subscription" => self.main(
                &[("topic", "topic_arn"), ("protocol", "protocol"), ("endpoint", "endpoint")],
                json!({}),
            ),
            "sns.topic" => {
                self.policy("aws_sns_topic_policy", "arn", "arn");
                self.main(&[("name", "name"), ("key", "kms_master_key_id")], json!({}));
            }
            "sqs.queue" => {
                self.policy("aws_sqs_queue_policy", "queue_url", "url");
                let own = self.at("/encryption") == json!("sqs");
                self.main(
                    &[("name", "name"), ("encryption.kms", "kms_master_key_id")],
                    json!({ "sqs_managed_sse_enabled": own }),
                );
            }
            "ssm.parameter" => {
                let kind = if self.is("/list") { "StringList" } else { "String" };
                self.main(&[("name", "name"), ("value", "value")], json!({ "type": kind }));
            }
            _ => self.no_form(),
        }
    }

    fn no_form(&self) -> ! {
        panic!("{} has no form: write one, or put it into NO_RULES", self.kind)
    }

    fn role(&mut self) {
        let role = format!("${{{}.id}}", self.own());
        for (name, policy) in self.each("/inline") {
            let body = json!({ "role": role, "name": name, "policy": policy.to_string() });
            self.beside("aws_iam_role_policy", &name, body);
        }
        for (at, policy) in self.list("/managed").into_iter().enumerate() {
            let body = json!({ "role": role, "policy_arn": policy });
            self.beside("aws_iam_role_policy_attachment", &at.to_string(), body);
        }
        self.main(
            &[
                ("name", "name"),
                ("path", "path"),
                ("description", "description"),
                ("max_session", "max_session_duration"),
                ("boundary", "permissions_boundary"),
            ],
            json!({ "assume_role_policy": self.text("/trust") }),
        );
    }
}
