//! `rookery rpc`: one command to one device through the API of a running server.

use std::process::ExitCode;

use anyhow::{Context, bail};
use hyper::Method;
use rookery::services::rpc::RpcResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use super::arguments::{CallArguments, RpcMode, ServerPlace};
use super::call;
use super::configuration;
use super::data_directory::socket_file;
use super::server_api::{ServerApi, percent_encoded};

/// Commands to one device.
pub(super) struct Caller {
    api: ServerApi,
    path: String,
}

/// An answer as it came.
pub(super) struct Answer {
    text: String,
}

/// The answer to a command that is kept.
#[derive(Deserialize)]
struct Kept {
    #[serde(rename = "rpcId")]
    _rpc_id: String,
}

/// Gives one command and prints the answer. The exit code says whether it was a success.
pub(super) async fn run(
    endpoint: &str,
    method: &str,
    params: &[String],
    arguments: &CallArguments,
    place: &ServerPlace,
) -> anyhow::Result<ExitCode> {
    let params = call::params(method, &params.join(" "))?;
    let caller = Caller::new(server(place).await?, endpoint, arguments);
    let answer = caller.call(method, params, arguments).await?;
    answer.print();
    Ok(if answer.is_success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The server that `place` means.
pub(super) async fn server(place: &ServerPlace) -> anyhow::Result<ServerApi> {
    if let Some(url) = &place.server {
        return ServerApi::remote(url, place.token.clone());
    }
    let config = configuration::load(&place.place, false)?.config;
    let socket = socket_file(&config.store.path);
    let api = ServerApi::local(socket);
    if !api.answers().await {
        bail!(
            "no server answers on {api}; start one with `rookery serve`, or name one with --server"
        );
    }
    Ok(api)
}

impl Caller {
    pub(super) fn new(api: ServerApi, endpoint: &str, arguments: &CallArguments) -> Self {
        let endpoint = percent_encoded(endpoint);
        let mut path = format!(
            "/api/v1/devices/{endpoint}/rpc?mode={}&format={}",
            arguments.mode.name(),
            arguments.format.name()
        );
        if let Some(timeout) = arguments.timeout {
            path.push_str(&format!("&timeout={timeout}"));
        }
        if arguments.mode == RpcMode::Persistent
            && let Some(retries) = arguments.retries
        {
            path.push_str(&format!("&retries={retries}"));
        }
        Self { api, path }
    }

    pub(super) fn api(&self) -> &ServerApi {
        &self.api
    }

    pub(super) async fn call(
        &self,
        method: &str,
        params: Option<Value>,
        arguments: &CallArguments,
    ) -> anyhow::Result<Answer> {
        let mut params = params;
        if let Some(format) = &arguments.content_format {
            let members = params.get_or_insert_with(|| json!({}));
            members["contentFormat"] = match format.parse::<u16>() {
                Ok(number) => number.into(),
                Err(_) => format.as_str().into(),
            };
        }
        let body = match params {
            Some(params) => json!({"method": method, "params": params}),
            None => json!({ "method": method }),
        };
        let text = self.api.call_for_text(Method::POST, &self.path, Some(body));
        let text = text
            .await
            .with_context(|| format!("{method} has no answer"))?;
        Ok(Answer { text })
    }
}

impl Answer {
    /// Prints what came, when anything did.
    pub(super) fn print(&self) {
        if !self.text.is_empty() {
            println!("{}", self.text);
        }
    }

    /// Whether the command was carried out or, where nobody waits for that, taken.
    pub(super) fn is_success(&self) -> bool {
        let kept = || serde_json::from_str::<Kept>(&self.text).is_ok();
        let carried_out = || {
            serde_json::from_str::<RpcResponse>(&self.text)
                .is_ok_and(|response| response.is_success() && response.error.is_none())
        };
        self.text.is_empty() || kept() || carried_out()
    }
}
