//! Commands to the devices of a fleet through the server's HTTP API, at a stated rate: how long one
//! takes from the caller to the device and back.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{io, thread};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use serde::Serialize;

use crate::process::Usage;

/// What to do.
#[derive(Clone, Debug)]
pub struct RpcOptions {
    /// Where the API listens.
    pub api: SocketAddr,
    /// Token for it.
    pub token: Option<String>,
    /// Endpoint names of the fleet are this and a number.
    pub endpoint_prefix: String,
    /// Devices of the fleet.
    pub devices: u32,
    /// Commands a second, evenly spaced.
    pub rate: f64,
    /// How long.
    pub duration: Duration,
    /// Connections, each with its thread; a command waits for a free one.
    pub connections: u32,
    /// ThingsBoard's command: `{"method":…,"params":…}`.
    pub command: String,
    /// Process id of the server, to measure it.
    pub server_pid: Option<u32>,
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct RpcReport {
    /// Commands given.
    pub sent: u64,
    /// Those answered with a result of success.
    pub ok: u64,
    /// The others.
    pub failed: u64,
    /// The first answer that was none of success.
    pub first_failure: Option<String>,
    /// Commands a second that were answered.
    pub rate: f64,
    /// From the time a command was due to the end of its answer.
    pub latency_us: Latency,
    /// CPU time of the server.
    pub server_cpu_seconds: Option<f64>,
    /// Resident memory of the server at the end.
    pub server_rss_bytes: Option<u64>,
}

/// Percentiles in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Latency {
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p999: u64,
    pub max: u64,
}

/// Gives the commands and measures.
///
/// # Errors
/// The API cannot be reached, or a connection breaks.
pub fn run(options: &RpcOptions, stop: &AtomicBool) -> Result<RpcReport> {
    let usage = || options.server_pid.map(Usage::of).transpose();
    let before = usage().context("cannot look at the server's process")?;
    let next = AtomicU32::new(0);
    let start = Instant::now() + Duration::from_millis(50);
    let results: Vec<Result<Measured>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..options.connections)
            .map(|_| scope.spawn(|| one_connection(options, start, &next, stop)))
            .collect();
        let joined = threads.into_iter().map(|thread| {
            let panicked = |panic| std::panic::resume_unwind(panic);
            thread.join().unwrap_or_else(panicked)
        });
        joined.collect()
    });
    let seconds = start.elapsed().as_secs_f64();
    let after = usage().context("cannot look at the server's process")?;
    let mut all = Measured::default();
    for result in results {
        all.add(result?)?;
    }
    let percentile = |p| all.latency.value_at_quantile(p);
    Ok(RpcReport {
        sent: all.ok + all.failed,
        ok: all.ok,
        failed: all.failed,
        first_failure: all.first_failure,
        rate: (all.ok + all.failed) as f64 / seconds,
        latency_us: Latency {
            p50: percentile(0.5),
            p90: percentile(0.9),
            p99: percentile(0.99),
            p999: percentile(0.999),
            max: all.latency.max(),
        },
        server_cpu_seconds: before
            .zip(after)
            .map(|(before, after)| after.cpu_seconds - before.cpu_seconds),
        server_rss_bytes: after.map(|usage| usage.rss_bytes),
    })
}

struct Measured {
    ok: u64,
    failed: u64,
    first_failure: Option<String>,
    latency: Histogram<u64>,
}

impl Default for Measured {
    fn default() -> Self {
        let latency = Histogram::new(3).expect("three significant digits are possible");
        Self {
            ok: 0,
            failed: 0,
            first_failure: None,
            latency,
        }
    }
}

impl Measured {
    fn add(&mut self, other: Self) -> Result<()> {
        self.ok += other.ok;
        self.failed += other.failed;
        self.first_failure = self.first_failure.take().or(other.first_failure);
        self.latency.add(other.latency)?;
        Ok(())
    }
}

