//! Metric math: numbers, ids of metrics, `+ - * / ^`, parentheses and `FILL(metric, number)`. The
//! other functions, `SEARCH` among them, are left out.

use std::collections::BTreeMap;

use super::INVALID;
use super::metrics::{Series, Span};
use crate::Refusal;

/// Why an expression has no value.
#[derive(Debug, PartialEq)]
pub(super) enum Wrong {
    /// It names something that is not known yet.
    Unknown(String),
    /// It uses a function that the sandbox does not know.
    Function(String),
    /// It is not an expression of series.
    Form,
}

impl Wrong {
    pub(super) fn refusal(&self, expression: &str) -> Refusal {
        let problem = match self {
            Self::Unknown(name) => format!("it names {name}, which no query defines"),
            Self::Function(name) => {
                return Refusal::not_covered("monitoring", &format!("the function {name}"));
            }
            Self::Form => "it is not an expression of time series".to_owned(),
        };
        let message = format!("Error in expression '{expression}': {problem}.");
        Refusal::new(INVALID, message)
    }
}

/// A value: the same at any time, or one for each period.
#[derive(Clone)]
enum Operand {
    Number(f64),
    Series(Series),
}

/// The series that an expression stands for.
pub(super) fn evaluate(
    expression: &str,
    known: &BTreeMap<String, Series>,
    span: Span,
) -> Result<Series, Wrong> {
    let mut reader = Reader { rest: expression, known, span };
    let value = reader.sum()?;
    reader.skip();
    match value {
        Operand::Series(series) if reader.rest.is_empty() => Ok(series),
        _ => Err(Wrong::Form),
    }
}

struct Reader<'a> {
    rest: &'a str,
    known: &'a BTreeMap<String, Series>,
    span: Span,
}

impl Reader<'_> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, wanted: char) -> bool {
        self.skip();
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn word(&mut self, fits: impl Fn(char) -> bool) -> String {
        self.skip();
        let end = self.rest.find(|c| !fits(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word.to_owned()
    }

    fn sum(&mut self) -> Result<Operand, Wrong> {
        let mut value = self.product()?;
        loop {
            if self.eat('+') {
                value = combined(value, self.product()?, |one, other| one + other);
            } else if self.eat('-') {
                value = combined(value, self.product()?, |one, other| one - other);
            } else {
                return Ok(value);
            }
        }
    }

    fn product(&mut self) -> Result<Operand, Wrong> {
        let mut value = self.power()?;
        loop {
            if self.eat('*') {
                value = combined(value, self.power()?, |one, other| one * other);
            } else if self.eat('/') {
                value = combined(value, self.power()?, |one, other| one / other);
            } else {
                return Ok(value);
            }
        }
    }

    fn power(&mut self) -> Result<Operand, Wrong> {
        let base = self.unit()?;
        match self.eat('^') {
            true => Ok(combined(base, self.power()?, f64::powf)),
            false => Ok(base),
        }
    }

    fn unit(&mut self) -> Result<Operand, Wrong> {
        if self.eat('-') {
            let value = self.unit()?;
            return Ok(combined(Operand::Number(-1.0), value, |one, other| one * other));
        }
        if self.eat('(') {
            let value = self.sum()?;
            return if self.eat(')') { Ok(value) } else { Err(Wrong::Form) };
        }
        let number = self.word(|c| c.is_ascii_digit() || c == '.');
        if !number.is_empty() {
            return number.parse().map(Operand::Number).map_err(|_| Wrong::Form);
        }
        let name = self.word(|c| c.is_ascii_alphanumeric() || c == '_');
        if name.is_empty() {
            return Err(Wrong::Form);
        }
        if self.eat('(') {
            return match name.as_str() {
                "FILL" => self.filled(),
                _ => Err(Wrong::Function(name)),
            };
        }
        self.known.get(&name).cloned().map(Operand::Series).ok_or(Wrong::Unknown(name))
    }

    /// The rest of `FILL(metric, number)`: the number stands for what is missing.
    fn filled(&mut self) -> Result<Operand, Wrong> {
        let value = self.sum()?;
        let comma = self.eat(',');
        let other = self.sum()?;
        match (value, other, comma && self.eat(')')) {
            (Operand::Series(mut series), Operand::Number(number), true) => {
                for start in self.span.starts() {
                    series.entry(start).or_insert(number);
                }
                Ok(Operand::Series(series))
            }
            _ => Err(Wrong::Form),
        }
    }
}

/// Two values combined, where both have one. What is no number, such as a division by zero, is
/// missing.
fn combined(one: Operand, other: Operand, with: impl Fn(f64, f64) -> f64) -> Operand {
    let only = |series: Series| {
        let numbers = series.into_iter().filter(|(_, value)| value.is_finite());
        Operand::Series(numbers.collect())
    };
    match (one, other) {
        (Operand::Number(one), Operand::Number(other)) => Operand::Number(with(one, other)),
        (Operand::Series(series), Operand::Number(number)) => {
            only(series.into_iter().map(|(at, value)| (at, with(value, number))).collect())
        }
        (Operand::Number(number), Operand::Series(series)) => {
            only(series.into_iter().map(|(at, value)| (at, with(number, value))).collect())
        }
        (Operand::Series(one), Operand::Series(other)) => {
            let both =
                one.into_iter().filter_map(|(at, value)| Some((at, with(value, *other.get(&at)?))));
            only(both.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_calculated_period_by_period() {
        let series = |pairs: &[(i64, f64)]| pairs.iter().copied().collect::<Series>();
        let known = BTreeMap::from([
            ("e".to_owned(), series(&[(0, 2.0), (120, 3.0)])),
            ("m".to_owned(), series(&[(0, 4.0), (60, 5.0), (120, 0.0)])),
        ]);
        let span = Span { from: 0.0, until: 180.0, period: 60 };
        let of = |expression: &str| evaluate(expression, &known, span);
        for (expression, expected) in [
            ("100 * e / m", series(&[(0, 50.0)])),
            ("(e + m) * 2", series(&[(0, 12.0), (120, 6.0)])),
            ("-e ^ 2 + 1", series(&[(0, 5.0), (120, 10.0)])),
            ("FILL(e, 0) + m", series(&[(0, 6.0), (60, 5.0), (120, 3.0)])),
            ("m - 1.5 - 1", series(&[(0, 1.5), (60, 2.5), (120, -2.5)])),
        ] {
            assert_eq!(of(expression), Ok(expected), "{expression}");
        }
        assert_eq!(of("x + 1"), Err(Wrong::Unknown("x".into())));
        assert_eq!(of("SEARCH('a', 'b')"), Err(Wrong::Function("SEARCH".into())));
        for bad in ["", "1 + 2", "e +", "(e", "e e", "FILL(e)"] {
            assert_eq!(of(bad), Err(Wrong::Form), "{bad}");
        }
    }
}
