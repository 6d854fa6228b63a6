//! The demo client's way of writing flags: one dash and several letters, such as `-tFreq`.

use std::ffi::OsString;

use anyhow::{Result, bail};

/// What is available.
const LONG: [(&str, &str); 27] = [
    ("-cp", "--communication-period"),
    ("-lh", "--local-address"),
    ("-aa", "--additional-attributes"),
    ("-ocf", "--old-content-formats"),
    ("-tobj", "--test-objects"),
    ("-tota", "--test-ota"),
    ("-tFreq", "--time-data-frequency"),
    ("--timeDataFrequency", "--time-data-frequency"),
    ("-cli", "--console"),
    ("-tcli", "--console-delay"),
    ("-pos", "--position"),
    ("-sf", "--scale-factor"),
    ("-cid", "--connection-id"),
    ("-cprik", "--client-private-key"),
    ("-cpubk", "--client-public-key"),
    ("-spubk", "--server-public-key"),
    ("-ccert", "--client-certificate"),
    ("-scert", "--server-certificate"),
    ("-cu", "--certificate-usage"),
    ("-ts", "--truststore"),
    ("-u_b", "--bootstrap-url"),
    ("--server-url-bs", "--bootstrap-url"),
    ("-lw_b", "--lwm2m-and-bootstrap"),
    ("--lwm2m_bootstrap", "--lwm2m-and-bootstrap"),
    ("-bsaa", "--bootstrap-attributes"),
    (
        "--bootstrap-additional-attributes",
        "--bootstrap-attributes",
    ),
    ("-fb", "--factory-bootstrap"),
];

const OSCORE: &str = "there is no OSCORE, but DTLS: -i and -p, or -cprik with -cpubk or -ccert";
const SESSIONS: &str =
    "a session is kept until it ends; forgetSession in the console lets go of it";
const SUITES: &str = "all suites there are may be named with -c; none of them is deprecated";
const ONE_CLIENT: &str = "there is one CoAP implementation, and the endpoint name is always sent";

/// What comes with other capabilities, and what there is instead.
const ELSEWHERE: [(&[&str], &str); 4] = [
    (
        &["-jc", "--use-java-coap", "-nm", "--endpoint-name-mode"],
        ONE_CLIENT,
    ),
    (
        &["-sid", "-msec", "-rid", "-aead", "-msalt", "-hkdf"],
        OSCORE,
    ),
    (&["-r", "--reconnect-on-update"], SESSIONS),
    (&["-oc", "--support-deprecated-ciphers"], SUITES),
];

/// The arguments of `loadtest client` with the demo client's flags in this program's form; others are left alone.
///
/// # Errors
///
/// When a flag is one of the demo client's that is not available, with what is.
pub fn expanded(arguments: impl Iterator<Item = OsString>) -> Result<Vec<OsString>> {
    let arguments: Vec<OsString> = arguments.collect();
    if arguments.get(1).is_none_or(|command| command != "client") {
        return Ok(arguments);
    }
    let expanded = arguments.into_iter().map(|argument| {
        let Some(text) = argument.to_str() else {
            return Ok(argument);
        };
        let flag = text.split('=').next().unwrap_or_default();
        if let Some((_, instead)) = ELSEWHERE.iter().find(|(names, _)| names.contains(&flag)) {
            bail!("{flag} is not available here: {instead}");
        }
        match LONG.iter().find(|(short, _)| *short == flag) {
            Some((_, long)) => Ok(OsString::from(text.replacen(flag, long, 1))),
            None => Ok(argument),
        }
    });
    expanded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(line: &str) -> Result<Vec<OsString>> {
        expanded(line.split(' ').map(OsString::from))
    }

    #[test]
    fn flags_of_several_letters_are_understood_for_the_client_only() {
        let line =
            expand("loadtest client -u localhost -tFreq 3 -cli -pos=1:2 -lw_b -u_b a:1").unwrap();
        let wanted = "loadtest client -u localhost --time-data-frequency 3 --console --position=1:2 --lwm2m-and-bootstrap --bootstrap-url a:1";
        assert_eq!(line, wanted.split(' ').collect::<Vec<_>>());
        assert_eq!(
            expand("loadtest run -cp").unwrap(),
            ["loadtest", "run", "-cp"]
        );
    }

    #[test]
    fn what_is_not_available_is_refused_with_what_is() {
        for flag in ["-r", "-msec", "-oc", "-jc"] {
            let error = expand(&format!("loadtest client {flag}"))
                .unwrap_err()
                .to_string();
            assert!(error.contains("not available"), "{error}");
        }
    }
}
