use hyper::Method;
use rookery::services::storage::{Store, Table};
use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::server::{MAX_BODY, Server};

fn object(id: &str, version: &str, name: &str) -> String {
    format!(
        "<Object ObjectType=\"MODefinition\"><Name>{name}</Name><Description1>About {name}.</Description1>\n\
         <ObjectID>{id}</ObjectID><ObjectURN>urn:oma:lwm2m:x:{id}</ObjectURN>\n\
         <LWM2MVersion>1.1</LWM2MVersion><ObjectVersion>{version}</ObjectVersion>\n\
         <MultipleInstances>Multiple</MultipleInstances><Mandatory>Optional</Mandatory>\n\
         <Resources><Item ID=\"7\"><Name>Level</Name><Operations>RW</Operations>\n\
         <MultipleInstances>Single</MultipleInstances><Mandatory>Mandatory</Mandatory>\n\
         <Type>Unsigned Integer</Type><RangeEnumeration>0..9</RangeEnumeration><Units>%</Units>\n\
         <Description/></Item><Item ID=\"2\"><Name>Go</Name><Operations>E</Operations>\n\
         <MultipleInstances>Single</MultipleInstances><Mandatory>Optional</Mandatory><Type/>\n\
         </Item></Resources></Object>"
    )
}

async fn upload(client: &Client, objects: &[String]) -> Reply {
    let document = format!("<LWM2M>\n{}\n</LWM2M>", objects.join("\n"));
    send(client, document).await
}

async fn send(client: &Client, document: String) -> Reply {
    let headers = [("content-type", "application/xml; charset=utf-8")];
    let document = document.into_bytes();
    client
        .send(Method::POST, "/api/v1/models", &headers, document)
        .await
}

