//! Protocol state machines and codecs: input and time in, outputs out.
//!
//! Nothing here opens a socket, reads a clock, spawns a task or uses a global random generator.

pub mod coap;
pub mod dtls;
pub mod lwm2m;
pub mod time;
