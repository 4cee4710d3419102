pub(crate) mod parameter;
