//! Clusters, services and task definitions.

use serde_json::{Value, json};

use super::Form;

impl Form<'_> {
    pub(super) fn ecs(&mut self) {
        match self.kind {
            "ecs.cluster" => {
                let insights =
                    json!({ "name": "containerInsights", "value": self.at("/insights") });
                self.main(&[("name", "name")], json!({ "setting": [insights] }));
            }
            "ecs.service" => self.ecs_service(),
            "ecs.task_definition" => self.task_definition(),
            _ => self.no_form(),
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
}
