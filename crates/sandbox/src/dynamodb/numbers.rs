//! Numbers of up to 38 digits, which are exact.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::super::Refusal;
use super::invalid;

/// An input with its numbers as DynamoDB keeps them: `12.50` is `12.5`.
pub(super) fn trimmed(input: &Value) -> Result<Value, Refusal> {
    let number = |value: &Value| {
        let Value::String(text) = value else { return trimmed(value) };
        Number::of(text).map(|number| number.text().into()).ok_or_else(|| {
            invalid(format!("The parameter cannot be converted to a numeric value: {text}"))
        })
    };
    Ok(match input {
        Value::Object(members) => {
            let trim = |(name, value): (&String, &Value)| {
                let value = match (name.as_str(), value) {
                    _ if members.len() > 1 => trimmed(value)?,
                    ("N", value) => number(value)?,
                    ("NS", Value::Array(items)) => {
                        json!(items.iter().map(number).collect::<Result<Vec<_>, _>>()?)
                    }
                    (_, value) => trimmed(value)?,
                };
                Ok((name.clone(), value))
            };
            Value::Object(members.iter().map(trim).collect::<Result<_, Refusal>>()?)
        }
        Value::Array(items) => json!(items.iter().map(trimmed).collect::<Result<Vec<_>, _>>()?),
        value => value.clone(),
    })
}

/// A number: `digits * 10 ^ exponent`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number {
    digits: i128,
    exponent: i32,
}

impl Number {
    /// Reads a number as DynamoDB takes it: `-12.5e3`.
    pub(super) fn of(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let part = part.trim_end_matches('0');
        let sign = if whole.starts_with(['-', '+']) { &whole[..1] } else { "" };
        let whole = whole[sign.len()..].trim_start_matches('0');
        let all = format!("{whole}{part}");
        if !mantissa.contains(|c: char| c.is_ascii_digit())
            || !all.bytes().all(|byte| byte.is_ascii_digit())
        {
            return None;
        }
        let exponent = exponent.checked_sub(i32::try_from(part.len()).ok()?)?;
        let digits = format!("{sign}0{all}").parse::<i128>().ok()?;
        Some(Self { digits, exponent }.shortest()).filter(|number| number.fits())
    }

    fn shortest(mut self) -> Self {
        while self.digits != 0 && self.digits % 10 == 0 {
            self.digits /= 10;
            self.exponent += 1;
        }
        if self.digits == 0 {
            self.exponent = 0;
        }
        self
    }

    fn fits(self) -> bool {
        let count = self.digits.unsigned_abs().to_string().len() as i32;
        count <= 38 && (-130..=125).contains(&(self.exponent + count - 1))
    }

    /// Both with the same exponent, if that fits.
    fn level(self, other: Self) -> Option<(i128, i128, i32)> {
        let exponent = self.exponent.min(other.exponent);
        let scaled = |number: Self| {
            let power = u32::try_from(number.exponent - exponent).ok()?;
            number.digits.checked_mul(10_i128.checked_pow(power)?)
        };
        Some((scaled(self)?, scaled(other)?, exponent))
    }

    pub(super) fn add(self, other: Self) -> Option<Self> {
        let (one, other, exponent) = self.level(other)?;
        let sum = Self { digits: one.checked_add(other)?, exponent };
        Some(sum.shortest()).filter(|sum| sum.fits())
    }

    pub(super) fn minus(self, other: Self) -> Option<Self> {
        self.add(Self { digits: -other.digits, ..other })
    }

    pub(super) fn compare(self, other: Self) -> Ordering {
        if let Some((one, other, _)) = self.level(other) {
            return one.cmp(&other);
        }
        // So far apart that the size decides, and the sign.
        let size = |number: Self| {
            let count = number.digits.unsigned_abs().to_string().len() as i32;
            let size = number.exponent + count + 1000;
            size * number.digits.signum() as i32
        };
        size(self).cmp(&size(other))
    }

    /// The number as DynamoDB writes it, without an exponent.
    pub(super) fn text(self) -> String {
        let digits = self.digits.unsigned_abs().to_string();
        let sign = if self.digits < 0 { "-" } else { "" };
        match usize::try_from(self.exponent) {
            Ok(zeros) => format!("{sign}{digits}{}", "0".repeat(zeros)),
            Err(_) => {
                let places = self.exponent.unsigned_abs() as usize;
                let digits = format!("{digits:0>width$}", width = places + 1);
                let (whole, part) = digits.split_at(digits.len() - places);
                format!("{sign}{whole}.{part}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_trimmed_where_they_have_numbers() {
        let input = json!({
            "Item": { "a": { "N": "1.50" }, "b": { "L": [{ "NS": ["01", "2.0"] }] }, "N": { "S": "1.0" } },
            "Limit": 5,
        });
        let expected = json!({
            "Item": { "a": { "N": "1.5" }, "b": { "L": [{ "NS": ["1", "2"] }] }, "N": { "S": "1.0" } },
            "Limit": 5,
        });
        assert_eq!(trimmed(&input).unwrap(), expected);
        let wrong = trimmed(&json!({ "Item": { "a": { "N": "x" } } })).unwrap_err();
        assert_eq!(wrong.message, "The parameter cannot be converted to a numeric value: x");
    }

    #[test]
    fn numbers_are_exact() {
        let number = |text: &str| Number::of(text).unwrap();
        for (text, same) in [
            ("1", "1"),
            ("-1.50", "-1.5"),
            ("0.0010", "0.001"),
            ("1e3", "1000"),
            ("12.5e-1", "1.25"),
            ("-0", "0"),
            ("007", "7"),
            (".5", "0.5"),
            ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
        ] {
            assert_eq!(number(text).text(), same, "{text}");
        }
        for wrong in [
            "",
            "-",
            ".",
            "a",
            "1.2.3",
            "1e",
            "1e200",
            "1_0",
            "123456789012345678901234567890123456789",
        ] {
            assert!(Number::of(wrong).is_none(), "{wrong}");
        }
        assert_eq!(number("0.1").add(number("0.2")).unwrap().text(), "0.3");
        assert_eq!(number("1").minus(number("0.01")).unwrap().text(), "0.99");
        for (less, more) in [("9", "10"), ("-10", "-9"), ("1e-100", "1e100"), ("-1e100", "1e-100")]
        {
            assert_eq!(number(less).compare(number(more)), Ordering::Less, "{less} {more}");
        }
        assert_eq!(number("10").compare(number("1e1")), Ordering::Equal);
    }
}
