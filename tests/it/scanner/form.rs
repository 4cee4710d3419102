//! A blueprint in the words of Terraform: for each kind a table of its members and of the attributes
//! that say the same.
//!
//! What is not a member of the spec is not said, whatever the kind does about it. Only what a resource
//! is stands here by name, for rules that ask: the engine of a database, an address of a network.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use payctl_engine::model::desired::{Blueprint, Desired};
use payctl_engine::model::text::{Output, Ref, resolve};
use serde_json::{Map, Value, json};

/// Kinds that no rule looks at.
const NO_RULES: &[&str] = &[
    "apigateway.account",
    "cloudwatch.dashboard",
    "costs.anomaly_monitor",
    "costs.anomaly_subscription",
    "logs.metric_filter",
    "scaling.target",
    "secretsmanager.attachment",
];

/// What `rds.cluster` and `rds.instance` make.
const ENGINE: &str = "aurora-postgresql";

/// The type that references to a kind lead to.
fn type_of(kind: &str) -> &'static str {
    match kind {
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
        "lambda.event_source" => "aws_lambda_event_source_mapping",
        "lambda.function" => "aws_lambda_function",
        "logs.log_group" => "aws_cloudwatch_log_group",
        "rds.cluster" => "aws_rds_cluster",
        "rds.cluster_parameter_group" => "aws_rds_cluster_parameter_group",
        "rds.instance" => "aws_rds_cluster_instance",
        "rds.subnet_group" => "aws_db_subnet_group",
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

/// What a reference is in Terraform. Every reference leads somewhere.
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

/// One resource in the making.
struct Form<'a> {
    kind: &'a str,
    name: String,
    spec: Value,
    tags: Value,
    out: &'a mut Resources,
}

/// Resources by type and name, with their attributes.
type Resources = BTreeMap<String, BTreeMap<String, Value>>;

/// The whole blueprint, as a file that Terraform would read, and how many resources that has.
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
            spec: resolve(&escaped(spec), &reference),
            tags: escaped(&json!(tags)),
            out: &mut out,
        }
        .write();
    }
    let mut text = String::new();
    write_all(&out, &mut text).expect("a string takes everything");
    (text, out.values().map(BTreeMap::len).sum())
}

/// A tree whose strings mean themselves in Terraform, where `${` and `%{` begin an expression.
fn escaped(tree: &Value) -> Value {
    match tree {
        Value::String(text) => text.replace("${", "$${").replace("%{", "%%{").into(),
        Value::Array(items) => items.iter().map(escaped).collect(),
        Value::Object(map) => {
            map.iter().map(|(key, value)| (key.clone(), escaped(value))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => tree.clone(),
    }
}

fn write_all(resources: &Resources, out: &mut String) -> fmt::Result {
    for (kind, named) in resources {
        for (name, body) in named {
            writeln!(out, "resource \"{kind}\" \"{name}\" {{")?;
            write_body(body, out)?;
            out.push_str("}\n");
        }
    }
    Ok(())
}

/// Attributes whose value is a map. Every other object is a block.
const MAPS: &[&str] = &["tags", "variables"];

fn write_body(body: &Value, out: &mut String) -> fmt::Result {
    for (key, value) in body.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::Object(_) if !MAPS.contains(&key.as_str()) => write_block(key, value, out)?,
            Value::Array(blocks) if !blocks.is_empty() && blocks.iter().all(Value::is_object) => {
                for block in blocks {
                    write_block(key, block, out)?;
                }
            }
            _ => {
                write!(out, "{key} = ")?;
                write_expression(value, out)?;
                out.push('\n');
            }
        }
    }
    Ok(())
}

fn write_block(name: &str, body: &Value, out: &mut String) -> fmt::Result {
    writeln!(out, "{name} {{")?;
    write_body(body, out)?;
    out.push_str("}\n");
    Ok(())
}

