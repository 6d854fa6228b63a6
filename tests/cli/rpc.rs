use std::io::Write;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::program::{Serving, rookery, run};

fn rpc(directory: &Path, arguments: &[&str]) -> (i32, String, String) {
    run(rookery(directory)
        .arg("rpc")
        .args(arguments)
        .args(["--data", "data"]))
}

/// Runs `rookery terminal dev` with `input` on its standard input.
fn terminal(directory: &Path, input: &str) -> (i32, String, String) {
    let mut command = rookery(directory);
    command.args(["terminal", "dev", "--data", "data"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Registers the device `dev`, which answers nothing but that.
fn register(serving: &Serving) -> UdpSocket {
    let line = serving
        .announced
        .lines()
        .find(|line| line.contains("coap://"))
        .unwrap();
    let address = line.rsplit("coap://").next().unwrap().trim();
    let device = UdpSocket::bind("127.0.0.1:0").unwrap();
    device.connect(address).unwrap();
    // POST rd?lwm2m=1.1&ep=dev&lt=300 with link format.
    let mut register =
        b"\x40\x02\x00\x01\xb2rd\x11\x28\x39lwm2m=1.1\x06ep=dev\x06lt=300\xff".to_vec();
    register.extend(b"</1/0>,</3/0>");
    device.send(&register).unwrap();
    let mut answer = [0; 64];
    let length = device.recv(&mut answer).unwrap();
    assert_eq!(answer[1], 0x41, "{:02x?}", &answer[..length]);
    device
}

/// Answers everything the device is asked with `42` as text.
fn answer_everything(device: UdpSocket) {
    std::thread::spawn(move || {
        let mut buffer = [0; 1_500];
        while let Ok(length) = device.recv(&mut buffer) {
            let request = &buffer[..length];
            let token = usize::from(request[0] & 0x0f);
            if request[1] == 0 || request[1] >= 0x40 {
                continue;
            }
            let mut answer = vec![0x60 | request[0] & 0x0f, 0x45, request[2], request[3]];
            answer.extend(&request[4..4 + token]);
            // Content-Format 0.
            answer.extend(b"\xc0\xff42");
            if device.send(&answer).is_err() {
                return;
            }
        }
    });
}

/// Waits until what is under `path` contains `text`.
fn await_text(serving: &Serving, path: &str, text: &str) {
    for _ in 0..500 {
        if serving.get(path, None).1.contains(text) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("no {text} in {}", serving.get(path, None).1);
}

const LINKS: &str = "{\"result\":\"CONTENT\",\"value\":";

#[test]
fn the_exit_code_says_whether_the_result_is_a_success() {
    let directory = tempfile::tempdir().unwrap();
    let serving = Serving::start(directory.path(), &["--dev"]);
    let _device = register(&serving);
    let (code, output, error) = rpc(directory.path(), &["dev", "DiscoverAll"]);
    assert_eq!(code, 0, "{output}{error}");
    assert!(
        output.starts_with(LINKS) && output.contains("/3/0"),
        "{output}"
    );
    let (code, output, _) = rpc(directory.path(), &["dev", "Shout"]);
    assert_eq!(code, 1);
    assert_eq!(
        output.trim(),
        r#"{"result":"METHOD_NOT_ALLOWED","error":"Unsupported operation type: Shout"}"#
    );
    let (code, output, error) = rpc(directory.path(), &["nobody", "Read", "/3/0/9"]);
    assert_eq!((code, output.as_str()), (1, ""));
    assert!(error.contains("there is no device \"nobody\""), "{error}");
}

#[test]
fn a_device_is_read_and_one_that_is_silent_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let serving = Serving::start(directory.path(), &["--dev"]);
    let device = register(&serving);
    let silent = ["dev", "Read", "/3/0/9", "--timeout", "1000"];
    let (code, output, error) = rpc(directory.path(), &silent);
    assert_eq!((code, output.as_str()), (1, ""), "{error}");
    assert!(error.contains("in time"), "{error}");
    answer_everything(device);
    let (code, output, error) = rpc(directory.path(), &["dev", "Read", "batteryLevel"]);
    assert_eq!(code, 0, "{output}{error}");
    let text = "LwM2mSingleResource [id=9, value=42, type=INTEGER]";
    assert_eq!(output.trim(), format!("{LINKS}\"{text}\"}}"));
    let formatted = [
        "dev",
        "Read",
        "/3/0/9",
        "--format",
        "json",
        "--content-format",
        "TEXT",
    ];
    let (code, output, error) = rpc(directory.path(), &formatted);
    assert_eq!(code, 0, "{output}{error}");
}

#[test]
fn a_persistent_command_is_kept_over_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("d.ndjson"),
        "{\"endpoint\":\"dev\"}\n",
    )
    .unwrap();
    let import = ["devices", "import", "d.ndjson", "--data", "data"];
    assert_eq!(run(rookery(directory.path()).args(import)).0, 0);
    let mut serving = Serving::start(directory.path(), &["--dev"]);
    let (code, output, error) = rpc(
        directory.path(),
        &[
            "dev",
            "Read",
            "{\"id\":\"/3/0/9\"}",
            "--mode",
            "persistent",
            "--retries",
            "1",
        ],
    );
    assert_eq!(code, 0, "{error}");
    let id = output.trim().strip_prefix("{\"rpcId\":\"").unwrap();
    let path = format!("/api/v1/rpc/{}", id.strip_suffix("\"}").unwrap());
    serving.signal("TERM");
    assert_eq!(serving.wait(), 0);
    let serving = Serving::start(directory.path(), &["--dev"]);
    let (status, shown) = serving.get(&path, None);
    assert_eq!(status, 200, "{shown}");
    assert!(
        shown.contains("\"state\":\"QUEUED\"") && shown.contains("\"retries\":1"),
        "{shown}"
    );
    answer_everything(register(&serving));
    await_text(&serving, &path, "\"state\":\"SUCCESSFUL\"");
}

#[test]
fn a_server_elsewhere_is_reached_with_a_token() {
    let directory = tempfile::tempdir().unwrap();
    let serving = Serving::start(directory.path(), &[]);
    let token = ["token", "create", "--role", "operator", "--data", "data"];
    let (_, token, _) = run(rookery(directory.path()).args(token));
    let url = format!("http://{}", serving.http);
    let elsewhere = tempfile::tempdir().unwrap();
    let call = |token: &str| {
        let arguments = [
            "rpc", "dev", "Read", "/3/0/9", "--server", &url, "--token", token,
        ];
        run(rookery(elsewhere.path()).args(arguments))
    };
    let (code, _, error) = call(token.trim());
    assert!(code == 1 && error.contains("there is no device"), "{error}");
    let (code, _, error) = call("rk_wrong");
    assert!(code == 1 && error.contains("token"), "{error}");
}

#[test]
fn without_a_server_the_error_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let (code, _, error) = rpc(directory.path(), &["dev", "Read", "/3/0/9"]);
    assert!(code == 1 && error.contains("rookery serve"), "{error}");
    let (code, _, error) = rpc(directory.path(), &["dev", "Read", "{\"id\":"]);
    assert!(code == 1 && error.contains("not a JSON object"), "{error}");
}

#[test]
fn a_terminal_takes_lines_from_a_pipe_and_says_whether_all_succeeded() {
    let directory = tempfile::tempdir().unwrap();
    let serving = Serving::start(directory.path(), &["--dev"]);
    let (code, _, error) = terminal(directory.path(), "DiscoverAll\n");
    assert!(
        code == 1 && error.contains("there is no device \"dev\""),
        "{error}"
    );
    let _device = register(&serving);
    let (code, output, error) = terminal(directory.path(), "# links\nDiscoverAll\n\nDiscoverAll\n");
    assert_eq!(
        (code, output.matches(LINKS).count()),
        (0, 2),
        "{output}{error}"
    );
    let (code, output, error) = terminal(
        directory.path(),
        "Shout\nRead {\"id\nDiscoverAll\nquit\nShout\n",
    );
    assert_eq!(code, 1);
    assert_eq!(output.lines().count(), 2, "{output}");
    assert!(error.contains("not a JSON object"), "{error}");
    let (code, output, _) = terminal(directory.path(), "help\n");
    assert!(code == 0 && output.contains("ReadComposite"), "{output}");
}
