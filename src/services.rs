//! What the product does with devices and their values.

pub mod storage;
