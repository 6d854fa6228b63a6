//! Who the simulated devices are: names, addresses, and what they announce. All of it follows from a device's number.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;

use coap_lite::{CoapOption, MessageClass, MessageType, RequestType};
use rookery::net::LocalAddr;

use crate::coap::Message;
use crate::device::Identity;
use crate::scenario::FleetSettings;

/// A number of like devices.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// Its settings.
    pub settings: FleetSettings,
    /// The numbers of its devices.
    pub members: Range<u32>,
    register: Template,
    names: Names,
}

/// A request that devices of a fleet make alike, but for the name, the message id and the token.
#[derive(Clone, Debug)]
pub struct Template {
    /// As coap-lite encodes it for a device of number 0 with message id and token 0.
    bytes: Vec<u8>,
    /// Where in it the endpoint name stands.
    name_at: usize,
}

/// Endpoint names: a prefix and the device's number, all of the same length.
#[derive(Clone, Debug)]
pub struct Names {
    prefix: String,
    digits: usize,
}

/// Which socket and which source address a device has.
#[derive(Clone, Debug)]
pub enum Addresses {
    /// The server is on IPv4 loopback: each socket serves that many devices, each with an address of its own out of
    /// 127.0.0.0/8, all of which is local.
    Loopback { per_socket: u32 },
    /// Each device has a socket of its own.
    SocketEach,
}

/// Length of the tokens of a device's requests.
pub const TOKEN: usize = 2;

/// 127.1.0.0; what is below is left to other programs.
const FIRST_LOOPBACK: u32 = 0x7F01_0000;

impl Fleet {
    /// A fleet of the devices `members`.
    #[must_use]
    pub fn new(settings: FleetSettings, members: Range<u32>, names: Names) -> Self {
        let register = register(&settings, &names.of(0), settings.lifetime, "1.1");
        Self {
            register: Template::new(&register, &names),
            settings,
            members,
            names,
        }
    }

    /// A Register of the fleet with another lifetime than usual, and this version of LwM2M.
    #[must_use]
    pub fn register_with(&self, lifetime: u32, version: &str) -> Template {
        let register = register(&self.settings, &self.names.of(0), lifetime, version);
        Template::new(&register, &self.names)
    }

    /// A request, with the name of the device as one more query parameter.
    #[must_use]
    pub fn request_with_name(&self, request: Message) -> Template {
        let name = format!("ep={}", self.names.of(0));
        Template::new(&request.option(CoapOption::UriQuery, name), &self.names)
    }

    /// The objects that its devices announce besides Server, as links.
    #[must_use]
    pub fn links_of_others(&self) -> String {
        let links = links(self.settings.objects);
        let others = links.split(',').skip(1);
        let others = others.filter(|link| !link.starts_with("</1>") && !link.starts_with("</1/"));
        others.collect::<Vec<_>>().join(",")
    }

    /// Appends the Register of device `number`.
    pub fn write_register(&self, number: u32, mid: u16, arena: &mut Vec<u8>) {
        self.write(&self.register, number, mid, arena);
    }

    /// Appends a request of device `number`.
    pub fn write(&self, template: &Template, number: u32, mid: u16, arena: &mut Vec<u8>) {
        let start = arena.len();
        arena.extend_from_slice(&template.bytes);
        let message = &mut arena[start..];
        message[2..4].copy_from_slice(&mid.to_be_bytes());
        message[4..4 + TOKEN].copy_from_slice(&mid.to_be_bytes());
        let name_at = template.name_at;
        let digits = name_at + self.names.prefix.len()..name_at + self.names.length();
        write_decimal(&mut message[digits], number);
    }

    /// What the values of device `number` follow from; `name` is room for its name.
    pub fn identity<'a>(&self, number: u32, name: &'a mut String) -> Identity<'a> {
        self.names.write(number, name);
        Identity {
            endpoint: name,
            number,
            lifetime: self.settings.lifetime,
        }
    }
}

impl Template {
    fn new(request: &Message, names: &Names) -> Self {
        let bytes = request.encode();
        let option = [b"ep=", names.of(0).as_bytes()].concat();
        let found = bytes.windows(option.len()).position(|part| part == option);
        let name_at =
            found.expect("the request that was just built names its endpoint") + b"ep=".len();
        Self { bytes, name_at }
    }
}

impl Names {
    /// Names for `count` devices.
    #[must_use]
    pub fn new(prefix: &str, count: u32) -> Self {
        let digits = count.saturating_sub(1).max(1).ilog10() as usize + 1;
        Self {
            prefix: prefix.to_owned(),
            digits: digits.max(7),
        }
    }

    /// The name of device `number`.
    #[must_use]
    pub fn of(&self, number: u32) -> String {
        let mut name = String::new();
        self.write(number, &mut name);
        name
    }

    fn write(&self, number: u32, name: &mut String) {
        let mut digits = [b'0'; 10];
        let digits = &mut digits[..self.digits];
        write_decimal(digits, number);
        name.clear();
        name.push_str(&self.prefix);
        name.extend(digits.iter().map(|&digit| char::from(digit)));
    }

    const fn length(&self) -> usize {
        self.prefix.len() + self.digits
    }
}

impl Addresses {
    /// For a server at `server`, over `sockets` sockets where that is a choice.
    #[must_use]
    pub fn new(server: SocketAddr, devices: u32, sockets: u32) -> Self {
        match server.ip() {
            IpAddr::V4(ip) if ip.is_loopback() => Self::Loopback {
                per_socket: devices.div_ceil(sockets.max(1)).max(1),
            },
            _ => Self::SocketEach,
        }
    }

    /// How many sockets `devices` devices need.
    #[must_use]
    pub const fn sockets(&self, devices: u32) -> u32 {
        match self {
            Self::Loopback { per_socket } => devices.div_ceil(*per_socket),
            Self::SocketEach => devices,
        }
    }

