//! What logs cost, wherever they are written.

use super::log_group::LogGroup;
use crate::aws::costs::Costs;
use payctl_engine::model::text::Text;
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

/// The meter of what AWS services deliver to a log group or a bucket.
pub(crate) fn delivery(destination: &Text, cx: &Costs<'_>) -> &'static str {
    if destination.refs().any(|reference| reference.to.kind == "s3.bucket") {
        return "logs.vended_s3";
    }
    let group = cx.target::<LogGroup>(destination);
    let is_infrequent = group.is_some_and(|(_, group)| group.is_infrequent());
    if is_infrequent { "logs.vended_ia" } else { "logs.vended" }
}
