//! `[databases]`: clusters with their groups, instances, and secrets.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::aws::kinds::rds::cluster::{Cluster, Serverless, Source};
use crate::aws::kinds::rds::cluster_parameter_group::ParameterGroup;
use crate::aws::kinds::rds::instance::{Instance, Monitoring};
use crate::aws::kinds::rds::subnet_group::SubnetGroup;
use crate::aws::kinds::secretsmanager::attachment::Attachment;
use crate::config::KeyPath;
use crate::config::schema::databases::{Database, DatabaseSource};
use crate::config::schema::text::{ItemName, PhysicalName};
use crate::words::databases::DatabaseLog;
use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Output, Text};

use super::log_groups::Kept;
use super::network::id;
use super::secrets::{SECRET, secret_arn};
use super::{Builder, Item, loans, naming};

const CLUSTER: &str = "rds.cluster";

const ATTACHMENT: &str = "secretsmanager.attachment";

/// The name of the engine for PostgreSQL clients; AWS's own attachments and rotations use it too.
const ENGINE: &str = "postgres";

impl Builder<'_> {
    pub(super) fn databases(&mut self) {
        let own = self.config.databases.iter().filter(|(_, database)| database.from.is_none());
        for (key, config) in own {
            let path = &KeyPath::of("databases").key(key);
            let name = self.item_name(CLUSTER, key, config.name.as_ref(), path);
            self.subnet_group(key, &name, config, path);
            let parameters = self.parameter_group(key, &name, config, path);
            let logs = self.database_logs(key, &name, config, path);
            self.cluster(key, &name, parameters, logs, config, path);
            self.instances(key, &name, config, path);
            self.attachment(key, config, path);
        }
        self.rotations();
    }

    /// The ARN of the secret of a database.
    pub(super) fn database_secret(&self, name: &str) -> Text {
        let config = self.config.databases.get(&ItemName(name.to_owned()));
        match config.filter(|database| database.from.is_none()) {
            Some(database) => secret_arn(&database.secret),
            None => Text::reference(loans::secret_of(name), Output::Arn),
        }
    }

    fn subnet_group(&mut self, key: &str, cluster: &str, config: &Database, path: &KeyPath) {
        let kind = "rds.subnet_group";
        let name = self.item_name(kind, key, None, path);
        let spec = SubnetGroup {
            name: name.clone(),
            description: match &config.subnet_group_description {
                Some(text) => text.clone(),
                None => format!("Subnets of {cluster}"),
            },
            subnets: self.subnet_ids(config.subnets).into_iter().collect(),
        };
        self.add(Item::new(Address::new(kind, key), name, path), &spec);
    }

    /// The name of the parameter group. Its own group has the major version in its name: a group
    /// cannot change its family, so the new one must exist beside the old one.
    fn parameter_group(
        &mut self,
        key: &str,
        cluster: &str,
        config: &Database,
        path: &KeyPath,
    ) -> Text {
        let kind = "rds.cluster_parameter_group";
        let major = config.engine_version.split('.').next().unwrap_or_default();
        let family = format!("aurora-postgresql{major}");
        let Some(parameters) = &config.parameters else {
            return format!("default.{family}").into();
        };
        // AWS cannot change a description either.
        let logical = match &config.parameter_group_description {
            Some(text) => format!("{key}-{major}-{}", naming::digest(text)),
            None => format!("{key}-{major}"),
        };
        let name = self.item_name(kind, &logical, None, path);
        let spec = ParameterGroup {
            name: name.clone(),
            family,
            description: match &config.parameter_group_description {
                Some(text) => text.clone(),
                None => format!("Parameters of {cluster}"),
            },
            parameters: parameters.iter().map(|(k, v)| (k.0.clone(), v.clone())).collect(),
            defaults: None,
        };
        let address = Address::new(kind, key);
        self.add(Item::new(address.clone(), name, path), &spec);
        Text::reference(address, Output::Name)
    }

    /// The log groups that RDS writes to. RDS would create them itself, without a retention and
    /// without an owner, and nobody would ever delete them.
    fn database_logs(
        &mut self,
        key: &str,
        cluster: &str,
        config: &Database,
        path: &KeyPath,
    ) -> BTreeSet<Address> {
        let group = |log: DatabaseLog| {
            let name = format!("/aws/rds/cluster/{cluster}/{}", log.aws());
            let logical = format!("database-{key}-{}", log.aws());
            let kept = Kept {
                retention: config.log_retention_days,
                class: config.log_class,
                key: config.log_key.as_ref(),
            };
            self.log_group(&logical, name, kept, path)
        };
        config.log_exports.iter().copied().map(group).collect()
    }

    fn cluster(
        &mut self,
        key: &str,
        name: &str,
        parameter_group: Text,
        logs: BTreeSet<Address>,
        config: &Database,
        path: &KeyPath,
    ) {
        let groups = config.security_groups.iter();
        let spec = Cluster {
            name: name.to_owned(),
            engine_version: config.engine_version.0.clone(),
            database: config.database.as_ref().map(|database| database.0.clone()),
            port: config.port,
            credentials: Some(secret_arn(&config.secret)),
            subnet_group: Text::reference(Address::new("rds.subnet_group", key), Output::Name),
            security_groups: groups.map(|group| id("ec2.security_group", group)).collect(),
            parameter_group,
            serverless: config.serverless.map(|serverless| Serverless {
                min: serverless.min,
                max: serverless.max,
                // AWS's own default, set explicitly so that removing the line from the config undoes it.
                pause_after: match serverless.pause_after {
                    None if serverless.min == 0.0 => Some(300),
                    stated => stated,
                },
            }),
            key: config.key.as_ref().map(|key| self.key(key)),
            backup_days: config.backup_days,
            backup_window: config.backup_window.as_ref().map(|window| window.0.clone()),
            maintenance_window: config.maintenance_window.as_ref().map(|window| window.0.clone()),
            deletion_protection: config.deletion_protection.unwrap_or(self.config.protect),
            final_snapshot: self.ends_in_a_snapshot(config),
            copy_tags_to_snapshots: config.copy_tags_to_snapshots,
            log_exports: config.log_exports.iter().map(|log| log.aws().to_owned()).collect(),
            iam_authentication: config.iam_authentication,
            data_api: config.data_api,
            restore_from: config.restore_from.as_ref().map(source),
            own_password: true,
        };
        let mut item = Item::new(Address::new(CLUSTER, key), name, path);
        item.after = logs;
        self.add(item, &spec);
    }

    /// Whether AWS takes a snapshot before it deletes a database.
    pub(super) fn ends_in_a_snapshot(&self, database: &Database) -> bool {
        database.final_snapshot.unwrap_or(self.config.protect)
    }

    fn instances(&mut self, key: &str, cluster: &str, config: &Database, path: &KeyPath) {
        let address = |number: usize| Address::new("rds.instance", format!("{key}-{number}"));
        let first = config.instances.first().map(|first| &first.class);
        for (at, instance) in config.instances.iter().enumerate() {
            let number = at + 1;
            let name = PhysicalName(format!("{cluster}-{number}"));
            let name = self.item_name("rds.instance", key, Some(&name), path);
            let spec = Instance {
                name: name.clone(),
                cluster: id(CLUSTER, key),
                class: instance.class.0.clone(),
                tier: instance.tier,
                insights_days: Some(config.insights_days).filter(|days| *days > 0),
                monitoring: config.monitoring.as_ref().map(|monitoring| Monitoring {
                    interval: monitoring.interval,
                    role: Text::reference(
                        Address::new("iam.role", monitoring.role.0.as_str()),
                        Output::Arn,
                    ),
                }),
                public: false,
                auto_minor_upgrades: config.auto_minor_upgrades,
            };
            let mut item = Item::new(address(number), name, path);
            // The first instance is the writer. Among equal ones it does not matter which is first.
            if first != Some(&instance.class) {
                item.after.insert(address(1));
            }
            self.add(item, &spec);
        }
    }

    fn attachment(&mut self, key: &str, config: &Database, path: &KeyPath) {
        let cluster = Address::new(CLUSTER, key);
        let spec = Attachment {
            secret: secret_arn(&config.secret),
            engine: ENGINE.into(),
            host: Text::reference(cluster.clone(), Output::Endpoint),
            port: config.port,
            database: config.database.as_ref().map(|database| database.0.clone()),
            cluster: Text::reference(cluster, Output::Id),
        };
        let name = self.physical_name(&Address::new(SECRET, config.secret.0.as_str()));
        let address = Address::new(ATTACHMENT, config.secret.0.as_str());
        self.add(Item::new(address, name, path), &spec);
    }
}

fn source(config: &DatabaseSource) -> Source {
    match &config.snapshot {
        Some(snapshot) => Source::Snapshot { snapshot: snapshot.0.clone() },
        None => Source::Time {
            cluster: config.cluster.clone().unwrap_or_default().0,
            at: config.at.clone().unwrap_or_default().0,
        },
    }
}
