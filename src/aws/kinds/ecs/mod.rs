//! ECS.

pub(crate) mod cluster;
pub(crate) mod common;
pub(crate) mod service;
pub(crate) mod task_definition;
