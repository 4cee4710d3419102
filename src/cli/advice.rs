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
use crate::ui::savings::{Advised, Hint, Saving, Share, Turn};

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
/// same. What a use costs does not depend on how often it happens. Capacity holds the peak of a load, so it
/// turns only if the capacity that has this price holds the peak there.
fn turn(address: &str, bills: [&Bill; 2], load: &Load, assume: &Assumptions) -> Option<Turn> {
    let items = |bill: usize| {
        let items = bills[bill].items.iter();
        items.filter(|item| item.address == address).collect::<Vec<_>>()
    };
    let [fixed, usage] = [Basis::Fixed, Basis::Usage].map(|basis| {
        let sum = |bill: usize| -> Decimal {
            let items = items(bill);
            items.iter().filter(|item| item.basis == basis).map(|item| item.monthly).sum()
        };
        (sum(0) - sum(1)).abs()
    });
    let same = fixed.checked_div(usage).filter(|times| !times.is_zero())?;
    let quantity = |meter: &str| -> Decimal {
        let both = [items(0), items(1)].concat();
        both.iter().filter(|item| item.meter == meter).map(|item| item.quantity).sum()
    };
    // A unit of capacity is one use in each second.
    let hour = Decimal::from(3600);
    let peak = assume.peak_factor;
    let held = ["write", "read"].map(|sort| {
        let uses = quantity(&format!("dynamodb.{sort}_requests"));
        (quantity(&format!("dynamodb.{sort}_capacity")) * hour).checked_div(uses * peak)
    });
    let held = held.into_iter().flatten().min()?;
    let times = same.min(held);
    let seconds = assume.hours_per_month * hour;
    let [writes, reads] =
        [Driver::Writes, Driver::Reads].map(|driver| load.get(driver) * times / seconds);
    Some(Turn { load: Share { times, writes, reads }, is_reached: same <= held, peak })
}
