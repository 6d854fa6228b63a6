//! A seeded network between devices and the server: it loses, repeats, delays and reorders datagrams,
//! and a NAT in front of each device changes its address. Sans-IO: it says when a datagram arrives.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::Range;

use rookery::net::PeerAddr;

/// What the network does to datagrams.
#[derive(Clone, Debug)]
pub struct Weather {
    /// Share of datagrams lost, each by itself.
    pub loss: f64,
    /// Losses that come together.
    pub bursts: Option<Bursts>,
    /// Share of datagrams that arrive twice.
    pub duplicated: f64,
    /// Delay of most datagrams, in milliseconds: those close together may overtake each other.
    pub delay: Range<u64>,
    /// Share of datagrams that are held up, so that others sent much later overtake them.
    pub held_up: f64,
    /// For how long, in milliseconds.
    pub holdup: Range<u64>,
}

/// The model of Gilbert and Elliott: a link is good or bad, and a bad one loses more.
#[derive(Clone, Copy, Debug)]
pub struct Bursts {
    /// Probability, per datagram, that a good link turns bad.
    pub worsens: f64,
    /// Probability, per datagram, that a bad link turns good.
    pub improves: f64,
    /// Share of datagrams a bad link loses.
    pub loss: f64,
}

impl Weather {
    /// Nothing is lost, nothing is late.
    pub fn fair() -> Self {
        Self {
            loss: 0.0,
            bursts: None,
            duplicated: 0.0,
            delay: 10..40,
            held_up: 0.0,
            holdup: 0..1,
        }
    }
}

/// The way of a datagram, seen from the device.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    ToServer,
    ToDevice,
}

/// The network and the NATs.
pub struct Network {
    rng: fastrand::Rng,
    weather: Weather,
    links: Vec<Link>,
    /// Who gets what is sent to an address; an address is given out once.
    open: BTreeMap<PeerAddr, usize>,
    /// Datagrams that did not arrive.
    pub lost: u64,
}

/// The link of one device.
struct Link {
    address: PeerAddr,
    bad: bool,
    /// Until when nothing passes, by [`Way`].
    down_until: [u64; 2],
}

impl Network {
    pub fn new(seed: u64, weather: Weather, devices: usize) -> Self {
        let mut network = Self {
            rng: fastrand::Rng::with_seed(seed),
            weather,
            links: Vec::new(),
            open: BTreeMap::new(),
            lost: 0,
        };
        for device in 0..devices {
            let address = network.new_address();
            network.open.insert(address, device);
            network.links.push(Link {
                address,
                bad: false,
                down_until: [0; 2],
            });
        }
        network
    }

    pub fn set_weather(&mut self, weather: Weather) {
        self.weather = weather;
        for link in &mut self.links {
            link.bad = false;
            link.down_until = [0; 2];
        }
    }

    /// The address the server sees the device at.
    pub fn address(&self, device: usize) -> PeerAddr {
        self.links[device].address
    }

    /// Whose address this is; `None` when the NAT has closed it.
    pub fn device_at(&self, address: &PeerAddr) -> Option<usize> {
        self.open.get(address).copied()
    }

    /// The NAT gives the device another address. The old one may stay open for what is on its way.
    pub fn rebind(&mut self, device: usize) {
        let before = self.links[device].address;
        if self.rng.bool() {
            self.open.remove(&before);
        }
        let address = self.new_address();
        self.open.insert(address, device);
        self.links[device].address = address;
    }

    /// Nothing passes one way or both ways until then.
    pub fn cut(&mut self, device: usize, ways: &[Way], until: u64) {
        for way in ways {
            self.links[device].down_until[*way as usize] = until;
        }
    }

    /// When a datagram sent now arrives: never, once or twice.
    pub fn arrivals(&mut self, now: u64, device: usize, way: Way) -> Vec<u64> {
        if self.loses(now, device, way) {
            self.lost += 1;
            return Vec::new();
        }
        let copies = 1 + usize::from(self.chance(self.weather.duplicated));
        (0..copies).map(|_| now + self.delay()).collect()
    }

    fn loses(&mut self, now: u64, device: usize, way: Way) -> bool {
        let mut loss = self.weather.loss;
        if let Some(bursts) = self.weather.bursts {
            let bad = self.links[device].bad;
            let turns = self.chance(if bad { bursts.improves } else { bursts.worsens });
            self.links[device].bad = bad != turns;
            if self.links[device].bad {
                loss = bursts.loss;
            }
        }
        self.chance(loss) || now < self.links[device].down_until[way as usize]
    }

    fn delay(&mut self) -> u64 {
        let delay = self.rng.u64(self.weather.delay.clone());
        if self.chance(self.weather.held_up) {
            return delay + self.rng.u64(self.weather.holdup.clone());
        }
        delay
    }

    fn chance(&mut self, share: f64) -> bool {
        self.rng.f64() < share
    }

    fn new_address(&mut self) -> PeerAddr {
        loop {
            let host = self.rng.u8(1..=250);
            let address = PeerAddr::v4(
                Ipv4Addr::new(203, 0, 113, host),
                self.rng.u16(1_024..65_000),
            );
            let known = self.links.iter().any(|link| link.address == address);
            if !known && !self.open.contains_key(&address) {
                return address;
            }
        }
    }
}
