//! Which permissions the calls of a kind need: IAM actions, when, and on what.

/// When calls are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// Whenever payctl looks: in a plan, and before, during and after every change.
    Look,
    /// When payctl checks what is deployed.
    Check,
    /// Before, during and after a change alone, when one object is read again and again.
    Watch,
    /// When an object is made.
    Create,
    /// When an object is changed.
    Change,
    /// When an object is made or changed.
    Set,
    /// When an object is deleted.
    Delete,
}

impl When {
    /// For people and programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Check => "check",
            Self::Watch => "watch a change",
            Self::Create => "create",
            Self::Change => "change",
            Self::Set => "create or change",
            Self::Delete => "delete",
        }
    }
}

/// What must hold of a call beside its action and its resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Only {
    /// Nothing.
    Always,
    /// The object carries the environment's tags.
    Ours,
    /// The call gives the object the environment's tags.
    MadeOurs,
    /// A key of the request has this value, with the placeholders of [`Permit::on`].
    Equal(&'static str, &'static str),
}

/// IAM actions that are needed at the same time and on the same resources.
#[derive(Clone, Copy, Debug)]
pub struct Permit {
    /// When.
    pub when: When,
    /// The actions, `sqs:CreateQueue`.
    pub actions: &'static [&'static str],
    /// The resources: `*`, or an ARN without `arn:aws:`, with placeholders. `{region}`, `{account}`,
    /// and `{here}` for both with a colon between them; `{path}`, the path of the environment's
    /// roles; `{name}`, the names of the kind's objects, and `{sqs.queue}`, those of another kind;
    /// `{seen}`, every name that carries the environment's name: of these a look reads the tags.
    pub on: &'static [&'static str],
    /// What else must hold.
    pub only: Only,
}

impl Permit {
    /// Needed to look.
    pub const fn look(actions: &'static [&'static str], on: &'static [&'static str]) -> Self {
        Self { when: When::Look, actions, on, only: Only::Always }
    }

    /// Needed to check.
    pub const fn check(actions: &'static [&'static str], on: &'static [&'static str]) -> Self {
        Self { when: When::Check, actions, on, only: Only::Always }
    }

    /// Needed to watch a change.
    pub const fn watch(actions: &'static [&'static str], on: &'static [&'static str]) -> Self {
        Self { when: When::Watch, actions, on, only: Only::Always }
    }

    /// Needed to make an object.
    pub const fn create(actions: &'static [&'static str], on: &'static [&'static str]) -> Self {
        Self { when: When::Create, actions, on, only: Only::Always }
    }

    /// Needed to change an object.
    pub const fn change(actions: &'static [&'static str], on: &'static [&'static str]) -> Self {
        Self { when: When::Change, actions, on, only: Only::Always }
    }

    /// Needed to make an object and to change it.
    pub const fn set(actions: &'static [&'static str], on: &'static [&'static str]) -> Self {
        Self { when: When::Set, actions, on, only: Only::Always }
    }

    /// Needed to delete an object.
    pub const fn delete(actions: &'static [&'static str], on: &'static [&'static str]) -> Self {
        Self { when: When::Delete, actions, on, only: Only::Always }
    }

    /// Only on what carries the environment's tags.
    pub const fn ours(self) -> Self {
        Self { only: Only::Ours, ..self }
    }

    /// Only if the call gives the environment's tags.
    pub const fn made_ours(self) -> Self {
        Self { only: Only::MadeOurs, ..self }
    }

    /// Only if a key of the request has this value.
    pub const fn where_equal(self, key: &'static str, value: &'static str) -> Self {
        Self { only: Only::Equal(key, value), ..self }
    }
}
