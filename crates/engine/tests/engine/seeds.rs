//! Properties over random blueprints and faults, one seed after the other.

use payctl_engine::plan::Purpose;
use serde_json::json;

use crate::fake::{FakeCloud, Faults};
use crate::support::*;

async fn one_case(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let cloud = FakeCloud::new(scope(), seed);
    let first = random_blueprint(&mut random, None);
    converge_under(&cloud, &first, random_faults(&mut random), Purpose::Apply).await;
    check_settled(&cloud, &first).await;
    let second = random_blueprint(&mut random, Some(&first));
    converge_under(&cloud, &second, random_faults(&mut random), Purpose::Apply).await;
    check_settled(&cloud, &second).await;
    converge_under(&cloud, &second, random_faults(&mut random), Purpose::Destroy).await;
    check_destroyed(&cloud, &second).await;
}

#[test]
fn apply_and_destroy_converge_under_random_faults() {
    let range = seeds();
    println!("{} random cases", range.end - range.start);
    for seed in range {
        let _name = Seed(seed);
        block_on(one_case(seed));
    }
}

#[test]
fn runs_without_faults_keep_order_and_limits() {
    for seed in 0..300 {
        let _name = Seed(seed);
        block_on(async {
            let mut random = fastrand::Rng::with_seed(seed);
            let cloud = FakeCloud::new(scope(), seed);
            let first = random_blueprint(&mut random, None);
            assert!(run(&cloud, &first, Purpose::Apply).await.is_complete());
            check_settled(&cloud, &first).await;
            assert!(run(&cloud, &first, Purpose::Destroy).await.is_complete());
            assert_eq!(cloud.addresses(), []);
            assert_eq!(cloud.refusals(), 0, "nothing is deleted before what uses it");
            assert!(cloud.most_at_once()["one"] <= 3 + 2, "{:?}", cloud.most_at_once());
        });
    }
}

#[test]
fn flapping_reads_cause_no_second_write() {
    for seed in 0..100 {
        let _name = Seed(seed);
        block_on(async {
            let cloud = FakeCloud::new(scope(), seed);
            let flapping = Faults { lag: 5, flaps: true, ..Faults::default() };
            cloud.set_faults(flapping.clone());
            assert!(run(&cloud, &two(), Purpose::Apply).await.is_complete());
            let log = cloud.log();
            assert_eq!(log.iter().filter(|line| line.starts_with("Update")).count(), 2, "{log:?}");
            check_settled(&cloud, &two()).await;

            let mut wanted = two();
            for resource in wanted.resources.values_mut() {
                resource.spec["size"] = json!(3);
            }
            cloud.set_faults(flapping);
            assert!(run(&cloud, &wanted, Purpose::Apply).await.is_complete());
            let log = cloud.log();
            assert_eq!(log.iter().filter(|line| line.starts_with("Update")).count(), 4, "{log:?}");
            check_settled(&cloud, &wanted).await;
            assert!(run(&cloud, &wanted, Purpose::Destroy).await.is_complete());
            assert_eq!(cloud.addresses(), []);
        });
    }
}
