//! The ten largest items of the shipped environments, each as a person would compute it: a quantity from the
//! config and from docs/cost.md, times a price from the list.

use std::path::Path;

use payctl::aws::costs;
use payctl_money::bill::{Bill, Item};
use payctl_money::load::Assumptions;
use payctl_money::prices::Prices;
use payctl_money::{Decimal, round};

use crate::cost::{line, product, resources};
use crate::examples::dir_of;
use crate::support::shipped_config;

fn bill(dir: &Path, env: &str) -> Bill {
    let prices = Prices::shipped("us-east-1").expect("a table");
    costs::bill(&resources(dir, env), &Assumptions::default(), &prices)
}

/// Holds a bill against items by hand: address, what, and factors. Nothing else costs more than the least of them.
fn expect(dir: &Path, env: &str, by_hand: &[(&str, &str, &str)]) {
    assert_eq!(by_hand.len(), 10, "{env}");
    let bill = bill(dir, env);
    let mut least = Decimal::MAX;
    for (address, what, factors) in by_hand {
        let wanted = product(factors);
        let said = line(&bill, address, what).monthly;
        assert_eq!(round(said, 6), round(wanted, 6), "{env}: {address} {what}");
        least = least.min(wanted);
    }
    let is_listed = |item: &&Item| {
        by_hand.iter().any(|(address, what, _)| *address == item.address && *what == item.what)
    };
    let others = bill.items.iter().filter(|item| !is_listed(item));
    let larger: Vec<String> = others
        .filter(|item| item.monthly > least)
        .map(|item| format!("{} {} {}", item.address, item.what, item.monthly))
        .collect();
    assert!(larger.is_empty(), "{env}: {larger:#?}");
}

#[test]
fn the_recommended_dev_environment_costs_what_a_person_computes() {
    expect(
        &shipped_config(),
        "dev",
        &[
            // Half a unit of capacity, all the time. Of at most 2 units 0.4 run on average.
            ("rds.instance/customer-1", "capacity units", "0.5 x 730 x 0.12"),
            ("rds.instance/customer-2", "capacity units", "0.5 x 730 x 0.12"),
            ("elb.load_balancer/main", "load balancer", "730 x 0.0225"),
            // Two tasks of a quarter of a vCPU; of at most 10 tasks 2 run on average.
            ("ecs.service/payment", "CPU of tasks", "2 x 0.25 x 730 x 0.04048"),
            // 11 metrics of the cluster, and 21 of its service.
            ("ecs.cluster/main", "Container Insights", "32 x 0.30"),
            ("autoscaling.group/workers", "instances", "1 x 730 x 0.0084"),
            ("waf.web_acl/main", "web ACL", "5"),
            // A limit, SQL, scripts, and two groups.
            ("waf.web_acl/main", "rules", "5 x 1"),
            ("ec2.instance/nat-1", "public address", "730 x 0.005"),
            ("ecs.service/payment", "memory of tasks", "2 x 0.5 x 730 x 0.004445"),
        ],
    );
}

#[test]
fn the_recommended_prod_environment_costs_what_a_person_computes() {
    expect(
        &shipped_config(),
        "prod",
        &[
            // Of at most 16 units 3.2 run on average: 2.2 more than the least.
            ("rds.instance/customer-1", "capacity units by load", "2.2 x 730 x 0.12"),
            ("rds.instance/customer-2", "capacity units by load", "2.2 x 730 x 0.12"),
            ("rds.instance/customer-1", "capacity units", "1 x 730 x 0.12"),
            ("rds.instance/customer-2", "capacity units", "1 x 730 x 0.12"),
            ("ec2.nat_gateway/nat-1", "NAT gateway", "730 x 0.045"),
            ("ec2.nat_gateway/nat-2", "NAT gateway", "730 x 0.045"),
            ("ec2.nat_gateway/nat-3", "NAT gateway", "730 x 0.045"),
            ("elb.load_balancer/main", "load balancer", "730 x 0.0225"),
            ("ecs.service/payment", "CPU of tasks", "2 x 0.25 x 730 x 0.04048"),
            ("autoscaling.group/workers", "instances", "2 x 730 x 0.0084"),
        ],
    );
}

