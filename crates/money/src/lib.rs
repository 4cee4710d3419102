//! Money: prices with their sources, charges, bills, and the comparison of two bills.
//!
//! All of it is computed in decimals. A month has 730 hours. Nothing is rounded before it is shown: a
//! bill keeps exact amounts, and [`cents`] rounds what a reader sees, half away from zero. So rounded
//! rows may differ from their rounded sum by a cent.

pub mod actual;
pub mod bill;
pub mod compare;
pub mod list;
pub mod load;
pub mod meters;
pub mod prices;

pub use rust_decimal::Decimal;
use rust_decimal::RoundingStrategy;

/// The hours of a month, as AWS's own calculator counts them.
pub const HOURS: Decimal = Decimal::from_parts(730, 0, 0, false, 0);

/// An amount as it is shown: two places, half away from zero.
pub fn cents(amount: Decimal) -> Decimal {
    round(amount, 2)
}

/// An amount with so many places, half away from zero. A small negative amount becomes 0, not -0.
pub fn round(amount: Decimal, places: u32) -> Decimal {
    let rounded = amount.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
    if rounded.is_zero() { rounded.abs() } else { rounded }
}

/// A number that is written with digits, as in a spec or a file.
pub fn decimal(text: &str) -> Option<Decimal> {
    text.parse().ok().or_else(|| Decimal::from_scientific(text).ok())
}

/// What part of `whole` is `part`, in whole and tenth per cents; of nothing there are no parts.
pub fn percent(part: Decimal, whole: Decimal) -> Option<Decimal> {
    let share = (part * Decimal::ONE_HUNDRED).checked_div(whole)?;
    Some(round(share, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        decimal(text).expect("a number")
    }

    #[test]
    fn amounts_are_rounded_half_away_from_zero() {
        assert_eq!(cents(d("0.005")), d("0.01"));
        assert_eq!(cents(d("-0.005")), d("-0.01"));
        assert_eq!(cents(d("2.675")), d("2.68"), "a binary fraction would give 2.67");
        assert_eq!(d("0.1") + d("0.2"), d("0.3"));
    }

    #[test]
    fn a_small_negative_amount_becomes_zero_without_a_sign() {
        assert_eq!(format!("{:.2}", cents(d("-0.0002"))), "0.00");
        assert_eq!(format!("{:.2}", cents(d("-0.005"))), "-0.01");
        let share = percent(d("-0.0002"), d("56")).expect("a share");
        assert!(share.is_sign_positive());
    }

    #[test]
    fn a_month_has_730_hours() {
        assert_eq!(HOURS, d("730"));
    }

    #[test]
    fn shares_are_percentages() {
        assert_eq!(percent(d("1"), d("3")), Some(d("33.3")));
        assert_eq!(percent(d("1"), d("0")), None);
    }
}
