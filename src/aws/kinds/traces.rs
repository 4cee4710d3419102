//! What X-Ray traces, wherever requests come in.

use crate::aws::costs::Costs;
use payctl_money::Decimal;

/// How many of so many requests in a month X-Ray traces by its default rule: the first in each second, and
/// 5 % of the others. They are spread over the hours of the environment.
pub(super) fn sampled(requests: Decimal, cx: &Costs<'_>) -> Decimal {
    let firsts = requests.min(cx.hours() * Decimal::from(3600));
    firsts + (requests - firsts) / Decimal::from(20)
}