/// Takes the next command that is due, whichever connection gave the one before.
fn one_connection(
    options: &RpcOptions,
    start: Instant,
    next: &AtomicU32,
    stop: &AtomicBool,
) -> Result<Measured> {
    let mut stream = TcpStream::connect(options.api)
        .with_context(|| format!("cannot reach the API at {}", options.api))?;
    stream.set_nodelay(true)?;
    let mut measured = Measured::default();
    let mut answer = Vec::with_capacity(4096);
    let mut request = Vec::with_capacity(512);
    let total = (options.rate * options.duration.as_secs_f64()) as u32;
    while !stop.load(Ordering::Relaxed) {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= total {
            break;
        }
        let due = start + Duration::from_secs_f64(f64::from(number) / options.rate);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        // A stride that is no divisor of usual fleet sizes, so that devices are asked in turn and
        // neighbours never together.
        let device = (u64::from(number) * 7_919 % u64::from(options.devices)) as u32;
        write_request(options, device, &mut request)?;
        stream.write_all(&request)?;
        let (status, body) = read_answer(&mut stream, &mut answer)?;
        let micros = due.elapsed().as_micros();
        measured.latency.record(u64::try_from(micros)?)?;
        if status == 200 && is_success(body) {
            measured.ok += 1;
        } else {
            measured.failed += 1;
            let said = String::from_utf8_lossy(body);
            measured
                .first_failure
                .get_or_insert_with(|| format!("{status}: {said}"));
        }
    }
    Ok(measured)
}

fn write_request(options: &RpcOptions, device: u32, request: &mut Vec<u8>) -> io::Result<()> {
    request.clear();
    let (prefix, command) = (&options.endpoint_prefix, &options.command);
    write!(
        request,
        "POST /api/v1/devices/{prefix}{device:07}/rpc HTTP/1.1\r\nHost: {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n",
        options.api,
        command.len()
    )?;
    if let Some(token) = &options.token {
        write!(request, "Authorization: Bearer {token}\r\n")?;
    }
    write!(request, "\r\n{command}")
}

/// Status and body of an answer with Content-Length.
fn read_answer<'a>(stream: &mut TcpStream, answer: &'a mut Vec<u8>) -> Result<(u16, &'a [u8])> {
    answer.clear();
    let mut chunk = [0; 4096];
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut headers);
        if let httparse::Status::Complete(head) = response.parse(answer)? {
            let status = response.code.unwrap_or_default();
            let length = response
                .headers
                .iter()
                .find(|header| header.name.eq_ignore_ascii_case("content-length"))
                .and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok())
                .unwrap_or(0);
            if answer.len() >= head + length {
                return Ok((status, &answer[head..head + length]));
            }
        }
        let read = stream.read(&mut chunk)?;
        if read == 0 {
            return Err(io::Error::from(ErrorKind::UnexpectedEof).into());
        }
        answer.extend_from_slice(&chunk[..read]);
    }
}

/// Whether the result is a code of class 2.
fn is_success(body: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Answer {
        result: String,
    }
    serde_json::from_slice::<Answer>(body).is_ok_and(|answer| {
        matches!(
            answer.result.as_str(),
            "CONTENT" | "CHANGED" | "CREATED" | "DELETED"
        )
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn every_command_is_given_counted_and_timed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let api = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            let mut answer = Vec::new();
            for number in 0..10 {
                let mut seen = Vec::new();
                while !seen.ends_with(b"}") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    seen.extend(byte);
                }
                asked.push(String::from_utf8(seen).unwrap());
                let body = if number == 3 {
                    r#"{"result":"NOT_FOUND"}"#
                } else {
                    r#"{"result":"CONTENT","value":"x"}"#
                };
                answer.clear();
                write!(
                    answer,
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                )
                .unwrap();
                // In two parts, as a network may deliver it.
                let (first, second) = answer.split_at(20);
                stream.write_all(first).unwrap();
                stream.write_all(second).unwrap();
            }
            asked
        });
        let options = RpcOptions {
            api,
            token: Some("secret".to_owned()),
            endpoint_prefix: "sim-".to_owned(),
            devices: 4,
            rate: 200.0,
            duration: Duration::from_millis(50),
            connections: 1,
            command: r#"{"method":"Read"}"#.to_owned(),
            server_pid: None,
        };
        let report = run(&options, &AtomicBool::new(false)).unwrap();
        assert_eq!((report.sent, report.ok, report.failed), (10, 9, 1));
        let failure = report.first_failure.unwrap();
        assert_eq!(failure, r#"200: {"result":"NOT_FOUND"}"#);
        let asked = server.join().unwrap();
        assert!(asked[0].starts_with("POST /api/v1/devices/sim-0000000/rpc HTTP/1.1\r\n"));
        assert!(asked[1].contains("sim-0000003"));
        assert!(asked[0].contains("Bearer secret"));
    }
}
