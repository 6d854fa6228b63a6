use proptest::prelude::*;

use super::*;

fn register<'a>(queries: &[&'a str]) -> Result<RegisterParams<'a>, RegistrationError> {
    RegisterParams::parse(queries.iter().map(|query| query.as_bytes()))
}

fn update<'a>(queries: &[&'a str]) -> Result<UpdateParams<'a>, RegistrationError> {
    UpdateParams::parse(queries.iter().map(|query| query.as_bytes()))
}

fn refusal(queries: &[&str]) -> (u8, String) {
    let error = register(queries).expect_err("the request should be refused");
    (error.coap_code(), error.to_string())
}

#[test]
fn anjay_registers_with_version_name_and_lifetime() {
    let params = register(&["lwm2m=1.0", "ep=anjay-1.0", "lt=60"]).expect("a good Register");
    assert_eq!(params.version, Some(LwM2mVersion::V1_0));
    assert_eq!(params.endpoint, Some("anjay-1.0"));
    assert_eq!(params.lifetime, Some(60));
    assert_eq!(params.binding, None);
    assert!(!params.queue_mode);
}

#[test]
fn wakaama_states_the_default_binding() {
    let params = register(&["lwm2m=1.1", "ep=wak-11", "b=U", "lt=60"]).expect("a good Register");
    assert_eq!(params.binding, Some(Binding::U));
}

#[test]
fn queue_mode_is_q_or_part_of_the_1_0_binding() {
    let later = register(&["lwm2m=1.1", "ep=anjay-q11", "lt=60", "Q"]).expect("a good Register");
    assert!(later.queue_mode);
    let first = register(&["lwm2m=1.0", "ep=anjay-q10", "lt=60", "b=UQ"]).expect("a good Register");
    assert!(first.queue_mode);
    assert_eq!(
        refusal(&["ep=a", "Q=1"]).1,
        "Q=1: Q takes no value, expected Q alone or no Q"
    );
}

#[test]
fn a_binding_of_another_version_does_not_keep_a_device_from_registering() {
    for (version, binding) in [
        ("lwm2m=1.0", "b=UQ"),
        ("lwm2m=1.1", "b=UT"),
        ("lwm2m=1.0", "b=UT"),
        ("lwm2m=1.1", "b=UQ"),
    ] {
        assert!(
            register(&[version, "ep=a", binding]).is_ok(),
            "{version} {binding}"
        );
    }
}

#[test]
fn a_binding_of_another_version_is_refused_in_an_update() {
    for (version, binding) in [(LwM2mVersion::V1_1, "b=UQ"), (LwM2mVersion::V1_0, "b=UT")] {
        let params = update(&[binding]).expect("known letters");
        let error = params
            .check(version)
            .expect_err("not a binding of that version");
        assert_eq!(error.coap_code(), 0x80);
        assert!(error.to_string().contains(binding), "{error}");
    }
    assert_eq!(
        update(&["b=UT"])
            .expect("known letters")
            .check(LwM2mVersion::V1_1),
        Ok(())
    );
    assert_eq!(
        update(&[])
            .expect("nothing to change")
            .check(LwM2mVersion::V1_0),
        Ok(())
    );
}

#[test]
fn an_unknown_version_is_answered_4_12_before_anything_else_is_looked_at() {
    let (code, text) = refusal(&["ep=a", "b=X", "lt=never", "lwm2m=2.0"]);
    assert_eq!(code, 0x8c);
    assert_eq!(text, "lwm2m=2.0 is not supported, expected 1.0, 1.1 or 1.2");
}

#[test]
fn a_device_that_states_no_version_has_1_0() {
    let params = register(&["ep=a"]).expect("a good Register");
    assert_eq!(params.version, None);
    assert_eq!(params.version_in_force(), LwM2mVersion::V1_0);
}

#[test]
fn zero_lifetime_means_for_ever_from_1_2_on_and_the_default_before() {
    let in_force = |query: &str, version: &str| {
        register(&["ep=a", query, version])
            .expect("a good Register")
            .lifetime_in_force()
    };
    assert_eq!(in_force("lt=0", "lwm2m=1.2"), None);
    assert_eq!(in_force("lt=0", "lwm2m=1.1"), Some(86_400));
    assert_eq!(in_force("lt=0", "lwm2m=1.0"), Some(86_400));
    assert_eq!(in_force("lt=4294967295", "lwm2m=1.2"), Some(u32::MAX));
    assert_eq!(lifetime_in_force(None, LwM2mVersion::V1_2), Some(86_400));
}

#[test]
fn a_lifetime_is_seconds_in_decimal() {
    for lifetime in [
        "lt=-1",
        "lt=1.5",
        "lt=abc",
        "lt=4294967296",
        "lt=+60",
        "lt= 60",
    ] {
        let (code, text) = refusal(&["ep=a", lifetime]);
        assert_eq!(code, 0x80);
        assert_eq!(
            text,
            format!("{lifetime} is not a lifetime, expected seconds from 0 to 4294967295")
        );
    }
}

