//! The device's way from server to server: the bootstrap server, and the one that it is told.

use coap_lite::RequestType;

use super::{Account, Done, Mode, bootstrap_account, perform, server_accounts};
use crate::client::blocks::{Incoming, Outgoing};
use crate::client::device::{Device, Timer};
use crate::client::event::{Event, Own};
use crate::client::exchange::{OwnRequest, Repeated};
use crate::client::options::Version;
use crate::client::path::Path;
use crate::client::refusal::Refusal;
use crate::client::request::{Answer, Request};
use crate::client::tree::Tree;
use crate::client::value::Value;

/// Where a device stands between its servers. Times are milliseconds since 1970.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Stage {
    /// With its LwM2M server, or on its own.
    #[default]
    Settled,
    /// It takes its leave, to bootstrap then.
    Leaving,
    /// It is about to talk to another server; [`Device::next_destination`] tells to which.
    Bound(Box<Account>),
    /// It was handed the way there and is being connected.
    Travelling(Purpose),
    /// Its Bootstrap-Request is under way, or the server's requests are awaited until then.
    Bootstrapping { until: u64 },
}

/// What a device wants of the server that it goes to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    Bootstrap,
    Register,
}

/// How long a bootstrap server may be silent: MAX_TRANSMIT_WAIT.
const SILENCE_MS: u64 = 93_000;
/// Registers that may fail before the device bootstraps, when 1/x/17 says nothing (its default).
const REGISTERS: i64 = 5;

impl Device {
    /// Leaves the server and bootstraps; `false` when there is no account of a bootstrap server.
    pub fn bootstrap(&mut self, now: u64) -> bool {
        if bootstrap_account(&self.tree).is_none() {
            return false;
        }
        if self.registration.registered && self.deregister(now).is_some() {
            self.stage = Stage::Leaving;
        } else {
            self.go_to_bootstrap_server();
        }
        true
    }

    /// Whether a bootstrap is going on, the way to its server included.
    #[must_use]
    pub fn is_bootstrapping(&self) -> bool {
        !matches!(self.stage, Stage::Settled | Stage::Leaving)
    }

    /// Whether it has an account of a bootstrap server.
    #[must_use]
    pub fn can_bootstrap(&self) -> bool {
        bootstrap_account(&self.tree).is_some()
    }

    /// The server that the device wants to talk to from now on, once what it has to send was sent. Then it is told
    /// [`Self::arrived`] or [`Self::lost`].
    pub fn next_destination(&mut self) -> Option<Account> {
        let Stage::Bound(account) = &self.stage else {
            return None;
        };
        let account = (**account).clone();
        // Message ids and blocks are those of one server.
        self.repeated = Repeated::default();
        self.incoming = Incoming::default();
        self.outgoing = Outgoing::default();
        self.stage = Stage::Travelling(match account.short_id {
            0 => Purpose::Bootstrap,
            _ => Purpose::Register,
        });
        Some(account)
    }

    /// The way to the destination is open.
    pub fn arrived(&mut self, now: u64) {
        let Stage::Travelling(purpose) = self.stage else {
            return;
        };
        match purpose {
            Purpose::Bootstrap => self.request_bootstrap(now),
            Purpose::Register => {
                self.stage = Stage::Settled;
                self.register(now);
            }
        }
    }

    /// The destination cannot be reached: its name means nothing, or the keys cannot be read.
    pub fn lost(&mut self, reason: String, now: u64) {
        self.tell(Event::Lost(reason));
        self.stage = Stage::Settled;
        self.bootstrap_later(now);
    }

    pub(in crate::client) fn next_stage_step(&self) -> u64 {
        match self.stage {
            Stage::Bootstrapping { until } => until,
            _ => u64::MAX,
        }
    }

    /// A bootstrap server that has fallen silent is given up.
    pub(in crate::client) fn watch_stage(&mut self, now: u64) {
        if self.next_stage_step() <= now {
            self.tell(Event::Failed(Own::Bootstrap, None));
            self.stage = Stage::Settled;
            self.bootstrap_later(now);
        }
    }

    /// Answers a request of the bootstrap server.
    pub(in crate::client) fn serve_bootstrap(
        &mut self,
        request: &Request,
        now: u64,
    ) -> Result<Answer, Refusal> {
        self.stage = Stage::Bootstrapping {
            until: now + SILENCE_MS,
        };
        let (answer, done) = perform(&mut self.tree, &self.abilities, request)?;
        if done == Done::Finished {
            self.bootstrapped();
        }
        Ok(answer)
    }

    /// The Bootstrap-Request, or the De-register before it, has ended.
    pub(in crate::client) fn stage_goes_on(&mut self, own: Own, taken: bool, now: u64) {
        match (own, &self.stage) {
            (Own::Bootstrap, Stage::Bootstrapping { .. }) if !taken => {
                self.stage = Stage::Settled;
                self.bootstrap_later(now);
            }
            (Own::Bootstrap, Stage::Bootstrapping { .. }) => {
                self.stage = Stage::Bootstrapping {
                    until: now + SILENCE_MS,
                };
            }
            (Own::Deregister, Stage::Leaving) => self.go_to_bootstrap_server(),
            _ => {}
        }
    }

