//! How fast a service takes calls: its folder among the kinds says so.

/// How many calls to a service may be under way at once, where nothing else is known.
pub(crate) const AT_ONCE: usize = 16;

/// How fast one service takes calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    /// The service, as AWS signs it.
    pub service: &'static str,
    /// How many calls may be under way at once.
    pub at_once: usize,
    /// Operations with a rate of their own: that they are throttled says nothing of all others.
    pub alone: &'static [&'static str],
}