#[test]
fn parameters_lwm2m_does_not_know_are_kept() {
    let params = register(&[
        "ep=a",
        "key1=value1",
        "imei=2136872368",
        "flag",
        "key1=later",
        "x=a=b",
    ]);
    assert_eq!(
        params.expect("a good Register").additional,
        [
            ("key1", "later"),
            ("imei", "2136872368"),
            ("flag", ""),
            ("x", "a=b")
        ]
    );
}

#[test]
fn sms_number_and_profile_id_have_their_own_places() {
    let params = register(&["ep=a", "sms=+48123456789", "pid=7"]).expect("a good Register");
    assert_eq!(
        (params.sms, params.profile_id),
        (Some("+48123456789"), Some("7"))
    );
    assert!(params.additional.is_empty());
}

#[test]
fn a_register_without_name_is_for_the_caller_to_judge() {
    assert_eq!(
        register(&["lt=60"]).expect("a good Register").endpoint,
        None
    );
}

#[test]
fn a_parameter_without_value_is_refused() {
    for query in ["ep", "ep=", "lt=", "b", "lwm2m="] {
        let (code, text) = refusal(&[query]);
        let name = query.trim_end_matches('=');
        assert_eq!(code, 0x80);
        assert_eq!(
            text,
            format!("parameter {name} has no value, expected {name}=...")
        );
    }
}

#[test]
fn a_repeated_parameter_is_refused_unless_it_says_the_same() {
    assert_eq!(
        register(&["ep=a", "ep=a"])
            .expect("the same twice")
            .endpoint,
        Some("a")
    );
    assert_eq!(
        refusal(&["ep=a", "ep=b"]).1,
        "parameter ep is repeated with another value: b"
    );
}

#[test]
fn an_endpoint_name_is_at_most_255_bytes_without_control_characters() {
    let longest = format!("ep={}", "n".repeat(255));
    assert!(register(&[&longest]).is_ok());
    assert_eq!(
        refusal(&[&format!("{longest}n")]).1,
        "ep has 256 bytes, at most 255 are accepted"
    );
    assert_eq!(
        refusal(&["ep=a\nb"]).1,
        "ep=a?b holds a control character, expected printable UTF-8"
    );
    assert_eq!(
        register(&["ep=zażółć 7"]).expect("any other text").endpoint,
        Some("zażółć 7")
    );
}

#[test]
fn a_query_that_is_not_utf8_is_named_by_its_place() {
    let queries: [&[u8]; 2] = [b"ep=a", b"x=\xff"];
    let error = RegisterParams::parse(queries.into_iter()).expect_err("not UTF-8");
    assert_eq!(error.to_string(), "query parameter 2 is not UTF-8");
}

#[test]
fn the_number_of_unknown_parameters_is_bounded() {
    let queries: Vec<_> = (0..=MAX_ADDITIONAL)
        .map(|index| format!("k{index}=v"))
        .collect();
    let accepted: Vec<_> = queries[..MAX_ADDITIONAL]
        .iter()
        .map(String::as_str)
        .collect();
    assert!(register(&accepted).is_ok());
    let refused: Vec<_> = queries.iter().map(String::as_str).collect();
    assert_eq!(
        refusal(&refused).1,
        "more than 32 parameters unknown to LwM2M"
    );
}

#[test]
fn an_update_changes_only_what_it_states() {
    assert_eq!(
        update(&[]).expect("an empty Update"),
        UpdateParams::default()
    );
    let params = update(&["lt=120"]).expect("a new lifetime");
    assert_eq!(
        params,
        UpdateParams {
            lifetime: Some(120),
            ..UpdateParams::default()
        }
    );
}

#[test]
fn an_update_cannot_rename_the_endpoint() {
    let params = update(&["ep=other", "lwm2m=9.9", "pid=1"]).expect("passed over");
    assert_eq!(params, UpdateParams::default());
}

proptest! {
    #[test]
    fn any_queries_are_accepted_or_refused_with_a_short_diagnostic(
        queries in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..300),
                "(ep|lt|lwm2m|b|Q|sms|pid|x)=?.{0,300}".prop_map(String::into_bytes),
            ],
            0..8,
        )
    ) {
        for error in [
            RegisterParams::parse(queries.iter().map(Vec::as_slice)).err(),
            UpdateParams::parse(queries.iter().map(Vec::as_slice)).err(),
        ].into_iter().flatten() {
            prop_assert!(error.to_string().len() <= 100, "{}", error);
            prop_assert!(!error.to_string().contains(char::is_control));
        }
    }
}
