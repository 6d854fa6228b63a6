//! The way from a device to its server: a socket, and DTLS over it when the device has credentials.

#[cfg(test)]
mod tests;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::options::{ClientOptions, ClientSecurity};
use crate::dtls::{Connection, ConnectionEvent, Connector, ConnectorOptions};

/// A socket that is connected to the server, and the session over it.
pub(super) struct Link {
    socket: Mutex<Arc<UdpSocket>>,
    server: SocketAddr,
    connection: Option<Mutex<Connection>>,
}

impl Link {
    /// Opens a socket, connected: datagrams of others than the server never arrive.
    pub(super) fn open(options: &ClientOptions) -> io::Result<Self> {
        let security = options.security.as_ref();
        let connection = security.map(secured).transpose()?;
        let socket = UdpSocket::bind(options.local)?;
        socket.connect(options.server)?;
        Ok(Self {
            socket: Mutex::new(Arc::new(socket)),
            server: options.server,
            connection: connection.map(Mutex::new),
        })
    }

    /// Where it sends from.
    pub(super) fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket().local_addr()
    }

    /// Goes on from another port, as behind a NAT gateway that has forgotten its mapping.
    pub(super) fn rebind(&self) -> io::Result<SocketAddr> {
        let mut address = self.local_address()?;
        address.set_port(0);
        let socket = UdpSocket::bind(address)?;
        socket.connect(self.server)?;
        let address = socket.local_addr();
        *lock(&self.socket) = Arc::new(socket);
        address
    }

    /// Sends messages of the device. What cannot be sent is lost, as datagrams may be.
    pub(super) fn send(&self, messages: impl Iterator<Item = Vec<u8>>, now: u64) {
        let socket = self.socket();
        let Some(connection) = &self.connection else {
            messages.for_each(|message| drop(socket.send(&message)));
            return;
        };
        let mut connection = lock(connection);
        for message in messages {
            connection.send(&message, micros(now));
        }
        transmit(&mut connection, &socket);
    }

    /// Waits at most so long for a datagram; `deliver` gets the messages in it. False when none came.
    pub(super) fn receive(
        &self,
        buffer: &mut [u8],
        at_most: Duration,
        now: impl FnOnce() -> u64,
        mut deliver: impl FnMut(&[u8]),
    ) -> bool {
        let socket = self.socket();
        // A failed time-out leaves the one before it, which is as short.
        let _ = socket.set_read_timeout(Some(at_most));
        // An error is the time-out, or an ICMP message that nobody listens: the server is not there yet.
        let Ok(length) = socket.recv(buffer) else {
            return false;
        };
        match &self.connection {
            None => deliver(&buffer[..length]),
            Some(connection) => {
                let mut connection = lock(connection);
                connection.receive(&buffer[..length], micros(now()), &mut deliver);
                transmit(&mut connection, &socket);
            }
        }
        true
    }

    /// Does what the session has to do by `now`, and tells what has happened to it.
    pub(super) fn poll(&self, now: u64) -> Vec<ConnectionEvent> {
        let Some(connection) = &self.connection else {
            return Vec::new();
        };
        let mut connection = lock(connection);
        connection.poll(micros(now));
        transmit(&mut connection, &self.socket());
        std::iter::from_fn(|| connection.next_event()).collect()
    }

    /// Lets go of the session without a word; the next message brings a handshake. False when there is no DTLS.
    pub(super) fn forget(&self) -> bool {
        let connection = self.connection.as_ref();
        connection
            .map(|connection| lock(connection).forget())
            .is_some()
    }

    /// Ends the session.
    pub(super) fn close(&self) {
        if let Some(connection) = &self.connection {
            let mut connection = lock(connection);
            connection.close();
            transmit(&mut connection, &self.socket());
        }
    }

    fn socket(&self) -> Arc<UdpSocket> {
        Arc::clone(&lock(&self.socket))
    }
}

fn secured(security: &ClientSecurity) -> io::Result<Connection> {
    let connector = Connector::new(ConnectorOptions {
        trust: security.trust.clone(),
        connection_id: security.connection_id.is_some(),
        suites: security.suites.clone(),
        ..ConnectorOptions::new(security.login.mode())
    });
    let connector = connector.map_err(io::Error::other)?;
    let length = usize::from(security.connection_id.unwrap_or_default());
    let mut cid = vec![0; length];
    fastrand::fill(&mut cid);
    let login = security.login.clone();
    Ok(Connection::new(connector, login, cid, security.resumes))
}

fn transmit(connection: &mut Connection, socket: &UdpSocket) {
    for datagram in connection.transmit() {
        let _ = socket.send(&datagram);
    }
}

const fn micros(millis: u64) -> u64 {
    millis.saturating_mul(1_000)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
