//! Address ranges.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// An IPv4 range with its host bits cleared, as AWS keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cidr {
    base: u32,
    bits: u32,
}

impl Cidr {
    /// Reads `10.0.0.0/16`; host bits are cleared.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32)?;
        let address: Ipv4Addr = address.parse().ok()?;
        Some(Self { base: u32::from(address) & mask(bits), bits })
    }

    /// Whether a VPC or a subnet may have it: the size is between /16 and /28.
    pub(super) fn fits_networks(self) -> bool {
        (16..=28).contains(&self.bits)
    }

    /// Whether the other range is inside.
    pub(super) fn contains(self, other: Self) -> bool {
        self.bits <= other.bits && other.base & mask(self.bits) == self.base
    }

    /// Whether the ranges share an address.
    pub(super) fn overlaps(self, other: Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// The addresses that AWS assigns. It reserves the first four and the last.
    pub(super) fn usable(self) -> impl Iterator<Item = Ipv4Addr> {
        let size = 1u64 << (32 - self.bits);
        (4..size.saturating_sub(1))
            .filter_map(move |offset| u32::try_from(u64::from(self.base) + offset).ok())
            .map(Ipv4Addr::from)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.base), self.bits)
    }
}

fn mask(bits: u32) -> u32 {
    u32::MAX.checked_shl(32 - bits).unwrap_or(0)
}

/// An IPv6 range as AWS writes it.
pub(super) fn canonical_v6(text: &str) -> Option<String> {
    let (address, bits) = text.split_once('/')?;
    let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 128)?;
    let address: Ipv6Addr = address.parse().ok()?;
    let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
    Some(format!("{}/{bits}", Ipv6Addr::from(u128::from(address) & mask)))
}
