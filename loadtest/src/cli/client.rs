//! `loadtest client`.

mod bootstrap;
mod security;

use std::fs;
use std::io::{self, BufRead, IsTerminal};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{ArgAction, Args, ValueEnum};

use super::{interrupted_by_signal, say};
use crate::client::console::{self, Reply};
use crate::client::{
    Client, ClientOptions, Event, Fixture, Folder, ObjectModel, PackageMode, Version, object_models,
};
use bootstrap::ClientBootstrapArgs;
use security::{ClientSecurityArgs, Scheme, scheme};

/// The ports of a server that is named without one.
const PORT: u16 = 5_685;
const SECURE_PORT: u16 = 5_686;
/// Largest package that is stored, in bytes: 512 MiB, as the server's.
const LARGEST_PACKAGE: usize = 512 << 20;
/// How long a signal may be overlooked.
const POLL: Duration = Duration::from_millis(100);

/// One LwM2M device with the objects of ThingsBoard's demo client (Server, Device, Firmware Update, Location, Software
/// Management, BinaryAppDataContainer, Temperature). Flags of that client are understood as it writes them: -tFreq, -cli.
#[derive(Args, Debug)]
pub struct ClientArgs {
    /// The server: coap://HOST:PORT, coaps://HOST:PORT, HOST:PORT or HOST (port 5685, with credentials 5686).
    #[arg(short = 'u', long, value_name = "URL", default_value = "localhost")]
    server_url: String,
    /// Endpoint name [default: the host's name].
    #[arg(short = 'n', long, value_name = "NAME")]
    endpoint_name: Option<String>,
    /// Lifetime of the registration in seconds.
    #[arg(short = 'l', long, value_name = "SECONDS", default_value_t = 300)]
    lifetime: u32,
    /// Seconds between Updates (-cp) [default: nine tenths of the lifetime, or half of one below a minute].
    #[arg(long, value_name = "SECONDS")]
    communication_period: Option<f64>,
    /// Queue mode: after --awake seconds without traffic the device does not listen.
    #[arg(short = 'q', long)]
    queue_mode: bool,
    /// Seconds that a device in queue mode listens after its last traffic.
    #[arg(long, value_name = "SECONDS", default_value_t = 93.0)]
    awake: f64,
    /// Local address, with a port or without (-lh) [default: any].
    #[arg(long, value_name = "ADDRESS")]
    local_address: Option<String>,
    /// Folder, or file, with more object models (OMA XML); each gets one instance.
    #[arg(short = 'm', long, value_name = "FOLDER")]
    models_folder: Option<PathBuf>,
    /// More query parameters of the Register, NAME=VALUE,NAME=VALUE (-aa).
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = pair)]
    additional_attributes: Vec<(String, String)>,
    /// Announce and understand the content formats 1542 and 1543 too (-ocf).
    #[arg(long)]
    old_content_formats: bool,
    /// Firmware and software: after a write and an Execute the states follow each other, 100 ms apart (-tobj).
    #[arg(long)]
    test_objects: bool,
    /// Firmware and software: packages are fetched, checked against what object 19 told of them, and stored (-tota).
    #[arg(long, conflicts_with = "test_objects")]
    test_ota: bool,
    /// Where packages are stored.
    #[arg(short = 'o', long, value_name = "FOLDER", default_value = "./ota")]
    ota_folder: PathBuf,
    /// Seconds between the changes of the simulated values (-tFreq).
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    time_data_frequency: f64,
    /// Read commands from standard input; `help` lists them (-cli).
    #[arg(long)]
    console: bool,
    /// Seconds that the console waits for the registration before it reads the first line (-tcli).
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    console_delay: f64,
    /// Position of the Location object, LATITUDE:LONGITUDE (-pos) [default: random].
    #[arg(long, value_name = "LAT:LONG", value_parser = position, allow_hyphen_values = true)]
    position: Option<(f64, f64)>,
    /// Degrees that a `move` goes (-sf).
    #[arg(long, value_name = "DEGREES", default_value_t = 1.0)]
    scale_factor: f64,
    /// LwM2M version; on 4.12 the next lower one is tried.
    #[arg(long, value_name = "VERSION", default_value = "1.1", value_parser = version)]
    lwm2m: Version,
    /// Content formats to announce and understand, and no others, such as 60,110,112 [default: all of the version].
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    formats: Option<Vec<u16>>,
    /// Announce an object with this version; may be repeated.
    #[arg(long = "object-version", value_name = "OBJECT=VERSION", value_parser = object_version)]
    object_versions: Vec<(u16, String)>,
    /// Values of the demo device, or of the device of ThingsBoard's tests.
    #[arg(long, value_enum, default_value_t = FixtureName::Demo)]
    fixture: FixtureName,
    #[command(flatten)]
    security: ClientSecurityArgs,
    #[command(flatten)]
    bootstrap: ClientBootstrapArgs,
    /// Tell more: -v the server's requests, -vv answers and notifications, -vvv everything.
    #[arg(short = 'v', action = ArgAction::Count)]
    verbose: u8,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FixtureName {
    Demo,
    Thingsboard,
}

