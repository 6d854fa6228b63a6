use serde_json::json;

use crate::server::Server;

const PLACEMENT: &str = "/api/v1/bootstrap/placement";

#[tokio::test]
async fn a_placement_is_put_shown_and_taken_back() {
    let server = Server::start().await;
    let none = server.admin.get(PLACEMENT).await;
    assert_eq!(none.json(), json!({"rules": []}));
    let rules = json!({"rules": [
        {"match": {"profile": "default", "label": "north", "endpointPrefix": "m-",
                   "shortServerId": 123},
         "targets": [{"host": "a.example", "port": 5685, "weight": 2},
                     {"host": "b.example", "weight": 1}]}
    ]});
    let put = server.admin.put(PLACEMENT, rules.clone()).await;
    assert_eq!((put.status.as_u16(), put.json()), (200, rules.clone()));
    assert_eq!(server.admin.get(PLACEMENT).await.json(), rules);
    let back = server.admin.put(PLACEMENT, json!({"rules": []})).await;
    assert_eq!(back.json(), json!({"rules": []}));
}

#[tokio::test]
async fn a_placement_that_cannot_be_used_changes_nothing() {
    let server = Server::start().await;
    let wrong = json!({"rules": [{"match": {"profile": "none"}, "targets": [{"host": "a"}]}]});
    let refused = server.admin.put(PLACEMENT, wrong).await;
    let problem = refused.assert_problem(422, "invalid-placement");
    assert_eq!(problem["member"], "rules[0].match.profile");
    let unknown = json!({"rules": [{"match": {"region": "x"}, "targets": []}]});
    let refused = server.admin.put(PLACEMENT, unknown).await;
    refused.assert_problem(422, "invalid-body");
    let shown = server.admin.get(PLACEMENT).await;
    assert_eq!(shown.json(), json!({"rules": []}));
}

#[tokio::test]
async fn a_device_has_a_label_of_1_to_255_bytes() {
    let server = Server::start().await;
    let path = "/api/v1/devices/a";
    server.admin.put(path, json!({"label": "north"})).await;
    let shown = server.admin.get(path).await.json();
    assert_eq!(shown["label"], "north");
    let again = server.admin.put(path, shown).await;
    assert_eq!(again.json()["label"], "north");
    for wrong in ["", "a\nb", &"x".repeat(256)] {
        let refused = server.admin.put(path, json!({"label": wrong})).await;
        let problem = refused.assert_problem(422, "invalid-device");
        assert_eq!(problem["member"], "label");
    }
}
