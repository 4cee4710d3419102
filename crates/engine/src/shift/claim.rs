//! The text of the tag by which a run claims an object.

use std::fmt;

/// What one run writes into the tag. It is short enough for every service, and of the characters that
/// they all take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The shift's name.
    pub shift: String,
    /// What the run does.
    pub purpose: Purpose,
    /// The run.
    pub run: String,
    /// How often it has been renewed.
    pub beat: u32,
    /// The side that the run moves traffic to. Older versions of payctl did not write it.
    pub side: Option<String>,
}

/// What a run does with traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It moves it step by step.
    Shift,
    /// It takes all of it back.
    Back,
}

impl Purpose {
    fn word(self) -> &'static str {
        match self {
            Self::Shift => "shift",
            Self::Back => "back",
        }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.shift, self.purpose.word(), self.run, self.beat)?;
        self.side.iter().try_for_each(|side| write!(f, " {side}"))
    }
}

impl Claim {
    /// Reads a tag; `None` if payctl did not write it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let shift = words.next()?.to_owned();
        let purpose = words.next()?;
        let purpose =
            [Purpose::Shift, Purpose::Back].into_iter().find(|one| one.word() == purpose)?;
        let run = words.next()?.to_owned();
        let beat = words.next()?.parse().ok()?;
        let side = words.next().map(str::to_owned);
        words.next().is_none().then_some(Self { shift, purpose, run, beat, side })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_read_back_as_it_was_written() {
        let claim = Claim {
            shift: "payment".into(),
            purpose: Purpose::Back,
            run: "9f3a".into(),
            beat: 12,
            side: Some("blue".into()),
        };
        assert_eq!(claim.to_string(), "payment back 9f3a 12 blue");
        assert_eq!(Claim::parse(&claim.to_string()), Some(claim.clone()));
        let older = Claim { side: None, ..claim };
        assert_eq!(Claim::parse("payment back 9f3a 12"), Some(older));
        for foreign in
            ["", "true", "payment back 9f3a", "a left b 1", "a back b one", "a back b 1 c d"]
        {
            assert_eq!(Claim::parse(foreign), None, "{foreign}");
        }
    }
}