impl ClientArgs {
    /// Runs the device until the console or a signal ends it.
    ///
    /// # Errors
    ///
    /// When an address cannot be resolved or bound, or a model file not be read.
    pub fn execute(&self) -> Result<()> {
        let options = self.options()?;
        let delay = seconds(self.console_delay)?;
        let is_bootstrapped = options.bootstrap.as_ref().is_some_and(|b| b.first);
        say(&format!(
            "{} {} at {}://{}",
            options.endpoint,
            if is_bootstrapped {
                "bootstraps"
            } else {
                "registers"
            },
            options.security.as_ref().map_or("coap", |_| "coaps"),
            options.server
        ));
        let interrupted = interrupted_by_signal()?;
        let verbose = self.verbose;
        let client = Client::start_watched(options, move |event| tell(event, verbose))
            .context("cannot start")?;
        if self.console {
            if !client.wait_registered(delay) {
                say("not registered yet");
            }
            converse(&client, &interrupted);
        } else {
            while !interrupted.load(Ordering::Relaxed) {
                thread::sleep(POLL);
            }
        }
        if !client.stop(true) {
            say("the server did not take the de-registration");
        }
        Ok(())
    }

    fn options(&self) -> Result<ClientOptions> {
        let security = self.security.security()?;
        let server = resolved(&self.server_url, security.is_some())?;
        let endpoint = self.endpoint_name.clone().unwrap_or_else(host_name);
        let mut options = ClientOptions::new(server, &endpoint);
        options.bootstrap = self.bootstrap.options(server, security.as_ref())?;
        options.security = security;
        options.lifetime = self.lifetime;
        options.update_period = self.communication_period.map(seconds).transpose()?;
        options.time_frequency = seconds(self.time_data_frequency)?;
        if self.queue_mode {
            options.queue_awake = Some(seconds(self.awake)?);
        }
        if let Some(local) = &self.local_address {
            let with_port = local.parse();
            options.local = with_port
                .or_else(|_| local.parse().map(|ip: IpAddr| SocketAddr::new(ip, 0)))
                .with_context(|| format!("`{local}` is no ADDRESS or ADDRESS:PORT"))?;
        }
        if let Some(folder) = &self.models_folder {
            options.models = models_in(folder)?;
        }
        if self.test_objects {
            options.packages = PackageMode::Simulated;
        }
        if self.test_ota {
            options.packages = PackageMode::Stored;
            options.storage = Some(Arc::new(Folder(self.ota_folder.clone())));
            options.largest_body = LARGEST_PACKAGE;
        }
        options
            .additional_attributes
            .clone_from(&self.additional_attributes);
        options.old_formats = self.old_content_formats;
        options.position = self.position;
        options.position_scale = self.scale_factor;
        options.version = self.lwm2m;
        options.formats.clone_from(&self.formats);
        options.object_versions = self.object_versions.iter().cloned().collect();
        options.fixture = match self.fixture {
            FixtureName::Demo => Fixture::Demo,
            FixtureName::Thingsboard => Fixture::Thingsboard13,
        };
        Ok(options)
    }
}

/// Tells an event if it is worth that at this level.
fn tell(event: &Event, verbose: u8) {
    let level = match event {
        Event::Registered(_)
        | Event::Failed(..)
        | Event::Deregistered
        | Event::Bootstrapped(_)
        | Event::Lost(_)
        | Event::Package(_)
        | Event::Session(_) => 0,
        Event::Updated | Event::Sent | Event::Asked { .. } | Event::Cancelled { .. } => 1,
        Event::Answered { .. } | Event::Notified { .. } => 2,
        Event::Slept => 3,
    };
    if level <= verbose {
        say(&event.to_string());
    }
}

