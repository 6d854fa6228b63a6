//! The text of a scrape.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use super::catalogue::{METRICS, MetricType};
use super::memory;

/// Upper bounds of the buckets of the recorder's histograms, in seconds.
const BUCKETS: [f64; 15] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    10.0,
];

/// Without it the recorder keeps every sample of a histogram until somebody scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

type Source = dyn Fn(&mut String) + Send + Sync;

/// Renders all metrics. Clones share everything.
#[derive(Clone)]
pub struct Exporter {
    recorder: PrometheusHandle,
    sources: Vec<Arc<Source>>,
}

impl Exporter {
    /// Installs the recorder of the process where that has not been done.
    ///
    /// # Errors
    /// When another recorder is installed already.
    pub fn install() -> Result<Self, BuildError> {
        static RECORDER: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
        let mut installed = RECORDER.lock().unwrap_or_else(PoisonError::into_inner);
        let recorder = match &*installed {
            Some(recorder) => recorder.clone(),
            None => {
                let recorder = PrometheusBuilder::new()
                    .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)?
                    .install_recorder()?;
                describe();
                installed.insert(recorder).clone()
            }
        };
        Ok(Self {
            recorder,
            sources: Vec::new(),
        })
    }

    /// Renders `source` as well, which appends Prometheus text of its own.
    #[must_use]
    pub fn with_source(mut self, source: impl Fn(&mut String) + Send + Sync + 'static) -> Self {
        self.sources.push(Arc::new(source));
        self
    }

    /// The text of a scrape.
    #[must_use]
    pub fn render(&self) -> String {
        memory::update();
        let mut text = self.recorder.render();
        for source in &self.sources {
            source(&mut text);
        }
        text
    }

    /// Keeps the recorder's memory bounded; runs for ever.
    pub async fn upkeep(self) {
        let mut turns = tokio::time::interval(UPKEEP);
        loop {
            turns.tick().await;
            self.recorder.run_upkeep();
        }
    }
}

/// Appends `# HELP` and `# TYPE` of the metric called `name`, as the catalogue has them.
///
/// # Panics
/// When the catalogue does not list it: that is a mistake of the renderer.
pub fn write_header(out: &mut String, name: &str) {
    let metric = METRICS
        .iter()
        .find(|metric| metric.name == name)
        .unwrap_or_else(|| panic!("{name} is not in the catalogue"));
    let (help, kind) = (metric.help, metric.kind.name());
    // Writing to a String cannot fail.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// Help texts, and the values that never change.
fn describe() {
    for metric in METRICS {
        match metric.kind {
            MetricType::Counter => metrics::describe_counter!(metric.name, metric.help),
            MetricType::Gauge => metrics::describe_gauge!(metric.name, metric.help),
            MetricType::Histogram => metrics::describe_histogram!(metric.name, metric.help),
        }
    }
    metrics::gauge!("lwm2m_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    metrics::gauge!("process_start_time_seconds").set(now.map_or(0.0, |now| now.as_secs_f64()));
    // A series that appears with its first event hides that event from rate().
    for name in [
        "lwm2m_events_lost_total",
        "lwm2m_api_panics_total",
        "lwm2m_store_refused_total",
        "lwm2m_store_failures_total",
        "lwm2m_state_failures_total",
    ] {
        metrics::counter!(name).absolute(0);
    }
    metrics::gauge!("lwm2m_event_streams").set(0.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_has_the_recorders_metrics_and_those_of_the_sources() {
        let exporter = Exporter::install()
            .unwrap()
            .with_source(|out| write_header(out, "lwm2m_registrations"));
        metrics::histogram!("lwm2m_store_commit_seconds").record(0.003);
        let text = exporter.render();
        for expected in [
            "lwm2m_build_info{version=\"",
            "lwm2m_memory_bytes{kind=\"rss\"}",
            "lwm2m_store_commit_seconds_bucket{le=\"0.005\"}",
            "# TYPE lwm2m_registrations gauge",
            "lwm2m_api_panics_total 0",
        ] {
            assert!(text.contains(expected), "{expected} is not in:\n{text}");
        }
    }
}
