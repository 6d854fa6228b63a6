//! Sockets of a listener: one for each shard, on the same address and port.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;

use super::mmsg::set_option;

/// Opens the sockets of one listener.
pub struct SocketGroup;

/// Sizes asked of the kernel, in bytes. It grants at most `net.core.rmem_max` and `net.core.wmem_max`.
#[derive(Clone, Copy, Debug)]
pub struct SocketOptions {
    /// Receive buffer of each socket.
    pub recv_buffer: usize,
    /// Send buffer of each socket.
    pub send_buffer: usize,
}

/// A non-blocking UDP socket that one shard owns.
#[derive(Debug)]
pub struct ShardSocket {
    socket: Socket,
    local: SocketAddr,
    buffers: SocketOptions,
}

/// Why a listener could not be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BindError {
    /// No socket of this address family.
    #[error("no UDP socket for {address}: {source}")]
    Socket {
        address: SocketAddr,
        source: io::Error,
    },
    /// The kernel refused an option that the engine cannot do without.
    #[error("socket option {option} refused for {address}: {source}")]
    Option {
        address: SocketAddr,
        option: &'static str,
        source: io::Error,
    },
    /// The address is not ours, or its port is taken or privileged.
    #[error("cannot listen on udp {address}: {source}")]
    Bind {
        address: SocketAddr,
        source: io::Error,
    },
    /// A group of no sockets was asked for.
    #[error("a listener on {address} needs at least one shard")]
    NoShards { address: SocketAddr },
}

impl SocketGroup {
    /// Opens `shards` sockets on `address`. With port 0 all share the port that the kernel chose for the first.
    ///
    /// A port that any other socket holds is refused, be it another server of the same user: only the sockets of
    /// this call share it.
    /// An IPv6 wildcard address takes IPv4 as well, whatever `net.ipv6.bindv6only` says.
    ///
    /// # Errors
    /// [`BindError`] names the address and the step.
    pub fn bind(
        address: SocketAddr,
        shards: usize,
        options: &SocketOptions,
    ) -> Result<Vec<ShardSocket>, BindError> {
        if shards == 0 {
            return Err(BindError::NoShards { address });
        }
        let mut group = Vec::with_capacity(shards);
        let first = ShardSocket::bind(address, options, Share::Exclusive)?;
        let shared = first.local;
        if shards > 1 {
            // Only after the bind: SO_REUSEPORT during it would let us in beside another server.
            let set = first.socket.set_reuse_port(true);
            set.map_err(|source| BindError::Option {
                address,
                option: "SO_REUSEPORT",
                source,
            })?;
        }
        group.push(first);
        for _ in 1..shards {
            group.push(ShardSocket::bind(shared, options, Share::WithGroup)?);
        }
        Ok(group)
    }
}

impl Default for SocketOptions {
    /// 4 MiB each: at 160,000 datagrams a second a shard may then look away for some 20 ms.
    fn default() -> Self {
        Self {
            recv_buffer: 4 << 20,
            send_buffer: 4 << 20,
        }
    }
}

impl ShardSocket {
    /// The address it is bound to; the port is never 0.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The buffer sizes that were granted, in bytes. Smaller than asked for: raise `net.core.rmem_max`/`wmem_max`.
    #[must_use]
    pub const fn buffers(&self) -> SocketOptions {
        self.buffers
    }

    /// Whether addresses are passed to and from the kernel as IPv6 (IPv4 mapped).
    pub(super) const fn is_v6(&self) -> bool {
        self.local.is_ipv6()
    }

    fn bind(address: SocketAddr, options: &SocketOptions, share: Share) -> Result<Self, BindError> {
        let option = |option| {
            move |source| BindError::Option {
                address,
                option,
                source,
            }
        };
        let socket = Socket::new(
            Domain::for_address(address),
            Type::DGRAM,
            Some(Protocol::UDP),
        )
        .map_err(|source| BindError::Socket { address, source })?;
        socket.set_nonblocking(true).map_err(option("O_NONBLOCK"))?;
        if let IpAddr::V6(ip) = address.ip() {
            socket
                .set_only_v6(!ip.is_unspecified())
                .map_err(option("IPV6_V6ONLY"))?;
        }
        if matches!(share, Share::WithGroup) {
            socket
                .set_reuse_port(true)
                .map_err(option("SO_REUSEPORT"))?;
        }
        socket
            .set_recv_buffer_size(options.recv_buffer)
            .map_err(option("SO_RCVBUF"))?;
        socket
            .set_send_buffer_size(options.send_buffer)
            .map_err(option("SO_SNDBUF"))?;
        for (name, level, option_name, value) in flags(address) {
            set_option(socket.as_fd(), level, option_name, value).map_err(option(name))?;
        }
        socket
            .bind(&address.into())
            .map_err(|source| BindError::Bind { address, source })?;

        let local = socket.local_addr().map_err(option("getsockname"))?;
        let local = local
            .as_socket()
            .ok_or(io::ErrorKind::InvalidData.into())
            .map_err(option("getsockname"))?;
        // The kernel doubles what it is asked for, to pay for its own structures (socket(7)).
        let buffers = SocketOptions {
            recv_buffer: socket.recv_buffer_size().map_err(option("SO_RCVBUF"))? / 2,
            send_buffer: socket.send_buffer_size().map_err(option("SO_SNDBUF"))? / 2,
        };
        Ok(Self {
            socket,
            local,
            buffers,
        })
    }
}

