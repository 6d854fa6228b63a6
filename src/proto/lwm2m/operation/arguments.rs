//! Arguments of Execute (LwM2M Core §6.3.5).

use std::fmt;
use std::str::FromStr;

/// Up to ten arguments, each a digit with or without a text: `0='foo',1,2='3'`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ExecuteArguments {
    arguments: Vec<(u8, Option<Box<str>>)>,
}

impl ExecuteArguments {
    /// No arguments.
    pub const NONE: Self = Self {
        arguments: Vec::new(),
    };

    /// Digits and their texts, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u8, Option<&str>)> {
        self.arguments
            .iter()
            .map(|(digit, text)| (*digit, text.as_deref()))
    }

    /// `true` when there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.arguments.is_empty()
    }
}

impl fmt::Display for ExecuteArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (digit, text)) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match text {
                Some(text) => write!(f, "{digit}='{text}'")?,
                None => write!(f, "{digit}")?,
            }
        }
        Ok(())
    }
}

impl FromStr for ExecuteArguments {
    type Err = ArgumentsError;

    /// Reads the one spelling there is; empty text is no arguments.
    fn from_str(text: &str) -> Result<Self, ArgumentsError> {
        let mut reader = Reader { text, position: 0 };
        let mut arguments = Self::NONE;
        while reader.position < text.len() {
            if !arguments.is_empty() {
                reader.separator()?;
            }
            let at = reader.position;
            let digit = reader.digit()?;
            let value = reader.value()?;
            if !matches!(reader.peek(), None | Some(',')) {
                return Err(reader.no_separator());
            }
            if arguments.iter().any(|(earlier, _)| earlier == digit) {
                return Err(reader.error(Problem::Repeated { digit, at }));
            }
            arguments.arguments.push((digit, value.map(Into::into)));
        }
        Ok(arguments)
    }
}

struct Reader<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Reader<'a> {
    fn separator(&mut self) -> Result<(), ArgumentsError> {
        if self.peek() != Some(',') {
            return Err(self.no_separator());
        }
        self.position += 1;
        Ok(())
    }

    fn digit(&mut self) -> Result<u8, ArgumentsError> {
        let found = self.peek();
        let digit = found
            .and_then(|found| found.to_digit(10))
            .ok_or_else(|| self.error(Problem::NoDigit { found }))?;
        self.position += 1;
        // At most 9.
        Ok(digit as u8)
    }

    /// Reads `='text'`, when there is a `=`.
    fn value(&mut self) -> Result<Option<&'a str>, ArgumentsError> {
        if self.peek() != Some('=') {
            return Ok(None);
        }
        self.position += 1;
        self.quote()?;
        let rest = &self.text[self.position..];
        let length = rest
            .find(|character| !is_allowed(character))
            .unwrap_or(rest.len());
        self.position += length;
        match self.peek() {
            Some('\'') => {}
            Some(found) => {
                let at = self.position;
                return Err(self.error(Problem::NotAllowed { found, at }));
            }
            None => return Err(self.error(Problem::NoQuote { at: self.position })),
        }
        self.position += 1;
        Ok(Some(&rest[..length]))
    }

    fn quote(&mut self) -> Result<(), ArgumentsError> {
        if self.peek() != Some('\'') {
            return Err(self.error(Problem::NoQuote { at: self.position }));
        }
        self.position += 1;
        Ok(())
    }

    fn peek(&self) -> Option<char> {
        self.text[self.position..].chars().next()
    }

    fn no_separator(&self) -> ArgumentsError {
        self.error(Problem::NoSeparator {
            at: self.position,
            read: self.text[..self.position].into(),
        })
    }

    fn error(&self, problem: Problem) -> ArgumentsError {
        ArgumentsError {
            text: self.text.into(),
            problem,
        }
    }
}

/// `!`, `#` to `&`, `(` to `[`, `]` to `~`: printable ASCII without space, quotes and backslash.
const fn is_allowed(character: char) -> bool {
    matches!(character, '!' | '#'..='&' | '('..='[' | ']'..='~')
}

/// A text is not a list of arguments.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("Unable to parse Arguments [{text}] : {problem}")]
pub struct ArgumentsError {
    text: Box<str>,
    problem: Problem,
}

#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
enum Problem {
    #[error("Invalid digit [{}] (an integer between 0 and 9 is expected)", found.map(String::from).unwrap_or_default())]
    NoDigit { found: Option<char> },
    #[error("[,] separator expected at index {at} after [{read}]")]
    NoSeparator { at: usize, read: Box<str> },
    #[error("['] quote expected at index {at}")]
    NoQuote { at: usize },
    #[error(
        "Invalid character [{}] at index {at} (printable ASCII without space, quotes and backslash is expected)", found.escape_debug()
    )]
    NotAllowed { found: char, at: usize },
    #[error("Digit [{digit}] at index {at} is given twice")]
    Repeated { digit: u8, at: usize },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<ExecuteArguments, ArgumentsError> {
        text.parse()
    }

    fn refusal(text: &str) -> String {
        let error = parse(text).expect_err("the arguments should be refused");
        let prefix = format!("Unable to parse Arguments [{text}] : ");
        let error = error.to_string();
        error.strip_prefix(&prefix).expect(&error).to_owned()
    }

    // Execute of Anjay's test object in client-behaviour.md.
    #[test]
    fn arguments_are_digits_with_or_without_texts() {
        let arguments = parse("0='foo',1,2='3'").expect("arguments");
        let read: Vec<_> = arguments.iter().collect();
        assert_eq!(read, [(0, Some("foo")), (1, None), (2, Some("3"))]);
        for text in [
            "",
            "5",
            "2='60'",
            "0,1,2",
            "9=''",
            "0='!#$%&()*+,-./09:;<=>?@AZ[]^_`az{|}~'",
            "0,1,2,3,4,5,6,7,8,9",
        ] {
            assert_eq!(parse(text).expect(text).to_string(), text);
        }
    }

    #[test]
    fn wrong_arguments_are_refused_with_the_place() {
        assert_eq!(
            refusal("'60'"),
            "Invalid digit ['] (an integer between 0 and 9 is expected)"
        );
        assert_eq!(
            refusal("0,1,2,3,4,5,6,7,8,9,60"),
            "[,] separator expected at index 21 after [0,1,2,3,4,5,6,7,8,9,6]"
        );
        for (text, problem) in [
            (
                "0,",
                "Invalid digit [] (an integer between 0 and 9 is expected)",
            ),
            (
                ",0",
                "Invalid digit [,] (an integer between 0 and 9 is expected)",
            ),
            ("0 ,1", "[,] separator expected at index 1 after [0]"),
            ("0=foo", "['] quote expected at index 2"),
            ("0='foo", "['] quote expected at index 6"),
            ("0='a'b", "[,] separator expected at index 5 after [0='a']"),
            ("1,0,1", "Digit [1] at index 4 is given twice"),
        ] {
            assert_eq!(refusal(text), problem, "{text}");
        }
        for (text, found) in [
            ("0='a b'", " "),
            ("0='\\'", "\\\\"),
            ("0='é'", "é"),
            ("0='\n'", "\\n"),
        ] {
            let at =
                text.find(['b', '\\', 'é', '\n']).expect("a place") - usize::from(found == " ");
            assert_eq!(
                refusal(text),
                format!(
                    "Invalid character [{found}] at index {at} (printable ASCII without space, quotes and backslash is expected)"
                )
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[0-9=',a]{0,12}|\\PC{0,12}") {
            if let Ok(arguments) = parse(&text) {
                prop_assert_eq!(arguments.to_string(), text);
            }
        }
    }
}
