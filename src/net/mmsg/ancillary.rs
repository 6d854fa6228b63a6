//! Socket addresses and control messages as the kernel lays them out in memory, read and written as bytes.

use crate::net::addr::{LocalAddr, PeerAddr};

/// Room for a `sockaddr_in` or `sockaddr_in6` (ip(7), ipv6(7)).
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct NameBuffer {
    pub(super) bytes: [u8; SOCKADDR_IN6],
    /// How much of it is used when sending.
    pub(super) length: usize,
}

/// Room for the control messages of one datagram: packet information and the drop counter.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct ControlBuffer {
    pub(super) bytes: [u8; CONTROL],
    /// How much of it is used when sending.
    pub(super) length: usize,
}

/// What the control messages of a received datagram said.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Ancillary {
    pub(super) local: Option<LocalAddr>,
    /// Datagrams that this socket has dropped since it was opened; absent while there are none.
    pub(super) drops: Option<u32>,
}

const SOCKADDR_IN: usize = 16;
const SOCKADDR_IN6: usize = 28;

/// A `cmsghdr`: the kernel's length is a `size_t`, then level and type (cmsg(3)).
const HEADER: usize = WORD + 8;
const WORD: usize = size_of::<usize>();
const IN_PKTINFO: usize = 12;
const IN6_PKTINFO: usize = 20;
const CONTROL: usize = 64;

impl NameBuffer {
    pub(super) const EMPTY: Self = Self {
        bytes: [0; SOCKADDR_IN6],
        length: 0,
    };

    /// The address of a received datagram; `None` for a family that is neither IPv4 nor IPv6.
    pub(super) fn peer(&self) -> Option<PeerAddr> {
        let b = &self.bytes;
        let port = u16::from_be_bytes([b[2], b[3]]);
        match libc::c_int::from(u16::from_ne_bytes([b[0], b[1]])) {
            libc::AF_INET => Some(PeerAddr::v4([b[4], b[5], b[6], b[7]].into(), port)),
            libc::AF_INET6 => {
                let mut ip = [0; 16];
                ip.copy_from_slice(&b[8..24]);
                Some(PeerAddr::from_octets(ip, port))
            }
            _ => None,
        }
    }

    /// Writes the destination of a datagram for a socket of the given family. False when that family cannot reach it.
    pub(super) fn set_peer(
        &mut self,
        peer: &PeerAddr,
        local: Option<&LocalAddr>,
        v6: bool,
    ) -> bool {
        let b = &mut self.bytes;
        b[2..4].copy_from_slice(&peer.port().to_be_bytes());
        if v6 {
            b[..2].copy_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
            b[4..8].fill(0);
            b[8..24].copy_from_slice(peer.octets());
            let scope = if peer.is_link_local() {
                local.map_or(0, LocalAddr::interface)
            } else {
                0
            };
            b[24..28].copy_from_slice(&scope.to_ne_bytes());
            self.length = SOCKADDR_IN6;
            return true;
        }
        let Some(ip) = peer.as_v4() else { return false };
        b[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
        b[4..8].copy_from_slice(&ip.octets());
        b[8..16].fill(0);
        self.length = SOCKADDR_IN;
        true
    }
}

impl ControlBuffer {
    pub(super) const EMPTY: Self = Self {
        bytes: [0; CONTROL],
        length: 0,
    };

    /// Writes the packet information that makes a datagram leave from `local`, or nothing.
    pub(super) fn set_local(&mut self, local: Option<&LocalAddr>, v6: bool) -> bool {
        self.length = 0;
        let Some(local) = local else { return true };
        if v6 {
            // struct in6_pktinfo { struct in6_addr ipi6_addr; int ipi6_ifindex; } (ipv6(7))
            self.write_header(IN6_PKTINFO, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO);
            self.bytes[HEADER..HEADER + 16].copy_from_slice(local.octets());
            self.bytes[HEADER + 16..HEADER + 20].copy_from_slice(&local.interface().to_ne_bytes());
            self.length = HEADER + IN6_PKTINFO.next_multiple_of(WORD);
            return true;
        }
        // struct in_pktinfo { int ipi_ifindex; struct in_addr ipi_spec_dst; struct in_addr ipi_addr; } (ip(7)):
        // "ipi_spec_dst is used as the local source address"
        let Some(ip) = local.as_v4() else {
            return false;
        };
        self.write_header(IN_PKTINFO, libc::IPPROTO_IP, libc::IP_PKTINFO);
        self.bytes[HEADER..HEADER + 4].fill(0);
        self.bytes[HEADER + 4..HEADER + 8].copy_from_slice(&ip.octets());
        self.bytes[HEADER + 8..HEADER + 12].fill(0);
        self.length = HEADER + IN_PKTINFO.next_multiple_of(WORD);
        true
    }

    /// Reads the control messages in the first `length` bytes. What does not parse is left out.
    pub(super) fn read(&self, length: usize) -> Ancillary {
        let mut found = Ancillary::default();
        let mut rest = &self.bytes[..length.min(CONTROL)];
        while rest.len() >= HEADER {
            let cmsg_len = usize::from_ne_bytes(rest[..WORD].try_into().unwrap_or_default());
            if cmsg_len < HEADER || cmsg_len > rest.len() {
                break;
            }
            found.take(
                int(&rest[WORD..]),
                int(&rest[WORD + 4..]),
                &rest[HEADER..cmsg_len],
            );
            rest = &rest[cmsg_len.next_multiple_of(WORD).min(rest.len())..];
        }
        found
    }

    fn write_header(&mut self, data: usize, level: libc::c_int, kind: libc::c_int) {
        self.bytes[..WORD].copy_from_slice(&(HEADER + data).to_ne_bytes());
        self.bytes[WORD..WORD + 4].copy_from_slice(&level.to_ne_bytes());
        self.bytes[WORD + 4..HEADER].copy_from_slice(&kind.to_ne_bytes());
    }
}

impl Ancillary {
    fn take(&mut self, level: libc::c_int, kind: libc::c_int, data: &[u8]) {
        match (level, kind) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) if data.len() >= IN_PKTINFO => {
                self.local = Some(LocalAddr::v4([data[4], data[5], data[6], data[7]].into()));
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) if data.len() >= IN6_PKTINFO => {
                let mut ip = [0; 16];
                ip.copy_from_slice(&data[..16]);
                let link_local = ip[0] == 0xFE && ip[1] & 0xC0 == 0x80;
                let interface = if link_local {
                    int(&data[16..]).unsigned_abs()
                } else {
                    0
                };
                self.local = Some(LocalAddr::from_octets(ip, interface));
            }
            (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) if data.len() >= 4 => {
                self.drops = Some(u32::from_ne_bytes([data[0], data[1], data[2], data[3]]));
            }
            _ => {}
        }
    }
}

fn int(bytes: &[u8]) -> libc::c_int {
    libc::c_int::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}
