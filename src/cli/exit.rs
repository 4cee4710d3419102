//! The exit codes: a promise to scripts, kept here and nowhere else.

/// Success.
pub const SUCCESS: u8 = 0;
/// An error, also one of usage; nothing was changed.
pub const ERROR: u8 = 1;
/// `plan --detailed-exitcode`: there are changes.
pub const CHANGES: u8 = 2;
/// An apply or a destroy did not end as planned; changes may have been made.
pub const PARTLY: u8 = 3;
/// The saved plan is out of date.
pub const STALE: u8 = 4;
/// A check failed, or a shift of traffic was rolled back, stopped or not begun because of what it saw.
pub const FOUND: u8 = 5;
/// Stopped by a signal.
pub const INTERRUPTED: u8 = 130;
