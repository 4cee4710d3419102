//! How fast a service takes calls; the folder of the service declares it.

/// How many calls to a service may be under way at once, where nothing else is known.
pub(crate) const AT_ONCE: usize = 16;

/// How fast one service takes calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    /// The service, as AWS signs it.
    pub service: &'static str,
    /// How many calls may be under way at once.
    pub at_once: usize,
    /// Operations with a rate of their own: if AWS throttles one, the others do not slow down.
    pub alone: &'static [&'static str],
}