fn write_expression(value: &Value, out: &mut String) -> fmt::Result {
    match value {
        // A reference alone: the rules follow it only without quotes.
        Value::String(text) => match text.strip_prefix("${").and_then(|t| t.strip_suffix('}')) {
            Some(path) if !path.contains(['$', '{', '}']) => out.push_str(path),
            _ => write!(out, "{value}")?,
        },
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_expression(item, out)?;
                out.push_str(", ");
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push_str("{\n");
            for (key, value) in map {
                write!(out, "{} = ", json!(key))?;
                write_expression(value, out)?;
                out.push('\n');
            }
            out.push('}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => write!(out, "{value}")?,
    }
    Ok(())
}

/// A member under an attribute's name.
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

    /// A policy as Terraform has it, as text.
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

    /// The resource itself: rows, and what rows cannot say.
    fn main(&mut self, rows: &[Row], more: Value) {
        let mut body = self.rows(rows);
        for (key, value) in more.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        body["tags"] = self.tags.clone();
        let name = self.name.clone();
        self.add(type_of(self.kind), &name, body);
    }

    /// A resource beside it.
    fn beside(&mut self, kind: &str, more: &str, body: Value) {
        let name =
            if more.is_empty() { self.name.clone() } else { format!("{}_{more}", self.name) };
        self.add(kind, &name_of(&name), body);
    }

    /// The policy, which is a resource of its own: `attribute` leads to `output` of what it is for.
    fn policy(&mut self, kind: &str, attribute: &str, output: &str) {
        if !self.at("/policy").is_null() {
            let to = format!("${{{}.{output}}}", self.own());
            self.beside(kind, "", json!({ (attribute): to, "policy": self.text("/policy") }));
        }
    }

    fn write(mut self) {
        match self.kind {
            "apigateway.rest_api" => self.rest_api(),
            "apigateway.stage" => self.stage(),
            "apigateway.vpc_link" => self.main(
                &[("name", "name"), ("subnets", "subnet_ids"), ("groups", "security_group_ids")],
                json!({}),
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
            "ec2.elastic_ip" => self.main(&[], json!({ "domain": "vpc" })),
            "ec2.flow_log" => self.main(
                &[
                    ("vpc", "vpc_id"),
                    ("traffic", "traffic_type"),
                    ("destination", "log_destination"),
                    ("role", "iam_role_arn"),
                    ("interval", "max_aggregation_interval"),
                ],
                json!({}),
            ),
            "ec2.gateway_endpoint" => self.main(
                &[
                    ("vpc", "vpc_id"),
                    ("service", "service_name"),
                    ("route_tables", "route_table_ids"),
                    ("policy", "policy"),
                ],
                json!({}),
            ),
            "ec2.instance" => self.main(
                &[
                    ("instance_type", "instance_type"),
                    ("subnet", "subnet_id"),
                    ("groups", "vpc_security_group_ids"),
                    ("profile", "iam_instance_profile"),
                    ("user_data", "user_data"),
                    ("source_dest_check", "source_dest_check"),
                ],
                json!({ "root_block_device": { "encrypted": self.at("/encrypted") } }),
            ),
            "ec2.internet_gateway" => self.main(&[("vpc", "vpc_id")], json!({})),
            "ec2.launch_template" => {
                let volume = [
                    ("volume.encrypted", "encrypted"),
                    ("volume.key", "kms_key_id"),
                    ("volume.size", "volume_size"),
                    ("volume.type", "volume_type"),
                ];
                let disk = json!({
                    "device_name": self.at("/volume/device"), "ebs": self.rows(&volume),
                });
                let tokens = if self.is("/token_required") { "required" } else { "optional" };
                self.main(
                    &[
                        ("name", "name"),
                        ("image", "image_id"),
                        ("instance_type", "instance_type"),
                        ("groups", "vpc_security_group_ids"),
                        ("user_data", "user_data"),
                    ],
                    json!({
                        "block_device_mappings": [disk],
                        "iam_instance_profile": { "name": self.at("/profile") },
                        "metadata_options": { "http_tokens": tokens },
                    }),
                );
            }
            "ec2.nat_gateway" => {
                self.main(&[("subnet", "subnet_id"), ("address", "allocation_id")], json!({}));
            }
            "ec2.route_table" => self.route_table(),
            "ec2.security_group" => self.main(
                &[("name", "name"), ("description", "description"), ("vpc", "vpc_id")],
                json!({}),
            ),
            "ec2.security_group_rules" => self.security_group_rules(),
            "ec2.subnet" => self.main(
                &[
                    ("vpc", "vpc_id"),
                    ("cidr", "cidr_block"),
                    ("zone", "availability_zone"),
                    ("public_addresses", "map_public_ip_on_launch"),
                ],
                json!({}),
            ),
            "ec2.vpc" => {
                if self.is("/default_group_closed") {
                    let body = json!({ "vpc_id": format!("${{{}.id}}", self.own()) });
                    self.beside("aws_default_security_group", "", body);
                }
                self.main(
                    &[
                        ("cidr", "cidr_block"),
                        ("dns_support", "enable_dns_support"),
                        ("dns_hostnames", "enable_dns_hostnames"),
                    ],
                    json!({}),
                );
            }
            "ecs.cluster" => {
                let insights =
                    json!({ "name": "containerInsights", "value": self.at("/insights") });
                self.main(&[("name", "name")], json!({ "setting": [insights] }));
            }
            "ecs.service" => self.ecs_service(),
            "ecs.task_definition" => self.task_definition(),
            "elb.listener" => self.listener(),
            "elb.load_balancer" => self.load_balancer(),
            "elb.target_group" => {
                let health = [
                    ("health.protocol", "protocol"),
                    ("health.path", "path"),
                    ("health.port", "port"),
                    ("health.matcher", "matcher"),
                ];
                let health = self.rows(&health);
                self.main(
                    &[
                        ("name", "name"),
                        ("vpc", "vpc_id"),
                        ("protocol", "protocol"),
                        ("port", "port"),
                        ("target_type", "target_type"),
                    ],
                    json!({ "health_check": health }),
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
            "lambda.event_source" => self
                .main(&[("function", "function_name"), ("source", "event_source_arn")], json!({})),
            "lambda.function" => self.function(),
            "lambda.permissions" => {
                let function = self.at("/function");
                for (sid, caller) in self.each("/callers") {
                    let body = json!({
                        "function_name": function,
                        "principal": caller["principal"],
                        "action": caller["action"],
                        "source_arn": caller["source"],
                        "source_account": caller["source_account"],
                    });
                    self.beside("aws_lambda_permission", &sid, body);
                }
            }
            "logs.log_group" => self.main(
                &[("name", "name"), ("retention_days", "retention_in_days"), ("key", "kms_key_id")],
                json!({}),
            ),
            "rds.cluster" => self.database(),
            "rds.cluster_parameter_group" => {
                let parameters = self.each("/parameters").into_iter();
                let parameters: Vec<Value> = parameters
                    .map(|(name, value)| json!({ "name": name, "value": value }))
                    .collect();
                self.main(
                    &[("name", "name"), ("family", "family")],
                    json!({ "parameter": parameters }),
                );
            }
            "rds.instance" => self.main(
                &[
                    ("name", "identifier"),
                    ("cluster", "cluster_identifier"),
                    ("class", "instance_class"),
                    ("public", "publicly_accessible"),
                    ("auto_minor_upgrades", "auto_minor_version_upgrade"),
                    ("monitoring.interval", "monitoring_interval"),
                    ("monitoring.role", "monitoring_role_arn"),
                    ("insights_days", "performance_insights_retention_period"),
                ],
                json!({
                    "engine": ENGINE,
                    "performance_insights_enabled": !self.at("/insights_days").is_null(),
                }),
            ),
            "rds.subnet_group" => {
                self.main(&[("name", "name"), ("subnets", "subnet_ids")], json!({}));
            }
            "s3.bucket" => self.bucket(),
            "secretsmanager.rotation" => {
                let schedule = self.at("/schedule");
                let days = schedule.as_str().and_then(|text| text.strip_prefix("rate("));
                let days = days.and_then(|text| text.split(' ').next()?.parse::<u32>().ok());
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
            "waf.association" => {
                self.main(&[("acl", "web_acl_arn"), ("resource", "resource_arn")], json!({}));
            }
            "waf.web_acl" => self.web_acl(),
            other => panic!("{other} has no form: write one, or put it into NO_RULES"),
        }
    }

    fn rest_api(&mut self) {
        let id = format!("${{{}.id}}", self.own());
        for (route, settings) in self.each("/routes") {
            let (method, _) = route.split_once(' ').unwrap_or((&route, ""));
            let body = json!({
                "rest_api_id": id,
                "http_method": method,
                "authorization": settings["authorization"],
                "api_key_required": settings["api_key_required"],
                "request_validator_id": settings["validator"],
            });
            self.beside("aws_api_gateway_method", &route, body);
        }
        self.policy("aws_api_gateway_rest_api_policy", "rest_api_id", "id");
        let kind = json!({ "types": [self.at("/endpoint")] });
        self.main(
            &[("name", "name"), ("description", "description")],
            json!({ "endpoint_configuration": kind }),
        );
    }

    fn stage(&mut self) {
        let stage = format!("${{{}.stage_name}}", self.own());
        for (path, settings) in self.each("/methods") {
            let body = json!({
                "rest_api_id": self.at("/api"),
                "stage_name": stage,
                "method_path": path,
                "settings": {
                    "logging_level": settings["log_level"],
                    "data_trace_enabled": settings["data_trace"],
                    "metrics_enabled": settings["metrics"],
                },
            });
            self.beside("aws_api_gateway_method_settings", &path, body);
        }
        let log =
            self.rows(&[("access_log.group", "destination_arn"), ("access_log.format", "format")]);
        let log = Some(log).filter(|_| !self.at("/access_log").is_null());
        self.main(
            &[("api", "rest_api_id"), ("name", "stage_name"), ("tracing", "xray_tracing_enabled")],
            json!({ "access_log_settings": log }),
        );
    }

    fn route_table(&mut self) {
        let words = [
            ("internet_gateway", "gateway_id"),
            ("nat_gateway", "nat_gateway_id"),
            ("interface", "network_interface_id"),
        ];
        let routes = self.each("/routes").into_iter().map(|(cidr, route)| {
            let to = words.iter().find(|(word, _)| route.get(word).is_some());
            let (word, attribute) = to.unwrap_or_else(|| panic!("no word for the route {route}"));
            json!({ "cidr_block": cidr, (*attribute): route[word] })
        });
        let routes: Vec<Value> = routes.collect();
        let table = format!("${{{}.id}}", self.own());
        for (at, subnet) in self.list("/subnets").into_iter().enumerate() {
            let body = json!({ "route_table_id": table, "subnet_id": subnet });
            self.beside("aws_route_table_association", &at.to_string(), body);
        }
        self.main(&[("vpc", "vpc_id")], json!({ "route": routes }));
    }

    fn security_group_rules(&mut self) {
        for (at, rule) in self.list("/rules").into_iter().enumerate() {
            let peer = |word: &str| rule["peer"].get(word).cloned();
            let one = |word: &str| peer(word).map(|peer| json!([peer]));
            // All ports are 0 in Terraform.
            let port = |end: &str| rule[end].as_u64().unwrap_or(0);
            let body = json!({
                "security_group_id": self.at("/group"),
                "type": rule["direction"],
                "protocol": rule["protocol"],
                "from_port": port("from_port"),
                "to_port": port("to_port"),
                "cidr_blocks": one("cidr"),
                "prefix_list_ids": one("prefix_list"),
                "source_security_group_id": peer("group"),
                "description": rule["description"],
            });
            self.beside("aws_security_group_rule", &at.to_string(), body);
        }
    }

    fn ecs_service(&mut self) {
        let network = self.rows(&[
            ("subnets", "subnets"),
            ("security_groups", "security_groups"),
            ("public_ip", "assign_public_ip"),
        ]);
        let balancers = self.list("/load_balancers").into_iter().map(|target| {
            json!({
                "target_group_arn": target["target_group"],
                "container_name": target["container"],
                "container_port": target["port"],
            })
        });
        let balancers: Vec<Value> = balancers.collect();
        self.main(
            &[
                ("name", "name"),
                ("cluster", "cluster"),
                ("task_definition", "task_definition"),
                ("platform_version", "platform_version"),
                ("execute_command", "enable_execute_command"),
            ],
            json!({ "network_configuration": network, "load_balancer": balancers }),
        );
    }

    fn task_definition(&mut self) {
        let containers = self.each("/containers").into_iter().map(|(name, container)| {
            let pairs = |map: &Value, key: &str, value: &dyn Fn(&Value) -> Value| -> Vec<Value> {
                let all = map.as_object().cloned().unwrap_or_default().into_iter();
                all.map(|(name, held)| json!({ "name": name, key: value(&held) })).collect()
            };
            json!({
                "name": name,
                "image": container["image"],
                "essential": container["essential"],
                "readonlyRootFilesystem": container["read_only_root"],
                "user": container["user"],
                "logConfiguration": container["logs"],
                "environment": pairs(&container["environment"], "value", &Value::clone),
                "secrets": pairs(&container["secrets"], "valueFrom", &|held| held["from"].clone()),
            })
        });
        let containers: Vec<Value> = containers.collect();
        self.main(
            &[
                ("name", "family"),
                ("cpu", "cpu"),
                ("memory", "memory"),
                ("task_role", "task_role_arn"),
                ("execution_role", "execution_role_arn"),
            ],
            json!({ "container_definitions": Value::Array(containers).to_string() }),
        );
    }

    fn listener(&mut self) {
        let action = self.at("/action");
        let action = match action.as_object().and_then(|action| action.iter().next()) {
            Some((word, to)) if word == "redirect" => {
                let to = json!({ "protocol": to["protocol"], "port": to["port"] });
                json!({ "type": "redirect", "redirect": to })
            }
            Some((word, to)) if word == "forward" => {
                let groups = to["targets"].as_array().cloned().unwrap_or_default().into_iter();
                let groups =
                    groups.map(|share| json!({ "arn": share["group"], "weight": share["weight"] }));
                let groups: Vec<Value> = groups.collect();
                json!({ "type": "forward", "forward": { "target_group": groups } })
            }
            _ => json!({ "type": "fixed-response" }),
        };
        self.main(
            &[
                ("load_balancer", "load_balancer_arn"),
                ("port", "port"),
                ("protocol", "protocol"),
                ("certificate", "certificate_arn"),
                ("tls_policy", "ssl_policy"),
            ],
            json!({ "default_action": action }),
        );
    }

    fn load_balancer(&mut self) {
        let log = self.rows(&[("access_log.bucket", "bucket"), ("access_log.prefix", "prefix")]);
        let log = (!self.at("/access_log").is_null()).then(|| {
            let mut log = log;
            log["enabled"] = true.into();
            log
        });
        self.main(
            &[
                ("name", "name"),
                ("type", "load_balancer_type"),
                ("subnets", "subnets"),
                ("groups", "security_groups"),
                ("deletion_protection", "enable_deletion_protection"),
                ("drop_invalid_headers", "drop_invalid_header_fields"),
                ("cross_zone", "enable_cross_zone_load_balancing"),
            ],
            json!({ "internal": self.at("/scheme") == "internal", "access_logs": log }),
        );
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

    fn function(&mut self) {
        let network = self.rows(&[
            ("network.subnets", "subnet_ids"),
            ("network.security_groups", "security_group_ids"),
        ]);
        let network = Some(network).filter(|_| !self.at("/network").is_null());
        let lost = self.at("/dead_letter");
        let lost = Some(json!({ "target_arn": lost })).filter(|_| !lost.is_null());
        let tracing = if self.is("/tracing") { "Active" } else { "PassThrough" };
        self.main(
            &[
                ("name", "function_name"),
                ("role", "role"),
                ("runtime", "runtime"),
                ("handler", "handler"),
                ("memory", "memory_size"),
                ("timeout", "timeout"),
                ("environment_key", "kms_key_arn"),
                ("reserved_concurrency", "reserved_concurrent_executions"),
            ],
            json!({
                "environment": { "variables": self.at("/environment") },
                "vpc_config": network,
                "dead_letter_config": lost,
                "tracing_config": { "mode": tracing },
            }),
        );
    }

    fn database(&mut self) {
        let more = json!({
            "engine": ENGINE,
            "storage_encrypted": !self.at("/key").is_null(),
            "skip_final_snapshot": !self.is("/final_snapshot"),
        });
        self.main(
            &[
                ("name", "cluster_identifier"),
                ("engine_version", "engine_version"),
                ("database", "database_name"),
                ("subnet_group", "db_subnet_group_name"),
                ("security_groups", "vpc_security_group_ids"),
                ("parameter_group", "db_cluster_parameter_group_name"),
                ("key", "kms_key_id"),
                ("backup_days", "backup_retention_period"),
                ("deletion_protection", "deletion_protection"),
                ("copy_tags_to_snapshots", "copy_tags_to_snapshot"),
                ("log_exports", "enabled_cloudwatch_logs_exports"),
                ("iam_authentication", "iam_database_authentication_enabled"),
            ],
            more,
        );
    }

    fn bucket(&mut self) {
        let bucket = format!("${{{}.id}}", self.own());
        let beside = |form: &mut Self, kind: &str, mut body: Value| {
            body["bucket"] = bucket.clone().into();
            form.beside(kind, "", body);
        };
        let status = if self.is("/versioning") { "Enabled" } else { "Suspended" };
        let versioning = json!({ "versioning_configuration": { "status": status } });
        beside(self, "aws_s3_bucket_versioning", versioning);
        let key = self.at("/encryption/kms");
        let algorithm = if key.is_null() { "AES256" } else { "aws:kms" };
        let default = json!({ "sse_algorithm": algorithm, "kms_master_key_id": key });
        let rule = json!({ "apply_server_side_encryption_by_default": default });
        let kind = "aws_s3_bucket_server_side_encryption_configuration";
        beside(self, kind, json!({ "rule": rule }));
        let block = self.at("/block_public_access");
        let block = json!({
            "block_public_acls": block,
            "block_public_policy": block,
            "ignore_public_acls": block,
            "restrict_public_buckets": block,
        });
        beside(self, "aws_s3_bucket_public_access_block", block);
        self.policy("aws_s3_bucket_policy", "bucket", "id");
        let rules = self.each("/lifecycle").into_iter().map(|(id, rule)| {
            json!({
                "id": id,
                "status": "Enabled",
                "filter": { "prefix": rule["prefix"] },
                "abort_incomplete_multipart_upload": {
                    "days_after_initiation": rule["abort_uploads_days"],
                },
                "expiration": rule["expire_days"].as_u64().map(|days| json!({ "days": days })),
            })
        });
        let rules: Vec<Value> = rules.collect();
        beside(self, "aws_s3_bucket_lifecycle_configuration", json!({ "rule": rules }));
        if !self.at("/access_log").is_null() {
            let log = self.rows(&[
                ("access_log.bucket", "target_bucket"),
                ("access_log.prefix", "target_prefix"),
            ]);
            beside(self, "aws_s3_bucket_logging", log);
        }
        let lock = self.at("/object_lock");
        if !lock.is_null() {
            let retention = json!({ "mode": lock["mode"], "days": lock["days"] });
            let rule = json!({ "rule": { "default_retention": retention } });
            beside(self, "aws_s3_bucket_object_lock_configuration", rule);
        }
        self.main(&[("name", "bucket")], json!({ "object_lock_enabled": !lock.is_null() }));
    }

    fn web_acl(&mut self) {
        let measure = |measure: &Value| {
            json!({
                "metric_name": measure["metric"],
                "cloudwatch_metrics_enabled": measure["metrics"],
                "sampled_requests_enabled": measure["samples"],
            })
        };
        let rules = self.each("/rules").into_iter().map(|(name, rule)| {
            let matches = &rule["matches"];
            let managed = matches.get("managed");
            let statement = match (managed, matches.get("rate_limit")) {
                (Some(group), _) => json!({ "managed_rule_group_statement": {
                    "vendor_name": group["vendor"], "name": group["group"],
                } }),
                (None, Some(rate)) => json!({ "rate_based_statement": { "limit": rate["limit"] } }),
                (None, None) => matches.clone(),
            };
            let word = rule["action"].as_str().unwrap_or_default().to_owned();
            let action = if managed.is_some() { "override_action" } else { "action" };
            json!({
                "name": name,
                "priority": rule["priority"],
                "statement": statement,
                (action): { (word): {} },
                "visibility_config": measure(&rule["measure"]),
            })
        });
        let rules: Vec<Value> = rules.collect();
        let default = self.at("/default_action").as_str().unwrap_or_default().to_owned();
        let more = json!({
            "default_action": { (default): {} },
            "visibility_config": measure(&self.at("/measure")),
            "rule": rules,
        });
        let logging = self.at("/logging");
        if !logging.is_null() {
            let headers = logging["redacted"].as_array().cloned().unwrap_or_default().into_iter();
            let headers = headers.map(|name| json!({ "single_header": { "name": name } }));
            let headers: Vec<Value> = headers.collect();
            let body = json!({
                "resource_arn": format!("${{{}.arn}}", self.own()),
                "log_destination_configs": [logging["destination"]],
                "redacted_fields": headers,
            });
            self.beside("aws_wafv2_web_acl_logging_configuration", "", body);
        }
        self.main(&[("name", "name"), ("description", "description")], more);
    }
}
