//! What may save money outside the config: it has no lines to write, and counts in no saving.

use std::collections::BTreeMap;

use crate::config::Loaded;
use crate::config::schema::network::NatKind;
use payctl_money::bill::{Basis, Bill};
use payctl_money::meters::{self, Commitment};
use payctl_money::prices::Prices;
use payctl_money::{Decimal, HOURS, round};

/// Something to look into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// What to do, in a few words.
    pub what: String,
    /// What it concerns, or what it saves at most, in a month.
    pub monthly: Decimal,
    /// What the amount is, and what payctl does not know.
    pub about: String,
}

/// The hints for a config, which the bill is for.
pub fn hints(loaded: &Loaded, bill: &Bill, prices: &Prices) -> Vec<Hint> {
    let mut all = commitments(loaded, bill);
    all.extend(interface_endpoint(loaded, bill, prices));
    all
}

/// Plans for what runs all the time. An environment that does not exist all the time needs none.
fn commitments(loaded: &Loaded, bill: &Bill) -> Vec<Hint> {
    let usage = loaded.config.usage.assumptions();
    if loaded.config.disposable || usage.hours_per_month < HOURS {
        return Vec::new();
    }
    let mut sums: BTreeMap<Commitment, Decimal> = BTreeMap::new();
    for item in bill.items.iter().filter(|item| item.basis == Basis::Fixed) {
        if let Some(commitment) = meters::find(&item.meter).and_then(|meter| meter.commitment) {
            *sums.entry(commitment).or_default() += item.monthly;
        }
    }
    let hint = |(commitment, monthly): (Commitment, Decimal)| Hint {
        what: format!("commit to {}", commitment.words()),
        monthly,
        about: format!(
            "This part of the cost runs all the time, and such a commitment lowers its price. You pay it for \
             the whole term, used or not. payctl has no sourced rate, so it computes no saving: `{}` \
             does, from your usage.",
            commitment.asks()
        ),
    };
    sums.into_iter().filter(|(_, monthly)| !monthly.is_zero()).map(hint).collect()
}

/// An interface endpoint for one service in place of NAT data, if all data would be worth its hours.
fn interface_endpoint(loaded: &Loaded, bill: &Bill, prices: &Prices) -> Option<Hint> {
    let network = loaded.config.network.as_ref().filter(|it| it.nat.kind == NatKind::Gateway)?;
    let price = |meter: &str| Some(prices.get(meter)?.tiers.first()?.price);
    let hours = loaded.config.usage.assumptions().hours_per_month;
    let fixed = Decimal::from(network.zones) * hours * price("endpoint.hours")?;
    let less = price("nat.gb")? - price("endpoint.gb")?;
    let through_nat = bill.items.iter().filter(|item| item.meter == "nat.gb");
    let sent: Decimal = through_nat.map(|item| item.quantity).sum();
    let turns = fixed.checked_div(less).filter(|turns| less > Decimal::ZERO && sent > *turns)?;
    Some(Hint {
        what: "reach a service of AWS through an interface endpoint, not through NAT".into(),
        monthly: sent * less - fixed,
        about: format!(
            "So much at most, if all {} GB through NAT go to one service. It turns at {} GB a month to \
             one service in {} zones. Interface endpoints have no key in the config.",
            round(sent, 0),
            round(turns, 0),
            network.zones
        ),
    })
}
