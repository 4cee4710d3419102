//! Claims about groups of instances.
