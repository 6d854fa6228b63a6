//! `rookery terminal`: commands to one device, line by line, typed or from a pipe.

use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;
use std::rc::Rc;

use anyhow::Context;
use hyper::{Method, StatusCode};
use rookery::services::rpc::method_names;
use tokio::runtime::Runtime;

use super::arguments::{CallArguments, ServerPlace};
use super::call;
use super::rpc::{Caller, server};
use super::server_api::{Refused, percent_encoded};

mod completion;
mod device_tree;
mod prompt;

use device_tree::DeviceTree;
use prompt::Prompt;

/// A terminal for one device.
pub(super) struct Session {
    runtime: Runtime,
    caller: Caller,
    endpoint: String,
    arguments: CallArguments,
}

/// What a line asks for.
#[derive(Debug, Eq, PartialEq)]
enum Line<'a> {
    Nothing,
    Help,
    Quit,
    Command { method: &'a str, params: &'a str },
}

/// Reads lines until the input ends or says `quit`. From a pipe, the exit code says whether every
/// command succeeded.
pub(super) fn run(
    runtime: Runtime,
    endpoint: &str,
    arguments: &CallArguments,
    place: &ServerPlace,
) -> anyhow::Result<ExitCode> {
    let api = runtime.block_on(server(place))?;
    let session = Rc::new(Session {
        caller: Caller::new(api, endpoint, arguments),
        runtime,
        endpoint: endpoint.to_owned(),
        arguments: arguments.clone(),
    });
    session.require_device()?;
    if std::io::stdin().is_terminal() {
        interactive(&session, place)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut succeeded = true;
    for line in std::io::stdin().lock().lines() {
        match Line::read(&line.context("the input cannot be read")?) {
            Line::Nothing => {}
            Line::Help => help(),
            Line::Quit => break,
            Line::Command { method, params } => succeeded &= session.give(method, params),
        }
    }
    Ok(if succeeded {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn interactive(session: &Rc<Session>, place: &ServerPlace) -> anyhow::Result<()> {
    let tree = DeviceTree::load(session.clone());
    let mut prompt = Prompt::new(&session.endpoint, tree, place)?;
    eprintln!(
        "commands for {}; `help` explains, Tab completes, `quit` ends",
        session.endpoint
    );
    while let Some(line) = prompt.read()? {
        match Line::read(&line) {
            Line::Nothing => {}
            Line::Help => help(),
            Line::Quit => break,
            Line::Command { method, params } => {
                session.give(method, params);
            }
        }
    }
    Ok(())
}

impl Session {
    /// Gives a command and prints what comes of it; whether it was a success.
    fn give(&self, method: &str, params: &str) -> bool {
        let called = call::params(method, params).and_then(|params| {
            let calling = self.caller.call(method, params, &self.arguments);
            self.runtime.block_on(calling)
        });
        match called {
            Ok(answer) => {
                answer.print();
                answer.is_success()
            }
            Err(error) => {
                eprintln!("{error:#}");
                false
            }
        }
    }

    /// The JSON of a route below the device; `None` when there is none.
    fn get_of_device(&self, part: &str) -> Option<serde_json::Value> {
        let endpoint = percent_encoded(&self.endpoint);
        self.get(&format!("/api/v1/devices/{endpoint}{part}"))
    }

    /// The JSON of a route; `None` when there is none.
    fn get(&self, path: &str) -> Option<serde_json::Value> {
        let asking = self.caller.api().call(Method::GET, path, None);
        self.runtime.block_on(asking).ok()
    }

    /// Fails when there is no such device, or no server.
    fn require_device(&self) -> anyhow::Result<()> {
        let path = format!("/api/v1/devices/{}", percent_encoded(&self.endpoint));
        let asking = self.caller.api().call(Method::GET, &path, None);
        match self.runtime.block_on(asking) {
            Err(error) => match error.downcast_ref::<Refused>() {
                // The role may allow commands although the server is too busy to show the device.
                Some(refused) if refused.status == StatusCode::SERVICE_UNAVAILABLE => Ok(()),
                _ => Err(error),
            },
            Ok(_) => Ok(()),
        }
    }
}

impl<'a> Line<'a> {
    fn read(line: &'a str) -> Self {
        let line = line.trim();
        let (method, params) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match method {
            "" => Self::Nothing,
            comment if comment.starts_with('#') => Self::Nothing,
            "help" | "?" => Self::Help,
            "quit" | "exit" => Self::Quit,
            method => Self::Command {
                method,
                params: params.trim(),
            },
        }
    }
}

fn help() {
    println!(
        "METHOD {{\"id\":\"/3/0/9\"}}   a command with its parameters as JSON\n\
         METHOD /3/0/9            the same, short; `METHOD key` for a key of the profile\n\
         WriteReplace /3/0/14 +02 what follows the path is the value, JSON or text\n\
         ReadComposite /3/0/9 /1/0/1\n\
         quit                     ends; so does Ctrl-D\n\
         methods: {}",
        method_names().collect::<Vec<_>>().join(", ")
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_method_and_its_parameters() {
        let cases = [
            ("", Line::Nothing),
            ("  # a comment", Line::Nothing),
            (" help ", Line::Help),
            ("exit", Line::Quit),
            (
                "Read  {\"id\":\"/3/0/9\"} ",
                Line::Command {
                    method: "Read",
                    params: "{\"id\":\"/3/0/9\"}",
                },
            ),
            (
                "DiscoverAll",
                Line::Command {
                    method: "DiscoverAll",
                    params: "",
                },
            ),
        ];
        for (text, line) in cases {
            assert_eq!(Line::read(text), line, "{text}");
        }
    }
}
