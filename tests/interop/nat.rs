//! A network address translator between one device and the engine.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

const LARGEST_DATAGRAM: usize = 65_535;
/// How often its threads look whether the translator is still wanted.
const LOOK: Duration = Duration::from_millis(100);

/// Passes datagrams on from an address of its own, until told to take another one.
pub struct Nat {
    inside: UdpSocket,
    shared: Arc<Shared>,
    /// Held by the translator alone: its threads end when it is gone.
    wanted: Arc<()>,
}

struct Shared {
    server: SocketAddr,
    /// Where the device was last heard from.
    device: Mutex<Option<SocketAddr>>,
    /// The socket the engine sees; exchanged when the binding is forgotten.
    outside: Mutex<Arc<UdpSocket>>,
}

impl Nat {
    pub fn before(server: SocketAddr) -> Self {
        let inside = open_socket();
        let shared = Arc::new(Shared {
            server,
            device: Mutex::new(None),
            outside: Mutex::new(Arc::new(open_socket())),
        });
        let nat = Self {
            inside,
            shared,
            wanted: Arc::default(),
        };
        nat.pass_outwards();
        nat.pass_inwards();
        nat
    }

    /// Where the device reaches the engine.
    pub fn address(&self) -> SocketAddr {
        address_of(&self.inside)
    }

    /// Where the engine sees the device.
    pub fn outside(&self) -> SocketAddr {
        address_of(&self.shared.outside())
    }

    /// Forgets the binding: from now on the engine sees another port, and the old one is dead.
    pub fn forget_binding(&self) {
        *lock(&self.shared.outside) = Arc::new(open_socket());
        self.pass_inwards();
    }

    fn pass_outwards(&self) {
        let inside = self.inside.try_clone().expect("a second handle");
        let shared = Arc::clone(&self.shared);
        let wanted = Arc::downgrade(&self.wanted);
        thread::spawn(move || {
            let mut datagram = [0; LARGEST_DATAGRAM];
            while wanted.strong_count() > 0 {
                let Ok((length, device)) = inside.recv_from(&mut datagram) else {
                    continue;
                };
                *lock(&shared.device) = Some(device);
                // A datagram that does not get through is lost, as on any network.
                let _ = shared.outside().send_to(&datagram[..length], shared.server);
            }
        });
    }

    /// Passes what arrives at the present binding, as long as it is the present one.
    fn pass_inwards(&self) {
        let inside = self.inside.try_clone().expect("a second handle");
        let outside = self.shared.outside();
        let shared = Arc::clone(&self.shared);
        let wanted = Arc::downgrade(&self.wanted);
        thread::spawn(move || {
            let mut datagram = [0; LARGEST_DATAGRAM];
            while wanted.strong_count() > 0 {
                if !Arc::ptr_eq(&outside, &shared.outside()) {
                    return;
                }
                let Ok((length, _)) = outside.recv_from(&mut datagram) else {
                    continue;
                };
                if let Some(device) = *lock(&shared.device) {
                    let _ = inside.send_to(&datagram[..length], device);
                }
            }
        });
    }
}

impl Shared {
    fn outside(&self) -> Arc<UdpSocket> {
        Arc::clone(&lock(&self.outside))
    }
}

fn open_socket() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free UDP port");
    socket.set_read_timeout(Some(LOOK)).expect("a timeout");
    socket
}

fn address_of(socket: &UdpSocket) -> SocketAddr {
    socket.local_addr().expect("a bound socket has an address")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
