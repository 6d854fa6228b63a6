//! A disk that takes nothing for a while. A limit on the size of files stands for it: every write
//! beyond the first byte of a file is refused, as on a full disk.

use serde_json::json;

use crate::device::{CHANGED, Device};
use crate::once::COMMITTED;
use crate::support::engine::Engine;
use crate::support::wait::eventually;

#[test]
fn devices_are_served_from_memory_until_the_disk_takes_writes_again() {
    let mut engine = Engine::start();
    let mut device = Device::new(&engine, "meter");
    device.register("");
    device.await_observation();
    device.serve(COMMITTED);

    engine.limit_files(Some(1));
    for _ in 0..5 {
        assert!(device.notify());
        device.serve(COMMITTED / 4);
    }
    assert_eq!(device.update("lt=777"), CHANGED);
    await_failing(&engine, 1);
    engine.await_telemetry("meter", "batteryLevel", &json!(5));
    let refused = engine.put("/api/v1/devices/other", "{}");
    assert_eq!(refused.status, 500, "{}", refused.body);
    assert!(refused.body.contains("storage failed"), "{}", refused.body);
    assert!(engine.metrics().contains("lwm2m_store_failures_total 1"));

    engine.limit_files(None);
    await_failing(&engine, 0);
    let taken = eventually("the store takes changes again", || {
        let answer = engine.put("/api/v1/devices/other", "{}");
        (answer.status < 300)
            .then_some(answer.status)
            .ok_or(answer.body)
    });
    assert_eq!(taken, 201);
    device.serve(COMMITTED);
    engine.kill();
    engine.start_again();
    engine.await_telemetry("meter", "batteryLevel", &json!(5));
    assert_eq!(engine.registration("meter")["lifetime"], 777);
    assert_eq!(engine.status("/api/v1/devices/other"), 200);
    assert!(device.notify());
}

fn await_failing(engine: &Engine, expected: u8) {
    let line = format!("lwm2m_state_failing {expected}");
    eventually(&line, || {
        let metrics = engine.metrics();
        metrics.contains(&line).then_some(()).ok_or(metrics)
    });
}
