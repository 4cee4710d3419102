//! The example configs, value by value, against what the applications say that they come from.
