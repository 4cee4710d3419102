//! Amounts, quantities and their tables. Amounts are rounded here, half away from zero.

use std::fmt::Write as _;

use payctl_money::{Decimal, cents, round};

use super::style::{Paint, Style, table};

/// An amount with two places: `1,234.50`. What is less than a cent, and not nothing, is `<0.01`.
pub fn amount(amount: Decimal) -> String {
    let rounded = cents(amount);
    let sign = if amount.is_sign_negative() { "-" } else { "" };
    if rounded.is_zero() && !round(amount, 12).is_zero() {
        return format!("{sign}<0.01");
    }
    let text = format!("{rounded:.2}");
    let (whole, rest) = text.split_once('.').unwrap_or((&text, "00"));
    format!("{}.{rest}", grouped(whole))
}

/// `+1.00` or `-1.00`.
pub(super) fn signed(change: Decimal) -> String {
    let text = amount(change);
    if text.starts_with('-') { text } else { format!("+{text}") }
}

/// A whole number with commas.
fn grouped(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{sign}{text}")
}

/// A quantity or a unit price without needless zeros.
pub(super) fn number(number: Decimal, places: u32) -> String {
    let text = round(number, places).normalize().to_string();
    match text.split_once('.') {
        Some((whole, rest)) => format!("{}.{rest}", grouped(whole)),
        None => grouped(&text),
    }
}

/// A quantity with its unit: `1 hour`, `2.5 hours`, `3 GB`, `100,000 payments`.
pub(super) fn counted(quantity: Decimal, unit: &str) -> String {
    let is_small = round(quantity, 3).is_zero() && quantity > Decimal::ZERO;
    let text = if is_small { "<0.001".to_owned() } else { number(quantity, 3) };
    let has_plural = text != "1" && !unit.ends_with("GB");
    format!("{text} {unit}{}", if has_plural { "s" } else { "" })
}

/// Rows whose cells in some columns end at the same place, as numbers do.
pub(super) fn right_aligned(mut rows: Vec<Vec<String>>, columns: &[usize]) -> Vec<Vec<String>> {
    for column in columns {
        let cells = || rows.iter().filter_map(|row| row.get(*column));
        let width = cells().map(|cell| cell.chars().count()).max().unwrap_or_default();
        for cell in rows.iter_mut().filter_map(|row| row.get_mut(*column)) {
            *cell = format!("{cell:>width$}");
        }
    }
    rows
}

/// A title with rows below it, whose numbers stand in some columns.
pub(super) fn sectioned(
    text: &mut String,
    title: &str,
    rows: Vec<Vec<String>>,
    numbers: &[usize],
    style: Style,
) {
    let _ = writeln!(text, "\n{}", style.paint(Paint::Bold, title));
    for line in table(&right_aligned(rows, numbers)) {
        let _ = writeln!(text, "  {line}");
    }
}

/// A title with a table below it as Markdown. `head` names the columns; numbers stand in some of them.
pub(super) fn tabled(text: &mut String, head: &[&str], rows: &[Vec<String>], numbers: &[usize]) {
    let rule = (0..head.len()).map(|at| if numbers.contains(&at) { "--:" } else { "---" });
    let rule = rule.collect::<Vec<_>>().join("|");
    let _ = writeln!(text, "\n| {} |\n|{rule}|", head.join(" | "));
    for row in rows {
        let cells = row.iter().map(|cell| cell.trim().replace('|', "\\|")).collect::<Vec<_>>();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        payctl_money::decimal(text).expect("a number")
    }

    #[test]
    fn less_than_a_cent_is_not_nothing() {
        for (sum, said) in [
            ("0", "0.00"),
            ("0.0049", "<0.01"),
            ("-0.0049", "-<0.01"),
            ("0.005", "0.01"),
            ("-0.005", "-0.01"),
            // The last digit of a share that does not end.
            ("0.0000000000000000000000000001", "0.00"),
            ("1234567.895", "1,234,567.90"),
        ] {
            assert_eq!(amount(d(sum)), said);
        }
        let changes = ["0", "0.001", "-0.001", "1", "-1"].map(|sum| signed(d(sum)));
        assert_eq!(changes, ["+0.00", "+<0.01", "-<0.01", "+1.00", "-1.00"]);
    }

    #[test]
    fn one_is_not_many() {
        let quantities = [
            ("1", "hour"),
            ("0.5", "hour"),
            ("730", "hour"),
            ("2", "GB"),
            ("2", "GB-month"),
            ("0", "GB"),
            ("0.0004", "GB"),
        ];
        let said = quantities.map(|(quantity, unit)| counted(d(quantity), unit));
        assert_eq!(
            said,
            ["1 hour", "0.5 hours", "730 hours", "2 GB", "2 GB-months", "0 GB", "<0.001 GB"]
        );
    }

    #[test]
    fn numbers_end_at_the_same_place() {
        let rows = [["a", "1.00"], ["a long name", "1,234,567.00"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec()).to_vec();
        let mut text = String::new();
        sectioned(&mut text, "Sums", rows, &[1], Style::PLAIN);
        assert_eq!(text, "\nSums\n  a                    1.00\n  a long name  1,234,567.00\n");
    }
}
