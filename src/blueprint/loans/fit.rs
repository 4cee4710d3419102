//! What AWS would refuse of objects of other owners, or would do to them.

use std::collections::BTreeSet;

use super::{BUCKET, SUBNET};
use crate::blueprint::Builder;
use crate::blueprint::buckets::LOGS as DELIVERY;
use crate::config::KeyPath;
use crate::config::schema::load_balancers::LoadBalancer;
use crate::config::schema::network::{Network, SubnetTier};
use crate::words::load_balancers::BalancerType;
use payctl_engine::model::address::Address;

impl Builder<'_> {
    /// What AWS would refuse, or would do to an object of another owner.
    pub(in crate::blueprint) fn loans_fit(&mut self) {
        self.zones_fit();
        self.log_buckets_fit();
    }

    /// Databases and application load balancers need subnets in two zones.
    fn zones_fit(&mut self) {
        let config = self.config;
        let own = config.databases.iter().filter(|(_, database)| database.from.is_none());
        let databases = own.map(|(name, database)| {
            (KeyPath::of("databases").key(name), SubnetTier::from(database.subnets), "a database")
        });
        let is_application = |balancer: &LoadBalancer| {
            balancer.kind == BalancerType::Application && balancer.from.is_none()
        };
        let balancers = config.load_balancers.iter().filter(|(_, one)| is_application(one));
        let balancers = balancers.map(|(name, balancer)| {
            let what = "an application load balancer";
            (KeyPath::of("load_balancers").key(name), balancer.tier(), what)
        });
        let all: Vec<_> = databases.chain(balancers).collect();
        for (path, tier, what) in all {
            let zones = self.lent_zones(tier);
            if let [zone] = zones.iter().collect::<Vec<_>>().as_slice() {
                let message = format!(
                    "{what} needs subnets in two zones: the {} subnets of the network are all in {zone}",
                    tier.word()
                );
                self.problem(&path.key("subnets"), message, "use another tier, or more subnets");
            }
        }
    }

    /// The zones of the subnets of a tier that others own.
    fn lent_zones(&self, tier: SubnetTier) -> BTreeSet<String> {
        if self.config.network.as_ref().is_none_or(Network::is_own) {
            return BTreeSet::new();
        }
        let subnets = self.lent_subnets(tier).into_iter();
        let zone = |name| self.lent_field(&Address::new(SUBNET, name), "zone").map(str::to_owned);
        subnets.filter_map(zone).collect()
    }

    /// AWS adds statements to the policy of a bucket that gets flow logs or logs of web ACLs, if they are
    /// missing. payctl must not cause that in a bucket of another owner.
    fn log_buckets_fit(&mut self) {
        let config = self.config;
        let flows = config.network.iter().filter_map(|network| {
            let to = &network.flow_log.as_ref()?.to;
            Some((KeyPath::of("network").key("flow_log"), to))
        });
        let requests = config.firewalls.iter().filter_map(|(name, firewall)| {
            Some((KeyPath::of("firewalls").key(name).key("log"), &firewall.log.as_ref()?.to))
        });
        let all: Vec<_> = flows.chain(requests).collect();
        for (path, to) in all {
            let Some(bucket) = &to.bucket else { continue };
            let address = Address::new(BUCKET, bucket.0.as_str());
            let Some(lent) = self.facts.lent.as_ref().and_then(|lent| lent.get(&address)) else {
                continue;
            };
            let policy = lent.spec["policy"].as_str().unwrap_or_default();
            if !policy.contains(DELIVERY) {
                let message = format!(
                    "the bucket {} does not let AWS deliver logs: AWS would change its policy",
                    lent.id
                );
                let fix = format!(
                    "ask its owner to allow {DELIVERY} s3:PutObject and s3:GetBucketAcl, or use \
                     another bucket"
                );
                self.problem(&path.key("to").key("bucket"), message, fix);
            }
        }
    }
}
