//! Shifts of an alias and of a stage with a fault at every call.

use std::time::Duration;

use payctl::aws::clients::Connection;
use payctl::aws::traffic::{Divider, Sources, sides, traffic};
use payctl_engine::shift::{End, Order, Steps};
use payctl_engine::traffic::Traffic;
use payctl_sandbox::{Fault, Faults, Sandbox, Snapshot};

use super::{deploy, deployed, live, moved, order, release, released, weights};
use crate::support::{block_on, configured, sandboxed, through};

/// A shift with few looks.
fn short() -> Order {
    Order {
        steps: Steps::new(vec![50, 100]).expect("steps"),
        bake: Duration::from_secs(10),
        ..order("1")
    }
}

/// A world with something to move, the folder of its config, and what divides the traffic.
struct Ground {
    before: Snapshot,
    folder: tempfile::TempDir,
    divider: Divider,
}

impl Ground {
    fn of_alias() -> Self {
        block_on(async {
            let sandbox = Sandbox::in_memory();
            release(&sandbox, 512).await;
            let (provider, blueprint) = release(&sandbox, 600).await;
            let name = live(&provider, &blueprint, "lambda.alias", "f-live").await;
            let before = sandbox.snapshot().expect("a snapshot");
            Self { before, folder: released(600), divider: Divider::Alias(name) }
        })
    }

    fn of_stage() -> Self {
        block_on(async {
            let sandbox = Sandbox::in_memory();
            deploy(&sandbox, "one").await;
            let (provider, blueprint) = deploy(&sandbox, "two").await;
            let arn = live(&provider, &blueprint, "apigateway.stage", "pay").await;
            let path: Vec<&str> = arn.rsplit('/').take(3).collect();
            let before = sandbox.snapshot().expect("a snapshot");
            let divider = Divider::Stage(format!("{}/{}", path[2], path[0]));
            Self { before, folder: deployed("two"), divider }
        })
    }

    fn restored(&self) -> Sandbox {
        let sandbox = Sandbox::in_memory();
        sandbox.restore(&self.before).expect("a sandbox");
        sandbox
    }

    async fn road(&self, connection: &Connection) -> Box<dyn Traffic> {
        let (provider, _) = configured(connection, self.folder.path(), "dev").await;
        let found = sides(provider.aws(), &self.divider).await.expect("an answer");
        let (from, to) = found.expect("two sides");
        traffic(provider.aws(), self.divider.clone(), from, to, Sources::default())
    }

    /// Two of the faults at each call of a shift, so that each fault hits every third call; all of them with
    /// `PAYCTL_SWEEP=full`. A run that dies is followed by another one.
    fn survives_faults(&self) {
        let (first, calls) = block_on(async {
            let sandbox = self.restored();
            let faults = Faults::new(sandbox.transport());
            let road = self.road(&through(faults.transport())).await;
            let first = faults.counted() + 1;
            assert_eq!(moved(&*road, &short()).await.end, End::Done);
            (first, faults.calls())
        });
        assert!(calls.len() > first + 10, "{calls:?}");
        let is_full = std::env::var("PAYCTL_SWEEP").is_ok_and(|cases| cases == "full");
        for call in first..=calls.len() {
            let two = vec![Fault::ALL[call % 6], Fault::ALL[(call + 3) % 6]];
            let chosen = if is_full { Fault::ALL.to_vec() } else { two };
            for fault in chosen {
                let case = format!("{fault:?} at call {call}, {}", calls[call - 1]);
                block_on(async {
                    let sandbox = self.restored();
                    let faults = Faults::new(sandbox.transport()).at(call, fault);
                    let road = self.road(&through(faults.transport())).await;
                    let order = short();
                    let end = tokio::select! {
                        report = moved(&*road, &order) => Some(report.end),
                        () = faults.stopped() => None,
                    };
                    let again = self.road(&sandboxed(&sandbox)).await;
                    match end {
                        Some(end) => assert_eq!(end, End::Done, "{case}"),
                        None => {
                            let next = Order { run: "2".into(), ..short() };
                            let end = moved(&*again, &next).await.end;
                            assert!([End::Done, End::Nothing].contains(&end), "{case}: {end:?}");
                        }
                    }
                    assert_eq!(weights(&*again).await.0, 0, "{case}");
                    let standing = again.read().await.expect("the tag");
                    assert_eq!(standing.claim, None, "{case}");
                    assert!(!faults.struck().is_empty(), "{case}: no fault");
                });
            }
        }
    }
}

#[test]
fn the_shift_of_an_alias_survives_a_fault_at_any_call() {
    Ground::of_alias().survives_faults();
}

#[test]
fn the_shift_of_a_stage_survives_a_fault_at_any_call() {
    Ground::of_stage().survives_faults();
}
