//! Networks, their groups and their instances.

use serde_json::{Value, json};

use super::Form;

impl Form<'_> {
    pub(super) fn ec2(&mut self) {
        match self.kind {
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
            _ => self.no_form(),
        }
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
}
