//! Uri-Query options taken apart into names and values.

use super::RegistrationError;
use crate::proto::lwm2m::excerpt::excerpt;

/// One parameter: `name` or `name=value`.
pub(super) struct Query<'a> {
    pub(super) name: &'a str,
    pub(super) value: Option<&'a str>,
}

impl<'a> Query<'a> {
    /// Puts the value into `slot`, which must be vacant or hold the same value.
    pub(super) fn fill(
        self,
        name: &'static str,
        slot: &mut Option<&'a str>,
    ) -> Result<(), RegistrationError> {
        let value = self.value.filter(|value| !value.is_empty());
        let value = value.ok_or(RegistrationError::MissingValue { name })?;
        if slot.is_some_and(|earlier| earlier != value) {
            return Err(RegistrationError::Repeated {
                name,
                value: excerpt(value),
            });
        }
        *slot = Some(value);
        Ok(())
    }
}

/// Iterates over the parameters; empty options are passed over.
pub(super) struct QueryReader<I> {
    options: I,
    position: usize,
}

impl<I> QueryReader<I> {
    pub(super) fn new(options: I) -> Self {
        Self {
            options,
            position: 0,
        }
    }
}

impl<'a, I: Iterator<Item = &'a [u8]>> Iterator for QueryReader<I> {
    type Item = Result<Query<'a>, RegistrationError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let option = self.options.next()?;
            self.position += 1;
            if option.is_empty() {
                continue;
            }
            let query = str::from_utf8(option).map(|text| match text.split_once('=') {
                Some((name, value)) => Query {
                    name,
                    value: Some(value),
                },
                None => Query {
                    name: text,
                    value: None,
                },
            });
            return Some(query.map_err(|_| RegistrationError::NotUtf8 {
                position: self.position,
            }));
        }
    }
}