/// Carries out lines of standard input until `stop`, the end of the input or a signal.
fn converse(client: &Client, interrupted: &AtomicBool) {
    if io::stdin().is_terminal() {
        say("`help` lists the commands");
    }
    let lines = lines_of_stdin();
    while !interrupted.load(Ordering::Relaxed) {
        let line = match lines.recv_timeout(POLL) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        match console::execute(&line, client) {
            Reply::Text(text) if text.is_empty() => {}
            Reply::Text(text) => say(&text),
            Reply::Error(text) => say(&format!("error: {}", text.trim_start_matches("error: "))),
            Reply::Stop => return,
        }
    }
}

/// The lines, read by a thread of their own so that a signal is not kept waiting.
fn lines_of_stdin() -> Receiver<String> {
    let (sender, receiver) = mpsc::sync_channel(16);
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn resolved(url: &str, secure: bool) -> Result<SocketAddr> {
    let (scheme, rest) = scheme(url)?;
    match (scheme, secure) {
        (Some(Scheme::Coaps), false) => bail!(
            "{url} needs credentials: -i and -p, or -cprik with -cpubk, or -cprik with -ccert"
        ),
        (Some(Scheme::Coap), true) => {
            bail!("{url} is not secured, but there are credentials: give coaps://, or none")
        }
        _ => {}
    }
    let port = if secure { SECURE_PORT } else { PORT };
    let host = rest.trim_end_matches('/');
    if host.is_empty() || host.contains('/') {
        bail!("`{url}` is not coap://HOST:PORT or coaps://HOST:PORT");
    }
    let addresses: Vec<SocketAddr> = match host.to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(_) => (host.trim_matches(['[', ']']), port)
            .to_socket_addrs()
            .with_context(|| format!("cannot resolve {host}"))?
            .collect(),
    };
    // `localhost` is often both, and servers on loopback mostly listen on IPv4.
    let chosen = addresses.iter().find(|address| address.is_ipv4());
    let chosen = chosen.or(addresses.first());
    chosen
        .copied()
        .with_context(|| format!("{host} has no address"))
}

fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "ThingsboardLwm2mClientDemo".to_owned(),
        name => name.to_owned(),
    }
}

fn models_in(folder: &Path) -> Result<Vec<Arc<ObjectModel>>> {
    let mut files = vec![folder.to_path_buf()];
    if folder.is_dir() {
        let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
        files = entries.into_iter().map(|entry| entry.path()).collect();
        files.retain(|path| {
            path.extension()
                .is_some_and(|e| e.eq_ignore_ascii_case("xml"))
        });
        files.sort();
    }
    let mut models = Vec::new();
    for file in files {
        let name = file.display();
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {name}"))?;
        let read = object_models(&text).with_context(|| name.to_string())?;
        models.extend(read.into_iter().map(Arc::new));
    }
    Ok(models)
}

fn seconds(seconds: f64) -> Result<Duration> {
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => bail!("{seconds} seconds: a number above 0 is accepted"),
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("not NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn position(text: &str) -> Result<(f64, f64), String> {
    let numbers = text.split_once(':');
    let numbers = numbers.and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    numbers
        .filter(|(lat, long): &(f64, f64)| lat.abs() <= 90.0 && long.abs() <= 180.0)
        .ok_or_else(|| "not LATITUDE:LONGITUDE in degrees, such as 50.45:30.52".to_owned())
}

fn version(text: &str) -> Result<Version, String> {
    match text {
        "1.0" => Ok(Version::V1_0),
        "1.1" => Ok(Version::V1_1),
        "1.2" => Ok(Version::V1_2),
        _ => Err("1.0, 1.1 and 1.2 are accepted".to_owned()),
    }
}

fn object_version(text: &str) -> Result<(u16, String), String> {
    let wrong = "not OBJECT=VERSION, such as 3=1.0";
    let (object, version) = text.split_once('=').ok_or(wrong)?;
    let numbers = version.split_once('.');
    let valid = numbers.is_some_and(|(a, b)| a.parse::<u8>().is_ok() && b.parse::<u8>().is_ok());
    match object.parse() {
        Ok(object) if valid => Ok((object, version.to_owned())),
        _ => Err(wrong.to_owned()),
    }
}
