//! What logs cost, wherever they are written.

use crate::aws::costs::Costs;
use payctl_money::bill::Charge;
use payctl_money::{Decimal, decimal};

/// What CloudWatch keeps of a log, in the place that it is charged for: it compresses logs to about this
/// part, as the examples of its prices assume.
fn compressed() -> Decimal {
    decimal("0.15").expect("a number")
}

/// What a log costs whose lines are written to CloudWatch, at the meter of its class.
pub(crate) fn logs(
    what: &str,
    meter: &str,
    gb: Decimal,
    days: Option<u32>,
    cx: &Costs<'_>,
) -> Vec<Charge> {
    vec![
        Charge::usage(what, meter, gb),
        Charge::usage(format!("{what}, kept"), "logs.storage", archived(gb, days, cx)),
    ]
}

/// How many gigabytes CloudWatch keeps of so many in a month.
pub(crate) fn archived(gb: Decimal, days: Option<u32>, cx: &Costs<'_>) -> Decimal {
    gb * compressed() * cx.assume.months_kept(days)
}
