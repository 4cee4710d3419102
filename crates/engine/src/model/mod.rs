//! Plain data shared by every layer: addresses, references, documents, live state, errors.
//!
//! Nothing here performs IO or knows a resource kind by name.

pub mod address;
pub mod desired;
pub mod document;
pub mod drawn;
pub mod error;
pub mod live;
pub mod meta;
pub mod naming;
pub mod package;
pub mod permit;
pub mod scope;
pub mod size;
pub mod text;
pub mod verdict;
pub mod zone;
