//! The bytes of a transfer, smaller blocks, lost blocks, and what it costs.

use super::super::commands;
use super::*;
use crate::engine::endpoint::request::DeviceCommand;

#[test]
fn the_messages_of_a_push_are_those_real_devices_take() {
    let mut lab = Lab::new(Device::new(Manner::default()));
    lab.assign(firmware());
    let bytes = lab.device.register();
    let mut waiting = lab.bench.send(peer(5_000), &bytes);
    let mut blocks = Vec::new();
    while blocks.len() < 3 {
        let message = waiting.remove(0);
        if message.path() == "/5/0/0" {
            blocks.push(message.bytes.clone());
        }
        for answer in lab.device.take(&message) {
            waiting.extend(lab.bench.send(peer(5_000), &answer));
        }
    }
    // After header and token: Uri-Path 5, 0, 0; Content-Format 42; Block1; with the first block
    // Size1 3050; the payload.
    for (block, options) in blocks.iter().zip([
        "b13501300130112ad1020ed2140beaff",
        "b13501300130112ad1021eff",
        "b13501300130112ad10226ff",
    ]) {
        assert_eq!((block[0], block[1]), (0x48, 0x03));
        let options = data_encoding::HEXLOWER.decode(options.as_bytes()).unwrap();
        assert_eq!(block[12..12 + options.len()], options);
    }
    let sizes = blocks
        .iter()
        .map(|block| MessageView::parse(block).unwrap().payload().len());
    assert_eq!(sizes.collect::<Vec<_>>(), [1_024, 1_024, 1_002]);
}

#[test]
fn a_device_that_asks_for_smaller_blocks_gets_them() {
    let mut lab = Lab::new(Device::new(Manner {
        szx: 2,
        ..Manner::default()
    }));
    lab.run(firmware(), 60);
    assert_eq!(lab.states.last().unwrap(), "UPDATED");
    assert_eq!(lab.device.written[0].1, image().bytes());
    let update = lab.update();
    assert_eq!(update.bytes_done, IMAGE as u64);
}

#[test]
fn a_device_that_loses_blocks_gets_them_again() {
    let mut lab = Lab::new(Device::new(Manner {
        szx: 4,
        ..Manner::default()
    }));
    lab.assign(firmware());
    let bytes = lab.device.register();
    let mut waiting = lab.bench.send(peer(5_000), &bytes);
    while lab.device.image.len() < 1_500 {
        let message = waiting.remove(0);
        for answer in lab.device.take(&message) {
            waiting.extend(lab.bench.send(peer(5_000), &answer));
        }
    }
    lab.device.image.clear();
    lab.take(waiting);
    lab.wait(20);
    assert_eq!(lab.states.last().unwrap(), "UPDATED");
    assert_eq!(lab.device.written[0].1, image().bytes());
}

#[test]
fn commands_of_others_take_turns_with_blocks() {
    let mut lab = Lab::new(Device::new(Manner {
        szx: 0,
        ..Manner::default()
    }));
    lab.assign(firmware());
    let bytes = lab.device.register();
    let mut waiting = lab.bench.send(peer(5_000), &bytes);
    while lab.device.image.len() < 1_500 {
        let message = waiting.remove(0);
        for answer in lab.device.take(&message) {
            waiting.extend(lab.bench.send(peer(5_000), &answer));
        }
    }
    let read = DeviceCommand::Operation(commands::read("/3/0/3"));
    let (mut done, asked) = lab.bench.ask_device(NAME, commands::command(read));
    waiting.extend(asked);
    for _ in 0..4 {
        let message = waiting.remove(0);
        for answer in lab.device.take(&message) {
            waiting.extend(lab.bench.send(peer(5_000), &answer));
        }
    }
    assert!(
        done.outcome().is_some(),
        "it does not wait for the last block"
    );
    lab.take(waiting);
    lab.wait(30);
    assert_eq!(lab.states.last().unwrap(), "UPDATED");
}

#[test]
fn sessions_are_counted_by_state_until_they_end() {
    let mut lab = Lab::new(Device::new(Manner {
        installs: false,
        ..Manner::default()
    }));
    lab.run(firmware(), 5);
    let line = r#"lwm2m_ota_sessions{kind="firmware",state="downloaded"}"#;
    assert_eq!(lab.bench.metric(line), 1.0);
    lab.device.install_now();
    lab.wait(5);
    assert_eq!(lab.bench.metric(line), 0.0);
    let line = r#"lwm2m_ota_updates_total{kind="firmware",result="updated"}"#;
    assert_eq!(lab.bench.metric(line), 1.0);
    let line = r#"lwm2m_ota_bytes_total{kind="firmware",direction="push"}"#;
    assert_eq!(lab.bench.metric(line), IMAGE as f64);
}
