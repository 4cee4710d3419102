//! What payctl says of a plan beside its changes: how long it takes, and what it costs.

use time::OffsetDateTime;

use super::learned::Memory;
use super::session::Session;
use super::{Context, cost};
use crate::ui::impact::Impact;
use crate::ui::plan::View;
use crate::ui::style::Style;
use payctl_engine::model::meta::Meta;
use payctl_engine::outlook::Estimate;
use payctl_engine::plan::Plan;
use payctl_engine::provider::Provider as _;

/// What a plan takes and costs.
pub(super) struct Forecast {
    /// The facts of the kinds.
    pub(super) kinds: Vec<&'static Meta>,
    /// How long earlier runs took.
    pub(super) memory: Memory,
    /// How long this one takes.
    pub(super) estimate: Estimate,
    /// What it costs before and after.
    pub(super) cost: Impact,
}

impl Forecast {
    /// `end` is when the environment goes once the plan is carried out.
    pub(super) fn of(
        cx: &Context,
        session: &Session,
        plan: &Plan,
        end: Option<OffsetDateTime>,
    ) -> Self {
        let (kinds, memory) = (session.provider.kinds(), Memory::of(&cx.global));
        let estimate = Estimate::of(plan, &kinds, &memory.recall(), memory.speed);
        Self { kinds, memory, estimate, cost: cost::impact(session, plan, end) }
    }

    /// All that a reader of the plan is told.
    pub(super) fn view<'a>(&'a self, cx: &Context, session: &'a Session, style: Style) -> View<'a> {
        View {
            style,
            detail: cx.detail(),
            effort: Some(session.effort()),
            kinds: &self.kinds,
            estimate: Some(&self.estimate),
            is_elsewhere: !self.memory.is_measure(),
            cost: Some(&self.cost),
            uses: &session.uses,
        }
    }
}
