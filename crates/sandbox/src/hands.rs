//! What a test does to the world by hand, because nothing in the sandbox would do it: targets that
//! get ill, certificates that are issued without a public DNS.

use std::collections::BTreeMap;

use serde_json::Value;

use super::costexplorer::{allocation, usage};
use super::{Sandbox, SandboxError, acm, cloudwatch, elb};

impl Sandbox {
    /// Sets the health of a target, or of all targets if none is named: `healthy`, `unhealthy`,
    /// `initial`, `draining`. Without a state they are again as AWS would find them. Whether the
    /// target group is there.
    pub fn set_target_health(
        &self,
        group: &str,
        target: Option<&str>,
        state: Option<&str>,
    ) -> Result<bool, SandboxError> {
        self.with(false, |world, _| elb::force_health(&mut world.elb, group, target, state))
    }

    /// Keeps values of a metric that a service of AWS would measure: the sandbox measures none. The
    /// input is that of `PutMetricData`, which takes no namespace of AWS. Whether it is valid.
    pub fn measure(&self, region: &str, input: &Value) -> Result<bool, SandboxError> {
        self.with(false, |world, _| cloudwatch::measure(world, region, input).is_ok())
    }

    /// States what something cost on a day, in US dollars. Nothing else in the sandbox costs anything. The
    /// service and the usage are named as in Cost Explorer.
    pub fn state_cost(
        &self,
        day: &str,
        (service, usage): (&str, &str),
        tags: &BTreeMap<String, String>,
        amount: &str,
    ) -> Result<(), SandboxError> {
        let (day, service, usage) = (day.to_owned(), service.to_owned(), usage.to_owned());
        let (tags, amount) = (tags.clone(), amount.to_owned());
        let cost = usage::Cost { day, service, usage, tags, amount };
        self.with(false, |world, _| usage::add(&mut world.costexplorer, cost))
    }

    /// Makes a cost allocation tag known: active since a day, or not active.
    pub fn set_allocation_tag(&self, key: &str, since: Option<&str>) -> Result<(), SandboxError> {
        self.with(false, |world, _| allocation::set(&mut world.costexplorer, key, since))
    }

    /// Issues a certificate, whatever its records. Whether it is there.
    pub fn issue_certificate(&self, arn: &str) -> Result<bool, SandboxError> {
        self.with(false, |world, _| acm::issue(world, arn))
    }
}
