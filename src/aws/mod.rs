//! AWS through its SDK. Only this module and the sandbox's HTTP boundary use SDK types.

pub mod census;
pub mod clients;
pub mod costs;
pub mod denied;
pub mod error;
pub mod facts;
pub mod kinds;
pub mod leases;
pub mod leftovers;
pub mod lent;
mod moved;
mod network;
mod pace;
pub mod policy;
pub mod preflight;
pub mod provider;
pub mod resource;
pub mod restores;
mod tags;
mod together;
pub mod traffic;
pub mod web;
