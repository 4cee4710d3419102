//! The rules that the recommended platform does not meet, and why.

/// A rule that is not met.
pub struct Unmet {
    /// Its id.
    pub rule: &'static str,
    /// `TYPE.NAME`, or `TYPE.*` for all of a type.
    pub resource: &'static str,
    /// The environments, with spaces between; `pr` stands for those of pull requests.
    pub envs: &'static str,
    /// Why.
    pub reason: &'static str,
}

const fn unmet(
    rule: &'static str,
    resource: &'static str,
    envs: &'static str,
    reason: &'static str,
) -> Unmet {
    Unmet { rule, resource, envs, reason }
}

/// All of them.
pub const UNMET: &[Unmet] = &[unmet("", "", "", "")];
