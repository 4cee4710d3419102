pub(crate) mod cluster;
pub(crate) mod cluster_parameter_group;
pub(crate) mod common;
pub(crate) mod instance;
pub(crate) mod subnet_group;
