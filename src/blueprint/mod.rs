//! Provisional: the config's version wins.

use crate::config::{Loaded, Problem};
use crate::model::desired::Blueprint;

/// What a blueprint needs to know about the account.
#[derive(Clone, Debug)]
pub struct Facts;

/// What an environment consists of.
pub fn build(_: &Loaded, _: &Facts) -> Result<Blueprint, Vec<Problem>> {
    Err(vec![Problem("provisional".into())])
}
