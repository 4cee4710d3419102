//! `[fleets]`: launch templates, Auto Scaling groups, and the role of their instances.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::aws::kinds::autoscaling::group::{Custom, Group, Metric, Policy};
use crate::aws::kinds::ec2::launch_template::{LaunchTemplate, Volume};
use crate::aws::kinds::iam::role::Role;
use crate::config::KeyPath;
use crate::config::schema::fleets::Fleet;
use crate::words::fleets::HealthCheck;
use payctl_engine::model::address::Address;
use payctl_engine::model::document::Document;
use payctl_engine::model::text::{Output, Text};

use super::network::id;
use super::{Builder, Item};

/// The SSM parameter of the newest image's id, without the architecture.
const IMAGE: &str = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-";
/// The managed policies of instances without a role in the config.
const MANAGED: [&str; 2] = ["AmazonSSMManagedInstanceCore", "CloudWatchAgentServerPolicy"];

/// The metrics that the agent publishes, by group and not by instance.
const AGENT: &str = r#"until dnf install -y amazon-cloudwatch-agent; do sleep 5; done
cat > /opt/aws/amazon-cloudwatch-agent/etc/payctl.json <<'JSON'
{
  "metrics": {
    "namespace": "CWAgent",
    "append_dimensions": { "AutoScalingGroupName": "${aws:AutoScalingGroupName}" },
    "aggregation_dimensions": [["AutoScalingGroupName"]],
    "metrics_collected": {
      "mem": { "measurement": ["mem_used_percent"], "metrics_collection_interval": 60 }
    }
  }
}
JSON
/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -s \
  -c file:/opt/aws/amazon-cloudwatch-agent/etc/payctl.json
"#;

impl Builder<'_> {
    pub(super) fn fleets(&mut self) {
        for (key, config) in &self.config.fleets {
            let path = &KeyPath::of("fleets").key(key);
            let profile = match &config.role {
                Some(role) => role.0.clone(),
                None => self.fleet_role(key, path),
            };
            let explicit = config.name.as_ref();
            let name = self.item_name("ec2.launch_template", key, explicit, path);
            let group = self.item_name("autoscaling.group", key, explicit, path);
            let spec = self.launch_template(config, name.clone(), &group, &profile);
            let address = Address::new("ec2.launch_template", key.0.as_str());
            self.add(Item::new(address, name, path), &spec);
            let spec = self.group(key, config, group.clone());
            let address = Address::new("autoscaling.group", key.0.as_str());
            let item = Item::new(address, group, path);
            self.add(Item { after: self.before_launch(config), ..item }, &spec);
        }
    }

    /// The needs of the first boot: routes to the internet, and the outbound rules of the security groups.
    fn before_launch(&self, config: &Fleet) -> BTreeSet<Address> {
        let is_way = |address: &&Address| {
            ["ec2.route_table", "ec2.nat_gateway"].contains(&address.kind.as_str())
        };
        let ways = self.resources.keys().filter(is_way).cloned();
        let groups = config.security_groups.iter();
        let rules = groups.map(|group| Address::new("ec2.security_group_rules", group.0.as_str()));
        ways.chain(rules).collect()
    }

    /// The role and the profile of instances without a role in the config. Returns their logical name.
    fn fleet_role(&mut self, key: &str, path: &KeyPath) -> String {
        let logical = format!("fleet-{key}");
        let name = self.item_name("iam.role", &logical, None, path);
        let managed = MANAGED.iter().map(|policy| {
            Text::from(format!("arn:{}:iam::aws:policy/{policy}", self.scope.partition))
        });
        let role = Role {
            name: name.clone(),
            path: self.scope.iam_path(),
            description: format!("Instances of {key}"),
            trust: Document::of([json!({
                "Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": { "Service": "ec2.amazonaws.com" },
            })]),
            inline: BTreeMap::new(),
            managed: managed.collect(),
            max_session: Some(3600),
            boundary: self.boundary(None),
        };
        self.add(Item::new(Address::new("iam.role", logical.as_str()), name, path), &role);
        self.instance_profile(&logical, None, path);
        logical
    }

    fn launch_template(
        &self,
        config: &Fleet,
        name: String,
        group: &str,
        profile: &str,
    ) -> LaunchTemplate {
        let architecture = if config.is_arm() { "arm64" } else { "x86_64" };
        let parameter = match &config.image_parameter {
            Some(parameter) => parameter.0.clone(),
            None => format!("{IMAGE}{architecture}"),
        };
        let image = config.image.as_ref().map(|image| image.0.clone());
        let user = self.config.tags.iter().map(|(key, value)| (key.0.clone(), value.0.clone()));
        let own = ("Name".to_owned(), group.to_owned());
        let groups = config.security_groups.iter();
        LaunchTemplate {
            name,
            image: image.unwrap_or_else(|| format!("resolve:ssm:{parameter}")),
            instance_type: config.instance_type.0.clone(),
            groups: groups.map(|group| id("ec2.security_group", group)).collect(),
            profile: Some(Text::reference(
                Address::new("iam.instance_profile", profile),
                Output::Name,
            )),
            user_data: first_boot(config),
            volume: Volume {
                device: config.volume.device.clone(),
                size: config.volume.size,
                key: config.volume.key.as_ref().map(|key| self.key(key)),
                encrypted: true,
                kind: "gp3".into(),
            },
            token_required: true,
            launch_tags: user.chain([own]).collect(),
        }
    }

    fn group(&self, key: &str, config: &Fleet, name: String) -> Group {
        let template = |output| Text::reference(Address::new("ec2.launch_template", key), output);
        let targets = config.target_groups.iter().map(|group| {
            Text::reference(Address::new("elb.target_group", group.0.as_str()), Output::Arn)
        });
        let usual =
            if config.target_groups.is_empty() { HealthCheck::Ec2 } else { HealthCheck::Elb };
        let health_check = config.health_check.unwrap_or(usual);
        Group {
            min: config.min,
            max: config.max,
            desired: (!config.scales()).then(|| config.first()),
            initial: config.scales().then(|| config.first()),
            subnets: self.subnet_ids(config.subnets).into_iter().collect(),
            template: template(Output::Id),
            template_version: template(Output::Version),
            target_groups: targets.collect(),
            health_check: health_check.aws().to_owned(),
            grace: config.grace,
            warmup: Some(config.warmup),
            policies: policies(config, &name),
            metrics: config.metrics,
            outdated: config.refresh.then_some(0),
            name,
        }
    }
}

fn policies(config: &Fleet, group: &str) -> BTreeMap<String, Policy> {
    let scale_in = config.scaling.scale_in.unwrap_or(true);
    let cpu = Metric::Predefined("ASGAverageCPUUtilization".into());
    let memory = Metric::Custom(Custom {
        namespace: "CWAgent".into(),
        name: "mem_used_percent".into(),
        dimensions: BTreeMap::from([("AutoScalingGroupName".to_owned(), group.to_owned())]),
        statistic: "Average".into(),
    });
    let all = [("cpu", cpu, config.scaling.cpu), ("memory", memory, config.scaling.memory)];
    let wanted = all.into_iter().filter_map(|(name, metric, target)| {
        Some((name.to_owned(), Policy { metric, target: target?, scale_in }))
    });
    wanted.collect()
}

/// The script of the first boot; none if there is nothing to do.
fn first_boot(config: &Fleet) -> Option<String> {
    let own = config.user_data.as_deref().unwrap_or_default();
    let agent = if config.agent { AGENT } else { "" };
    let script = format!("#!/bin/bash\nset -euo pipefail\n{agent}{own}");
    (config.agent || !own.is_empty()).then_some(script)
}
