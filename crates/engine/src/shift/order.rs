//! What a shift is asked to do.

use std::time::Duration;

/// What one run is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// The shift's name in the config: one word.
    pub shift: String,
    /// What tells this run from any other: one word.
    pub run: String,
    /// The name of the side that traffic moves to: one word.
    pub side: String,
    /// The shares that traffic moves through.
    pub steps: Steps,
    /// How long each share is watched.
    pub bake: Duration,
    /// What to do about a finding.
    pub on_alarm: OnAlarm,
    /// What counts as a finding.
    pub limits: Limits,
}

/// What to do about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnAlarm {
    /// All traffic goes back to the side that it came from.
    RollBack,
    /// Traffic stays as it is, and the run ends.
    Stop,
}

/// What counts as a finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// How many probes in a row may fail before that is a finding.
    pub probes: u32,
    /// By how many of 100 requests the side that traffic moves to may fail more often than the other.
    pub error_rate: Option<f64>,
    /// How many times the p99 of the other side its own p99 may be.
    pub p99: Option<f64>,
    /// Fewer requests than this say nothing.
    pub requests: u64,
    /// How long anything that is watched may say nothing.
    pub missing: Duration,
}

/// The shares of the side that traffic moves to, in percent, from the first step to all traffic, and
/// where this run ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    all: Vec<u8>,
    goal: u8,
}

/// Why a list of steps is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSteps {
    /// They do not rise from 1 or more to 100.
    #[error("steps must rise from at least 1 to 100")]
    Order,
    /// The run should end at a share that is not a step.
    #[error("there is no step {0}")]
    Unknown(u8),
}

impl Steps {
    /// All steps, up to all traffic.
    pub fn new(all: Vec<u8>) -> Result<Self, BadSteps> {
        let rises = all.windows(2).all(|pair| pair[0] < pair[1]);
        match (all.first(), all.last()) {
            (Some(1..), Some(100)) if rises => Ok(Self { all, goal: 100 }),
            _ => Err(BadSteps::Order),
        }
    }

    /// The steps up to this one.
    pub fn until(self, goal: u8) -> Result<Self, BadSteps> {
        match self.all.contains(&goal) {
            true => Ok(Self { goal, ..self }),
            false => Err(BadSteps::Unknown(goal)),
        }
    }

    /// Where the run ends.
    pub fn goal(&self) -> u8 {
        self.goal
    }

    /// The step that a share has reached; 0 if it is below the first.
    pub fn reached(&self, percent: u8) -> u8 {
        self.all.iter().copied().rfind(|step| *step <= percent).unwrap_or(0)
    }

    /// The steps that are left for this run.
    pub fn left(&self, percent: u8) -> impl Iterator<Item = u8> {
        self.all.iter().copied().filter(move |step| *step > percent && *step <= self.goal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_rise_to_all_traffic() {
        for wrong in [&[][..], &[0, 100], &[10, 10, 100], &[50, 25, 100], &[10, 50], &[50, 101]] {
            assert_eq!(Steps::new(wrong.to_vec()), Err(BadSteps::Order), "{wrong:?}");
        }
        let steps = Steps::new(vec![10, 25, 100]).expect("they rise");
        assert_eq!(
            [0, 9, 10, 24, 25, 99, 100].map(|at| steps.reached(at)),
            [0, 0, 10, 10, 25, 25, 100]
        );
        let left = |steps: &Steps, at| steps.left(at).collect::<Vec<_>>();
        assert_eq!(left(&steps, 0), [10, 25, 100]);
        assert_eq!(left(&steps, 17), [25, 100]);
        assert_eq!(left(&steps, 100), Vec::<u8>::new());
        let some = steps.clone().until(25).expect("a step");
        assert_eq!((some.goal(), left(&some, 0)), (25, vec![10, 25]));
        assert_eq!(steps.until(30), Err(BadSteps::Unknown(30)));
    }
}