    /// Where to bind the sockets.
    #[must_use]
    pub const fn bind_to(&self, server: SocketAddr) -> SocketAddr {
        let any = match server {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
        };
        SocketAddr::new(any, 0)
    }

    /// Socket and source address of the `index`-th device.
    #[must_use]
    pub const fn place(&self, index: u32) -> (u32, Option<LocalAddr>) {
        match self {
            Self::Loopback { per_socket } => {
                let address = Ipv4Addr::from_bits(FIRST_LOOPBACK + index % *per_socket);
                (index / *per_socket, Some(LocalAddr::v4(address)))
            }
            Self::SocketEach => (index, None),
        }
    }

    /// Which device it is that a datagram on `socket`, sent to `local`, is for.
    #[must_use]
    pub fn device(&self, socket: u32, local: Option<LocalAddr>) -> Option<u32> {
        match self {
            Self::Loopback { per_socket } => {
                let offset = local?.as_v4()?.to_bits().checked_sub(FIRST_LOOPBACK)?;
                (offset < *per_socket).then(|| socket * *per_socket + offset)
            }
            Self::SocketEach => Some(socket),
        }
    }
}

fn register(settings: &FleetSettings, name: &str, lifetime: u32, version: &str) -> Message {
    Message::new(
        MessageType::Confirmable,
        MessageClass::Request(RequestType::Post),
        0,
        &[0; TOKEN],
    )
    .option(CoapOption::UriPath, "rd")
    .content_format(40)
    .option(CoapOption::UriQuery, format!("ep={name}"))
    .option(CoapOption::UriQuery, format!("lt={lifetime}"))
    .option(CoapOption::UriQuery, format!("lwm2m={version}"))
    .option(CoapOption::UriQuery, "b=U")
    .payload(links(settings.objects).into_bytes())
}

/// The objects a device announces, in this order: the usual ones of the core, then of the registry.
const OBJECTS: [(u16, &str); 24] = [
    (1, "1.1"),
    (3, "1.1"),
    (4, "1.2"),
    (5, "1.1"),
    (6, "1.0"),
    (7, "1.0"),
    (9, "1.1"),
    (10, "1.1"),
    (3303, "1.1"),
    (3304, "1.1"),
    (3311, "1.1"),
    (3313, "1.1"),
    (3200, "1.1"),
    (3201, "1.1"),
    (3300, "1.1"),
    (3301, "1.1"),
    (3302, "1.1"),
    (3305, "1.1"),
    (3306, "1.1"),
    (3312, "1.1"),
    (3315, "1.1"),
    (3316, "1.1"),
    (3317, "1.1"),
    (3318, "1.1"),
];

/// How many objects a device can announce.
pub const MAX_OBJECTS: u8 = OBJECTS.len() as u8;

fn links(objects: u8) -> String {
    let mut links = String::from("</>;rt=\"oma.lwm2m\";ct=\"0 110 112 11542\"");
    for (object, version) in OBJECTS.iter().take(usize::from(objects)) {
        links.push_str(&format!(",</{object}>;ver={version},</{object}/0>"));
    }
    links
}

fn write_decimal(to: &mut [u8], mut number: u32) {
    for digit in to.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use coap_lite::Packet;

    use super::*;

    #[test]
    fn each_device_registers_under_its_own_name() {
        let settings = FleetSettings::default();
        let fleet = Fleet::new(
            settings.clone(),
            0..2_000_000,
            Names::new("ep=0000000-", 2_000_000),
        );
        let mut arena = vec![1, 2, 3];
        fleet.write_register(1_234_567, 0xBEEF, &mut arena);
        let packet = Packet::from_bytes(&arena[3..]).unwrap();
        assert_eq!(packet.header.message_id, 0xBEEF);
        assert_eq!(packet.get_token(), [0xBE, 0xEF]);
        let query: Vec<_> = packet
            .get_option(CoapOption::UriQuery)
            .unwrap()
            .iter()
            .cloned()
            .collect();
        let expected = ["ep=ep=0000000-1234567", "lt=300", "lwm2m=1.1", "b=U"];
        assert_eq!(query, expected.map(|q| q.as_bytes().to_vec()));
        assert_eq!(packet.payload, links(settings.objects).into_bytes());
    }

    #[test]
    fn twelve_objects_are_about_300_bytes_of_links() {
        let links = links(12);
        assert_eq!(links.matches(";ver=").count(), 12);
        assert!((280..420).contains(&links.len()), "{} bytes", links.len());
        assert!(links.contains("</3/0>"));
    }

    #[test]
    fn a_million_devices_have_a_million_addresses_and_are_found_by_them() {
        let addresses = Addresses::new("127.0.0.1:5685".parse().unwrap(), 1_000_000, 64);
        assert_eq!(addresses.sockets(1_000_000), 64);
        let mut seen = HashSet::new();
        for device in (0..1_000_000).step_by(97).chain([999_999]) {
            let (socket, local) = addresses.place(device);
            assert!(socket < 64);
            assert!(local.unwrap().ip().is_loopback());
            assert!(seen.insert((socket, local)));
            assert_eq!(addresses.device(socket, local), Some(device));
        }
        let other = Some(LocalAddr::v4(Ipv4Addr::LOCALHOST));
        assert_eq!(addresses.device(0, other), None);
    }

    #[test]
    fn a_server_elsewhere_sees_a_port_for_each_device() {
        let addresses = Addresses::new("192.0.2.1:5685".parse().unwrap(), 50, 8);
        assert_eq!(addresses.sockets(50), 50);
        assert_eq!(addresses.place(7), (7, None));
        assert_eq!(addresses.device(7, None), Some(7));
    }
}
