//! Object definitions: whatever the bytes are.

use std::sync::Arc;

use rookery::proto::lwm2m::model::{ObjectModels, read};

/// The document is refused in one line that names a line of it, or its definitions are consistent
/// and each can be read again alone.
pub fn check(document: &[u8]) {
    let definitions = match read(document) {
        Ok(definitions) => definitions,
        Err(error) => {
            let lines = 1 + document.iter().filter(|byte| **byte == b'\n').count();
            assert!((1..=lines).contains(&error.line), "{error}");
            let text = error.to_string();
            assert!(text.len() < 1_000 && !text.contains('\n'), "{text}");
            return;
        }
    };
    assert!(!definitions.is_empty());
    let count = definitions.len();
    for definition in &definitions {
        let model = &definition.model;
        assert!(model.resources().is_sorted_by(|a, b| a.id < b.id));
        for resource in model.resources() {
            assert_eq!(model.resource(resource.id), Some(resource));
        }
        let mut alone = b"<LWM2M>".to_vec();
        alone.extend_from_slice(&document[definition.source.clone()]);
        alone.extend_from_slice(b"</LWM2M>");
        let again = read(&alone).expect("a definition can be read alone");
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].model, *model);
    }
    let models = definitions.into_iter().map(|d| Arc::new(d.model));
    assert_eq!(models.collect::<ObjectModels>().len(), count);
}
