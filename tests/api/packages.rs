use std::path::Path;

use futures_util::stream;
use http_body_util::StreamBody;
use hyper::Method;
use hyper::body::{Bytes, Frame};
use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::server::{MAX_PACKAGE, Server};

const NAMED: &str = "type=FIRMWARE&title=valve&version=2.0";

pub async fn upload(client: &Client, query: &str, bytes: &[u8]) -> Reply {
    let path = format!("/api/v1/packages?{query}");
    let headers = [("content-type", "application/octet-stream")];
    client
        .send(Method::POST, &path, &headers, bytes.to_vec())
        .await
}

/// Id of a new package.
pub async fn uploaded(client: &Client, query: &str) -> String {
    let created = upload(client, query, b"image").await;
    assert_eq!(created.status, 201, "{}", created.text());
    created.json()["id"].as_str().unwrap().to_owned()
}

fn files(server: &Server) -> usize {
    let directory: &Path = server.data.path();
    std::fs::read_dir(directory.join("packages"))
        .unwrap()
        .count()
}

#[tokio::test]
async fn an_uploaded_package_is_listed_shown_and_deleted() {
    let server = Server::start().await;
    let query =
        format!("{NAMED}&tag=v2&fileName=valve%202.bin&checksumAlgorithm=CRC32&checksum=352441C2");
    let created = upload(&server.admin, &query, b"abc").await;
    assert_eq!(created.status, 201, "{}", created.text());
    let mut package = created.json();
    let id = package["id"].as_str().unwrap().to_owned();
    assert_eq!(
        server
            .admin
            .get(&format!("/api/v1/packages/{id}"))
            .await
            .json(),
        package
    );
    let list = server
        .admin
        .get("/api/v1/packages?type=FIRMWARE&q=val")
        .await
        .json();
    assert_eq!(list, json!({"items": [package], "next": null}));
    let none = server
        .admin
        .get("/api/v1/packages?type=SOFTWARE")
        .await
        .json();
    assert_eq!(none, json!({"items": [], "next": null}));

    let members = package.as_object_mut().unwrap();
    assert!(members.remove("createdAt").unwrap().as_i64().unwrap() > 1_700_000_000_000);
    members.remove("id");
    assert_eq!(
        package,
        json!({
            "type": "FIRMWARE", "title": "valve", "version": "2.0", "tag": "v2",
            "fileName": "valve 2.bin", "size": 3,
            "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "checksumAlgorithm": "CRC32", "checksum": "c2412435",
            "severity": null, "maxDeferSeconds": null, "activate": false,
        })
    );
    let path = format!("/api/v1/packages/{id}");
    assert_eq!(server.admin.delete(&path).await.status, 204);
    server
        .admin
        .get(&path)
        .await
        .assert_problem(404, "package-not-found");
    server
        .admin
        .delete(&path)
        .await
        .assert_problem(404, "package-not-found");
    assert_eq!(files(&server), 0);
}

#[tokio::test]
async fn a_package_may_be_elsewhere() {
    let server = Server::start().await;
    let query = format!("{NAMED}&url=coap%3A%2F%2Fimages.example%2Fvalve");
    let created = upload(&server.admin, &query, b"").await;
    assert_eq!(created.status, 201, "{}", created.text());
    let package = created.json();
    assert_eq!(package["url"], "coap://images.example/valve");
    assert_eq!(
        (&package["size"], &package["checksum"]),
        (&Value::Null, &Value::Null)
    );
    let both = upload(&server.admin, &query.replace("2.0", "2.1"), b"abc").await;
    both.assert_problem(400, "invalid-package");
    let other = upload(&server.admin, &query.replace("coap%3A", "ftp%3A"), b"").await;
    assert_eq!(
        other.assert_problem(400, "invalid-parameter")["parameter"],
        "url"
    );
}