async fn keys(client: &Client, query: &str) -> Vec<String> {
    let list = client.get(&format!("/api/v1/models?{query}")).await.json();
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|item| item["key"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn an_uploaded_definition_is_listed_and_shown() {
    let server = Server::start().await;
    let objects = [object("33000", "1.1", "Valve"), object("3", "1.0", "Ours")];
    let created = upload(&server.admin, &objects).await;
    assert_eq!(created.status, 201, "{}", created.text());
    let expected = json!({"items": [
        {"key": "33000_1.1", "id": 33000, "version": "1.1", "name": "Valve", "result": "created"},
        {"key": "3_1.0", "id": 3, "version": "1.0", "name": "Ours", "result": "created"},
    ]});
    assert_eq!(created.json(), expected);

    let shown = server.admin.get("/api/v1/models/33000_1.1").await;
    assert_eq!(shown.status, 200);
    let expected = json!({
        "key": "33000_1.1", "id": 33000, "version": "1.1", "name": "Valve",
        "description": "About Valve.", "multiple": true, "mandatory": false,
        "lwm2mVersion": "1.1", "urn": "urn:oma:lwm2m:x:33000",
        "source": "uploaded", "overridesBuiltIn": false,
        "resources": [
            {"id": 2, "name": "Go", "operations": "E", "multiple": false, "mandatory": false,
             "type": null, "range": null, "units": null},
            {"id": 7, "name": "Level", "operations": "RW", "multiple": false, "mandatory": true,
             "type": "Unsigned Integer", "range": "0..9", "units": "%"},
        ],
    });
    assert_eq!(shown.json(), expected);
    let list = server.admin.get("/api/v1/models?id=33000").await.json();
    let mut summary = expected;
    for member in ["description", "resources"] {
        summary.as_object_mut().unwrap().remove(member);
    }
    assert_eq!(list, json!({"items": [summary], "next": null}));

    let again = upload(&server.admin, &objects[..1]).await;
    assert_eq!(again.status, 201);
    assert_eq!(again.json()["items"][0]["result"], "replaced");
}

#[tokio::test]
async fn built_in_definitions_come_back_when_what_overrides_them_is_removed() {
    let server = Server::start().await;
    let path = "/api/v1/models/3_1.0";
    let built_in = server.admin.get(path).await.json();
    assert_eq!(built_in["source"], "builtin");
    let refused = server.admin.delete(path).await;
    refused.assert_problem(409, "built-in-model");

    upload(&server.admin, &[object("3", "1.0", "Ours")]).await;
    let shown = server.admin.get(path).await.json();
    assert_eq!(
        (&shown["name"], &shown["overridesBuiltIn"]),
        (&json!("Ours"), &json!(true))
    );
    assert!(server.store.get(Table::Models, "3_1.0").unwrap().is_some());
    assert_eq!(server.admin.delete(path).await.status, 204);
    assert_eq!(server.admin.get(path).await.json(), built_in);
    assert!(server.store.get(Table::Models, "3_1.0").unwrap().is_none());
}

#[tokio::test]
async fn the_list_is_paged_in_order_of_ids_and_versions() {
    let server = Server::start().await;
    upload(&server.admin, &[object("3", "1.10", "New")]).await;
    assert_eq!(
        keys(&server.admin, "id=3").await,
        ["3_1.0", "3_1.1", "3_1.2", "3_1.10"]
    );
    let all = keys(&server.admin, "limit=1000").await;
    let mut paged = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/models?limit=40&cursor={cursor}");
        let page = server.admin.get(&path).await.json();
        let items = page["items"].as_array().unwrap();
        paged.extend(
            items
                .iter()
                .map(|item| item["key"].as_str().unwrap().to_owned()),
        );
        match &page["next"] {
            Value::String(next) => cursor.clone_from(next),
            _ => break,
        }
    }
    assert_eq!(paged, all);
    assert!(keys(&server.admin, "id=65000").await.is_empty());
    for query in ["id=65535", "id=x", "limit=0", "limit=1001", "name=x"] {
        let refused = server.admin.get(&format!("/api/v1/models?{query}")).await;
        refused.assert_problem(400, "invalid-parameter");
    }
    let refused = server.admin.get("/api/v1/models?cursor=x").await;
    refused.assert_problem(400, "invalid-cursor");
}

#[tokio::test]
async fn a_document_that_is_refused_names_line_and_reason_and_changes_nothing() {
    let server = Server::start().await;
    let good = object("33000", "1.1", "Valve");
    let faulty = object("33001", "1.1", "Pump").replace("<Operations>RW<", "<Operations>RX<");
    let refused = upload(&server.admin, &[good.clone(), faulty]).await;
    let problem = refused.assert_problem(400, "invalid-model");
    assert_eq!(problem["line"], 1 + good.lines().count() + 5);
    let reason = "Operations is \"RX\"; accepted: R, W, RW, E or nothing";
    assert_eq!(problem["reason"], reason);
    assert_eq!(
        problem["detail"],
        format!("line {}: {reason}", problem["line"])
    );
    let shown = server.admin.get("/api/v1/models/33000_1.1").await;
    shown.assert_problem(404, "model-not-found");

    let refused = send(&server.admin, "{}".to_owned()).await;
    refused.assert_problem(400, "invalid-model");
    let refused = send(&server.admin, " ".repeat(MAX_BODY + 1)).await;
    refused.assert_problem(413, "body-too-large");
    let refused = server.admin.post("/api/v1/models", json!({})).await;
    refused.assert_problem(415, "unsupported-media-type");
}

#[tokio::test]
async fn a_path_that_names_no_definition_is_refused() {
    let server = Server::start().await;
    for key in ["3", "3_1", "x_1.0", "65535_1.0", "%ff"] {
        let path = format!("/api/v1/models/{key}");
        server
            .admin
            .get(&path)
            .await
            .assert_problem(400, "invalid-model-key");
        server
            .admin
            .delete(&path)
            .await
            .assert_problem(400, "invalid-model-key");
    }
    let missing = server.admin.delete("/api/v1/models/3_7.0").await;
    missing.assert_problem(404, "model-not-found");
}
