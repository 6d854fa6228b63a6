//! UDP input and output: sockets, batches of datagrams, steering to shards. Imports nothing of ours.

mod addr;
pub mod mmsg;
pub mod socket;
pub mod steer;

pub use addr::{LocalAddr, PeerAddr};
pub use mmsg::{OutDatagram, ReceiveBatch, Received, SendBatch, SendReport};
pub use socket::{BindError, ShardSocket, SocketGroup, SocketOptions};
