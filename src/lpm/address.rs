//! What the engines need to know of an address, so that one code serves both families.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::{BitOr, Shl};

/// An address in host order: `u32` for IPv4, `u128` for IPv6.
pub(super) trait Address:
    Copy + Ord + BitOr<Output = Self> + Shl<u32, Output = Self> + Send + Sync + 'static
{
    /// The bits of an address.
    const BITS: u32;
    /// The first address.
    const ZERO: Self;

    /// Returns the address if it is of this family.
    fn of(address: IpAddr) -> Option<Self>;

    /// Returns the address in the standard library's type.
    fn into_ip(self) -> IpAddr;

    /// Returns the address behind this one, or `None` behind the last.
    fn next(self) -> Option<Self>;

    /// Returns the address before this one, or `None` before the first.
    #[cfg(test)]
    fn previous(self) -> Option<Self>;

    /// Returns the last address of the block that begins here and shares its first `length` bits.
    ///
    /// From the family's bits on, `length` means the address itself.
    fn last_of_block(self, length: u32) -> Self;

    /// Returns the number of zeros behind the last one; all bits of address 0.
    fn trailing_zeros(self) -> u32;

    /// Returns the first `count` bits as a number; `count` is from 1 to 32.
    fn top_bits(self, count: u32) -> usize;

    /// Returns the address whose `count` bits behind the first `offset` are `slot`: what
    /// `(address << offset).top_bits(count)` undoes.
    ///
    /// Bits that fall behind the end of the address are dropped.
    fn from_slot(slot: usize, offset: u32, count: u32) -> Self;
}

macro_rules! impl_address {
    ($integer:ty, $variant:ident, $address:ty) => {
        impl Address for $integer {
            const BITS: u32 = <$integer>::BITS;
            const ZERO: Self = 0;

            fn of(address: IpAddr) -> Option<Self> {
                match address {
                    IpAddr::$variant(address) => Some(address.to_bits()),
                    _ => None,
                }
            }

            fn into_ip(self) -> IpAddr {
                IpAddr::$variant(<$address>::from_bits(self))
            }

            fn next(self) -> Option<Self> {
                self.checked_add(1)
            }

            #[cfg(test)]
            fn previous(self) -> Option<Self> {
                self.checked_sub(1)
            }

            fn last_of_block(self, length: u32) -> Self {
                self | <$integer>::MAX.checked_shr(length).unwrap_or(0)
            }

            fn trailing_zeros(self) -> u32 {
                <$integer>::trailing_zeros(self)
            }

            #[inline(always)]
            fn top_bits(self, count: u32) -> usize {
                (self >> (<$integer>::BITS - count)) as usize
            }

            fn from_slot(slot: usize, offset: u32, count: u32) -> Self {
                ((slot as $integer) << (<$integer>::BITS - count)) >> offset
            }
        }
    };
}

impl_address!(u32, V4, Ipv4Addr);
impl_address!(u128, V6, Ipv6Addr);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_behind_the_end_is_padded_with_zeros() {
        // The last stride of an IPv4 address at offset 30: two real bits, then four of padding.
        assert_eq!((0xFFFF_FFFEu32 << 30).top_bits(6), 0b10_0000);
        assert_eq!(u32::from_slot(0b10_0000, 30, 6), 0b10);
        assert_eq!(u32::from_slot(0b10_1111, 30, 6), 0b10);
        assert_eq!(u128::from_slot(0b01_0000, 126, 6), 0b01);
    }

    #[test]
    fn blocks_end_where_their_length_says() {
        assert_eq!(0u32.last_of_block(0), u32::MAX);
        assert_eq!(0x0A00_0000u32.last_of_block(8), 0x0AFF_FFFF);
        assert_eq!(7u32.last_of_block(32), 7);
        assert_eq!(7u32.last_of_block(36), 7);
        assert_eq!(0u128.last_of_block(127), 1);
    }
}
