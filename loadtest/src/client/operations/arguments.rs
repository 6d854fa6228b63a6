//! Arguments of Execute: `0='text',1,2='3'` (OMA LwM2M Core, "Execute").

/// The arguments, by digit; `None` for one without a value.
pub type Arguments = Vec<(u8, Option<String>)>;

/// Reads the arguments.
///
/// # Errors
///
/// A text that says what was wrong, and where.
pub fn parse_arguments(text: &str) -> Result<Arguments, String> {
    let failed = |what: String| format!("Unable to parse Arguments [{text}] : {what}");
    let mut arguments: Arguments = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut characters = rest.chars();
        let first = characters.next().unwrap_or_default();
        let Some(digit) = first
            .to_digit(10)
            .and_then(|digit| u8::try_from(digit).ok())
        else {
            return Err(failed(format!(
                "Invalid digit [{first}] (an integer between 0 and 9 is expected)"
            )));
        };
        if arguments.iter().any(|(known, _)| *known == digit) {
            // The same digit again is legal to read when a separator follows; the text then says it twice.
            rest = characters.as_str();
            if !rest.is_empty() && !rest.starts_with([',', '=']) {
                return Err(failed(separator_expected(text, rest)));
            }
            return Err(failed(format!("digit {digit} is there twice")));
        }
        rest = characters.as_str();
        let mut value = None;
        if let Some(quoted) = rest.strip_prefix("='") {
            let Some((content, after)) = quoted.split_once('\'') else {
                return Err(failed(format!("the value of {digit} has no closing quote")));
            };
            value = Some(content.to_owned());
            rest = after;
        } else if rest.starts_with('=') {
            return Err(failed(format!("the value of {digit} is not in quotes")));
        }
        arguments.push((digit, value));
        if rest.is_empty() {
            break;
        }
        match rest.strip_prefix(',') {
            Some("") => return Err(failed("an argument is missing at the end".to_owned())),
            Some(next) => rest = next,
            None => return Err(failed(separator_expected(text, rest))),
        }
    }
    Ok(arguments)
}

fn separator_expected(text: &str, rest: &str) -> String {
    let at = text.len() - rest.len();
    format!(
        "[,] separator expected at index {at} after [{}]",
        &text[..at]
    )
}
