//! The addresses of tasks, as load balancers know them.

use super::super::World;
use super::super::ec2::lent;
use super::super::toolbox::{here, list, number};
use super::strategies;

/// Address, port and start of every running task that a service registers in a target group.
pub(crate) fn addresses(world: &World, region: &str, group: &str) -> Vec<(String, i64, f64)> {
    let mut all = Vec::new();
    for (_, service) in here(&world.ecs.services, region).filter(|(_, one)| one.lives()) {
        let mut targets = list(&service.settings, "loadBalancers").iter();
        let target = targets.find(|one| strategies::group(service, one) == Some(group));
        let Some(port) = target.and_then(|one| number(one, "containerPort")) else { continue };
        let own = service.interfaces.iter().filter_map(|id| lent::address(world, region, id));
        all.extend(own.map(|address| (address, port, service.started())));
    }
    all
}
