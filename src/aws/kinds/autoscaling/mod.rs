pub(crate) mod group;
