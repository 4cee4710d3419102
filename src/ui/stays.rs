//! What stays of deleted objects and still costs, as text and JSON.

use payctl_money::bill::{Bill, Item, number_of};
use serde_json::{Value, json};

use super::money::amount;

/// The items that cost something, the dearest first.
fn items(stays: &Bill) -> Vec<&Item> {
    let mut items: Vec<&Item> = stays.items.iter().filter(|it| !it.monthly.is_zero()).collect();
    items.sort_by(|one, other| {
        other.monthly.cmp(&one.monthly).then(one.address.cmp(&other.address))
    });
    items
}

/// One line; none if nothing stays that costs anything.
pub fn line(stays: &Bill) -> Option<String> {
    let priced = items(stays).into_iter();
    let priced =
        priced.map(|item| format!("{} ({} {})", item.address, item.what, amount(item.monthly)));
    let unpriced = stays.unpriced.iter();
    let unpriced = unpriced.map(|one| format!("{}, whose price is not known", one.address));
    let named: Vec<String> = priced.chain(unpriced).collect();
    let total = amount(stays.total());
    let sum = format!("what stays costs about {total} {} a month", stays.currency);
    (!named.is_empty()).then(|| format!("{sum} until you delete it: {}", named.join(", ")))
}

/// The same for programs.
pub fn json(stays: &Bill) -> Option<Value> {
    let row = |item: &Item| json!({ "address": item.address, "what": item.what, "monthly": number_of(item.monthly, 6) });
    let rows: Vec<Value> = items(stays).into_iter().map(row).collect();
    (!rows.is_empty() || !stays.unpriced.is_empty()).then(|| {
        json!({
            "monthly": number_of(stays.total(), 2),
            "items": rows,
            "unpriced": stays.unpriced,
        })
    })
}
