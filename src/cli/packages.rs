//! `rookery packages`: through the API of a running server.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::Method;
use hyper::body::{Bytes, Frame};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use super::arguments::PackagesCommand;
use super::rpc::server;
use super::server_api::{ServerApi, percent_encoded};

const PATH: &str = "/api/v1/packages";

/// Bytes of a file sent at once, and how many such pieces wait to be sent.
const CHUNK: usize = 256 << 10;
const WAITING: usize = 4;

/// Does what the command says.
pub(super) async fn run(command: PackagesCommand) -> anyhow::Result<ExitCode> {
    match command {
        PackagesCommand::Upload {
            file,
            package_type,
            title,
            version,
            tag,
            checksum_algorithm,
            checksum,
            url,
            place,
        } => {
            let name = file.as_deref().and_then(Path::file_name);
            let query = query(&[
                ("type", Some(package_type.name())),
                ("title", Some(&title)),
                ("version", Some(&version)),
                ("tag", tag.as_deref()),
                ("fileName", name.and_then(|name| name.to_str())),
                ("checksumAlgorithm", checksum_algorithm.as_deref()),
                ("checksum", checksum.as_deref()),
                ("url", url.as_deref()),
            ]);
            upload(&server(&place).await?, &query, file.as_deref()).await?;
        }
        PackagesCommand::List { place } => list(&server(&place).await?).await?,
        PackagesCommand::Delete { id, force, place } => {
            let path = format!("{PATH}/{}?force={force}", percent_encoded(&id));
            let api = server(&place).await?;
            api.call(Method::DELETE, &path, None).await?;
            eprintln!("package {id} is deleted");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the id alone on standard output, so that a script can take it.
async fn upload(api: &ServerApi, query: &str, file: Option<&Path>) -> anyhow::Result<()> {
    let body = match file {
        Some(path) => {
            let file = File::open(path).with_context(|| path.display().to_string())?;
            content(file)
        }
        None => Empty::new().map_err(|never| match never {}).boxed(),
    };
    let path = format!("{PATH}?{query}");
    let sent = api.send(Method::POST, &path, "application/octet-stream", body);
    let bytes = sent.await?.into_body().collect().await?.to_bytes();
    let package: Value =
        serde_json::from_slice(&bytes).context("the server's answer is not JSON")?;
    let text = |name: &str| package[name].as_str().unwrap_or_default().to_owned();
    let size = package["size"].as_u64();
    let size = size.map_or_else(|| text("url"), |size| format!("{size} bytes"));
    eprintln!(
        "{} {} {}: {size}, {} {}",
        text("type"),
        text("title"),
        text("version"),
        text("checksumAlgorithm"),
        text("checksum")
    );
    println!("{}", text("id"));
    Ok(())
}

/// One package a line: id, type, title, version, size or URL.
async fn list(api: &ServerApi) -> anyhow::Result<()> {
    let mut cursor = String::new();
    loop {
        let path = format!("{PATH}?limit=1000&cursor={cursor}");
        let page = api.call(Method::GET, &path, None).await?;
        for package in page["items"].as_array().into_iter().flatten() {
            let text = |name: &str| package[name].as_str().unwrap_or_default().to_owned();
            let size = package["size"].as_u64();
            let size = size.map_or_else(|| text("url"), |size| size.to_string());
            let (kind, title, version) = (text("type"), text("title"), text("version"));
            println!("{}\t{kind}\t{title}\t{version}\t{size}", text("id"));
        }
        match page["next"].as_str() {
            Some(next) => cursor = percent_encoded(next),
            None => return Ok(()),
        }
    }
}

/// The bytes of a file, read as they are sent.
fn content(mut file: File) -> BoxBody<Bytes, io::Error> {
    let (sender, pieces) = mpsc::channel::<io::Result<Bytes>>(WAITING);
    tokio::task::spawn_blocking(move || {
        loop {
            let mut piece = vec![0; CHUNK];
            let read = file.read(&mut piece);
            let piece = match read {
                Ok(0) => return,
                Ok(length) => {
                    piece.truncate(length);
                    Ok(Bytes::from(piece))
                }
                Err(error) => Err(error),
            };
            let failed = piece.is_err();
            // The server may refuse the rest.
            if sender.blocking_send(piece).is_err() || failed {
                return;
            }
        }
    });
    let pieces = ReceiverStream::new(pieces).map(|piece| piece.map(Frame::data));
    BodyExt::boxed(StreamBody::new(pieces))
}

fn query(parameters: &[(&str, Option<&str>)]) -> String {
    let given = parameters
        .iter()
        .filter_map(|(name, value)| Some((name, (*value)?)));
    let pairs = given.map(|(name, value)| format!("{name}={}", percent_encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}
