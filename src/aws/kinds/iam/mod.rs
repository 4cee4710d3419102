pub(crate) mod instance_profile;
pub(crate) mod role;
