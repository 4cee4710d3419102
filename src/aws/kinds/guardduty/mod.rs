pub(crate) mod detector;
