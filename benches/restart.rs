//! How long a restart takes: so many registered devices, each with twelve objects announced, four
//! observations and a value, are stored, and then taken back by an engine on the same data.
//!
//! `cargo bench --bench restart -- [devices] [shards]`. It works in the directory that
//! `ROOKERY_BENCH_DIR` names, else under `target`.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use rookery::engine::endpoint::core::EndpointCore;
use rookery::engine::endpoint::identity::Place;
use rookery::engine::endpoint::plan::ProfilePlan;
use rookery::engine::endpoint::profile_parts::PowerMode;
use rookery::engine::endpoint::snapshot::{Snapshot, Whereabouts};
use rookery::engine::persistence::{StateBatch, StateStore, plan_number};
use rookery::engine::{EngineConfig, prepare_kept};
use rookery::proto::coap::exchange::MidSequence;
use rookery::proto::lwm2m::link::LinkInterner;
use rookery::proto::time::{Now, Tick};
use rookery::store::EmbeddedState;

/// Devices of one batch.
const BATCH: u32 = 1_000;

const LINKS: &str = "</>;rt=\"oma.lwm2m\";ct=\"60 110 112 11542 11543\",</1>;ver=1.1,</1/0>,</2/0>,\
    </3>;ver=1.2,</3/0>,</4>;ver=1.3,</4/0>,</5>;ver=1.1,</5/0>,</6/0>,</7/0>,</9/0>,\
    </3303>;ver=1.1,</3303/0>,</3304/0>,</3305/0>,</10256/0>";

fn main() {
    // Cargo passes `--bench`.
    let numbers: Vec<u32> = std::env::args()
        .skip(1)
        .filter(|text| text != "--bench")
        .map(|text| text.parse().expect("a number"))
        .collect();
    let devices = numbers.first().copied().unwrap_or(1_000_000);
    let shards = numbers.get(1).copied().unwrap_or(2);
    let directory = std::env::var_os("ROOKERY_BENCH_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-restart"),
        PathBuf::from,
    );
    // What an earlier run left is of no use, and may not be there.
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).expect("a directory to work in");

    let began = Instant::now();
    let record = fill(&directory, devices, shards);
    println!(
        "{devices} devices stored in {:.1?}, {record} bytes each",
        began.elapsed()
    );

    let before = rss();
    let began = Instant::now();
    let state = Arc::new(EmbeddedState::open(&directory).expect("the state opens"));
    let opened = began.elapsed();
    let config = EngineConfig {
        coap: Some((Ipv4Addr::LOCALHOST, 0).into()),
        shards: shards as usize,
        allow_unknown: true,
        ..EngineConfig::default()
    };
    let prepared = prepare_kept(config, state, None).expect("the engine is prepared");
    let running = prepared.run().expect("the engine runs");
    let took = began.elapsed();
    let restored = running.restored();
    assert_eq!(restored.registered, u64::from(devices), "{restored:?}");
    println!(
        "serving after {took:.2?} ({opened:.2?} of it opening), {:.0} bytes of memory per device",
        (rss() - before) as f64 / f64::from(devices)
    );
    std::fs::remove_dir_all(&directory).expect("it is removed");
}

/// Stores registered devices as shards do. Returns the length of a record.
fn fill(directory: &Path, devices: u32, shards: u32) -> usize {
    let state = EmbeddedState::open(directory).expect("a new state");
    state.begin(shards as u8).expect("it begins");
    let plan = ProfilePlan::built_in_default().to_record();
    let number = plan_number(&plan);
    let mut batch = StateBatch::default();
    let mut length = 0;
    for shard in 0..shards {
        batch.shard = shard as u8;
        batch.plans.push((number, plan.clone()));
        for slot in 0..devices
            .div_ceil(shards)
            .min(devices - shard * devices.div_ceil(shards))
        {
            let start = batch.bytes.len();
            write(shard, slot, number, &mut batch.bytes);
            length = batch.bytes.len() - start;
            batch.records.push((slot, Some(start..batch.bytes.len())));
            if batch.records.len() == BATCH as usize {
                submit(&state, &mut batch);
            }
        }
        submit(&state, &mut batch);
    }
    length
}

/// Submits until there is room.
fn submit(state: &EmbeddedState, batch: &mut StateBatch) {
    let shard = batch.shard;
    let mut full = std::mem::take(batch);
    batch.shard = shard;
    while let Err(returned) = state.submit(full) {
        full = returned;
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

fn write(shard: u32, slot: u32, plan: u64, out: &mut Vec<u8>) {
    let now = Now {
        tick: Tick::from_millis(40_000_000_000),
        wall: std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_millis() as i64),
    };
    let name = format!("urn:imei:86{shard:03}{slot:010}");
    let whereabouts = Whereabouts {
        plan,
        peer: (
            [
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0xff,
                0xff,
                127,
                0,
                (slot >> 16) as u8,
                (slot >> 8) as u8,
            ],
            1_024 + (slot as u16 & 0xff),
        ),
        session: None,
        local: Some(([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1], 0)),
        verified: true,
    };
    let place = Place {
        shard: shard as u8,
        slot,
        salt: slot.wrapping_mul(0x9e37_79b9),
    };
    let record = device(&name, &whereabouts, place, now.wall);
    let snapshot = Snapshot::parse(&record).expect("a record");
    let links = &mut LinkInterner::new(1, [1, 2]);
    let mids = MidSequence::new(0, 1, 0);
    let core = EndpointCore::restored(snapshot, place, mids, now, PowerMode::Drx, links);
    core.expect("an endpoint")
        .write_snapshot(&whereabouts, now, out);
}

/// A record put together by hand.
fn device(name: &str, at: &Whereabouts, place: Place, wall: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut out = minicbor::Encoder::new(&mut bytes);
    let mut write = || -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        out.array(13)?.u8(1)?.str(name)?.u64(at.plan)?;
        out.array(2)?
            .bytes(&at.peer.0)?
            .u16(at.peer.1)?
            .null()?
            .u8(3)?;
        out.u32(place.salt)?.u16(20)?.i64(wall)?;
        out.array(8)?
            .str("1.1")?
            .i64(wall)?
            .u32(86_400)?
            .str("U")?
            .bool(false)?;
        out.null()?.array(0)?.str(LINKS)?;
        out.array(4)?;
        for (token, resource) in (0_u16..).zip([9, 13, 7, 11]) {
            out.array(4)?
                .array(1)?
                .array(3)?
                .u16(3)?
                .u16(0)?
                .u16(resource)?;
            out.u16(token)?.u32(10)?.array(2)?.u32(10)?.i64(wall)?;
        }
        // The value of the first mapping: an Integer, with its time.
        let mut value = vec![0, 0, 3];
        value.extend(&wall.to_le_bytes()[..6]);
        value.extend([8, 0, 0]);
        value.extend(55_i64.to_le_bytes());
        out.bytes(&value)?.array(2)?.array(0)?.array(0)?;
        Ok(())
    };
    let Ok(()) = write() else {
        unreachable!("a Vec takes whatever is written")
    };
    bytes
}

fn rss() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("procfs");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.expect("a number") << 10
}
