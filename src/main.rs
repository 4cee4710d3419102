//! The payctl program.

fn main() {}
