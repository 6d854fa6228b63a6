//! Content formats: from payloads to values.
