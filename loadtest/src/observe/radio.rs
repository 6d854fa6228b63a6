//! What a device's radio does for its packets, and an estimate of the charge that takes.
//!
//! A cellular radio is connected from its first packet until the network releases it, [`RadioTimes::inactivity`] after
//! the last one. Then it listens for [`RadioTimes::active_time`] (3GPP timer T3324; to LwM2M, the rest of the queue
//! mode window) and sleeps in Power Saving Mode. A packet after that is a wake-up; one before it is not, but needs a
//! connection again when the last one has been released.

use serde::Serialize;

use super::changes::DeviceTime;
use super::traffic::{Direction, Traffic};

/// How long a radio stays on, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RadioTimes {
    /// Connected after the last packet. About 1 s when the device announces its last packet (release assistance), 10 to
    /// 20 s when the network waits for its own timer.
    pub inactivity: f64,
    /// Listening after that.
    pub active_time: f64,
}

/// Charges of a radio technology, at [`VOLTAGE`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RadioModel {
    /// Its name.
    pub name: &'static str,
    /// From sleep to connected and back, in mC.
    pub connection_mc: f64,
    /// How long that takes, in seconds.
    pub connection_s: f64,
    /// Current while sending, in mA.
    pub send_ma: f64,
    /// Bits a second while sending.
    pub send_bps: f64,
    /// Current while receiving, and while connected and waiting, in mA.
    pub receive_ma: f64,
    /// Bits a second while receiving.
    pub receive_bps: f64,
    /// Current while listening for pages in each DRX cycle, in mA.
    pub listen_ma: f64,
    /// Current while listening once in 81.92 s (eDRX), in mA.
    pub edrx_ma: f64,
    /// Current in Power Saving Mode, in mA.
    pub sleep_ma: f64,
}

/// Volts that the charges are meant at.
pub const VOLTAGE: f64 = 3.7;

/// The eDRX cycle that [`RadioModel::edrx_ma`] is for, in seconds.
pub const EDRX_CYCLE: f64 = 81.92;

/// Where the figures come from.
pub const SOURCES: [&str; 4] = [
    "Nordic nRF9160 Product Specification, modem current consumption: PSM floor 2.7 uA; PSM TAU event at 23 dBm 105 mJ \
     in 1.5 s (Cat-M1), 550 mJ in 2.7 s (Cat-NB1), taken for a connection; eDRX 81.92 s 18 uA and 37 uA; Cat-M1 uplink \
     at 180 kbit/s and 23 dBm 115 mA; RMC at 0 dBm 45 mA and 35 mA, taken for receiving",
    "Nordic nWP-034: about 300 mA while sending at full power, taken for Cat-NB1",
    "3GPP Release 13 peak rates of Cat-NB1: 16.9 kbit/s up (15 kHz, one tone), 26.15 kbit/s down; no repetitions",
    "u-blox SARA-R412M data sheet: 1.3 mA while listening for pages in each DRX cycle",
];

impl RadioModel {
    /// NB-IoT (Cat-NB1) in good coverage.
    pub const NB_IOT: Self = Self {
        name: "NB-IoT",
        connection_mc: 550.0 / VOLTAGE,
        connection_s: 2.7,
        send_ma: 300.0,
        send_bps: 16_900.0,
        receive_ma: 35.0,
        receive_bps: 26_150.0,
        listen_ma: 1.3,
        edrx_ma: 0.037,
        sleep_ma: 0.002_7,
    };

    /// LTE-M (Cat-M1) in good coverage.
    pub const LTE_M: Self = Self {
        name: "LTE-M",
        connection_mc: 105.0 / VOLTAGE,
        connection_s: 1.5,
        send_ma: 115.0,
        send_bps: 180_000.0,
        receive_ma: 45.0,
        receive_bps: 180_000.0,
        listen_ma: 1.3,
        edrx_ma: 0.018,
        sleep_ma: 0.002_7,
    };

    /// Both technologies.
    pub const ALL: [Self; 2] = [Self::NB_IOT, Self::LTE_M];

