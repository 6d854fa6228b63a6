//! Time as the protocol layer sees it: milliseconds handed in by the caller.

mod tick;
mod wheel;

pub use tick::{Now, Tick, UnixMillis};
pub use wheel::{Deadlines, NEVER, Wheel, WheelSlot};
