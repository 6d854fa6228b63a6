//! The console of `loadtest client`: a line in, a text out.

use clap::{Args, Parser, Subcommand};

use super::formats::NAMES;
use super::path::Path;
use super::runtime::Client;

/// One line of the console.
#[derive(Debug, Parser)]
#[command(
    no_binary_name = true,
    disable_help_flag = true,
    disable_version_flag = true
)]
#[command(
    override_usage = "COMMAND",
    subcommand_value_name = "COMMAND",
    subcommand_help_heading = "Commands"
)]
#[command(help_template = "{all-args}")]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
#[command(disable_help_flag = true)]
enum Command {
    /// Show objects, instances and resources, with their attributes and values.
    Discover {
        /// Where to look; all objects when left out.
        path: Option<Path>,
    },
    /// Create an object instance: /19/5, or /19 for the first free id.
    Create { path: Path },
    /// Delete an object instance: /19/1.
    Delete { path: Path },
    /// Send values to the server.
    Send {
        #[command(subcommand)]
        what: Values,
    },
    /// Put the present values of these paths aside, with the time, for `send collected-value`.
    Collect {
        #[arg(required = true)]
        paths: Vec<Path>,
    },
    /// Move the location by one degree (times -sf) in each of these directions.
    Move(Directions),
    /// Update the registration.
    #[command(name = "updateRegistration")]
    UpdateRegistration {
        /// Another lifetime, in seconds.
        #[arg(short = 'l', long, value_name = "SECONDS")]
        lifetime: Option<u32>,
    },
    /// Go on from another port, as behind a NAT gateway that has forgotten its mapping.
    Rebind,
    /// Let go of the DTLS session without a word; the next message brings a handshake.
    #[command(name = "forgetSession")]
    ForgetSession,
    /// Stop and start again, as the server does with an Execute of /3/0/4.
    Reboot,
    /// Leave the server and bootstrap, as the server does with an Execute of /1/x/9.
    Bootstrap,
    /// Set a value: `update /3/0/14=+02`, also of resources that a server cannot write.
    Update {
        /// PATH=VALUE; opaque values in hexadecimal, object links as object:instance.
        #[arg(value_name = "PATH=VALUE")]
        assignment: String,
    },
    /// De-register and end.
    Stop,
    /// The version of this program and of LwM2M.
    Version,
}

#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
enum Values {
    /// The values as they are now.
    #[command(name = "current-value")]
    Current(Sending),
    /// The values that `collect` put aside.
    #[command(name = "collected-value")]
    Collected(Sending),
}

#[derive(Args, Debug)]
struct Sending {
    /// Paths of objects, instances, resources or resource instances.
    paths: Vec<Path>,
    /// Content format: SENML_CBOR, SENML_JSON, LWM2M_CBOR or its number.
    #[arg(short = 'c', long = "content-format", default_value = "SENML_CBOR", value_parser = parse_format)]
    format: u16,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
struct Directions {
    /// North.
    #[arg(short = 'w')]
    north: bool,
    /// East.
    #[arg(short = 'e')]
    east: bool,
    /// South.
    #[arg(short = 's')]
    south: bool,
    /// West.
    #[arg(short = 'd')]
    west: bool,
}

/// What a line came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reply {
    /// A text to show; empty for an empty line.
    Text(String),
    /// What was wrong.
    Error(String),
    /// The device is to stop.
    Stop,
}

/// Carries out a line.
#[must_use]
pub fn execute(line: &str, client: &Client) -> Reply {
    let Some(words) = words(line) else {
        return Reply::Error("a quote is not closed".to_owned());
    };
    if words.is_empty() {
        return Reply::Text(String::new());
    }
    match Line::try_parse_from(words) {
        Ok(line) => line.command.execute(client),
        Err(error) if error.use_stderr() => Reply::Error(error.to_string().trim_end().to_owned()),
        Err(help) => Reply::Text(help.to_string().trim_end().to_owned()),
    }
}

