//! Packets and bytes, each way.

use serde::Serialize;

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// From the device to the server.
    Up,
    /// From the server to the device.
    Down,
}

/// Bytes of an IPv4 header without options and a UDP header (RFC 791, RFC 768): every packet has them besides its CoAP
/// message.
pub const HEADERS: u64 = 20 + 8;

/// Packets and bytes, headers included.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Traffic {
    /// Packets from devices.
    pub packets_up: u64,
    /// Packets to devices.
    pub packets_down: u64,
    /// Bytes from devices.
    pub bytes_up: u64,
    /// Bytes to devices.
    pub bytes_down: u64,
}

impl Traffic {
    /// A packet with a CoAP message of this length.
    pub const fn count(&mut self, direction: Direction, length: usize) {
        let bytes = length as u64 + HEADERS;
        match direction {
            Direction::Up => {
                self.packets_up += 1;
                self.bytes_up += bytes;
            }
            Direction::Down => {
                self.packets_down += 1;
                self.bytes_down += bytes;
            }
        }
    }

    /// Adds other traffic.
    pub const fn add(&mut self, other: &Self) {
        self.packets_up += other.packets_up;
        self.packets_down += other.packets_down;
        self.bytes_up += other.bytes_up;
        self.bytes_down += other.bytes_down;
    }
}
