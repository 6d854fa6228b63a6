//! The objects a device has at first, with the values of the demo device or of `ThingsBoard`'s tests.

mod behaviour;
mod packages;
mod stored;

use std::sync::Arc;

use fastrand::Rng;

use super::bootstrap::add_factory_accounts;
use super::operations::create::blank;
use super::options::{ClientOptions, Fixture, Version};
use super::path::Path;
use super::tree::{Content, ObjectModel, Tree, object_models};
use super::value::Value;

pub use behaviour::{change_values, execute, move_by, reboot, refuse_write, written};
pub use stored::{
    PackageInfo, PackageKind, fetched as package_fetched, installed as package_installed,
};

macro_rules! models {
    ($($name:literal),*) => {
        [$(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/", $name, ".xml"))),*]
    };
}

/// The models at hand, oldest version of an object first.
const MODELS: [&str; 24] = models!(
    "0_1.0", "0_1.1", "0_1.2", "1_1.0", "1_1.1", "1_1.2", "2_1.0", "2_1.1", "3_1.0", "3_1.1",
    "3_1.2", "5_1.0", "5_1.1", "5_1.2", "6_1.0", "7_1.0", "9_1.0", "19_1.0", "3303_1.0",
    "3303_1.1", "4_1.0", "4_1.1", "4_1.2", "4_1.3"
);

/// Resources that an instance supports without a value: write-only and executable ones, and those nobody has set.
const WITHOUT_VALUE: [(u16, &[u16]); 6] = [
    (1, &[2, 3, 4, 8, 9]),
    (3, &[4, 5, 12]),
    (5, &[0, 1, 2]),
    (9, &[2, 3, 4, 6]),
    (19, &[3]),
    (3303, &[5605]),
];

/// The tree of a device that has just been switched on.
#[must_use]
pub fn initial(options: &ClientOptions, now_seconds: i64, rng: &mut Rng) -> Tree {
    let mut tree = Tree::default();
    for (object, version) in versions(options) {
        let stated = options.object_versions.get(&object);
        add_built_in(&mut tree, object, stated.map_or(version, String::as_str));
    }
    for (object, resources) in WITHOUT_VALUE {
        for instance in instances_of(object) {
            support(&mut tree, Path::new(&[object, *instance]), resources);
        }
    }
    let values = common_values(options, now_seconds, rng)
        .into_iter()
        .chain(fixture_values(options, rng))
        .chain(installed_values(options));
    for (path, value) in values {
        // What the object's version does not have is not there.
        let _ = path.parse().is_ok_and(|path| tree.set(&path, value));
    }
    for model in &options.models {
        let version = options
            .object_versions
            .get(&model.id)
            .unwrap_or(&model.version)
            .clone();
        tree.add_object(Arc::clone(model), &version);
        generic_instance(&mut tree, &Path::new(&[model.id, 0]));
    }
    add_factory_accounts(&mut tree, options);
    tree
}

/// Adds an object without instances, when there is a model of it.
pub fn add_built_in(tree: &mut Tree, object: u16, version: &str) {
    if let Some(model) = built_in(object, version) {
        tree.add_object(model, version);
    }
}

/// Puts an instance in place, or in the place of one, that supports what instances of its object do and has no values.
pub fn empty_instance(tree: &mut Tree, path: &Path) {
    let (Some(id), Some(instance)) = (path.object(), path.instance()) else {
        return;
    };
    let Some(object) = tree.objects.get_mut(&id) else {
        return;
    };
    match WITHOUT_VALUE.iter().find(|(object, _)| *object == id) {
        Some((_, resources)) => {
            object.instances.remove(&instance);
            support(tree, *path, resources);
        }
        None => {
            let blank = blank(object);
            object.instances.insert(instance, blank);
        }
    }
}

/// The model of an object in this version, or in the nearest older one, or the oldest.
fn built_in(object: u16, version: &str) -> Option<Arc<ObjectModel>> {
    let prefix = format!("<ObjectID>{object}</ObjectID>");
    let texts = MODELS.iter().filter(|text| text.contains(&prefix));
    // The tests read every one of them.
    let models = texts.filter_map(|text| object_models(text).ok()).flatten();
    let models: Vec<ObjectModel> = models.collect();
    let older = models
        .iter()
        .rfind(|model| numbers(&model.version) <= numbers(version));
    older.or(models.first()).cloned().map(Arc::new)
}

fn numbers(version: &str) -> Vec<u32> {
    version
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect()
}

/// The objects and the versions they usually have.
fn versions(options: &ClientOptions) -> Vec<(u16, &'static str)> {
    let core = match options.version {
        Version::V1_0 => "1.0",
        Version::V1_1 => "1.1",
        Version::V1_2 => "1.2",
    };
    match options.fixture {
        Fixture::Thingsboard13 => {
            vec![
                (1, core),
                (2, "1.0"),
                (3, "1.2"),
                (5, "1.2"),
                (6, "1.0"),
                (9, "1.1"),
                (19, "1.1"),
                (3303, "1.1"),
            ]
        }
        Fixture::Demo => {
            let firmware = if options.version == Version::V1_2 {
                "1.1"
            } else {
                "1.0"
            };
            vec![
                (1, core),
                (3, core),
                (5, firmware),
                (6, "1.0"),
                (9, "1.0"),
                (19, "1.0"),
                (3303, "1.1"),
            ]
        }
    }
}

const fn instances_of(object: u16) -> &'static [u16] {
    match object {
        19 => &[0, 1],
        3303 => &[0, 12],
        _ => &[0],
    }
}

fn support(tree: &mut Tree, instance: Path, resources: &[u16]) {
    let (Some(object), Some(id)) = (instance.object(), instance.instance()) else {
        return;
    };
    let Some(object) = tree.objects.get_mut(&object) else {
        return;
    };
    for resource in resources {
        if let Some(model) = object.model.resources.get(resource) {
            let supported = &mut object.instances.entry(id).or_default().resources;
            supported.insert(*resource, Content::of(model));
        }
    }
}

/// Adds an instance in which each readable resource has the first value of its type.
pub fn generic_instance(tree: &mut Tree, path: &Path) {
    let (Some(object), Some(id)) = (path.object(), path.instance()) else {
        return;
    };
    let Some(object) = tree.objects.get_mut(&object) else {
        return;
    };
    let mut instance = blank(object);
    for (id, model) in &object.model.resources {
        let Some(value) = model.value.initial().filter(|_| model.readable) else {
            continue;
        };
        let content = if model.multiple {
            Content::Multiple([(0, value)].into())
        } else {
            Content::Single(Some(value))
        };
        instance.resources.insert(*id, content);
    }
    object.instances.insert(id, instance);
}

type Values = Vec<(&'static str, Value)>;

fn common_values(options: &ClientOptions, now: i64, rng: &mut Rng) -> Values {
    let queue = options.queue_awake.is_some();
    let binding = match (options.version, queue) {
        (Version::V1_0, true) => "UQ",
        _ => "U",
    };
    let (latitude, longitude) = options
        .position
        .unwrap_or_else(|| (rng.f64() * 180.0 - 90.0, rng.f64() * 360.0 - 180.0));
    let byte = |rng: &mut Rng| Value::Opaque(vec![rng.u8(..20)]);
    vec![
        ("/1/0/0", 123.into()),
        ("/1/0/1", i64::from(options.lifetime).into()),
        ("/1/0/5", 86_400.into()),
        ("/1/0/6", true.into()),
        ("/1/0/7", binding.into()),
        ("/1/0/23", false.into()),
        ("/3/0/1", "Model 500".into()),
        ("/3/0/6/0", 1.into()),
        ("/3/0/6/1", 5.into()),
        ("/3/0/6/2", 7.into()),
        ("/3/0/7/0", 3_800.into()),
        ("/3/0/7/1", 5_000.into()),
        ("/3/0/7/2", 12_000.into()),
        ("/3/0/8/0", 125.into()),
        ("/3/0/8/1", 900.into()),
        ("/3/0/8/2", 1_200.into()),
        ("/3/0/10", 15_360.into()),
        ("/3/0/11/0", 0.into()),
        ("/3/0/13", Value::Time(now)),
        ("/3/0/14", "+00".into()),
        ("/3/0/15", "Etc/UTC".into()),
        ("/3/0/17", "Demo".into()),
        ("/3/0/18", "1.0.1".into()),
        ("/3/0/19", "1.0.2".into()),
        ("/3/0/20", i64::from(rng.u8(0..7)).into()),
        ("/3/0/21", 65_536.into()),
        ("/5/0/3", 0.into()),
        ("/5/0/5", 0.into()),
        ("/5/0/6", "firmware".into()),
        ("/5/0/7", "1.0.0".into()),
        ("/6/0/0", latitude.into()),
        ("/6/0/1", longitude.into()),
        ("/6/0/5", Value::Time(now)),
        ("/9/0/0", "software".into()),
        ("/9/0/1", "1.0.0".into()),
        ("/9/0/7", 0.into()),
        ("/9/0/9", 0.into()),
        ("/19/0/0/0", byte(rng)),
        ("/19/0/1", 0.into()),
        ("/19/0/2", Value::Time(now)),
        ("/19/0/4", "OPAQUE".into()),
        ("/19/0/5", (-1).into()),
        ("/19/1/0/0", byte(rng)),
        ("/19/1/1", 0.into()),
        ("/19/1/2", Value::Time(now)),
        ("/19/1/4", "OPAQUE".into()),
        ("/19/1/5", (-1).into()),
        ("/3303/0/5601", 20.0.into()),
        ("/3303/0/5602", 20.0.into()),
        ("/3303/0/5700", 20.0.into()),
        ("/3303/0/5701", "cel".into()),
        ("/3303/12/5601", 20.0.into()),
        ("/3303/12/5602", 20.0.into()),
        ("/3303/12/5700", 20.0.into()),
        ("/3303/12/5701", "cel".into()),
    ]
}

/// What a device that stores its packages was updated to.
fn installed_values(options: &ClientOptions) -> Values {
    let running = |kind| stored::running(options.storage.as_deref()?, kind);
    let mut values = Vec::new();
    if let Some((title, version)) = running(PackageKind::Firmware) {
        values.push(("/3/0/3", version.clone().into()));
        values.extend([("/5/0/6", title.into()), ("/5/0/7", version.into())]);
    }
    if let Some((title, version)) = running(PackageKind::Software) {
        values.extend([("/9/0/0", title.into()), ("/9/0/1", version.into())]);
    }
    values
}

fn fixture_values(options: &ClientOptions, rng: &mut Rng) -> Values {
    let binding = if options.queue_awake.is_some() {
        "UQ"
    } else {
        "U"
    };
    match options.fixture {
        Fixture::Thingsboard13 => vec![
            ("/3/0/0", "Thingsboard Demo Lwm2mDevice".into()),
            ("/3/0/2", "Thingsboard-500-000-0001".into()),
            ("/3/0/3", "1.0.2".into()),
            ("/3/0/9", i64::from(rng.u8(5..=50)).into()),
            ("/3/0/16", binding.into()),
            ("/5/0/9", 1.into()),
        ],
        Fixture::Demo => vec![
            ("/3/0/0", "Leshan Demo Device".into()),
            ("/3/0/2", "LT-500-000-0001".into()),
            ("/3/0/3", "1.0.0".into()),
            ("/3/0/9", i64::from(rng.u8(0..=100)).into()),
            ("/3/0/16", "UT".into()),
            ("/5/0/9", 2.into()),
            ("/19/0/3", "OPAQUE".into()),
            ("/19/1/3", "OPAQUE".into()),
        ],
    }
}
