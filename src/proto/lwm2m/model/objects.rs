//! The object definitions in force.

use std::sync::Arc;

use super::{ModelKey, ObjectModel};
use crate::proto::lwm2m::Version;

/// Object definitions, several versions of an Object side by side. Cheap to build anew from the
/// definitions of another set: definitions are shared.
#[derive(Clone, Debug, Default)]
pub struct ObjectModels {
    /// By ascending id, then version; each key once.
    models: Box<[Arc<ObjectModel>]>,
}

impl ObjectModels {
    /// The definition for an Object that a device announced with `version`: that version, else the
    /// newest with the same major version (minor versions only add), else none.
    #[must_use]
    pub fn get(&self, id: u16, version: Version) -> Option<&Arc<ObjectModel>> {
        let versions = self.versions(id);
        match versions.binary_search_by_key(&version, |model| model.version) {
            Ok(index) => Some(&versions[index]),
            Err(_) => versions
                .iter()
                .rfind(|model| model.version.major == version.major),
        }
    }

    /// The definition of exactly this version.
    #[must_use]
    pub fn exact(&self, key: ModelKey) -> Option<&Arc<ObjectModel>> {
        let index = self.models.binary_search_by_key(&key, |model| model.key());
        Some(&self.models[index.ok()?])
    }

    /// Every version of an Object, oldest first.
    #[must_use]
    pub fn versions(&self, id: u16) -> &[Arc<ObjectModel>] {
        let start = self.models.partition_point(|model| model.id < id);
        let count = self.models[start..].partition_point(|model| model.id == id);
        &self.models[start..start + count]
    }

    /// The definitions whose key is greater than `after`, in order of their keys.
    #[must_use]
    pub fn after(&self, after: Option<ModelKey>) -> &[Arc<ObjectModel>] {
        let start = after.map_or(0, |after| {
            self.models.partition_point(|model| model.key() <= after)
        });
        &self.models[start..]
    }

    /// How many definitions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.models.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.models.is_empty()
    }
}

impl FromIterator<Arc<ObjectModel>> for ObjectModels {
    /// Of several definitions with the same key the last one counts.
    fn from_iter<I: IntoIterator<Item = Arc<ObjectModel>>>(models: I) -> Self {
        let mut models: Vec<_> = models.into_iter().collect();
        models.reverse();
        models.sort_by_key(|model| model.key());
        models.dedup_by_key(|model| model.key());
        Self {
            models: models.into_boxed_slice(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::lwm2m::LwM2mVersion;

    fn model(key: &str, name: &str) -> Arc<ObjectModel> {
        let key: ModelKey = key.parse().unwrap();
        Arc::new(ObjectModel {
            id: key.id,
            version: key.version,
            name: name.into(),
            description: None,
            multiple: false,
            mandatory: false,
            lwm2m_version: LwM2mVersion::V1_0,
            urn: "".into(),
            resources: Box::default(),
        })
    }

    fn models(keys: &[&str]) -> ObjectModels {
        keys.iter().map(|key| model(key, key)).collect()
    }

    #[track_caller]
    fn check(models: &ObjectModels, asked: &str, found: Option<&str>) {
        let key: ModelKey = asked.parse().unwrap();
        let model = models.get(key.id, key.version);
        assert_eq!(model.map(|model| &*model.name), found, "{asked}");
    }

    #[test]
    fn the_announced_version_is_preferred_then_the_newest_of_the_same_major_version() {
        let models = models(&["3_1.2", "3_1.0", "3_2.0", "3_1.10", "4_1.0", "2_1.0"]);
        check(&models, "3_1.0", Some("3_1.0"));
        check(&models, "3_1.2", Some("3_1.2"));
        check(&models, "3_1.1", Some("3_1.10"));
        check(&models, "3_1.11", Some("3_1.10"));
        check(&models, "3_2.7", Some("3_2.0"));
        check(&models, "3_3.0", None);
        check(&models, "3_0.9", None);
        check(&models, "5_1.0", None);
        check(&models, "2_1.0", Some("2_1.0"));
    }

    #[test]
    fn a_later_definition_replaces_an_earlier_one_of_the_same_version() {
        let models: ObjectModels = [
            model("3_1.0", "first"),
            model("3_1.1", "other"),
            model("3_1.0", "second"),
        ]
        .into_iter()
        .collect();
        assert_eq!(models.len(), 2);
        check(&models, "3_1.0", Some("second"));
    }

    #[test]
    fn definitions_are_paged_in_numeric_order() {
        let models = models(&["10_1.0", "3_1.10", "3_1.2"]);
        let names = |after: Option<&str>| -> Vec<String> {
            let after = after.map(|after| after.parse().unwrap());
            let models = models.after(after).iter();
            models.map(|model| model.key().to_string()).collect()
        };
        assert_eq!(names(None), ["3_1.2", "3_1.10", "10_1.0"]);
        assert_eq!(names(Some("3_1.3")), ["3_1.10", "10_1.0"]);
        assert_eq!(names(Some("3_1.10")), ["10_1.0"]);
        assert!(names(Some("10_1.0")).is_empty());
    }
}
