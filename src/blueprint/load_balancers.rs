//! `[load_balancers]`, with their listeners.

use std::collections::BTreeSet;

use crate::aws::kinds::elb::listener::Mover;
use crate::aws::kinds::elb::listener_rule::{self, Condition, Parameter};
use crate::aws::kinds::elb::{listener, load_balancer as balancer};
use crate::config::KeyPath;
use crate::config::schema::OneOrMany;
use crate::config::schema::load_balancers::{
    Action, Conditions, Forward, Listener, LoadBalancer, Redirect, Rule,
};
use crate::config::schema::network::SubnetTier;
use crate::config::schema::text::ItemName;
use crate::words::load_balancers::{BalancerType, Scheme};
use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Output, Text};

use super::network::id;
use super::{Builder, Item};

impl Builder<'_> {
    pub(super) fn load_balancers(&mut self) {
        for (key, config) in &self.config.load_balancers {
            let path = &KeyPath::of("load_balancers").key(key);
            if config.from.is_some() {
                self.lent_balancer(key, config, path);
                continue;
            }
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
            self.balancer_record(key, config, path);
            for listener in &config.listeners {
                let at = format!("{}-{}", key.0, listener.port);
                let address = Address::new("elb.listener", at.as_str());
                let mut spec = self.listener(key, config.kind, listener);
                spec.moved_by = self.shift_of(&address).map(Mover::Shift);
                let name = format!("{name}:{}", listener.port);
                let after = self.registered(listener.forward.as_ref());
                let item = Item::new(address, &*name, path);
                self.add(Item { after, ..item }, &spec);
                self.listener_rules(key, &name, listener, path);
            }
        }
    }

    /// What this environment adds to a load balancer of another one: a name, and rules of its listeners.
    fn lent_balancer(&mut self, key: &str, config: &LoadBalancer, path: &KeyPath) {
        self.balancer_record(key, config, path);
        let reference = Text::reference(Address::new("elb.load_balancer", key), Output::Name);
        let name = reference.refs().find_map(|name| self.lent_value(name)).unwrap_or_default();
        for listener in &config.listeners {
            let name = format!("{name}:{}", listener.port);
            self.listener_rules(key, &name, listener, path);
        }
    }

    fn balancer_record(&mut self, key: &str, config: &LoadBalancer, path: &KeyPath) {
        if let Some(domain) = &config.domain {
            let (path, logical) = (&path.key("domain"), format!("lb-{key}"));
            let target = Address::new("elb.load_balancer", key);
            self.alias_record(&logical, &domain.name, domain.zone.as_ref(), &target, path);
        }
    }

    /// The rules of a listener. `name` is that of the load balancer, with the port.
    fn listener_rules(&mut self, key: &str, name: &str, listener: &Listener, path: &KeyPath) {
        let at = format!("{key}-{}", listener.port);
        for (rule, config) in &listener.rules {
            let address = Address::new("elb.listener_rule", format!("{at}-{}", rule.0));
            let shift = self.shift_of(&address).map(Mover::Shift);
            let mut spec = listener_rule(&at, config);
            spec.moved_by = shift.or_else(|| self.deployer(key, listener.port, rule));
            let after = self.registered(config.forward.as_ref());
            let item = Item::new(address, format!("{name} {}", rule.0), path);
            self.add(Item { after, ..item }, &spec);
        }
    }

    /// The service whose deployments move the weights of a rule, if one does.
    fn deployer(&self, balancer: &str, port: u16, rule: &str) -> Option<Mover> {
        let this = Some((balancer, port, rule));
        let mut services = self.config.services.iter();
        let service = services.find(|(_, service)| self.config.deployed_rule(service) == this);
        service.map(|(name, _)| Mover::Service(name.0.clone()))
    }

    /// The functions that must be registered before requests go to their target groups.
    fn registered(&self, forward: Option<&Forward>) -> BTreeSet<Address> {
        let groups = forward.into_iter().flat_map(Forward::shares).map(|(group, _)| group);
        let calls = |group: &&str| {
            let found = self.config.target_groups.get(&ItemName((*group).to_owned()));
            found.is_some_and(|group| group.function.is_some())
        };
        groups.filter(calls).map(|group| Address::new("elb.target", group)).collect()
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
        let certificate = config.certificate.as_ref().map(|given| self.certificate(given));
        let others = config.other_certificates.as_ref();
        let others = others.map(|all| all.iter().map(|given| self.certificate(given)).collect());
        listener::Listener {
            load_balancer: Text::reference(Address::new("elb.load_balancer", key), Output::Arn),
            port: config.port,
            protocol: protocol.aws().to_owned(),
            certificate: certificate.filter(|_| protocol.is_secure()),
            other_certificates: others.filter(|_| protocol.is_secure()),
            tls_policy: protocol.is_secure().then(|| config.tls_policy.clone()),
            action: acted(config.action()),
            moved_by: None,
        }
    }
}

fn listener_rule(listener: &str, config: &Rule) -> listener_rule::ListenerRule {
    listener_rule::ListenerRule {
        listener: Text::reference(Address::new("elb.listener", listener), Output::Arn),
        priority: config.priority,
        conditions: conditions(&config.when),
        action: acted(config.action()),
        moved_by: None,
    }
}

fn conditions(when: &Conditions) -> BTreeSet<Condition> {
    fn values<T: std::ops::Deref<Target = str>>(given: &OneOrMany<T>) -> BTreeSet<String> {
        given.iter().map(|value| value.to_string()).collect()
    }
    let plain = [
        Condition::Path(values(&when.path)),
        Condition::Host(values(&when.host)),
        Condition::Method(values(&when.method)),
        Condition::SourceIp(values(&when.source_ip)),
    ];
    let headers = when
        .header
        .iter()
        .map(|(name, given)| Condition::Header { name: name.0.clone(), values: values(given) });
    let parameters = when.query.iter().map(|(key, given)| {
        let parameter = |value| Parameter { key: Some(key.clone()), value };
        Condition::Query(values(given).into_iter().map(parameter).collect())
    });
    let all = plain.into_iter().chain(headers).chain(parameters);
    all.filter(|condition| !condition.is_empty()).collect()
}

fn acted(action: Action<'_>) -> listener::Action {
    match (action.forward, action.redirect, action.respond) {
        (Some(forward), _, _) => {
            listener::Action::Forward(forwarded(forward, action.sticky_seconds))
        }
        (None, Some(to), _) => listener::Action::Redirect(redirected(to)),
        (None, None, Some(answer)) => listener::Action::Respond(listener::Respond {
            status: answer.status,
            content_type: answer.content_type.aws().to_owned(),
            body: answer.body.clone(),
        }),
        // The rules of the config report this.
        (None, None, None) => listener::Action::Other("none".into()),
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

fn forwarded(forward: &Forward, sticky_seconds: Option<u32>) -> listener::Forward {
    let shares = forward.shares();
    let several = shares.len() > 1;
    let share = |(group, weight): (&str, u16)| listener::Share {
        group: Text::reference(Address::new("elb.target_group", group), Output::Arn),
        weight: if several { weight } else { 1 },
    };
    listener::Forward {
        targets: shares.into_iter().map(share).collect(),
        sticky_seconds: sticky_seconds.filter(|_| several),
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
