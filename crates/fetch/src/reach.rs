//! Which addresses may be reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far an address in a configuration may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Only addresses that anybody on the internet could ask: what a server must hold to.
    Public,
    /// This machine and private networks too, through proxies of the environment as well.
    Everywhere,
}

impl Reach {
    /// Whether a connection to an address may be made.
    pub fn allows(self, address: IpAddr) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Public => is_public(address),
        }
    }
}

/// Blocks of IPv4 that are not on the internet, as address and length (IANA registry of
/// special-purpose addresses); multicast and what is reserved behind it included.
const PRIVATE_V4: [([u8; 4], u32); 14] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 3),
];

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let number = u32::from(address);
    PRIVATE_V4.iter().all(|(block, length)| {
        let shift = 32 - length;
        number >> shift != u32::from_be_bytes(*block) >> shift
    })
}

/// Of IPv6 only `2000::/3` is handed out; in it are blocks that wrap an IPv4 address or are
/// for documents.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    if let Some(inner) = wrapped(parts) {
        return is_public_v4(inner);
    }
    let is_handed_out = parts[0] & 0xe000 == 0x2000;
    // Teredo and others of 2001::/23, documents, and segment routing of 3fff::/20.
    let is_special = parts[0] == 0x2001 && (parts[1] < 0x0200 || parts[1] == 0x0db8)
        || (parts[0] == 0x3fff && parts[1] < 0x1000);
    is_handed_out && !is_special
}

/// The IPv4 address in an IPv6 one that leads to it: mapped, compatible, NAT64, 6to4.
fn wrapped(parts: [u16; 8]) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match parts {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => Some(of(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(of(high, low)),
        [0x2002, high, low, ..] => Some(of(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_internet_is_public() {
        for (address, expected) in [
            ("1.1.1.1", true),
            ("8.8.8.8", true),
            ("172.15.255.255", true),
            ("172.32.0.1", true),
            ("100.63.0.1", true),
            ("0.0.0.0", false),
            ("10.1.2.3", false),
            ("100.64.0.1", false),
            ("127.0.0.1", false),
            ("127.9.9.9", false),
            ("169.254.169.254", false),
            ("172.16.0.1", false),
            ("172.31.255.255", false),
            ("192.168.1.1", false),
            ("198.19.0.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("2606:4700:4700::1111", true),
            ("::1", false),
            ("::", false),
            ("::7f00:1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:8.8.8.8", true),
            ("64:ff9b::a00:1", false),
            ("64:ff9b::808:808", true),
            ("2002:7f00:1::", false),
            ("2001::1", false),
            ("2001:db8::1", false),
            ("fc00::1", false),
            ("fd12::1", false),
            ("fe80::1", false),
            ("ff02::1", false),
        ] {
            let found = Reach::Public.allows(address.parse().unwrap());
            assert_eq!(found, expected, "{address}");
            assert!(Reach::Everywhere.allows(address.parse().unwrap()));
        }
    }
}