#[test]
fn the_container_api_costs_what_a_person_computes() {
    expect(
        &dir_of("container-api"),
        "prod",
        &[
            ("rds.instance/payment-1", "database instance", "730 x 0.082"),
            ("rds.instance/payment-2", "database instance", "730 x 0.082"),
            ("ec2.nat_gateway/nat-1", "NAT gateway", "730 x 0.045"),
            ("elb.load_balancer/main", "load balancer", "730 x 0.0225"),
            ("ecs.service/payment", "CPU of tasks", "2 x 0.25 x 730 x 0.04048"),
            ("elb.load_balancer/main", "public addresses", "3 x 730 x 0.005"),
            ("ecs.cluster/main", "Container Insights", "32 x 0.30"),
            ("waf.web_acl/main", "web ACL", "5"),
            ("ec2.elastic_ip/nat-1", "public address", "730 x 0.005"),
            ("ecs.service/payment", "memory of tasks", "2 x 0.5 x 730 x 0.004445"),
        ],
    );
}

#[test]
fn the_optimised_platform_costs_what_a_person_computes() {
    expect(
        &dir_of("cost-optimised"),
        "prod",
        &[
            ("ec2.nat_gateway/nat-1", "NAT gateway", "730 x 0.045"),
            ("elb.load_balancer/main", "load balancer", "730 x 0.0225"),
            ("ecs.service/payment", "CPU of tasks", "2 x 0.25 x 730 x 0.04048"),
            ("elb.load_balancer/main", "public addresses", "2 x 730 x 0.005"),
            ("ec2.elastic_ip/nat-1", "public address", "730 x 0.005"),
            ("ecs.service/payment", "memory of tasks", "2 x 0.5 x 730 x 0.004445"),
            ("cloudwatch.dashboard/payments", "dashboard", "3"),
            // Three routes with 100,000 requests each.
            ("apigateway.stage/payments", "requests", "300000 x 0.0000035"),
            // The processor writes a record of each payment.
            ("s3.bucket/audit", "writes", "100000 x 0.000005"),
            // 100,000 KB a month for a year, in the table and in an index: a KB is 1 / 1048576 GB.
            (
                "dynamodb.table/transactions",
                "storage",
                "100000 x 0.00000095367431640625 x 12 x 2 x 0.25",
            ),
        ],
    );
}

#[test]
fn the_migration_costs_what_a_person_computes() {
    expect(
        &dir_of("migration"),
        "prod",
        &[
            ("rds.instance/customer-1", "capacity units", "0.5 x 730 x 0.12"),
            ("rds.instance/customer-2", "capacity units", "0.5 x 730 x 0.12"),
            ("ec2.nat_gateway/nat-1", "NAT gateway", "730 x 0.045"),
            ("ec2.elastic_ip/nat-1", "public address", "730 x 0.005"),
            ("cloudwatch.dashboard/payments", "dashboard", "3"),
            // Three functions share a role that may write records and read the secret: 300,000 calls.
            ("s3.bucket/audit", "writes", "300000 x 0.000005"),
            ("secretsmanager.secret/database", "requests", "300000 x 0.000005"),
            ("apigateway.stage/payments", "requests", "300000 x 0.0000035"),
            ("kms.key/main", "key", "1"),
            // 300,000 KB a month for a year, in the table and in two indexes: a KB is 1 / 1048576 GB.
            (
                "dynamodb.table/transactions",
                "storage",
                "300000 x 0.00000095367431640625 x 12 x 3 x 0.25",
            ),
        ],
    );
}

#[test]
fn the_secured_serverless_platform_costs_what_a_person_computes() {
    expect(
        &dir_of("serverless-secured"),
        "dev",
        &[
            ("ec2.nat_gateway/nat-1", "NAT gateway", "730 x 0.045"),
            ("autoscaling.group/workers", "instances", "1 x 730 x 0.0084"),
            ("waf.web_acl/main", "web ACL", "5"),
            ("ec2.elastic_ip/nat-1", "public address", "730 x 0.005"),
            ("waf.web_acl/main", "rules", "3 x 1"),
            ("cloudwatch.dashboard/cost", "dashboard", "3"),
            ("cloudwatch.dashboard/operations", "dashboard", "3"),
            ("cloudwatch.dashboard/security", "dashboard", "3"),
            // Two routes call the processor 200,000 times. It writes a record and sends a message each time. The event
            // handler writes a record of each message, and of each of 100,000 events.
            ("s3.bucket/audit", "writes", "500000 x 0.000005"),
            ("secretsmanager.secret/database", "requests", "200000 x 0.000005"),
        ],
    );
}
