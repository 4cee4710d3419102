//! Drawings of an architecture. A [`Drawing`] goes in: frames, boxes, badges, flows, and the fields and
//! changes of the resources. A picture ([`svg()`]) or a page ([`html`]) comes out.
//!
//! The same description always gives the same text. Nothing here knows a service, reads a file or asks
//! the network, and a page needs nothing but itself.

mod layout;
mod model;
mod page;
mod routes;
mod svg;
mod symbols;
mod text;

pub use model::{Action, Badge, Card, Cell, Drawing, Field, Flow, Frame, Line, Look, Resource};
pub use page::html;
pub use svg::svg;

/// Whether there is a symbol of this name.
pub fn has_symbol(name: &str) -> bool {
    symbols::SYMBOLS.iter().any(|symbol| symbol.name == name)
}

#[cfg(test)]
mod tests;
