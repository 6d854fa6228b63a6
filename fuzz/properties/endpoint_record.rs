//! Records of endpoints and profiles, as they come from a disk that may have failed.

use rookery::engine::endpoint::core::EndpointCore;
use rookery::engine::endpoint::identity::Place;
use rookery::engine::endpoint::plan::ProfilePlan;
use rookery::engine::endpoint::profile_parts::PowerMode;
use rookery::engine::endpoint::snapshot::Snapshot;
use rookery::proto::coap::exchange::MidSequence;
use rookery::proto::lwm2m::link::LinkInterner;
use rookery::proto::time::{Now, Tick};

/// Whatever the bytes are: they are refused, or what they say can be kept and read again.
pub fn check(record: &[u8]) {
    check_profile(record);
    let Ok(snapshot) = Snapshot::parse(record) else {
        return;
    };
    let place = Place {
        shard: 0,
        slot: 0,
        salt: snapshot.salt,
    };
    let now = Now {
        tick: Tick::from_millis(1_000_000),
        wall: 1_700_000_000_000,
    };
    let whereabouts = snapshot.whereabouts;
    let mids = MidSequence::new(0, 1, 0);
    let mut links = LinkInterner::new(4, [1, 2]);
    let Ok(core) = EndpointCore::restored(snapshot, place, mids, now, PowerMode::Drx, &mut links)
    else {
        return;
    };
    let mut again = Vec::new();
    core.write_snapshot(&whereabouts, now, &mut again);
    let reread = Snapshot::parse(&again).expect("what is written can be read");
    assert_eq!(reread.whereabouts, whereabouts);
    assert_eq!(reread.name, core.name());
}

fn check_profile(record: &[u8]) {
    if let Ok(plan) = ProfilePlan::from_record(record) {
        let again = plan.to_record();
        let reread = ProfilePlan::from_record(&again).expect("what is written can be read");
        assert_eq!(reread.to_record(), again);
    }
}
