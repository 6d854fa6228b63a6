//! Import through the API of a running server.

use std::io;

use anyhow::{Context, bail};
use http_body_util::{BodyExt, StreamBody};
use hyper::Method;
use hyper::body::{Bytes, Frame};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use super::report::Report;
use super::source::Source;
use crate::cli::server_api::ServerApi;

/// Bytes sent at once, about.
const CHUNK: usize = 32 << 10;

/// Refusals that wait to be reported; then the file is read no further.
const REFUSALS: usize = 64;

/// A line that is no device, found before it was sent.
type Refusal = (u64, String);

pub(super) async fn import(
    api: &ServerApi,
    source: Source,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (chunks, to_send) = mpsc::channel(4);
    let (refusals, mut refused) = mpsc::channel(REFUSALS);
    let reading = tokio::task::spawn_blocking(move || read(source, &chunks, &refusals));
    let body = StreamBody::new(ReceiverStream::new(to_send).map(|chunk| chunk.map(Frame::data)));
    let path = "/api/v1/devices:import";
    let response = api
        .send(Method::POST, path, "application/x-ndjson", body)
        .await?;

    let mut results = response.into_body();
    let mut text = Vec::new();
    loop {
        let frame = tokio::select! {
            Some((line, why)) = refused.recv() => {
                report.refused(line, &why);
                continue;
            }
            frame = results.frame() => frame,
        };
        let Some(frame) = frame else {
            break;
        };
        let frame = frame.context("the server ended the import early")?;
        text.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
        let complete = text
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        for line in text[..complete]
            .split(|byte| *byte == b'\n')
            .filter(|l| !l.is_empty())
        {
            take(line, report)?;
        }
        text.drain(..complete);
    }
    while let Some((line, why)) = refused.recv().await {
        report.refused(line, &why);
    }
    reading.await??;
    Ok(())
}

/// Sends the lines of `source`; an empty one for each line that is no device, so that the numbers
/// in the results are those of the file.
fn read(
    mut source: Source,
    chunks: &mpsc::Sender<io::Result<Bytes>>,
    refusals: &mpsc::Sender<Refusal>,
) -> io::Result<()> {
    let mut chunk = "\n".repeat(source.skipped() as usize);
    while let Some(line) = source.next()? {
        match line.content {
            Ok(text) => chunk.push_str(&text),
            Err(why) => {
                // Whoever reports them has ended when the server has.
                let _ = refusals.blocking_send((line.number, why));
            }
        }
        chunk.push('\n');
        if chunk.len() >= CHUNK
            && chunks
                .blocking_send(Ok(std::mem::take(&mut chunk).into()))
                .is_err()
        {
            // The server ended the request: its answer says why.
            return Ok(());
        }
    }
    let _ = chunks.blocking_send(Ok(chunk.into()));
    Ok(())
}

fn take(result: &[u8], report: &mut Report) -> anyhow::Result<()> {
    let result: Value = serde_json::from_slice(result).context("a result line is not JSON")?;
    let line = result["line"].as_u64().unwrap_or_default();
    match result["result"].as_str() {
        Some("created") => report.taken(true),
        Some("replaced") => report.taken(false),
        Some("refused") => {
            let why = result["problem"]["detail"].as_str().unwrap_or("refused");
            report.refused(line, why);
        }
        _ => bail!("line {line}: {}", result["problem"]["detail"]),
    }
    Ok(())
}
