//! AWS through its SDK. Only this module and the sandbox's HTTP boundary use SDK types.

pub mod clients;
pub mod concurrency;
pub mod denied;
pub mod error;
pub mod facts;
pub mod kinds;
mod network;
pub mod offers;
mod pace;
pub mod policy;
pub mod provider;
pub mod resource;
pub mod restores;
mod tags;
pub mod versions;
