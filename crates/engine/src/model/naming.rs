//! What AWS demands of the names of one kind.

/// What AWS demands of the names of one kind.
#[derive(Clone, Copy, Debug)]
pub struct NameRule {
    /// The word for `{type}` in the pattern of the config.
    pub word: &'static str,
    /// The longest possible name.
    pub limit: usize,
    /// What a whole name must match.
    pub pattern: &'static str,
    /// The same in words.
    pub rule: &'static str,
    /// What a name by the pattern gets at its end, because others share the namespace.
    pub shared: Shared,
    /// Tells names in the right characters that AWS keeps for itself.
    pub is_reserved: Option<fn(&str) -> bool>,
    /// Tells names that AWS takes and advises against: a name by the pattern gets another end then, and
    /// who states such a name gets it.
    pub is_unwise: Option<fn(&str) -> bool>,
}

/// Who else uses the namespace of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shared {
    /// Nobody outside account and region.
    No,
    /// Other regions of the account.
    Account,
    /// The world.
    World,
}

impl NameRule {
    /// A rule for names that nobody outside account and region shares.
    pub const fn new(
        word: &'static str,
        limit: usize,
        pattern: &'static str,
        rule: &'static str,
    ) -> Self {
        Self { word, limit, pattern, rule, shared: Shared::No, is_reserved: None, is_unwise: None }
    }

    /// The rule for what has no name but its `Name` tag. AWS takes the letters of every script there:
    /// beyond ASCII, all counts as one.
    pub const fn tag(word: &'static str) -> Self {
        const TAG: &str = r"^([a-zA-Z0-9 _.:/=+@-]|[^\x00-\x7F])+$";
        Self::new(word, 255, TAG, "letters, digits, spaces and _ . : / = + - @")
    }

    /// The same for names that other regions of the account share.
    pub const fn of_account(self) -> Self {
        Self { shared: Shared::Account, ..self }
    }
}
