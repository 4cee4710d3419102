//! What the protection plans of a detector charge.
//!
//! Malware protection scans a disk only after a finding, EKS is not in payctl, and AI protection reads events of
//! Bedrock and SageMaker: no load of an environment leads to them.

use super::detector::Detector;
use crate::aws::costs::Costs;
use crate::aws::kinds::autoscaling::group::Group;
use crate::aws::kinds::ec2::instance::Instance as Machine;
use crate::aws::kinds::ecs::service::Service;
use crate::aws::kinds::rds::instance::{Instance, Size};
use crate::aws::resource::Resource;
use payctl_money::Decimal;
use payctl_money::bill::Charge;
use payctl_money::load::Driver;

/// The meter of what has a size that payctl does not know: it has no price, so the bill names it.
const UNSIZED: &str = "guardduty.unsized";

impl Detector {
    /// The charges of the plans that are on.
    pub(super) fn plans(&self, cx: &Costs<'_>) -> Vec<Charge> {
        let plans = self.features.iter();
        plans.flat_map(|plan| of_plan(plan, cx)).collect()
    }
}

fn of_plan(plan: &str, cx: &Costs<'_>) -> Vec<Charge> {
    match plan {
        "AI_ANALYST" => vec![Charge::fixed("AI analyst", "guardduty.ai_analyst", cx.share())],
        "LAMBDA_NETWORK_LOGS" => {
            let gb = cx.load(Driver::FunctionGb);
            vec![Charge::usage("network records of functions", "guardduty.lambda_gb", gb)]
        }
        "RDS_LOGIN_EVENTS" => logins(cx),
        "RUNTIME_MONITORING" => runtime(cx),
        "S3_DATA_EVENTS" => {
            let events = cx.load(Driver::DataEvents);
            vec![Charge::usage("events of objects", "guardduty.s3_events", events)]
        }
        _ => Vec::new(),
    }
}

/// Each resource of a kind, beside what it sees.
fn each<R: Resource, T>(cx: &Costs<'_>, of: impl Fn(R, &Costs<'_>) -> T) -> Vec<T> {
    let all = cx.all(R::META.kind);
    let seen = all.iter().filter_map(|address| Some(of(cx.spec(address)?, &cx.at(address))));
    seen.collect()
}

/// Logins to databases, by the capacity of their instances.
fn logins(cx: &Costs<'_>) -> Vec<Charge> {
    let (mut vcpus, mut least, mut average) = (Decimal::ZERO, Decimal::ZERO, Decimal::ZERO);
    let mut unknown = Decimal::ZERO;
    for size in each(cx, |instance: Instance, cx| instance.size(cx)) {
        match size {
            Some(Size::Vcpus(count)) => vcpus += count,
            Some(Size::Units(from, to)) => {
                least += from;
                average += to;
            }
            None => unknown += Decimal::ONE,
        }
    }
    let (what, by_load) = ("logins to databases", "logins to databases by load");
    vec![
        Charge::fixed(what, "guardduty.rds_vcpu", vcpus * cx.share()),
        Charge::fixed(what, "guardduty.rds_acu", least * cx.share()),
        Charge::usage(by_load, "guardduty.rds_acu", (average - least) * cx.share()),
        Charge::fixed(what, UNSIZED, unknown * cx.share()),
    ]
}

/// The vCPUs of all tasks and instances, as if each had the agent.
fn runtime(cx: &Costs<'_>) -> Vec<Charge> {
    let of_tasks = each(cx, |service: Service, cx| service.vcpus(cx));
    let mut of_instances = each(cx, |group: Group, cx| group.vcpus(cx));
    of_instances.extend(each(cx, |machine: Machine, _| machine.vcpus().map(|all| (all, all))));
    let charges = |meter: &str, all: Vec<Option<(Decimal, Decimal)>>| {
        let known = || all.iter().flatten();
        let least: Decimal = known().map(|(least, _)| *least).sum();
        let average: Decimal = known().map(|(_, average)| *average).sum();
        let unknown = Decimal::from(all.len() - known().count());
        let more = average - least;
        [
            Charge::fixed("runtime monitoring", meter, least * cx.share()),
            Charge::usage("runtime monitoring by load", meter, more * cx.share()),
            Charge::fixed("runtime monitoring", UNSIZED, unknown * cx.share()),
        ]
    };
    let fargate = charges("guardduty.runtime_fargate", of_tasks);
    fargate.into_iter().chain(charges("guardduty.runtime_ec2", of_instances)).collect()
}