#[tokio::test]
async fn how_a_package_is_installed_is_said_with_it_where_its_object_can_be_told() {
    let server = Server::start().await;
    let query = format!("{NAMED}&severity=OPTIONAL&maxDeferSeconds=86400");
    let created = upload(&server.admin, &query, b"abc").await;
    assert_eq!(created.status, 201, "{}", created.text());
    let package = created.json();
    assert_eq!(
        (&package["severity"], &package["maxDeferSeconds"]),
        (&json!("OPTIONAL"), &json!(86_400))
    );
    let software = NAMED.replace("FIRMWARE", "SOFTWARE");
    for (named, said, parameter) in [
        (NAMED, "severity=HIGH", "severity"),
        (NAMED, "maxDeferSeconds=-1", "maxDeferSeconds"),
        (NAMED, "activate=true", "activate"),
        (&software, "severity=CRITICAL", "severity"),
        (&software, "maxDeferSeconds=1", "maxDeferSeconds"),
    ] {
        let query = format!("{}&{said}", named.replace("2.0", "2.1"));
        let refused = upload(&server.admin, &query, b"abc").await;
        let problem = refused.assert_problem(400, "invalid-parameter");
        assert_eq!(problem["parameter"], parameter, "{said}");
    }
}

#[tokio::test]
async fn what_is_said_of_a_package_is_checked_before_its_bytes() {
    let server = Server::start().await;
    for (query, parameter) in [
        ("title=a&version=1", "type"),
        ("type=FIRMWARE&version=1", "title"),
        ("type=FIRMWARE&title=a", "version"),
        ("type=firmware&title=a&version=1", "type"),
        ("type=FIRMWARE&title=a%0A&version=1", "title"),
        (
            "type=FIRMWARE&title=a&version=1&checksumAlgorithm=SHA1",
            "checksumAlgorithm",
        ),
        ("type=FIRMWARE&title=a&version=1&checksum=12", "checksum"),
        ("type=FIRMWARE&title=a&version=1&size=12", ""),
    ] {
        let refused = upload(&server.admin, query, b"abc").await;
        let problem = refused.assert_problem(400, "invalid-parameter");
        assert!(
            parameter.is_empty() || problem["parameter"] == parameter,
            "{query}: {problem}"
        );
    }
    for query in ["type=x", "limit=0", "name=a"] {
        let refused = server.admin.get(&format!("/api/v1/packages?{query}")).await;
        refused.assert_problem(400, "invalid-parameter");
    }
    let refused = server.admin.get("/api/v1/packages?cursor=x").await;
    refused.assert_problem(400, "invalid-cursor");
}

#[tokio::test]
async fn bytes_that_are_not_those_meant_leave_nothing() {
    let server = Server::start().await;
    let wrong = format!("{NAMED}&checksumAlgorithm=MD5&checksum={}", "0".repeat(32));
    let refused = upload(&server.admin, &wrong, b"abc").await;
    let problem = refused.assert_problem(422, "checksum-mismatch");
    assert_eq!(problem["computed"], "900150983cd24fb0d6963f7d28e17f72");
    upload(&server.admin, NAMED, b"")
        .await
        .assert_problem(400, "invalid-package");
    let too_large = vec![0; MAX_PACKAGE + 1];
    let problem = upload(&server.admin, NAMED, &too_large)
        .await
        .assert_problem(413, "body-too-large");
    assert_eq!(problem["limit"], MAX_PACKAGE);
    upload(&server.admin, NAMED, b"abc").await;
    let again = upload(&server.admin, NAMED, b"def").await;
    again.assert_problem(409, "package-exists");
    assert_eq!(files(&server), 1);
}

#[tokio::test]
async fn an_upload_that_is_cut_off_leaves_nothing() {
    let server = Server::start().await;
    let chunks = (0..100).map(|number| {
        if number < 99 {
            Ok(Frame::data(Bytes::from(vec![7; 5_000])))
        } else {
            Err(std::io::Error::other("the cable was pulled"))
        }
    });
    let client = server.admin.clone();
    let path = format!("/api/v1/packages?{NAMED}");
    let cut_off = tokio::spawn(async move {
        client
            .open(
                Method::POST,
                &path,
                &[],
                StreamBody::new(stream::iter(chunks)),
            )
            .await
    });
    assert!(cut_off.await.is_err(), "there is no answer");
    for _ in 0..500 {
        if files(&server) == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(files(&server), 0);
    let list = server.admin.get("/api/v1/packages").await.json();
    assert_eq!(list["items"], json!([]));
}

#[tokio::test]
async fn packages_are_for_operators_and_seen_by_viewers() {
    use rookery::services::tokens::Role;
    let server = Server::start().await;
    let viewer = server.with_role(Role::Viewer).await;
    upload(&viewer, NAMED, b"abc")
        .await
        .assert_problem(403, "forbidden");
    assert_eq!(viewer.get("/api/v1/packages").await.status, 200);
    viewer
        .delete("/api/v1/packages/x")
        .await
        .assert_problem(403, "forbidden");
}