/// Destination address and drop counter with each datagram; don't-fragment off, because a constrained network's
/// MTU may be small and nobody here could act on an ICMP message.
fn flags(address: SocketAddr) -> Vec<(&'static str, libc::c_int, libc::c_int, libc::c_int)> {
    let mut flags = vec![
        ("SO_RXQ_OVFL", libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1),
        (
            "IP_MTU_DISCOVER",
            libc::IPPROTO_IP,
            libc::IP_MTU_DISCOVER,
            libc::IP_PMTUDISC_DONT,
        ),
    ];
    if address.is_ipv6() {
        flags.push((
            "IPV6_RECVPKTINFO",
            libc::IPPROTO_IPV6,
            libc::IPV6_RECVPKTINFO,
            1,
        ));
        flags.push((
            "IPV6_MTU_DISCOVER",
            libc::IPPROTO_IPV6,
            libc::IPV6_MTU_DISCOVER,
            libc::IPV6_PMTUDISC_DONT,
        ));
    } else {
        flags.push(("IP_PKTINFO", libc::IPPROTO_IP, libc::IP_PKTINFO, 1));
    }
    flags
}

#[derive(Clone, Copy)]
enum Share {
    Exclusive,
    WithGroup,
}

impl BindError {
    /// A short name for logs and metrics.
    #[must_use]
    pub const fn discriminant(&self) -> &'static str {
        match self {
            Self::Socket { .. } => "socket",
            Self::Option { .. } => "option",
            Self::Bind { .. } => "bind",
            Self::NoShards { .. } => "no_shards",
        }
    }
}

impl AsFd for ShardSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for ShardSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loopback() -> SocketAddr {
        "127.0.0.1:0".parse().unwrap()
    }

    #[test]
    fn all_sockets_of_a_group_share_the_port_the_kernel_chose() {
        let group = SocketGroup::bind(loopback(), 4, &SocketOptions::default()).unwrap();
        assert_ne!(group[0].local_addr().port(), 0);
        assert!(
            group
                .iter()
                .all(|s| s.local_addr() == group[0].local_addr())
        );
    }

    #[test]
    fn a_second_server_on_the_port_is_refused() {
        let group = SocketGroup::bind(loopback(), 2, &SocketOptions::default()).unwrap();
        let taken = group[0].local_addr();
        let error = SocketGroup::bind(taken, 2, &SocketOptions::default()).unwrap_err();
        assert_eq!(error.discriminant(), "bind");
        assert!(error.to_string().contains(&taken.to_string()), "{error}");
    }

    #[test]
    fn the_granted_buffer_sizes_are_told() {
        let options = SocketOptions {
            recv_buffer: 65_536,
            send_buffer: 1 << 30,
        };
        let group = SocketGroup::bind(loopback(), 1, &options).unwrap();
        assert_eq!(group[0].buffers().recv_buffer, 65_536);
        let granted = group[0].buffers().send_buffer;
        assert!(
            granted < 1 << 30,
            "the kernel's ceiling, not the wish: {granted}"
        );
    }

    #[test]
    fn a_group_of_nobody_is_refused() {
        let error = SocketGroup::bind(loopback(), 0, &SocketOptions::default()).unwrap_err();
        assert_eq!(error.discriminant(), "no_shards");
    }

    #[test]
    fn an_address_that_is_not_ours_is_refused_by_name() {
        let error = SocketGroup::bind(
            "192.0.2.77:0".parse().unwrap(),
            1,
            &SocketOptions::default(),
        )
        .unwrap_err();
        assert!(error.to_string().contains("192.0.2.77"), "{error}");
    }
}
