//! Availability zones.

/// An availability zone. Names are shuffled from account to account, so that what AWS says of zones it
/// says by id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Zone {
    /// The name in this account, `us-east-1a`.
    pub name: String,
    /// The id, `use1-az1`; empty if nobody asked.
    pub id: String,
}
