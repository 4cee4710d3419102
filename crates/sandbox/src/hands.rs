//! What a test does to the world by hand, because nothing in the sandbox would do it: targets that
//! get ill, certificates that are issued without a public DNS.

use serde_json::Value;

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

    /// Issues a certificate, whatever its records. Whether it is there.
    pub fn issue_certificate(&self, arn: &str) -> Result<bool, SandboxError> {
        self.with(false, |world, _| acm::issue(world, arn))
    }
}