    /// A Register has failed; whether the device bootstraps for it (LwM2M Core 1.1, resources 16 and 17 of the Server
    /// object).
    pub(in crate::client) fn bootstraps_after(&mut self, failures: u32, now: u64) -> bool {
        let server = self.tree.objects.get(&super::SERVER);
        let instance = server.and_then(|server| server.instances.keys().next().copied());
        let value = |resource| {
            let path = Path::new(&[super::SERVER, instance?, resource]);
            self.tree.get(&path)
        };
        let wanted = value(16) != Some(&Value::Boolean(false));
        let most = value(17).and_then(Value::as_integer).unwrap_or(REGISTERS);
        if !wanted || i64::from(failures) < most || !self.can_bootstrap() {
            return false;
        }
        self.bootstrap_later(now);
        true
    }

    /// After the hold-off time of the account, and after the usual pause.
    fn bootstrap_later(&mut self, now: u64) {
        let account = bootstrap_account(&self.tree);
        let hold_off = account.map_or(0, |account| u64::from(account.hold_off) * 1_000);
        let retry = u64::try_from(self.options.register_retry.as_millis()).unwrap_or(u64::MAX / 2);
        self.schedule(now + hold_off.max(retry), Timer::Bootstrap);
    }

    fn go_to_bootstrap_server(&mut self) {
        if let Some(account) = bootstrap_account(&self.tree) {
            self.forget_registration();
            self.stage = Stage::Bound(account.into());
        }
    }

    fn request_bootstrap(&mut self, now: u64) {
        self.stage = Stage::Bootstrapping { until: u64::MAX };
        let options = self.options.bootstrap.as_ref();
        let mut query = vec![format!("ep={}", self.options.endpoint)];
        if let Some(format) = options.and_then(|o| o.format)
            && self.options.version != Version::V1_0
        {
            query.push(format!("pct={format}"));
        }
        let more = options.into_iter().flat_map(|o| &o.additional_attributes);
        query.extend(more.map(|(name, value)| format!("{name}={value}")));
        self.own.push(OwnRequest {
            own: Own::Bootstrap,
            ticket: 0,
            method: RequestType::Post,
            path: vec!["bs".to_owned()],
            query,
            format: None,
            payload: Vec::new(),
        });
        self.drive_own_requests(now);
    }

    /// The server has said that this is all: on to the first of the servers in its accounts.
    fn bootstrapped(&mut self) {
        let accounts = server_accounts(&self.tree).unwrap_or_default();
        let addresses: Vec<String> = accounts.iter().map(account_uri).collect();
        self.own.clear();
        self.counters.bootstrapped += 1;
        self.tell(Event::Bootstrapped(addresses));
        if let Some(account) = accounts.into_iter().next() {
            self.take_lifetime(account.lifetime);
            self.stage = Stage::Bound(account.into());
        }
    }
}

/// The servers that the device is told about after each other, for people.
fn account_uri(account: &Account) -> String {
    let scheme = match account.mode {
        Mode::NoSecurity => "coap",
        _ => "coaps",
    };
    format!("{scheme}://{}", account.address)
}

/// Adds what a device knows from the factory: the Security object with the account of its bootstrap server, and of the
/// LwM2M server, if it has one.
pub(in crate::client) fn add_factory_accounts(
    tree: &mut Tree,
    options: &crate::client::ClientOptions,
) {
    let Some(bootstrap) = &options.bootstrap else {
        return;
    };
    let version = options.version.to_string();
    crate::client::objects::add_built_in(tree, super::SECURITY, &version);
    let uri = |address, secure: bool| match secure {
        true => format!("coaps://{address}"),
        false => format!("coap://{address}"),
    };
    let mut put = |instance,
                   security: Option<&crate::client::ClientSecurity>,
                   address,
                   more: [(u16, Value); 2]| {
        // Keys that OpenSSL cannot write were not read either.
        let values = super::factory_values(&uri(address, security.is_some()), security);
        for (resource, value) in values.unwrap_or_default().into_iter().chain(more) {
            tree.set(&Path::new(&[super::SECURITY, instance, resource]), value);
        }
    };
    let of_bootstrap = [(1, true.into()), (11, 0.into())];
    put(
        0,
        bootstrap.security.as_ref(),
        bootstrap.server,
        of_bootstrap,
    );
    if !bootstrap.first {
        let of_server = [(1, false.into()), (10, 123.into())];
        put(1, options.security.as_ref(), options.server, of_server);
    } else if let Some(server) = tree.objects.get_mut(&super::SERVER) {
        server.instances.clear();
    }
    for (path, text) in &bootstrap.factory_values {
        let value = tree.type_of(path).and_then(|wanted| wanted.parse(text));
        if let Some(value) = value {
            tree.set(path, value);
        }
    }
}
