//! The way from a device to its server: a socket, and DTLS over it when the device has credentials.

#[cfg(test)]
mod tests;

use std::io;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::bootstrap::{Account, login};
use super::options::{ClientOptions, ClientSecurity};
use crate::dtls::{Connection, ConnectionEvent, Connector, ConnectorOptions};

/// A socket that is connected to the server, and the session over it.
pub(super) struct Link {
    socket: Mutex<Arc<UdpSocket>>,
    server: Mutex<SocketAddr>,
    /// Where it was told to send from.
    local: SocketAddr,
    connection: Mutex<Option<Connection>>,
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
            server: Mutex::new(options.server),
            local: options.local,
            connection: Mutex::new(connection),
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
        socket.connect(*lock(&self.server))?;
        let address = socket.local_addr();
        *lock(&self.socket) = Arc::new(socket);
        address
    }

    /// Sends messages of the device. What cannot be sent is lost, as datagrams may be.
    pub(super) fn send(&self, messages: impl Iterator<Item = Vec<u8>>, now: u64) {
        let socket = self.socket();
        let mut connection = lock(&self.connection);
        let Some(connection) = connection.as_mut() else {
            messages.for_each(|message| drop(socket.send(&message)));
            return;
        };
        for message in messages {
            connection.send(&message, micros(now));
        }
        transmit(connection, &socket);
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
        match lock(&self.connection).as_mut() {
            None => deliver(&buffer[..length]),
            Some(connection) => {
                connection.receive(&buffer[..length], micros(now()), &mut deliver);
                transmit(connection, &socket);
            }
        }
        true
    }

    /// Does what the session has to do by `now`, and tells what has happened to it.
    pub(super) fn poll(&self, now: u64) -> Vec<ConnectionEvent> {
        let mut connection = lock(&self.connection);
        let Some(connection) = connection.as_mut() else {
            return Vec::new();
        };
        connection.poll(micros(now));
        transmit(connection, &self.socket());
        std::iter::from_fn(|| connection.next_event()).collect()
    }

    /// Lets go of the session without a word; the next message brings a handshake. False when there is no DTLS.
    pub(super) fn forget(&self) -> bool {
        let mut connection = lock(&self.connection);
        connection.as_mut().map(Connection::forget).is_some()
    }

    /// Ends the session.
    pub(super) fn close(&self) {
        if let Some(connection) = lock(&self.connection).as_mut() {
            connection.close();
            transmit(connection, &self.socket());
        }
    }

    /// Ends the session and talks to the server of an account from now on. `usual` says what the account does not.
    pub(super) fn redirect(
        &self,
        account: &Account,
        usual: Option<&ClientSecurity>,
    ) -> Result<(), String> {
        let security = login(account, usual)?;
        let connection = security.as_ref().map(secured).transpose();
        let connection = connection.map_err(|error| error.to_string())?;
        let failed = |error: io::Error| format!("{}: {error}", account.address);
        let server = address(&account.address, self.local.is_ipv4()).map_err(failed)?;
        self.close();
        let bind_to = match server {
            _ if server.is_ipv4() == self.local.is_ipv4() => self.local,
            SocketAddr::V4(_) => SocketAddr::from(([0; 4], 0)),
            SocketAddr::V6(_) => SocketAddr::from(([0; 16], 0)),
        };
        // A port of its own choice is kept; else another socket is not bound to the way to the server before.
        let socket = match bind_to.port() {
            0 => UdpSocket::bind(bind_to).map_err(failed)?.into(),
            _ => self.socket(),
        };
        socket.connect(server).map_err(failed)?;
        *lock(&self.socket) = socket;
        *lock(&self.server) = server;
        *lock(&self.connection) = connection;
        Ok(())
    }

    fn socket(&self) -> Arc<UdpSocket> {
        Arc::clone(&lock(&self.socket))
    }
}

/// The address of a host, of this family if it has one.
fn address(host: &str, is_v4: bool) -> io::Result<SocketAddr> {
    let addresses: Vec<SocketAddr> = host.to_socket_addrs()?.collect();
    let chosen = addresses.iter().find(|a| a.is_ipv4() == is_v4);
    let chosen = chosen.or(addresses.first());
    chosen
        .copied()
        .ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn secured(security: &ClientSecurity) -> io::Result<Connection> {
    let connector = Connector::new(ConnectorOptions {
        trust: security.trust.clone(),
        connection_id: security.connection_id.is_some(),
        resumption: security.resumes,
        suites: security.suites.clone(),
        ..ConnectorOptions::new(security.login.mode())
    });
    let connector = connector.map_err(io::Error::other)?;
    let length = usize::from(security.connection_id.unwrap_or_default());
    let mut cid = vec![0; length];
    fastrand::fill(&mut cid);
    let login = security.login.clone();
    Ok(Connection::new(connector, login, cid))
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
