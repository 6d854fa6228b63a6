//! The line a person types into: edited, completed, kept.

use std::path::PathBuf;

use anyhow::Context;
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Editor, Helper};

use super::completion::complete;
use super::device_tree::DeviceTree;
use crate::cli::arguments::ServerPlace;
use crate::cli::configuration;

/// Lines kept for the next time.
const HISTORY: usize = 1_000;

pub(super) struct Prompt {
    editor: Editor<Completing, DefaultHistory>,
    text: String,
    history: Option<PathBuf>,
}

struct Completing {
    tree: DeviceTree,
}

impl Prompt {
    pub(super) fn new(
        endpoint: &str,
        tree: DeviceTree,
        place: &ServerPlace,
    ) -> anyhow::Result<Self> {
        let config = Config::builder()
            .max_history_size(HISTORY)
            .context("cannot set up the terminal")?
            .completion_type(CompletionType::List)
            .auto_add_history(true)
            .build();
        let mut editor = Editor::with_config(config).context("cannot set up the terminal")?;
        editor.set_helper(Some(Completing { tree }));
        let history = history_file(place);
        if let Some(file) = &history {
            // The first time there is none.
            let _ = editor.load_history(file);
        }
        Ok(Self {
            editor,
            text: format!("{endpoint}> "),
            history,
        })
    }

    /// The next line; `None` at the end.
    pub(super) fn read(&mut self) -> anyhow::Result<Option<String>> {
        match self.editor.readline(&self.text) {
            Ok(line) => {
                self.keep();
                Ok(Some(line))
            }
            Err(ReadlineError::Eof) => Ok(None),
            // Ctrl-C drops the line.
            Err(ReadlineError::Interrupted) => Ok(Some(String::new())),
            Err(error) => Err(error).context("cannot read a line"),
        }
    }

    /// Written after each line: whoever closes the window has them all the same. rustyline creates
    /// the file for its owner alone.
    fn keep(&mut self) {
        let Some(file) = &self.history else {
            return;
        };
        if let Err(error) = self.editor.append_history(file) {
            eprintln!("lines are not kept in {}: {error}", file.display());
            self.history = None;
        }
    }
}

impl Helper for Completing {}

impl Highlighter for Completing {}

impl Hinter for Completing {
    type Hint = String;
}

impl Validator for Completing {}

impl Completer for Completing {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &rustyline::Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, candidates) = complete(&line[..position], &self.tree);
        let pair = |candidate: super::completion::Candidate| Pair {
            display: candidate.shown(),
            replacement: candidate.text,
        };
        Ok((start, candidates.into_iter().map(pair).collect()))
    }
}

/// In the data directory, when this machine has it.
fn history_file(place: &ServerPlace) -> Option<PathBuf> {
    let directory = configuration::load(&place.place, false)
        .ok()?
        .config
        .store
        .path;
    directory
        .is_dir()
        .then(|| directory.join("terminal_history"))
}
