//! What a shift would find and do, without doing any of it.

use std::time::Duration;

use tokio::time::Instant;

use super::event::ShiftError;
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
    /// The steps that a run would take.
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
    let read = limited("ReadTraffic", traffic.read());
    let (standing, signals) = futures::future::join(read, watch(traffic, Duration::ZERO)).await;
    let standing = standing.map_err(ShiftError::Refused)?;
    let weights = standing.weights;
    let verdict = Watchman::default().judge(&order.limits, Ok(weights), &signals, Instant::now());
    let percent = weights.percent();
    let left: Vec<u8> = percent.into_iter().flat_map(|percent| order.steps.left(percent)).collect();
    let bakes = u32::try_from(left.len()).unwrap_or(u32::MAX);
    Ok(Outlook {
        weights,
        percent,
        claim: standing.claim,
        least: if left.is_empty() { Duration::ZERO } else { super::SETTLED + order.bake * bakes },
        left,
        findings: verdict.findings,
        doubts: verdict.doubts,
        figures: signals.figures.and_then(Result::ok),
    })
}
