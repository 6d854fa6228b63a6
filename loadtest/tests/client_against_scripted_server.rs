//! The simulated device as a library and as a command, against a server that follows a script.

mod scripted_server;

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use loadtest::client::{
    Client, ClientError, ClientOptions, Fault, Kind, SendError, Value, formats,
};
use scripted_server::{Script, ScriptedServer};

const SOON: Duration = Duration::from_secs(5);

fn options(server: &ScriptedServer) -> ClientOptions {
    ClientOptions {
        time_frequency: Duration::from_millis(200),
        ..ClientOptions::new(server.address().parse().unwrap(), "library")
    }
}

#[test]
fn a_client_lives_registered_observed_and_sending() {
    let server = ScriptedServer::start(Script {
        repeat_requests: true,
        ..Script::default()
    });
    let client = Client::start(options(&server)).unwrap();
    assert!(client.wait_registered(SOON));
    assert!(client.registration().location.starts_with("rd/r"));
    assert!(client.wait_until(SOON, |device| device.counters().notifications >= 3));
    assert_eq!(client.observations(), ["/3/0/9"]);
    assert_eq!(
        (client.requests(Kind::Observe), client.requests(Kind::Read)),
        (1, 3)
    );
    assert!(client.counters().repeated >= 4);
    assert!(
        client
            .last_request(Kind::Read)
            .unwrap()
            .ends_with(b"\xb1\x33\x01\x30\x01\x33")
    );

    assert!(client.set("/3/0/14", "+02"));
    assert!(!client.set("/3/0/9", "full"), "another type");
    assert!(!client.set("/50/0/0", 1), "no such object");
    assert_eq!(client.get("/3/0/14"), Some(Value::from("+02")));
    client.send(&["/3/0/14"], formats::SENML_CBOR).unwrap();
    client.update().unwrap();
    assert_eq!(client.collect(&["/3303/12/5700"]), Ok(1));
    client
        .send_collected(&["/3303"], formats::SENML_JSON)
        .unwrap();
    let nothing = client.send_collected(&["/3303"], formats::SENML_JSON);
    assert!(matches!(
        nothing,
        Err(ClientError::Send(SendError::Nothing(_)))
    ));
    assert!(client.stop(true));

    let seen = server.stop();
    assert_eq!(seen.wrong, Vec::<String>::new());
    assert_eq!((seen.endpoints, seen.sends.len(), seen.left), (1, 2, 1));
    assert!(seen.sends[0].ends_with(b"\x03\x63+02"));
}

#[test]
fn a_client_that_is_dropped_leaves_without_a_word() {
    let server = ScriptedServer::start(Script::default());
    let client = Client::start(options(&server)).unwrap();
    assert!(client.wait_registered(SOON));
    drop(client);
    assert_eq!(server.stop().left, 0);
}

#[test]
fn a_fault_may_be_switched_on_and_off() {
    let server = ScriptedServer::start(Script::default());
    let client = Client::start(ClientOptions {
        fault: Some(Fault::NeverAnswer),
        ..options(&server)
    })
    .unwrap();
    assert!(client.wait_registered(SOON));
    assert!(client.wait_until(SOON, |device| device.asked(Kind::Read) == 3));
    assert!(client.wait_until(SOON, |device| device.asked(Kind::Observe) == 1));
    client.set_fault(None);
    client.restart();
    assert!(client.wait_until(SOON, |device| device.asked(Kind::Read) == 6));
    client.stop(false);
    let seen = server.stop();
    assert_eq!(seen.wrong, Vec::<String>::new());
}

/// Runs the command with these lines as its standard input; what it said.
fn console(server: &ScriptedServer, flags: &[&str], lines: &str) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .args([
            "client",
            "-u",
            &format!("coap://{}", server.address()),
            "-n",
            "console",
        ])
        .args(["-tFreq", "60", "-cli"])
        .args(flags)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(lines.as_bytes())
        .unwrap();
    let mut said = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    said
}

#[test]
fn the_console_does_what_its_lines_say() {
    let server = ScriptedServer::start(Script::default());
    let lines = "\
        help\n\
        update /3/0/14=+07\n\
        discover /3/0/14\n\
        create /19/7\n\
        delete /19/1\n\
        delete /19/1\n\
        send current-value /3/0/14 /3/0/15 -c SENML_JSON\n\
        collect /3/0/14\n\
        send collected-value\n\
        move -w\n\
        updateRegistration\n\
        update /3/0/9=full\n\
        version\n\
        stop\n\
        update /3/0/14=+08\n";
    let said = console(&server, &["-v", "-pos", "10:20"], lines);
    for expected in [
        "console registers at coap://127.0.0.1:",
        "registered at rd/r",
        "Get /3/0/9",
        "updateRegistration  Update the registration",
        "/3/0/14 is +07",
        "</3/0/14> = +07",
        "/19/7 created",
        "/19/1 deleted",
        "error: object instance /19/1 not found",
        "1 values collected",
        "at 11:20",
        "registration updated",
        "error: `full` is no value of /3/0/9, which is Integer",
        "LwM2M 1.1",
        "de-registered",
    ] {
        assert!(said.contains(expected), "{expected} in:\n{said}");
    }
    assert!(!said.contains("+08"), "nothing is done after stop");
    let seen = server.stop();
    assert_eq!(seen.wrong, Vec::<String>::new());
    assert_eq!(seen.left, 1);
    let first = String::from_utf8(seen.sends[0].clone()).unwrap();
    assert!(first.contains(r#""n":"/3/0/14","vs":"+07""#), "{first}");
    assert_eq!(seen.sends.len(), 2);
}

#[test]
fn the_end_of_the_input_is_a_stop_and_models_add_objects() {
    let server = ScriptedServer::start(Script::default());
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/3315_1.1.xml");
    let said = console(&server, &["-m", models], "discover /3315\n");
    assert!(said.contains("</3315/0/5700> = 0"), "{said}");
    assert_eq!(server.stop().left, 1);
}

#[test]
fn what_the_command_does_not_have_is_refused_with_what_it_has() {
    for (flags, text) in [
        (&["-tota", "-tobj"][..], "cannot be used with"),
        (&["-i", "identity"], "--psk-key"),
        (&["-i", "identity", "-p", "0x12"], "in hex"),
        (&["-u", "coaps://localhost"], "needs credentials"),
        (
            &["-u", "coap://localhost", "-i", "identity", "-p", "0102"],
            "give coaps://",
        ),
        (&["-cprik", "/nowhere.der"], "cannot read /nowhere.der"),
        (&["-msec", "0102"], "DTLS"),
        (&["-cid", "300"], "0 to 255"),
        (&["-lw_b"], "--bootstrap-url"),
        (&["-b", "-lw_b", "-u_b", "localhost"], "cannot be used with"),
        (&["-bsaa", "a=b"], "-lw_b and -u_b"),
        (&["-b", "-fb", "/0/0"], "PATH=VALUE"),
        (&["-m", "/nowhere.xml"], "/nowhere.xml"),
        (&["-l", "soon"], "soon"),
        (&["--lwm2m", "2.0"], "1.0, 1.1 and 1.2"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_loadtest"))
            .arg("client")
            .args(flags)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(text), "{flags:?}: {said}");
    }
}
