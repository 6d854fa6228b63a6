//! Compact addresses: half the size of the standard library's, and hashable as plain bytes.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Address and port of a peer in 18 bytes, without alignment.
///
/// IPv4 is held IPv4-mapped (RFC 4291 §2.5.5.2), so that one device is one key, whether its datagram came in through
/// an IPv4 or a dual-stack socket. The scope of a link-local address is not part of it: answers to such peers take
/// the interface of [`LocalAddr`].
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PeerAddr {
    ip: [u8; 16],
    port: [u8; 2],
}

/// The address of ours that a datagram was sent to, and that its answer has to come from.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct LocalAddr {
    ip: [u8; 16],
    interface: u32,
}

impl PeerAddr {
    /// From an address as 16 bytes (IPv4 mapped) and a port.
    #[must_use]
    pub const fn from_octets(ip: [u8; 16], port: u16) -> Self {
        Self {
            ip,
            port: port.to_be_bytes(),
        }
    }

    /// From an IPv4 address and a port.
    #[must_use]
    pub const fn v4(ip: Ipv4Addr, port: u16) -> Self {
        Self {
            ip: ip.to_ipv6_mapped().octets(),
            port: port.to_be_bytes(),
        }
    }

    /// The address as 16 bytes, IPv4 mapped.
    #[must_use]
    pub const fn octets(&self) -> &[u8; 16] {
        &self.ip
    }

    /// The address; IPv4 as such, never mapped.
    #[must_use]
    pub const fn ip(&self) -> IpAddr {
        Ipv6Addr::from_octets(self.ip).to_canonical()
    }

    /// The UDP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        u16::from_be_bytes(self.port)
    }

    /// The address as two big-endian words, IPv4 mapped.
    #[must_use]
    pub const fn halves(&self) -> [u64; 2] {
        let whole = u128::from_be_bytes(self.ip);
        [(whole >> 64) as u64, whole as u64]
    }

    /// The IPv4 address, when it is one.
    #[must_use]
    pub const fn as_v4(&self) -> Option<Ipv4Addr> {
        Ipv6Addr::from_octets(self.ip).to_ipv4_mapped()
    }

    pub(super) const fn is_link_local(&self) -> bool {
        Ipv6Addr::from_octets(self.ip).is_unicast_link_local()
    }
}

impl LocalAddr {
    /// From an address as 16 bytes (IPv4 mapped) and an interface index, 0 for any.
    #[must_use]
    pub const fn from_octets(ip: [u8; 16], interface: u32) -> Self {
        Self { ip, interface }
    }

    /// From an IPv4 address, any interface.
    #[must_use]
    pub const fn v4(ip: Ipv4Addr) -> Self {
        Self {
            ip: ip.to_ipv6_mapped().octets(),
            interface: 0,
        }
    }

    /// The address as 16 bytes, IPv4 mapped.
    #[must_use]
    pub const fn octets(&self) -> &[u8; 16] {
        &self.ip
    }

    /// The address; IPv4 as such, never mapped.
    #[must_use]
    pub const fn ip(&self) -> IpAddr {
        Ipv6Addr::from_octets(self.ip).to_canonical()
    }

    /// The IPv4 address, when it is one.
    #[must_use]
    pub const fn as_v4(&self) -> Option<Ipv4Addr> {
        Ipv6Addr::from_octets(self.ip).to_ipv4_mapped()
    }

    /// Index of the interface, kept for IPv6 link-local addresses only (they mean nothing without it), else 0:
    /// answers then follow the routing table, which may well leave by another interface.
    #[must_use]
    pub const fn interface(&self) -> u32 {
        self.interface
    }
}

impl From<SocketAddr> for PeerAddr {
    fn from(address: SocketAddr) -> Self {
        Self {
            ip: mapped(address.ip()),
            port: address.port().to_be_bytes(),
        }
    }
}

impl From<PeerAddr> for SocketAddr {
    fn from(peer: PeerAddr) -> Self {
        Self::new(peer.ip(), peer.port())
    }
}

impl From<IpAddr> for LocalAddr {
    fn from(ip: IpAddr) -> Self {
        Self {
            ip: mapped(ip),
            interface: 0,
        }
    }
}

impl fmt::Display for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::from(*self).fmt(f)
    }
}

impl fmt::Debug for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for LocalAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ip().fmt(f)?;
        if self.interface == 0 {
            Ok(())
        } else {
            write!(f, "%{}", self.interface)
        }
    }
}

impl fmt::Debug for LocalAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const fn mapped(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_takes_18_bytes() {
        assert_eq!(size_of::<PeerAddr>(), 18);
        assert_eq!(size_of::<LocalAddr>(), 20);
    }

    #[test]
    fn an_address_survives_the_round_trip() {
        for text in [
            "127.0.0.1:5683",
            "[2001:db8::7]:1",
            "[::1]:65535",
            "0.0.0.0:0",
        ] {
            let address: SocketAddr = text.parse().unwrap();
            let peer = PeerAddr::from(address);
            assert_eq!(SocketAddr::from(peer), address);
            assert_eq!(peer.to_string(), text);
        }
    }

    #[test]
    fn a_mapped_ipv4_peer_is_the_same_peer_as_the_plain_one() {
        let plain: SocketAddr = "192.0.2.1:5683".parse().unwrap();
        let mapped: SocketAddr = "[::ffff:192.0.2.1]:5683".parse().unwrap();
        assert_eq!(PeerAddr::from(plain), PeerAddr::from(mapped));
        assert_eq!(SocketAddr::from(PeerAddr::from(mapped)), plain);
    }
}
