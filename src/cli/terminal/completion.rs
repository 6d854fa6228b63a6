//! What may come next in a line.

use rookery::services::rpc::method_names;

/// One way to go on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Candidate {
    /// What replaces the word.
    pub(super) text: String,
    /// What it means, in words.
    pub(super) about: Option<String>,
}

/// What there is to complete.
pub(super) trait Known {
    /// Paths one level below `parent`, which is empty or a path: `/3`, `/3/0`.
    fn below(&self, parent: &str) -> Vec<Candidate>;

    /// Keys of the profile.
    fn keys(&self) -> Vec<Candidate>;
}

impl Candidate {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            about: None,
        }
    }

    /// As in the list a person chooses from.
    pub(super) fn shown(&self) -> String {
        match &self.about {
            Some(about) => format!("{} ({about})", self.text),
            None => self.text.clone(),
        }
    }
}

/// Where the word at the end of `line` begins, and what it may become.
pub(super) fn complete(line: &str, known: &impl Known) -> (usize, Vec<Candidate>) {
    if !line.contains(char::is_whitespace) {
        let words = ["help", "quit"].into_iter().chain(method_names());
        return (0, matching(words.map(Candidate::new), line));
    }
    let separators = [' ', '\t', '"', '[', ',', ':', '{'];
    let start = line.rfind(separators).map_or(0, |at| at + 1);
    let word = &line[start..];
    let mut candidates = Vec::new();
    if word.is_empty() || word.starts_with('/') {
        let parent = word.rfind('/').map_or("", |at| &word[..at]);
        candidates.extend(known.below(parent));
    }
    if !word.starts_with('/') {
        candidates.extend(known.keys());
    }
    (start, matching(candidates, word))
}

fn matching(candidates: impl IntoIterator<Item = Candidate>, word: &str) -> Vec<Candidate> {
    let fits = |candidate: &Candidate| candidate.text.starts_with(word);
    candidates.into_iter().filter(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Device;

    impl Known for Device {
        fn below(&self, parent: &str) -> Vec<Candidate> {
            let paths: &[&str] = match parent {
                "" => &["/1", "/3"],
                "/3" => &["/3/0"],
                "/3/0" => &["/3/0/0", "/3/0/9"],
                _ => &[],
            };
            paths.iter().map(|path| Candidate::new(*path)).collect()
        }

        fn keys(&self) -> Vec<Candidate> {
            vec![Candidate::new("batteryLevel")]
        }
    }

    fn texts(line: &str) -> (usize, Vec<String>) {
        let (start, candidates) = complete(line, &Device);
        (start, candidates.into_iter().map(|c| c.text).collect())
    }

    #[test]
    fn the_first_word_is_a_method() {
        let (start, methods) = texts("ReadC");
        assert_eq!((start, methods), (0, vec!["ReadComposite".to_owned()]));
        assert!(texts("").1.contains(&"DiscoverAll".to_owned()));
    }

    #[test]
    fn paths_are_those_of_the_device_level_by_level() {
        let cases = [
            ("Read /", 5, vec!["/1", "/3"]),
            ("Read /3/", 5, vec!["/3/0"]),
            ("Read {\"id\":\"/3/0/", 12, vec!["/3/0/0", "/3/0/9"]),
            ("ReadComposite {\"ids\":[\"/3/0/9\",\"/1", 32, vec!["/1"]),
            ("Read bat", 5, vec!["batteryLevel"]),
            ("Read ", 5, vec!["/1", "/3", "batteryLevel"]),
            ("Read /7", 5, vec![]),
        ];
        for (line, start, expected) in cases {
            let expected = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(texts(line), (start, expected), "{line}");
        }
    }
}
