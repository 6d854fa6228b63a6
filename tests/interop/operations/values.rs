//! The values of object 33000 on the Leshan device: one Resource and one multiple Resource of each data type.

use serde_json::{Value, json};

use super::{NODE_FORMATS, OPAQUE, SCALAR_FORMATS};

/// A data type and values of it.
pub struct Sample {
    /// Id of the Resource; that of the multiple Resource is ten more.
    pub id: u16,
    /// As results name it.
    pub name: &'static str,
    /// What the Resource has at first, as results show it.
    pub at_first: &'static str,
    /// Values to write, as commands give them, and as results show them.
    pub others: [(Value, &'static str); 2],
}

impl Sample {
    /// Formats one value of this type can go in.
    pub fn formats(&self) -> Vec<u16> {
        let opaque = (self.name == "OPAQUE").then_some(OPAQUE);
        SCALAR_FORMATS
            .into_iter()
            .chain(NODE_FORMATS)
            .chain(opaque)
            .collect()
    }

    /// How a result shows the Resource when it has this value.
    pub fn single(&self, value: &str) -> String {
        let Self { id, name, .. } = self;
        if *name == "OPAQUE" {
            format!("LwM2mSingleResource id={id} value={value} type={name}")
        } else {
            format!("LwM2mSingleResource [id={id}, value={value}, type={name}]")
        }
    }

    /// How a result shows an instance of the multiple Resource.
    pub fn instance(&self, instance: u16, value: &str) -> String {
        let name = self.name;
        format!(
            "LwM2mResourceInstance [id={instance}, value={}, type={name}]",
            self.nested(value)
        )
    }

    /// How a value is shown inside of something: an opaque one by its length.
    pub fn nested(&self, value: &str) -> String {
        if self.name == "OPAQUE" {
            format!("{}Bytes", value.len() / 2)
        } else {
            value.to_owned()
        }
    }

    /// How a result shows the multiple Resource.
    pub fn multiple(&self, instances: &[(u16, &str)]) -> String {
        let (id, name) = (self.id + 10, self.name);
        let instances = instances.iter();
        if name == "OPAQUE" {
            let shown: Vec<String> = instances
                .map(|(instance, value)| format!(" id={instance} value={value}"))
                .collect();
            return format!(
                "LwM2mMultipleResource id={id} values={{{}}} type={name}",
                shown.join(", ")
            );
        }
        let shown: Vec<String> = instances
            .map(|(instance, value)| format!("{instance}={}", self.instance(*instance, value)))
            .collect();
        format!(
            "LwM2mMultipleResource [id={id}, values={{{}}}, type={name}]",
            shown.join(", ")
        )
    }
}

/// Integers beyond what a double holds, times beyond 32 bits. Unsigned ones start at the greatest that the Leshan client
/// gets right in TLV: 2^64 - 1 is one byte ff to it.
pub fn samples() -> Vec<Sample> {
    let sample = |id, name, at_first, others| Sample {
        id,
        name,
        at_first,
        others,
    };
    vec![
        sample(
            0,
            "STRING",
            "text",
            [(json!("zażółć"), "zażółć"), (json!("a=1, b"), "a=1, b")],
        ),
        sample(
            1,
            "INTEGER",
            "-42",
            [
                (json!(9_007_199_254_740_993_i64), "9007199254740993"),
                (json!(i64::MIN), "-9223372036854775808"),
            ],
        ),
        sample(
            2,
            "UNSIGNED_INTEGER",
            "9223372036854775807",
            [
                (json!(u64::MAX - 1), "18446744073709551614"),
                (json!(7), "7"),
            ],
        ),
        sample(
            3,
            "FLOAT",
            "3.5",
            [(json!(-0.125), "-0.125"), (json!(1e-5), "1.0E-5")],
        ),
        sample(
            4,
            "BOOLEAN",
            "true",
            [(json!(false), "false"), (json!(true), "true")],
        ),
        sample(
            5,
            "OPAQUE",
            "0001feff",
            [
                (json!("0123456789abcdef"), "0123456789abcdef"),
                (json!("00"), "00"),
            ],
        ),
        sample(
            6,
            "TIME",
            "Fri Jan 02 03:04:05 UTC 2026",
            [
                (json!("4102444800000"), "Fri Jan 01 00:00:00 UTC 2100"),
                (json!("1000"), "Thu Jan 01 00:00:01 UTC 1970"),
            ],
        ),
        sample(
            7,
            "OBJLNK",
            "/3/0",
            [(json!("19:1"), "/19/1"), (json!("6:0"), "/6/0")],
        ),
        sample(
            8,
            "CORELINK",
            "</3/0/9>",
            [(json!("</3/0>"), "</3/0>"), (json!("</6>"), "</6>")],
        ),
    ]
}

/// What the multiple Resources have at first, in the order of [`samples`].
pub const LISTS_AT_FIRST: [&[(u16, &str)]; 9] = [
    &[(0, "a"), (7, "b")],
    &[(0, "1"), (7, "9223372036854775807")],
    &[(0, "1"), (7, "2")],
    &[(0, "0.25"), (7, "-1.5")],
    &[(0, "true"), (7, "false")],
    &[(0, "01"), (7, "0203")],
    &[(0, "Fri Jan 02 03:04:05 UTC 2026")],
    &[(0, "/3/0"), (7, "/19/1")],
    &[(0, "</3/0>")],
];
