//! An endpoint, its time, and whoever answers its look-ups.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use zeroize::Zeroizing;

use crate::proto::dtls::{
    AlertDescription, Claim, DtlsConfig, DtlsEndpoint, Established, Event, HandshakeId, Output,
    ServerContexts, ServerCredentials, ServerIdentity, SessionId, TicketKey, Verdict,
};
use crate::proto::time::Tick;

pub(super) const IDENTITY: &[u8] = b"urn:imei:490154203237518";
pub(super) const KEY: &[u8] = b"0123456789abcdef";

pub(super) struct World {
    pub(super) endpoint: DtlsEndpoint,
    pub(super) now: Tick,
    pub(super) out: Output,
    /// `None` leaves a look-up open.
    pub(super) verdict: fn(&Claim) -> Option<Verdict>,
    pub(super) lookups: Vec<(HandshakeId, Claim, bool)>,
    pub(super) events: Vec<Event>,
    pub(super) received: Vec<(SessionId, Vec<u8>)>,
    pub(super) sent: Vec<(SocketAddr, Vec<u8>)>,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(adjust: impl FnOnce(&mut DtlsConfig)) -> Self {
        Self::of(&all_credentials(), adjust)
    }

    pub(super) fn of(
        credentials: &ServerCredentials,
        adjust: impl FnOnce(&mut DtlsConfig),
    ) -> Self {
        let mut config = DtlsConfig::new(3, [7; 32]);
        adjust(&mut config);
        let contexts = Arc::new(ServerContexts::build(credentials).unwrap());
        Self {
            endpoint: DtlsEndpoint::new(config, contexts).unwrap(),
            now: Tick::from_millis(1_000_000),
            out: Output::default(),
            verdict: known,
            lookups: Vec::new(),
            events: Vec::new(),
            received: Vec::new(),
            sent: Vec::new(),
        }
    }

    pub(super) fn deliver(&mut self, peer: SocketAddr, datagram: &[u8]) {
        let mut datagram = datagram.to_vec();
        self.endpoint
            .receive(self.now, peer, &mut datagram, &mut self.out);
        self.digest(&datagram);
    }

    pub(super) fn answer(&mut self, handshake: HandshakeId, verdict: Verdict) -> bool {
        let taken = self
            .endpoint
            .answer(self.now, handshake, verdict, &mut self.out);
        self.digest(&[]);
        taken
    }

    pub(super) fn pass(&mut self, millis: u64) {
        self.now = self.now.plus_millis(millis);
        self.endpoint.poll(self.now, &mut self.out);
        self.digest(&[]);
    }

    pub(super) fn send(&mut self, session: SessionId, plaintext: &[u8]) {
        let mut bytes = Vec::new();
        let to = self.endpoint.seal(session, plaintext, &mut bytes).unwrap();
        self.sent.push((to, bytes));
    }

    pub(super) fn close(&mut self, session: SessionId) -> bool {
        let closed = self.endpoint.close(session, &mut self.out);
        self.digest(&[]);
        closed
    }

    /// What was sent to an address.
    pub(super) fn take_sent(&mut self, to: SocketAddr) -> Vec<Vec<u8>> {
        let (mine, rest) = std::mem::take(&mut self.sent)
            .into_iter()
            .partition::<Vec<_>, _>(|(peer, _)| *peer == to);
        self.sent = rest;
        mine.into_iter().map(|(_, bytes)| bytes).collect()
    }

    pub(super) fn established(&self) -> Vec<&Established> {
        let events = self.events.iter();
        events
            .filter_map(|event| match event {
                Event::Established(established) => Some(&**established),
                _ => None,
            })
            .collect()
    }

    fn digest(&mut self, datagram: &[u8]) {
        let sent = self.out.datagrams.drain(..);
        self.sent
            .extend(sent.map(|(to, range)| (to, self.out.bytes[range].to_vec())));
        self.out.bytes.clear();
        let mut answers = Vec::new();
        for event in self.out.events.drain(..) {
            match event {
                Event::Received { session, range } => {
                    self.received.push((session, datagram[range].to_vec()));
                }
                Event::Overtaken { session, plaintext } => {
                    self.received.push((session, plaintext.into_vec()));
                }
                Event::Lookup {
                    handshake,
                    claim,
                    resumed,
                } => {
                    answers.extend((self.verdict)(&claim).map(|verdict| (handshake, verdict)));
                    self.lookups.push((handshake, claim, resumed));
                }
                event => self.events.push(event),
            }
        }
        for (handshake, verdict) in answers {
            assert!(self.answer(handshake, verdict));
        }
    }
}

pub(super) fn known(claim: &Claim) -> Option<Verdict> {
    Some(match claim {
        Claim::PskIdentity(identity) if **identity == *IDENTITY => psk(KEY),
        Claim::PskIdentity(_) => Verdict::Refused(AlertDescription::UnknownPskIdentity),
        Claim::RawPublicKey(_) | Claim::Certificate(_) => Verdict::Accepted,
    })
}

pub(super) fn psk(key: &[u8]) -> Verdict {
    Verdict::Psk(Zeroizing::new(key.to_vec()))
}

pub(super) fn all_credentials() -> ServerCredentials {
    ServerCredentials {
        psk: true,
        raw_public_key: Some(SERVER_KEY.clone()),
        certificate: Some(ServerIdentity {
            chain: vec![super::client::certificate(&SERVER_KEY, "server")],
            key: SERVER_KEY.clone(),
        }),
        ticket_key: Some(TicketKey(Zeroizing::new([5; 80]))),
        session_ids: 0,
    }
}

pub(super) static SERVER_KEY: LazyLock<PKey<Private>> =
    LazyLock::new(|| new_key(Nid::X9_62_PRIME256V1));
pub(super) static DEVICE_KEY: LazyLock<PKey<Private>> =
    LazyLock::new(|| new_key(Nid::X9_62_PRIME256V1));

pub(super) fn new_key(curve: Nid) -> PKey<Private> {
    let group = EcGroup::from_curve_name(curve).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}