impl Command {
    fn execute(self, client: &Client) -> Reply {
        let said = match self {
            Self::Discover { path } => return discover(path.unwrap_or_default(), client),
            Self::Create { path } => client
                .with(|device| device.create_instance(&path))
                .map(|path| format!("{path} created"))
                .map_err(|refusal| refusal.text),
            Self::Delete { path } => client
                .with(|device| device.delete_instance(&path))
                .map(|()| format!("{path} deleted"))
                .map_err(|refusal| refusal.text),
            Self::Send { what } => what.send(client),
            Self::Collect { paths } => match client.collect(&texts(&paths)) {
                Ok(0) => Err("there is nothing to collect".to_owned()),
                Ok(number) => Ok(format!("{number} values collected")),
                Err(error) => Err(error.to_string()),
            },
            Self::Move(directions) => {
                let step = client.with(|device| device.options().position_scale);
                let along = |plus: bool, minus: bool| {
                    step * (f64::from(u8::from(plus)) - f64::from(u8::from(minus)))
                };
                client.move_by(
                    along(directions.north, directions.south),
                    along(directions.east, directions.west),
                );
                let at = |path| client.get(path).map_or_else(String::new, |v| v.to_string());
                Ok(format!("at {}:{}", at("/6/0/0"), at("/6/0/1")))
            }
            Self::UpdateRegistration { lifetime } => {
                if let Some(seconds) = lifetime {
                    client.with(|device| device.change_lifetime(seconds));
                }
                client
                    .update()
                    .map(|()| "registration updated".to_owned())
                    .map_err(|error| error.to_string())
            }
            Self::Rebind => client
                .rebind()
                .map(|address| format!("at {address}"))
                .map_err(|error| error.to_string()),
            Self::ForgetSession => match client.forget_session() {
                true => Ok("session forgotten".to_owned()),
                false => Err("there is no DTLS".to_owned()),
            },
            Self::Bootstrap => match client.bootstrap() {
                true => Ok("bootstrapping".to_owned()),
                false => Err("there is no account of a bootstrap server: -b, or -lw_b".to_owned()),
            },
            Self::Reboot => {
                client.reboot();
                Ok("rebooting".to_owned())
            }
            Self::Update { assignment } => update(&assignment, client),
            Self::Stop => return Reply::Stop,
            Self::Version => {
                let version = client.with(|device| device.options().version);
                Ok(format!(
                    "loadtest {}, LwM2M {version}",
                    env!("CARGO_PKG_VERSION")
                ))
            }
        };
        match said {
            Ok(text) => Reply::Text(text),
            Err(text) => Reply::Error(text),
        }
    }
}

impl Values {
    fn send(self, client: &Client) -> Result<String, String> {
        let sent = match &self {
            Self::Current(sending) if sending.paths.is_empty() => {
                return Err("which paths? Such as: send current-value /3/0/9".to_owned());
            }
            Self::Current(sending) => client.send(&texts(&sending.paths), sending.format),
            Self::Collected(sending) => {
                client.send_collected(&texts(&sending.paths), sending.format)
            }
        };
        sent.map(|()| "sent".to_owned())
            .map_err(|error| error.to_string())
    }
}

fn update(assignment: &str, client: &Client) -> Result<String, String> {
    let (path, value) = assignment
        .split_once('=')
        .ok_or_else(|| format!("`{assignment}` is not PATH=VALUE, such as /3/0/14=+02"))?;
    let path: Path = path.parse().map_err(|error| format!("{error}"))?;
    let set = client.with(|device| device.put_text(&path, value));
    set.map(|()| format!("{path} is {value}"))
        .map_err(|refusal| refusal.text)
}

fn discover(path: Path, client: &Client) -> Reply {
    let links = client.with(|device| device.links(&path));
    let links = match links {
        Ok(links) => links,
        Err(refusal) => return Reply::Error(refusal.text),
    };
    let with_values = links.into_iter().map(|link| {
        let at = link
            .trim_start_matches('<')
            .split('>')
            .next()
            .unwrap_or_default();
        match client.get(at) {
            Some(value) => format!("{link} = {value}"),
            None => link,
        }
    });
    Reply::Text(with_values.collect::<Vec<_>>().join("\n"))
}

fn texts(paths: &[Path]) -> Vec<String> {
    paths.iter().map(Path::to_string).collect()
}

/// The words of a line; quotes, single or double, keep blanks together. `None` when one is not closed.
fn words(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
    for c in line.trim().chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// A content format by name or number.
fn parse_format(text: &str) -> Result<u16, String> {
    let named = NAMES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text));
    named
        .map(|(_, format)| *format)
        .or_else(|| text.parse().ok())
        .ok_or_else(|| {
            let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
            format!("not one of {}, nor a number", names.join(", "))
        })
}

/// Every command with what it does.
#[must_use]
pub fn help() -> String {
    use clap::CommandFactory;
    Line::command().render_help().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_keep_blanks_together() {
        assert_eq!(
            words("  update \"/3/0/15=a b\"  ").unwrap(),
            ["update", "/3/0/15=a b"]
        );
        assert_eq!(words("a '' b").unwrap(), ["a", "", "b"]);
        assert!(words("update '/3").is_none());
        assert!(words(" ").unwrap().is_empty());
    }

    #[test]
    fn the_help_names_every_command() {
        for command in [
            "discover",
            "create",
            "send",
            "collect",
            "move",
            "updateRegistration",
            "stop",
        ] {
            assert!(help().contains(command), "{command}");
        }
    }
}
