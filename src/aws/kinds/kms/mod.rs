pub(crate) mod key;
