//! The observe-strategy benchmark: the same fleet with the same changes of its values, observed in different ways.
//!
//! Each strategy is a device profile that is put to a running server. Light devices of this module's own register, are
//! observed as the profile says, and change their values by a schedule that follows from the seed alone. What the
//! network and the radios would carry is counted at the devices.

mod advice;
mod api;
mod changes;
mod device;
mod events;
mod fleet;
mod html;
mod latency;
mod metrics;
mod poll;
mod radio;
mod report;
mod run;
mod settings;
mod strategy;
mod table;
mod traffic;

pub use advice::{Advice, advise};
pub(crate) use api::Connection;
pub use api::{Api, ApiError};
pub use html::page;
pub(crate) use latency::Percentiles;
pub(crate) use metrics::sum as metric_sum;
pub use radio::{Activity, Energy, RadioModel, RadioTimes};
pub use report::{ObserveReport, StrategyReport};
pub use run::{ObserveError, ObserveOptions, run};
pub use settings::{Pattern, Settings, SettingsError};
pub use strategy::Strategy;
pub use table::observe_table;
