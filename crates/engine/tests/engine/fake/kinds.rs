//! The kinds of the fake cloud.

use std::time::Duration;

use payctl_engine::model::meta::{Meta, Replace};
use payctl_engine::model::text::Output;

/// Found by tags only, like a VPC.
pub const NODE: Meta = Meta {
    immutable: &["zone", "home"],
    replace: Replace::CreateFirst,
    can_duplicate: true,
    use_blocks_delete: true,
    ..Meta::new("fake.node", "one", "An object without a unique name.")
};
/// With a unique name, like a queue.
pub const NAMED: Meta = Meta {
    immutable: &["name", "zone", "home"],
    replace: Replace::DeleteFirst,
    use_blocks_delete: true,
    ..Meta::new("fake.named", "two", "An object with a unique name.")
};
/// Holds data, like a table.
pub const STORE: Meta = Meta {
    immutable: &["name", "zone", "home"],
    replace: Replace::Forbidden,
    use_blocks_delete: true,
    data: Some("the data"),
    ..Meta::new("fake.store", "two", "An object that holds data.")
};
/// Without tags, like a subscription.
pub const LINK: Meta = Meta {
    immutable: &["name"],
    tagged: false,
    use_blocks_delete: true,
    ..Meta::new("fake.link", "one", "An object without tags.")
};

/// Its name is its id, like that of a function.
pub const SLOT: Meta = Meta {
    immutable: &["name", "zone", "home"],
    predicted: &[(Output::Id, "slot/{name}")],
    use_blocks_delete: true,
    propagation: Duration::from_secs(600),
    ..Meta::new("fake.slot", "two", "An object that goes by its name.")
};
/// With a name that others call it by, like a function: nothing keeps it from being deleted.
pub const CALLED: Meta = Meta {
    immutable: &["name", "zone", "home"],
    predicted: &[(Output::Id, "slot/{name}")],
    ..Meta::new("fake.called", "two", "An object that others name.")
};
/// A part of the objects that it links, like the permissions of a function.
pub const PART: Meta = Meta {
    immutable: &["links"],
    part_of: &["links"],
    ..Meta::new("fake.part", "two", "A part of another object.")
};
/// It holds data and has no unique name, like a key.
pub const KEY: Meta = Meta {
    replace: Replace::Forbidden,
    can_duplicate: true,
    use_blocks_delete: true,
    data: Some("what it encrypts"),
    ..Meta::new("fake.key", "one", "An object without a unique name that holds data.")
};
/// AWS's answers say everything of it, like an alarm.
pub const TOLD: Meta = Meta {
    immutable: &["name"],
    predicted: &[(Output::Id, "told/{name}")],
    told: true,
    gone_at_once: true,
    ..Meta::new("fake.told", "two", "An object of which the answers say everything.")
};
/// One for everybody in the account.
pub const ACCOUNT: Meta =
    Meta { immutable: &["name"], ..Meta::new("fake.account", "one", "An object for everybody.") };

/// All of them.
pub const KINDS: [&Meta; 10] =
    [&NODE, &NAMED, &STORE, &LINK, &SLOT, &CALLED, &PART, &KEY, &TOLD, &ACCOUNT];

/// The facts of a kind.
pub fn meta_of(kind: &str) -> &'static Meta {
    KINDS.iter().copied().find(|meta| meta.kind == kind).unwrap_or(&NODE)
}
