//! Definitions that are part of the program: the files in `models/`.

use std::sync::{Arc, LazyLock};

use super::{ModelKey, ObjectModel, model};

/// The built-in definitions by id and version. Parsed at the first call.
#[must_use]
pub fn builtin() -> &'static [Arc<ObjectModel>] {
    static MODELS: LazyLock<Vec<Arc<ObjectModel>>> = LazyLock::new(parse);
    &MODELS
}

pub(super) fn contains(key: ModelKey) -> bool {
    let models = builtin();
    models
        .binary_search_by_key(&key, |model| model.key())
        .is_ok()
}

fn parse() -> Vec<Arc<ObjectModel>> {
    let definitions = FILES.iter().flat_map(|(name, text)| {
        model::read(text.as_bytes())
            .unwrap_or_else(|error| unreachable!("models/{name}.xml is tested: {error}"))
    });
    let mut models: Vec<_> = definitions.map(|d| Arc::new(d.model)).collect();
    models.sort_by_key(|model| model.key());
    models
}

macro_rules! files {
    ($($name:literal)+) => {
        &[$((
            $name,
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/models/", $name, ".xml")),
        ),)+]
    };
}

/// Name and content of each file.
const FILES: &[(&str, &str)] = files! {
    "0_1.0" "0_1.1" "0_1.2" "1_1.0" "1_1.1" "1_1.2" "2_1.0" "2_1.1" "3_1.0" "3_1.1" "3_1.2"
    "4_1.0" "4_1.1" "4_1.2" "4_1.3" "5_1.0" "5_1.1" "5_1.2" "6_1.0" "7_1.0" "9_1.0" "10_1.0"
    "10_1.1" "11_1.0" "11_1.1" "12_1.0" "12_1.1" "13_1.0" "13_1.1" "14_1.0" "15_1.0" "15_2.0"
    "16_1.0" "19_1.0" "21_1.0" "21_1.1" "21_2.0" "23_1.0" "24_1.0" "25_1.0" "25_2.0" "26_1.0"
    "3300_1.0" "3300_1.1" "3301_1.0" "3301_1.1" "3302_1.0" "3302_1.1" "3303_1.0" "3303_1.1"
    "3304_1.0" "3304_1.1" "3305_1.0" "3305_1.1" "3306_1.0" "3306_1.1" "3308_1.0" "3308_1.1"
    "3310_1.0" "3310_1.1" "3311_1.0" "3312_1.0" "3312_1.1" "3313_1.0" "3313_1.1" "3315_1.0"
    "3315_1.1" "3316_1.0" "3316_1.1" "3320_1.0" "3320_1.1" "3323_1.0" "3323_1.1" "3325_1.0"
    "3325_1.1" "3336_1.0" "3336_1.1" "3336_2.0" "3337_1.0" "3337_1.1" "3338_1.0" "3338_1.1"
    "3339_1.0" "3340_1.0" "3341_1.0" "3342_1.0" "3342_1.1" "3343_1.0" "3345_1.0" "3347_1.0"
    "3347_1.1"
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_in_models_is_built_in_and_defines_what_its_name_says() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/models");
        let entries = std::fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let files: BTreeSet<_> = names
            .filter_map(|name| name.strip_suffix(".xml").map(str::to_owned))
            .collect();
        let built_in = builtin().iter().map(|model| model.key().to_string());
        assert_eq!(built_in.collect::<BTreeSet<_>>(), files);
        for (name, text) in FILES {
            let definitions = model::read(text.as_bytes()).unwrap();
            let keys: Vec<_> = definitions.iter().map(|d| d.model.key()).collect();
            assert_eq!(keys, [name.parse().unwrap()], "{name}");
        }
    }
}
