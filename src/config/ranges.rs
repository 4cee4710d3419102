//! IPv4 address ranges of subnets and rules.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Block {
    first: u32,
    prefix: u8,
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from_bits(self.first), self.prefix)
    }
}

impl Block {
    /// Parses `10.0.0.0/16` and clears host bits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let prefix: u8 = prefix.parse().ok().filter(|prefix| *prefix <= 32)?;
        let address: Ipv4Addr = address.parse().ok()?;
        Some(Self { first: address.to_bits() & mask(prefix), prefix })
    }

    pub(crate) fn prefix(self) -> u8 {
        self.prefix
    }

    fn last(self) -> u32 {
        self.first | !mask(self.prefix)
    }

    pub(crate) fn contains(self, other: Self) -> bool {
        self.first <= other.first && other.last() <= self.last()
    }

    /// Gives out consecutive blocks from the beginning.
    pub(crate) fn cursor(self) -> Cursor {
        Cursor { block: self, next: u64::from(self.first) }
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

/// See [`Block::cursor`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    block: Block,
    next: u64,
}

impl Cursor {
    /// The next block of this size, if there is room.
    pub(crate) fn take(&mut self, prefix: u8) -> Option<Block> {
        let size = 1_u64 << (32 - u32::from(prefix));
        let first = self.next.next_multiple_of(size);
        let after = first + size;
        if after > u64::from(self.block.last()) + 1 {
            return None;
        }
        self.next = after;
        Some(Block { first: u32::try_from(first).ok()?, prefix })
    }
}

/// The canonical spelling of an IPv4 or IPv6 range: no host bits, and IPv6 compressed.
pub(crate) fn canonical(text: &str) -> Option<String> {
    if let Some(block) = Block::parse(text) {
        return Some(block.to_string());
    }
    let (address, prefix) = text.split_once('/')?;
    let prefix: u32 = prefix.parse().ok().filter(|prefix| *prefix <= 128)?;
    let address: Ipv6Addr = address.parse().ok()?;
    let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
    Some(format!("{}/{prefix}", Ipv6Addr::from_bits(address.to_bits() & mask)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_consecutive_aligned_and_inside() {
        let mut free = Block::parse("10.0.0.0/22").unwrap().cursor();
        let taken = [24, 26, 24].map(|prefix| free.take(prefix).unwrap().to_string());
        assert_eq!(taken, ["10.0.0.0/24", "10.0.1.0/26", "10.0.2.0/24"]);
        assert_eq!(free.take(23), None);
        let mut all = Block::parse("255.255.0.0/16").unwrap().cursor();
        assert!(all.take(16).is_some() && all.take(28).is_none());
    }

    #[test]
    fn ranges_have_one_spelling() {
        assert_eq!(canonical("100.68.0.18/18").unwrap(), "100.68.0.0/18");
        assert_eq!(canonical("0.0.0.0/0").unwrap(), "0.0.0.0/0");
        assert_eq!(canonical("2001:DB8:0::1/64").unwrap(), "2001:db8::/64");
        assert_eq!(canonical("::/0").unwrap(), "::/0");
        assert_eq!(canonical("10.0.0.0/33"), None);
        assert_eq!(canonical("300.0.0.0/8"), None);
    }
}
