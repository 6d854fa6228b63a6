//! The properties of the fuzz targets on the stable toolchain: on the seeds, on what is near
//! them, and on noise, a bounded number of times with fixed seeds.

use std::path::Path;

#[path = "../fuzz/properties/block_reassembly.rs"]
mod block_reassembly;
#[path = "../fuzz/properties/decode.rs"]
mod decode;
#[path = "../fuzz/properties/dtls_hello.rs"]
mod dtls_hello;
#[path = "../fuzz/properties/dtls_record.rs"]
mod dtls_record;
#[path = "../fuzz/properties/dtls_session.rs"]
mod dtls_session;
#[path = "../fuzz/properties/endpoint_record.rs"]
mod endpoint_record;
#[path = "../fuzz/properties/link_format.rs"]
mod link_format;
#[path = "../fuzz/properties/message.rs"]
mod message;
#[path = "../fuzz/properties/object_model.rs"]
mod object_model;
#[path = "../fuzz/properties/rpc_call.rs"]
mod rpc_call;

#[test]
fn message() {
    hold(message::check, &seeds("message"), 80);
}

#[test]
fn block_reassembly() {
    hold(block_reassembly::check, &seeds("block_reassembly"), 400);
}

#[test]
fn link_format() {
    hold(link_format::check, &seeds("link_format"), 80);
}

#[test]
fn decode() {
    hold(decode::check, &seeds("decode"), 80);
}

#[test]
fn dtls_hello() {
    hold(dtls_hello::check, &seeds("dtls_hello"), 200);
}

#[test]
fn dtls_record() {
    hold(dtls_record::check, &seeds("dtls_record"), 200);
}

#[test]
fn dtls_session() {
    hold(dtls_session::check, &seeds("dtls_session"), 200);
}

#[test]
fn endpoint_record() {
    hold(endpoint_record::check, &seeds("endpoint_record"), 200);
}

#[test]
fn object_model() {
    hold(object_model::check, &seeds("object_model"), 200);
}

#[test]
fn rpc_call() {
    hold(rpc_call::check, &seeds("rpc_call"), 80);
}

/// Checks a property on seeds and their beginnings, on mutations of seeds, and on noise, short
/// and up to `most` bytes.
fn hold(property: fn(&[u8]), seeds: &[Vec<u8>], most: usize) {
    for seed in seeds {
        for end in 0..=seed.len() {
            property(&seed[..end]);
        }
    }
    let mut rng = fastrand::Rng::with_seed(1);
    for _ in 0..20_000 {
        let seed = rng.choice(seeds).expect("there are seeds");
        property(&mutated(seed, &mut rng));
        property(&noise(12, &mut rng));
        property(&noise(most, &mut rng));
    }
}

/// The inputs that fuzzing of this target starts from.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(target);
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a directory entry").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no seeds in {}", folder.display());
    paths
        .iter()
        .map(|path| std::fs::read(path).expect("a readable seed"))
        .collect()
}

/// `seed` with a few bytes changed, inserted or removed.
fn mutated(seed: &[u8], rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..rng.usize(1..=4) {
        let at = rng.usize(0..=bytes.len());
        match rng.u8(0..4) {
            0 => bytes.insert(at, rng.u8(..)),
            1 => bytes.truncate(at),
            _ if at == bytes.len() => bytes.push(0xff),
            2 => bytes[at] ^= 1 << rng.u8(0..8),
            _ => bytes[at] = rng.u8(..),
        }
    }
    bytes
}

fn noise(most: usize, rng: &mut fastrand::Rng) -> Vec<u8> {
    let length = rng.usize(0..=most);
    std::iter::repeat_with(|| rng.u8(..)).take(length).collect()
}
