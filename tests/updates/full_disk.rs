//! A disk that takes no more.

use crate::fixture::{engine, upload};

#[test]
fn an_upload_that_finds_the_disk_full_is_refused_saying_so_and_leaves_nothing() {
    let engine = engine();
    engine.limit_files(Some(300_000));
    let path = "/api/v1/packages?type=FIRMWARE&title=fw&version=1";
    let image = vec![5; 2_000_000];
    let refused = engine.send("POST", path, ("application/octet-stream", &image));
    assert_eq!(refused.status, 507, "{}", refused.body);
    assert!(
        refused.body.contains("urn:rookery:problem:no-space"),
        "{}",
        refused.body
    );
    let files = std::fs::read_dir(engine.data().join("packages")).expect("a directory");
    assert_eq!(files.count(), 0);
    engine.limit_files(None);
    upload(&engine, "type=FIRMWARE&title=fw&version=1", &image);
}
