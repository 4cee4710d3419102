//! The metrics of Container Insights with enhanced observability, down to tasks and containers.
//!
//! The numbers are those of AWS's list of these metrics for Fargate, without those of EBS volumes and restart
//! policies, which payctl never makes. A metric counts once for each combination of its dimensions.

use crate::aws::costs::Costs;
use crate::aws::kinds::ecs::service::Service;
use crate::aws::kinds::ecs::task_definition::TaskDefinition;
use crate::aws::resource::Resource as _;
use payctl_engine::model::address::Address;
use payctl_money::Decimal;
use payctl_money::bill::Charge;

/// The metrics of the cluster: 23 sums of tasks and containers, and the numbers of tasks and services.
const OF_CLUSTER: u32 = 25;
/// Those of a service: 16 by its name and 16 by the family of its tasks, and 5 of its deployments.
const OF_SERVICE: u32 = 37;
/// Those of a task: 16 by the service and 16 by the family.
const OF_TASK: u32 = 32;
/// Those of a container in a service, and of one in a task: 7 by the service and 7 by the family.
const OF_CONTAINER: u32 = 14;
/// With a health check, the same for its state; and one of the cluster.
const OF_HEALTH: u32 = 2;

/// What they cost: fixed for the least number of tasks, and by load for those above it.
pub(super) fn charges(cx: &Costs<'_>) -> Vec<Charge> {
    let services: Vec<_> =
        cx.users(Service::META.kind).iter().filter_map(|it| of(it, cx)).collect();
    let has_health = services.iter().any(|service| service.has_health);
    let of_cluster = Decimal::from(OF_CLUSTER + u32::from(has_health));
    let fixed: Decimal = services.iter().map(|service| service.fixed).sum();
    let more: Decimal = services.iter().map(|service| service.more).sum();
    let (what, meter) = ("Container Insights", "cloudwatch.metric_enhanced");
    vec![
        Charge::fixed(what, meter, (of_cluster + fixed) * cx.share()),
        Charge::usage(format!("{what} by load"), meter, more * cx.share()),
    ]
}

/// The metrics of a service with its tasks.
struct Counted {
    fixed: Decimal,
    more: Decimal,
    has_health: bool,
}

fn of(address: &Address, cx: &Costs<'_>) -> Option<Counted> {
    let service: Service = cx.spec(address)?;
    let (_, task) = cx.target::<TaskDefinition>(&service.task_definition)?;
    let (least, average) = service.tasks(&cx.at(address));
    let checked = task.containers.values().filter(|container| container.health.is_some()).count();
    let containers = Decimal::from(OF_CONTAINER) * Decimal::from(task.containers.len())
        + Decimal::from(OF_HEALTH) * Decimal::from(checked);
    let of_task = Decimal::from(OF_TASK) + containers;
    Some(Counted {
        fixed: Decimal::from(OF_SERVICE) + containers + least * of_task,
        more: (average - least) * of_task,
        has_health: checked > 0,
    })
}
