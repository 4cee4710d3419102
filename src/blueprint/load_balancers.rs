//! `[load_balancers]`, with their listeners.

use std::collections::BTreeSet;

use crate::aws::kinds::elb::{listener, load_balancer as balancer};
use crate::config::KeyPath;
use crate::config::schema::load_balancers::{Forward, Listener, LoadBalancer, Redirect};
use crate::config::schema::network::SubnetTier;
use crate::words::load_balancers::{BalancerType, Scheme};
use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Output, Text};

use super::network::id;
use super::{Builder, Item};

impl Builder<'_> {
    pub(super) fn load_balancers(&mut self) {
        for (key, config) in &self.config.load_balancers {
            let path = &KeyPath::of("load_balancers").key(key);
            let name = self.item_name("elb.load_balancer", key, config.name.as_ref(), path);
            if name.starts_with("internal-") {
                let path = path.key("name");
                self.problem(
                    &path,
                    "AWS reserves names that begin with `internal-`",
                    "choose another name",
                );
            }
            let spec = self.load_balancer(key, config, name.clone());
            let address = Address::new("elb.load_balancer", key.0.as_str());
            let item = Item::new(address, name.clone(), path);
            self.add(Item { after: self.around(config), ..item }, &spec);
            for listener in &config.listeners {
                let spec = self.listener(key, config.kind, listener);
                let port = listener.port;
                let address = Address::new("elb.listener", format!("{key}-{port}", key = key.0));
                self.add(Item::new(address, format!("{name}:{port}"), path), &spec);
            }
        }
    }

    /// The resources that must exist before a load balancer: its route to the internet, and the rules of its
    /// security groups. The permission to write logs comes with the bucket.
    fn around(&self, config: &LoadBalancer) -> BTreeSet<Address> {
        let mut after = BTreeSet::new();
        if config.scheme == Scheme::InternetFacing {
            after.insert(Address::new("ec2.internet_gateway", "main"));
            after.insert(Address::new("ec2.route_table", "public"));
        }
        after
    }

    fn load_balancer(
        &self,
        key: &str,
        config: &LoadBalancer,
        name: String,
    ) -> balancer::LoadBalancer {
        let tier = config.tier();
        let is_application = config.kind == BalancerType::Application;
        let application = |value: Option<bool>, otherwise: bool| {
            is_application.then(|| value.unwrap_or(otherwise))
        };
        let groups = config.security_groups.iter();
        let log = config.access_log.as_ref().map(|log| balancer::AccessLog {
            bucket: Text::reference(Address::new("s3.bucket", log.bucket.0.as_str()), Output::Name),
            prefix: log.prefix.clone().unwrap_or_else(|| key.to_owned()),
        });
        balancer::LoadBalancer {
            name,
            kind: config.kind.aws().into(),
            scheme: config.scheme.aws().into(),
            subnets: self.subnet_ids(tier).into_iter().collect(),
            groups: groups.map(|group| id("ec2.security_group", group)).collect(),
            deletion_protection: config.deletion_protection.unwrap_or(self.config.protect),
            idle_timeout: is_application.then(|| config.idle_timeout.unwrap_or(60)),
            http2: application(config.http2, true),
            drop_invalid_headers: application(config.drop_invalid_headers, true),
            cross_zone: (!is_application).then(|| config.cross_zone.unwrap_or_default()),
            access_log: log,
        }
    }

    fn listener(&self, key: &str, kind: BalancerType, config: &Listener) -> listener::Listener {
        let protocol = config.spoken(kind);
        let certificate = config.certificate.as_ref().map(|arn| self.text(arn));
        let action = match (&config.forward, &config.redirect, &config.respond) {
            (Some(forward), _, _) => listener::Action::Forward(forwarded(forward, config)),
            (None, Some(to), _) => listener::Action::Redirect(redirected(to)),
            (None, None, Some(answer)) => listener::Action::Respond(listener::Respond {
                status: answer.status,
                content_type: answer.content_type.aws().to_owned(),
                body: answer.body.clone(),
            }),
            // The rules of the config report this.
            (None, None, None) => listener::Action::Other("none".into()),
        };
        listener::Listener {
            load_balancer: Text::reference(Address::new("elb.load_balancer", key), Output::Arn),
            port: config.port,
            protocol: protocol.aws().to_owned(),
            certificate: certificate.filter(|_| protocol.is_secure()),
            tls_policy: protocol.is_secure().then(|| config.tls_policy.clone()),
            action,
        }
    }
}

impl LoadBalancer {
    /// The tier of its subnets.
    pub(crate) fn tier(&self) -> SubnetTier {
        self.subnets.unwrap_or(match self.scheme {
            Scheme::Internal => SubnetTier::Private,
            Scheme::InternetFacing => SubnetTier::Public,
        })
    }
}

fn forwarded(forward: &Forward, config: &Listener) -> listener::Forward {
    let shares = forward.shares();
    let several = shares.len() > 1;
    let share = |(group, weight): (&str, u16)| listener::Share {
        group: Text::reference(Address::new("elb.target_group", group), Output::Arn),
        weight: if several { weight } else { 1 },
    };
    listener::Forward {
        targets: shares.into_iter().map(share).collect(),
        sticky_seconds: config.sticky_seconds.filter(|_| several),
    }
}

fn redirected(to: &Redirect) -> listener::Redirect {
    listener::Redirect {
        protocol: to.protocol.aws().to_owned(),
        port: to.port.to_string(),
        host: to.host.clone().unwrap_or_else(|| "#{host}".into()),
        path: to.path.clone().unwrap_or_else(|| "/#{path}".into()),
        query: "#{query}".into(),
        status: if to.permanent { 301 } else { 302 },
    }
}