    /// What `activity` and `traffic` of some devices take.
    ///
    /// `seconds` is the time of all of them together. `polled_every` is the period of the questions a device has to be
    /// reachable for, in seconds; `None` when it may sleep.
    #[must_use]
    pub fn energy(
        &self,
        activity: &Activity,
        traffic: &Traffic,
        seconds: f64,
        polled_every: Option<f64>,
    ) -> Energy {
        let sending_s = traffic.bytes_up as f64 * 8.0 / self.send_bps;
        let receiving_s = traffic.bytes_down as f64 * 8.0 / self.receive_bps;
        let connecting_s = activity.connections as f64 * self.connection_s;
        let radio_on_s = connecting_s + activity.connected_s + sending_s + receiving_s;
        let floor_ma = match polled_every {
            None => self.sleep_ma,
            // One that is paged once a cycle answers within the cycle, which has to be short beside the period.
            Some(period) if period >= 2.0 * EDRX_CYCLE => self.edrx_ma,
            Some(_) => self.listen_ma,
        };
        let awake_s = (radio_on_s + activity.listening_s).min(seconds);
        Energy {
            activity_mc: activity.connections as f64 * self.connection_mc
                + activity.connected_s * self.receive_ma
                + sending_s * self.send_ma
                + receiving_s * self.receive_ma
                + activity.listening_s * self.listen_ma,
            floor_mc: (seconds - awake_s) * floor_ma,
            radio_on_s,
        }
    }
}

/// What radios did, without the technology's own times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Activity {
    /// Times that a sleeping radio was woken.
    pub wake_ups: u64,
    /// Connections made, those of wake-ups included.
    pub connections: u64,
    /// Seconds connected, between packets and until the release.
    pub connected_s: f64,
    /// Seconds listening after releases.
    pub listening_s: f64,
}

impl Activity {
    /// Adds that of other radios.
    pub fn add(&mut self, other: &Self) {
        self.wake_ups += other.wake_ups;
        self.connections += other.connections;
        self.connected_s += other.connected_s;
        self.listening_s += other.listening_s;
    }
}

/// An estimate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Energy {
    /// Charge for connections, packets and listening, in mC.
    pub activity_mc: f64,
    /// Charge for the rest of the time, in mC.
    pub floor_mc: f64,
    /// Seconds that the radio is on: connecting, connected, sending, receiving.
    pub radio_on_s: f64,
}

/// One device's radio, told of packets in the order of their time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Radio {
    activity: Activity,
    traffic: Traffic,
    /// Time of the last packet, once there is one.
    last: Option<DeviceTime>,
}

impl Radio {
    /// A packet of `length` bytes of CoAP passes at `at`.
    pub fn packet(
        &mut self,
        at: DeviceTime,
        direction: Direction,
        length: usize,
        times: &RadioTimes,
    ) {
        self.traffic.count(direction, length);
        let since = self.last.map(|last| at.saturating_sub(last) as f64 / 1e6);
        self.last = Some(self.last.unwrap_or_default().max(at));
        match since {
            Some(since) if since <= times.inactivity => self.activity.connected_s += since,
            Some(since) => {
                let asleep_after = times.inactivity + times.active_time;
                self.activity.connected_s += times.inactivity;
                self.activity.listening_s += since.min(asleep_after) - times.inactivity;
                self.activity.connections += 1;
                self.activity.wake_ups += u64::from(since > asleep_after);
            }
            None => {
                self.activity.connections += 1;
                self.activity.wake_ups += 1;
            }
        }
    }

    /// What it did, with the time it stays on after its last packet.
    #[must_use]
    pub fn finish(&self, times: &RadioTimes) -> (Activity, Traffic) {
        let mut activity = self.activity;
        if self.last.is_some() {
            activity.connected_s += times.inactivity;
            activity.listening_s += times.active_time;
        }
        (activity, self.traffic)
    }
}

#[cfg(test)]
mod tests;
