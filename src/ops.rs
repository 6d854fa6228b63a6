//! Running it: configuration, metrics, health, signals, logs.
