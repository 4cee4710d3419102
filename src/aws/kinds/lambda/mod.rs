pub(crate) mod common;
pub(crate) mod event_source;
pub(crate) mod function;
pub(crate) mod permissions;
