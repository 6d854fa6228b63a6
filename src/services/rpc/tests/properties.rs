//! Whatever the call is.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::Map;

use super::*;

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        "[0-9a-fA-F]{0,12}|\\PC{0,12}".prop_map(Json::from),
        any_id().prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::btree_map("[0-9]{1,5}|\\PC{0,4}", inner, 0..6)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

fn any_id() -> impl Strategy<Value = String> {
    "/?(1|3|5|19|33000)(_1\\.[0-2])?(/[0-9]{1,2}){0,3}/?|batteryLevel|UtfOffset"
}

fn any_call() -> impl Strategy<Value = RpcCall> {
    let methods = "Read|ReadComposite|Discover|DiscoverAll|Observe|ObserveComposite|ObserveCancel|\
        ObserveCompositeCancel|ObserveCancelAll|ObserveReadAll|WriteReplace|WriteUpdate|\
        WriteComposite|WriteAttributes|Execute|Create|Delete|\\PC{0,8}";
    let member = prop_oneof![
        any_id().prop_map(|id| ("id".to_owned(), Json::from(id))),
        any_json().prop_map(|json| ("value".to_owned(), json)),
        prop::collection::vec(any_id(), 0..4).prop_map(|ids| ("ids".to_owned(), ids.into())),
        (any_id(), any_json()).prop_map(|(id, json)| {
            let nodes: Map<_, _> = [(id, json)].into_iter().collect();
            ("nodes".to_owned(), nodes.into())
        }),
        ("key|keys|attributes|contentFormat|depth|nodes", any_json()),
    ];
    let params = prop_oneof![
        4 => prop::collection::vec(member, 0..3)
            .prop_map(|members| Some(members.into_iter().collect::<Map<_, _>>().into())),
        1 => any_json().prop_map(Some),
        1 => Just(None),
    ];
    (methods, params).prop_map(|(method, params)| RpcCall { method, params })
}

static DEVICE: LazyLock<DeviceKnowledge> = LazyLock::new(thingsboards_device);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_call_is_refused_in_words_or_can_be_asked(call in any_call()) {
        match prepare(&call, &DEVICE) {
            Err(refused) => {
                prop_assert!(!refused.is_success());
                let error = refused.error.expect("a refusal says why");
                prop_assert!(!error.is_empty() && error.len() < 2_000, "{}", error);
            }
            Ok(Prepared::Answered(answered)) => {
                prop_assert!(answered.respond(ValueFormat::Text).is_success());
            }
            Ok(Prepared::Ask(question)) => {
                for format in [ValueFormat::Text, ValueFormat::Json] {
                    let done = question.respond(Ok(DeviceAnswer::Changed), format, &DEVICE);
                    prop_assert!(done.expect("no timeout").is_success());
                }
            }
        }
    }
}
