//! Files of devices as lines of JSON. The numbers of the lines stay those of the file.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::json;

mod csv;

/// A file of devices.
pub(super) struct Source {
    reader: Box<dyn BufRead + Send>,
    number: u64,
    /// Columns of a CSV file.
    columns: Option<Vec<Column>>,
}

/// A line of the file.
pub(super) struct SourceLine {
    /// Its number, from 1.
    pub(super) number: u64,
    /// A device as JSON, nothing (empty), or why the line is no device.
    pub(super) content: Result<String, String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Column {
    Endpoint,
    Profile,
    SecurityMode,
    Identity,
    Key,
    Certificate,
}

const COLUMNS: [(&str, Column); 6] = [
    ("endpoint", Column::Endpoint),
    ("profile", Column::Profile),
    ("securityConfigClientMode", Column::SecurityMode),
    ("identity", Column::Identity),
    ("key", Column::Key),
    ("cert", Column::Certificate),
];

impl Column {
    /// Name in the header, and of the member.
    fn name(self) -> &'static str {
        let named = COLUMNS.iter().find(|(_, column)| *column == self);
        named.map_or("", |(name, _)| name)
    }
}

impl Source {
    /// Opens `file`; its extension says what it is, `-` is NDJSON on standard input.
    pub(super) fn open(file: &Path) -> anyhow::Result<Self> {
        if file == Path::new("-") {
            return Ok(Self::ndjson(Box::new(BufReader::new(io::stdin()))));
        }
        let open = || File::open(file).with_context(|| file.display().to_string());
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("ndjson" | "jsonl") => Ok(Self::ndjson(Box::new(BufReader::new(open()?)))),
            Some("csv") => Self::csv(Box::new(BufReader::new(open()?)))
                .with_context(|| file.display().to_string()),
            _ => bail!(
                "{}: what is in it? Accepted are .ndjson, .jsonl and .csv",
                file.display()
            ),
        }
    }

    fn ndjson(reader: Box<dyn BufRead + Send>) -> Self {
        Self {
            reader,
            number: 0,
            columns: None,
        }
    }

    fn csv(mut reader: Box<dyn BufRead + Send>) -> anyhow::Result<Self> {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let header = header.trim_start_matches('\u{feff}').trim_end();
        let names = csv::fields(header).map_err(anyhow::Error::msg)?;
        let accepted = COLUMNS.map(|(name, _)| name).join(", ");
        let mut columns = Vec::new();
        for name in &names {
            match COLUMNS.iter().find(|(known, _)| *known == name.trim()) {
                Some((_, column)) if !columns.contains(column) => columns.push(*column),
                Some(_) => bail!("line 1: column {name} is there twice"),
                None => bail!("line 1: unknown column \"{name}\"; accepted: {accepted}"),
            }
        }
        if !columns.contains(&Column::Endpoint) {
            bail!("line 1: there is no column endpoint");
        }
        Ok(Self {
            reader,
            number: 1,
            columns: Some(columns),
        })
    }

    /// Number of lines already taken as a header.
    pub(super) fn skipped(&self) -> u64 {
        self.number
    }

    /// The next line; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<SourceLine>> {
        let mut bytes = Vec::new();
        if self.reader.read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        let content = match String::from_utf8(bytes) {
            Ok(line) => {
                let line = line.trim();
                match &self.columns {
                    Some(columns) if !line.is_empty() => device(columns, line),
                    _ => Ok(line.to_owned()),
                }
            }
            Err(_) => Err("not UTF-8".to_owned()),
        };
        Ok(Some(SourceLine {
            number: self.number,
            content,
        }))
    }
}

/// A row of a CSV file as the JSON of a device.
fn device(columns: &[Column], row: &str) -> Result<String, String> {
    let fields = csv::fields(row)?;
    if fields.len() != columns.len() {
        return Err(format!(
            "{} fields, but there are {} columns",
            fields.len(),
            columns.len()
        ));
    }
    let field = |wanted: Column| {
        let position = columns.iter().position(|column| *column == wanted)?;
        Some(fields[position].as_str()).filter(|field| !field.is_empty())
    };
    let endpoint = field(Column::Endpoint).ok_or("the endpoint is empty")?;
    let mut device = json!({"endpoint": endpoint});
    if let Some(profile) = field(Column::Profile) {
        device["profile"] = json!(profile);
    }
    if let Some(mode) = field(Column::SecurityMode) {
        let mut client = json!({"securityConfigClientMode": mode, "endpoint": endpoint});
        for column in [Column::Identity, Column::Key, Column::Certificate] {
            if let Some(value) = field(column) {
                client[column.name()] = json!(value);
            }
        }
        device["credentials"] = json!({ "client": client });
    }
    Ok(device.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &'static str) -> Vec<(u64, Result<String, String>)> {
        let mut source = Source::csv(Box::new(text.as_bytes())).unwrap();
        let mut rows = Vec::new();
        while let Some(line) = source.next().unwrap() {
            rows.push((line.number, line.content));
        }
        rows
    }

    #[test]
    fn rows_become_devices_and_keep_their_line_numbers() {
        let rows = rows(
            "\u{feff}profile,endpoint,securityConfigClientMode\r\n\
             default,\"urn:a,b\",NO_SEC\r\n\
             \r\n\
             ,c,\n\
             d\n\
             default,,\n",
        );
        let expected = [
            (
                2,
                Ok(json!({
                    "endpoint": "urn:a,b", "profile": "default",
                    "credentials": {
                        "client": {"securityConfigClientMode": "NO_SEC", "endpoint": "urn:a,b"}
                    }
                })
                .to_string()),
            ),
            (3, Ok(String::new())),
            (4, Ok(json!({"endpoint": "c"}).to_string())),
            (5, Err("1 fields, but there are 3 columns".to_owned())),
            (6, Err("the endpoint is empty".to_owned())),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn a_header_that_is_not_understood_is_refused() {
        for (text, expected) in [
            ("endpoint,color\n", "unknown column \"color\""),
            ("profile\n", "no column endpoint"),
            ("endpoint,endpoint\n", "twice"),
            ("", "unknown column \"\""),
        ] {
            let refused = Source::csv(Box::new(text.as_bytes()))
                .err()
                .unwrap()
                .to_string();
            assert!(refused.contains(expected), "{refused}");
        }
    }
}
