//! The methods there are and what each takes.

/// Names of the methods there are.
pub fn method_names() -> impl Iterator<Item = &'static str> {
    METHODS.iter().map(|(name, ..)| *name)
}

/// A method of a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Method {
    Read,
    ReadComposite,
    Discover,
    DiscoverAll,
    Observe,
    ObserveComposite,
    ObserveCancel,
    ObserveCompositeCancel,
    ObserveCancelAll,
    ObserveReadAll,
    WriteReplace,
    WriteUpdate,
    WriteComposite,
    WriteAttributes,
    Execute,
    Create,
    Delete,
}

impl Method {
    /// The method of this name; case matters.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        let known = METHODS.iter().find(|(known, ..)| *known == name);
        known.map(|(_, method, _)| *method)
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        self.entry().0
    }

    /// Members of `params` it takes.
    pub(super) fn members(self) -> &'static [&'static str] {
        self.entry().2
    }

    fn entry(self) -> &'static (&'static str, Self, &'static [&'static str]) {
        // In the order of the declaration; a test compares.
        &METHODS[self as usize]
    }
}

const ONE: &[&str] = &["key", "id", "contentFormat"];
const OBSERVE: &[&str] = &["key", "id", "attributes", "contentFormat"];
const SEVERAL: &[&str] = &["keys", "ids", "contentFormat"];
const WITH_VALUE: &[&str] = &["key", "id", "value", "contentFormat"];

const METHODS: [(&str, Method, &[&str]); 17] = [
    ("Read", Method::Read, ONE),
    ("ReadComposite", Method::ReadComposite, SEVERAL),
    (
        "Discover",
        Method::Discover,
        &["key", "id", "depth", "contentFormat"],
    ),
    ("DiscoverAll", Method::DiscoverAll, &[]),
    ("Observe", Method::Observe, OBSERVE),
    (
        "ObserveComposite",
        Method::ObserveComposite,
        &["keys", "ids", "attributes", "contentFormat"],
    ),
    ("ObserveCancel", Method::ObserveCancel, ONE),
    (
        "ObserveCompositeCancel",
        Method::ObserveCompositeCancel,
        SEVERAL,
    ),
    ("ObserveCancelAll", Method::ObserveCancelAll, &[]),
    ("ObserveReadAll", Method::ObserveReadAll, &[]),
    ("WriteReplace", Method::WriteReplace, WITH_VALUE),
    ("WriteUpdate", Method::WriteUpdate, WITH_VALUE),
    (
        "WriteComposite",
        Method::WriteComposite,
        &["nodes", "contentFormat"],
    ),
    ("WriteAttributes", Method::WriteAttributes, OBSERVE),
    ("Execute", Method::Execute, WITH_VALUE),
    (
        "Create",
        Method::Create,
        &["key", "id", "value", "nodes", "contentFormat"],
    ),
    ("Delete", Method::Delete, ONE),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_known_by_its_exact_name() {
        for (name, method, _) in METHODS {
            assert_eq!(Method::from_name(name), Some(method));
            assert_eq!(method.name(), name);
        }
        for name in ["read", "READ", "Write", "", "Read "] {
            assert_eq!(Method::from_name(name), None, "{name}");
        }
    }
}
