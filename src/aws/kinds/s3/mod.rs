pub(crate) mod bucket;
