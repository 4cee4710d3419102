//! Changes to the config that lower its cost: each is tried, and its bill says what it saves.

use payctl_money::bill::{Basis, Bill};
use payctl_money::load::{Assumptions, Driver, Load};
use payctl_money::prices::Prices;
use payctl_money::{Decimal, cents};

use super::session::Sketch;
use super::{cost, prices};
use crate::aws::costs;
use crate::blueprint::advice::{self, Advice, hints};
use crate::blueprint::{self, Facts};
use crate::config;
use crate::ui::savings::{Advised, Hint, Saving, Turn};

/// The changes to a config that lower its cost, the largest saving first. A change that the rest of the
/// config does not allow is none, nor one after which less is known than before.
pub(super) fn advised(
    sketch: &Sketch,
    bill: &Bill,
    assume: &Assumptions,
    own: &[Prices],
) -> Advised {
    let facts = Facts::placeholder(&sketch.loaded.config.region);
    let loads = costs::loads(&cost::specs(&sketch.blueprint), assume);
    let computed = |advice: Advice| {
        if !config::is_valid(&advice.loaded) {
            return None;
        }
        let blueprint = blueprint::build(&advice.loaded, &facts).ok()?;
        let free_quantities = assume.free_quantities;
        let own_assume = advice.loaded.config.usage.assumptions();
        let changed =
            cost::bill_of(&blueprint, &Assumptions { free_quantities, ..own_assume }, own);
        let saved = bill.total() - changed.total();
        let is_known = changed.unpriced.len() <= bill.unpriced.len();
        let turn = advice.decided_by.as_ref().and_then(|address| {
            turn(&address.to_string(), [bill, &changed], loads.get(address)?, assume)
        });
        let Advice { what, risk, lines, .. } = advice;
        (is_known && cents(saved) > Decimal::ZERO).then_some(Saving {
            what,
            saved,
            risk,
            lines,
            turn,
        })
    };
    let all = advice::advice(&sketch.loaded, bill).into_iter();
    let mut savings: Vec<Saving> = all.filter_map(computed).collect();
    savings.sort_by_key(|saving| std::cmp::Reverse(saving.saved));
    let prices = prices::of(&sketch.loaded.config.region, own);
    let hints = hints::hints(&sketch.loaded, bill, &prices).into_iter();
    let shown = |hints::Hint { what, monthly, about }| Hint { what, monthly, about };
    Advised { savings, hints: hints.map(shown).collect(), is_priced: !bill.is_unknown() }
}

/// Where it turns between a fixed price and one for each use of a resource: the load at which both cost the
/// same. What a use costs does not depend on how often it happens.
fn turn(address: &str, bills: [&Bill; 2], load: &Load, assume: &Assumptions) -> Option<Turn> {
    let [fixed, usage] = [Basis::Fixed, Basis::Usage].map(|basis| {
        let sum = |bill: &Bill| -> Decimal {
            let items = bill.items.iter();
            let items = items.filter(|item| item.address == address && item.basis == basis);
            items.map(|item| item.monthly).sum()
        };
        (sum(bills[0]) - sum(bills[1])).abs()
    });
    let times = fixed.checked_div(usage).filter(|times| !times.is_zero())?;
    let seconds = assume.hours_per_month * Decimal::from(3600);
    let [writes, reads] =
        [Driver::Writes, Driver::Reads].map(|driver| load.get(driver) * times / seconds);
    Some(Turn { times, writes, reads })
}
