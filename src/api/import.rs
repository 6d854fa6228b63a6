//! Many devices in one request: a stream of JSON lines in, one result line for each out, in
//! constant memory.

use std::io;
use std::sync::Arc;

use axum::body::{Body, BodyDataStream};
use axum::extract::{Request, State as Extract};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use serde_json::json;
use tracing::warn;

use super::auth::Operator;
use super::extract::{parse_json, require_media_type, too_large};
use super::problem::{Problem, ProblemKind, ProblemSchema};
use super::spool::{SpoolWriter, spool};
use super::state::{Shared, State};
use crate::services::provisioning::DeviceBody;

mod lines;

use lines::{Line, Lines};

/// Lines stored together.
const BATCH: usize = 512;

const MEDIA_TYPES: [&str; 3] = [
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
];

/// Provision many devices: one JSON object a line, as for `PUT /devices/{endpoint}`, with the
/// endpoint in `endpoint` or `credentials.client.endpoint`. Each line is answered with one line:
/// `{"line":1,"endpoint":"…","result":"created"}`, `replaced`, or `refused` with a `problem`.
/// Empty lines are skipped. A line `aborted` says that the request could not be read to its end.
#[utoipa::path(
    post,
    path = "/api/v1/devices:import",
    tag = "devices",
    request_body(content = DeviceBody, content_type = "application/x-ndjson"),
    responses(
        (status = 200, content_type = "application/x-ndjson", body = String),
        (status = 415, body = ProblemSchema, content_type = "application/problem+json"),
        (status = 503, body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn devices(
    _: Operator,
    Extract(state): Shared,
    request: Request,
) -> Result<Response, Problem> {
    require_media_type(request.headers(), &MEDIA_TYPES)?;
    let permit = state.imports.clone().try_acquire_owned().map_err(|_| {
        Problem::new(
            ProblemKind::TooManyImports,
            "as many imports are running as may run at once; try again later",
        )
    })?;
    let (results, reader) = spool(&state.options.spool).map_err(|error| {
        let detail = format!("results cannot be kept while importing: {error}");
        Problem::new(ProblemKind::StoreFailed, detail)
    })?;
    let body = request.into_body().into_data_stream();
    tokio::spawn(async move {
        let import = Import {
            batch: Batch::default(),
            results,
            state,
        };
        if let Err(error) = import.run(body).await {
            warn!(%error, "an import was given up");
        }
        drop(permit);
    });
    let content_type = (header::CONTENT_TYPE, "application/x-ndjson");
    Ok(([content_type], Body::from_stream(reader.into_stream())).into_response())
}

struct Import {
    state: Arc<State>,
    results: SpoolWriter,
    batch: Batch,
}

/// Lines read and not yet answered.
#[derive(Default)]
struct Batch {
    /// Number of each line, and the problem of those that are no device.
    lines: Vec<(u64, Option<Problem>)>,
    /// The others, in order.
    devices: Vec<DeviceBody>,
}

impl Import {
    /// Reads to the end. Fails when the results cannot be kept.
    async fn run(mut self, mut body: BodyDataStream) -> io::Result<()> {
        let max_line = self.state.options.max_body;
        let mut lines = Lines::new(max_line);
        while let Some(chunk) = body.next().await {
            match chunk {
                Ok(chunk) => lines.push(&chunk),
                Err(error) => {
                    self.flush().await?;
                    return self.abort(lines.count() + 1, &error);
                }
            }
            while let Some(line) = lines.next() {
                self.take(line, max_line).await?;
            }
            // What came together is answered together: a caller that waits for its results
            // before it sends more gets them.
            self.flush().await?;
            if !self.results.is_read() {
                return Ok(());
            }
        }
        if let Some(line) = lines.finish() {
            self.take(line, max_line).await?;
        }
        self.flush().await
    }

    async fn take(&mut self, line: Line, max_line: usize) -> io::Result<()> {
        let parsed = match line.content {
            Some(content) => parse_json(&content),
            None => Err(too_large(max_line)),
        };
        match parsed {
            Ok(device) => {
                self.batch.lines.push((line.number, None));
                self.batch.devices.push(device);
            }
            Err(problem) => self.batch.lines.push((line.number, Some(problem))),
        }
        if self.batch.lines.len() >= BATCH {
            self.flush().await?;
        }
        Ok(())
    }

    /// Stores the devices of the batch and answers its lines.
    async fn flush(&mut self) -> io::Result<()> {
        let batch = std::mem::take(&mut self.batch);
        if batch.lines.is_empty() {
            return Ok(());
        }
        let (mut outcomes, failure) = match self.state.devices.import(batch.devices).await {
            Ok(outcomes) => (outcomes.into_iter(), None),
            Err(error) => (Vec::new().into_iter(), Some(Problem::from(error))),
        };
        let mut text = String::new();
        for (number, problem) in batch.lines {
            let outcome = match problem {
                Some(problem) => Err(problem),
                None => match outcomes.next() {
                    Some(outcome) => outcome.map_err(Problem::from),
                    None => Err(failure.clone().unwrap_or_else(unanswered)),
                },
            };
            let result = match outcome {
                Ok((endpoint, created)) => {
                    let result = if created { "created" } else { "replaced" };
                    json!({"line": number, "endpoint": endpoint, "result": result})
                }
                Err(problem) => {
                    json!({"line": number, "result": "refused", "problem": problem.to_json()})
                }
            };
            text.push_str(&result.to_string());
            text.push('\n');
        }
        self.results.append(text.as_bytes())
    }

    fn abort(&self, line: u64, error: &axum::Error) -> io::Result<()> {
        let problem = Problem::new(ProblemKind::IncompleteBody, error.to_string()).to_json();
        let result = json!({"line": line, "result": "aborted", "problem": problem});
        self.results.append(format!("{result}\n").as_bytes())
    }
}

fn unanswered() -> Problem {
    Problem::new(ProblemKind::Internal, "the device was not processed")
}
