//! Socket addresses in 19 bytes.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// IP address, port and family. The scope of a link-local IPv6 address is lost.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Address([u8; 19]);

const V4: u8 = 4;
const V6: u8 = 6;

impl Address {
    pub(super) const fn as_bytes(&self) -> &[u8; 19] {
        &self.0
    }

    /// `None` when the family is neither IPv4 nor IPv6.
    pub(super) fn from_bytes(bytes: [u8; 19]) -> Option<Self> {
        let address = Self(bytes);
        let canonical = matches!(bytes[0], V4 | V6) && Self::from(address.socket()) == address;
        canonical.then_some(address)
    }

    pub(super) fn socket(self) -> SocketAddr {
        let port = u16::from_be_bytes([self.0[17], self.0[18]]);
        let mut ip = [0; 16];
        ip.copy_from_slice(&self.0[1..17]);
        if self.0[0] == V4 {
            SocketAddr::from(([ip[0], ip[1], ip[2], ip[3]], port))
        } else {
            SocketAddr::new(IpAddr::V6(Ipv6Addr::from(ip)), port)
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(socket: SocketAddr) -> Self {
        let mut bytes = [0; 19];
        match socket.ip() {
            IpAddr::V4(ip) => {
                bytes[0] = V4;
                bytes[1..5].copy_from_slice(&ip.octets());
            }
            IpAddr::V6(ip) => {
                bytes[0] = V6;
                bytes[1..17].copy_from_slice(&ip.octets());
            }
        }
        bytes[17..].copy_from_slice(&socket.port().to_be_bytes());
        Self(bytes)
    }
}
