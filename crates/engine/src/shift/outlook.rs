//! What a shift would find and do, without doing any of it.

use std::time::Duration;

use tokio::time::Instant;

use super::decision::{History, Look, Next, forward};
use super::event::{End, ShiftError};
use super::findings::{Doubt, Finding, Watchman};
use super::order::Order;
use super::run::{limited, watch};
use crate::traffic::{Figures, Traffic, Weights};

/// How traffic stands, what the sources say, and which steps are left.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlook {
    /// How it is divided.
    pub weights: Weights,
    /// The share of the side that traffic moves to; `None` if no side gets any.
    pub percent: Option<u8>,
    /// The tag, if there is one: a run is at work, or was cut off.
    pub claim: Option<String>,
    /// How a run would end at once, without a claim; `None` if it would begin.
    pub end: Option<End>,
    /// The steps that a run would take; none if it would end at once, or take traffic back.
    pub left: Vec<u8>,
    /// How long it would take at least.
    pub least: Duration,
    /// What would take traffic back, or keep it from moving.
    pub findings: Vec<Finding>,
    /// What is not known at the moment.
    pub doubts: Vec<Doubt>,
    /// The figures of both sides, if they are watched and known.
    pub figures: Option<Figures>,
}

/// Looks once, and writes nothing.
pub async fn outlook(traffic: &dyn Traffic, order: &Order) -> Result<Outlook, ShiftError> {
    let began = Instant::now();
    let read = limited("ReadTraffic", traffic.read());
    let (standing, signals) = futures::future::join(read, watch(traffic, Duration::ZERO)).await;
    let standing = standing.map_err(ShiftError::Refused)?;
    let weights = standing.weights;
    let ended = Instant::now();
    let verdict = Watchman::default().judge(order, Ok(weights), &signals, ended);
    let claim = standing.claim.clone();
    let look = Look { began, ended, standing: Ok(standing), verdict };
    let end = match forward(order, &History::new(order.run.clone(), began), &look) {
        Next::End(end) => Some(end),
        Next::Claim | Next::Move(_) | Next::Wait(_) | Next::Release(_) => None,
    };
    let verdict = look.verdict;
    let percent = weights.percent();
    let moves = end.is_none() && verdict.findings.is_empty();
    let from = percent.filter(|_| moves);
    let left: Vec<u8> = from.into_iter().flat_map(|percent| order.steps.left(percent)).collect();
    let bakes = u32::try_from(left.len()).unwrap_or(u32::MAX);
    Ok(Outlook {
        weights,
        percent,
        claim,
        end,
        least: if left.is_empty() { Duration::ZERO } else { super::SETTLED + order.bake * bakes },
        left,
        findings: verdict.findings,
        doubts: verdict.doubts,
        figures: signals.figures.and_then(Result::ok),
    })
}
