//! `rookery store`: the data directory of a server that does not run.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use rookery::engine::endpoint::snapshot::Snapshot;
use rookery::services::engine::StateError;
use rookery::services::storage::{Change, Store, Table};
use rookery::store::{EmbeddedState, EmbeddedStore};
use serde::de::IgnoredAny;

use super::arguments::Place;
use super::data_directory::{open_offline, open_or_create_offline};

mod lines;

use lines::{Header, Line};

/// Records read or written together.
const CHUNK: usize = 1_000;

/// Reads everything and says how much there is; the exit code says whether all of it can be read.
pub(super) fn check(place: &Place) -> anyhow::Result<ExitCode> {
    let (store, state) = open_offline(place)?;
    let mut unreadable = 0;
    println!("{:<12} {:>12} {:>12}", "TABLE", "RECORDS", "UNREADABLE");
    for table in Table::ALL {
        let (mut records, mut damaged) = (0_u64, 0_u64);
        each(&store, table, |_, value| {
            records += 1;
            damaged += u64::from(serde_json::from_slice::<IgnoredAny>(value).is_err());
            Ok(())
        })?;
        println!("{:<12} {records:>12} {damaged:>12}", table.name());
        unreadable += damaged;
    }
    let counts = state.check(|record| Snapshot::parse(record).is_ok())?;
    println!(
        "{:<12} {:>12} {:>12}",
        "endpoints",
        counts.endpoints + counts.unreadable,
        counts.unreadable
    );
    unreadable += counts.unreadable;
    let aside = store.info()?.set_aside + counts.set_aside;
    if aside > 0 {
        println!("set aside earlier because they could not be read: {aside}");
    }
    Ok(if unreadable == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Writes every record as a line.
pub(super) fn export(file: &Path, place: &Place) -> anyhow::Result<ExitCode> {
    let (store, state) = open_offline(place)?;
    let mut out = BufWriter::new(destination(file)?);
    let mut records = 0_u64;
    let mut write = |line: &str| -> anyhow::Result<()> {
        writeln!(out, "{line}").with_context(|| file.display().to_string())
    };
    write(&Header::current().to_text()?)?;
    for table in Table::ALL {
        each(&store, table, |key, value| {
            records += 1;
            write(&Line::of_store(table.name(), key, value).to_text()?)
        })?;
    }
    let unreadable = state.export(|record| -> Result<(), Failure> {
        records += 1;
        let line = Line::of_state(record.table, &record.key, &record.value);
        write(&line.to_text()?).map_err(Failure)
    });
    let unreadable = unreadable.map_err(|Failure(error)| error)?;
    out.flush().with_context(|| file.display().to_string())?;
    if file != Path::new("-") {
        eprintln!("{}: {records} records", file.display());
    }
    if unreadable > 0 {
        eprintln!("{unreadable} records cannot be read and are left out");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Takes over what [`export`] wrote.
pub(super) async fn import(file: &Path, place: &Place) -> anyhow::Result<ExitCode> {
    let (store, state) = open_or_create_offline(place)?;
    refuse_unless_empty(&store, &state)?;
    let shown = file.display();
    let source: Box<dyn io::Read> = if file == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(file).with_context(|| shown.to_string())?)
    };
    let mut lines = BufReader::new(source).lines();
    let first = lines
        .next()
        .transpose()
        .with_context(|| shown.to_string())?;
    Header::check(first.as_deref()).with_context(|| format!("{shown}: line 1"))?;
    let mut target = Target {
        store: &store,
        state: &state,
        changes: Vec::new(),
        records: Vec::new(),
        total: 0,
    };
    for (number, line) in (2_u64..).zip(lines) {
        let taken = async {
            target.take(Line::parse(&line?)?)?;
            target.put_full().await
        };
        taken
            .await
            .with_context(|| format!("{shown}: line {number}"))?;
    }
    target.put().await?;
    eprintln!("{shown}: {} records", target.total);
    Ok(ExitCode::SUCCESS)
}

/// Where an import goes, a chunk at a time.
struct Target<'a> {
    store: &'a EmbeddedStore,
    state: &'a EmbeddedState,
    changes: Vec<Change>,
    records: Vec<(String, Vec<u8>, Vec<u8>)>,
    total: u64,
}

impl Target<'_> {
    fn take(&mut self, line: Line) -> anyhow::Result<()> {
        let value = line.bytes()?;
        match (&line.table, &line.state) {
            (Some(table), None) => {
                let known = Table::ALL.into_iter().find(|known| known.name() == table);
                let Some(table) = known else {
                    let known = Table::ALL.map(Table::name).join(", ");
                    bail!("there is no table \"{table}\" in the store; known are {known}");
                };
                let key = line.key;
                self.changes.push(Change::Put { table, key, value });
            }
            (None, Some(table)) => {
                self.records.push((table.clone(), line.key_bytes()?, value));
            }
            _ => bail!("either \"table\" or \"state\" is needed"),
        }
        self.total += 1;
        Ok(())
    }

    async fn put_full(&mut self) -> anyhow::Result<()> {
        if self.changes.len() + self.records.len() < CHUNK {
            return Ok(());
        }
        self.put().await
    }

    async fn put(&mut self) -> anyhow::Result<()> {
        if !self.changes.is_empty() {
            self.store.write(std::mem::take(&mut self.changes)).await?;
        }
        if let Some(unknown) = self.state.put_all(&self.records)? {
            bail!("there is no table \"{unknown}\" in the state of devices");
        }
        self.records.clear();
        Ok(())
    }
}

fn refuse_unless_empty(store: &EmbeddedStore, state: &EmbeddedState) -> anyhow::Result<()> {
    for table in Table::ALL {
        if !store.range(table, None, 1)?.is_empty() {
            bail!(
                "the data directory is not empty: it has {}. Import into a new one (--data DIR)",
                table.name()
            );
        }
    }
    if !state.is_empty()? {
        bail!(
            "the data directory is not empty: devices have been served from it. Import into a new one (--data DIR)"
        );
    }
    Ok(())
}

/// Gives the records of a table.
fn each(
    store: &EmbeddedStore,
    table: Table,
    mut take: impl FnMut(&str, &[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut after: Option<String> = None;
    loop {
        let page = store.range(table, after.as_deref(), CHUNK)?;
        for (key, value) in &page {
            take(key, value)?;
        }
        match page.into_iter().last() {
            Some((key, _)) => after = Some(key),
            None => return Ok(()),
        }
    }
}

fn destination(file: &Path) -> anyhow::Result<Box<dyn Write>> {
    if file == Path::new("-") {
        return Ok(Box::new(io::stdout().lock()));
    }
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file);
    let opened = opened.with_context(|| format!("cannot create {}", file.display()))?;
    Ok(Box::new(opened))
}

/// Either end of an export may fail.
struct Failure(anyhow::Error);

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        Self(error.into())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self(error.into())
    }
}
