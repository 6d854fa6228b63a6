//! Dashboard and alerts use metrics and labels that exist, and leave none out.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rookery::ops::metrics::{METRICS, MetricDoc, MetricType};
use serde_json::Value;

/// Labels that Prometheus adds.
const ADDED_LABELS: [&str; 3] = ["job", "instance", "le"];

fn file(name: &str) -> String {
    fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("grafana")
            .join(name),
    )
    .unwrap()
}

/// The queries of the dashboard's panels and variables.
fn dashboard_queries() -> Vec<String> {
    fn collect(value: &Value, queries: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    match value {
                        Value::String(text) if name == "expr" || name == "query" => {
                            queries.push(text.clone());
                        }
                        other => collect(other, queries),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, queries)),
            _ => {}
        }
    }
    let dashboard: Value = serde_json::from_str(&file("dashboards/rookery.json")).unwrap();
    let mut queries = Vec::new();
    collect(&dashboard, &mut queries);
    assert!(queries.len() > 30);
    queries
}

/// The metric a series of a query belongs to.
fn metric_of(series: &str) -> Option<&'static MetricDoc> {
    METRICS
        .iter()
        .find(|metric| match series.strip_prefix(metric.name) {
            Some("") => true,
            Some("_bucket" | "_sum" | "_count") => metric.kind == MetricType::Histogram,
            _ => false,
        })
}

/// Names in `text` that begin as a metric does.
fn series(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("lwm2m_") || word.starts_with("process_"))
}

#[test]
fn the_dashboard_uses_metrics_and_labels_that_exist() {
    for query in dashboard_queries() {
        let metrics: Vec<_> = series(&query)
            .map(|name| metric_of(name).unwrap_or_else(|| panic!("{name} does not exist: {query}")))
            .collect();
        let Some((_, labels)) = query.split_once("by (") else {
            continue;
        };
        for label in labels.split(')').next().unwrap().split(',').map(str::trim) {
            let known = metrics.iter().any(|metric| metric.labels.contains(&label));
            assert!(
                known || ADDED_LABELS.contains(&label),
                "no label {label}: {query}"
            );
        }
    }
}

#[test]
fn every_metric_is_on_the_dashboard() {
    let queries = dashboard_queries();
    let shown: BTreeSet<_> = queries
        .iter()
        .flat_map(|query| series(query))
        .filter_map(metric_of)
        .map(|metric| metric.name)
        .collect();
    let missing: Vec<_> = METRICS
        .iter()
        .filter(|m| !shown.contains(m.name))
        .map(|m| m.name)
        .collect();
    assert_eq!(missing, [] as [&str; 0]);
}

#[test]
fn alerts_use_metrics_that_exist() {
    let text = file("alerts.yml");
    let names: Vec<_> = series(&text).collect();
    assert!(names.len() > 10);
    for name in names {
        assert!(metric_of(name).is_some(), "{name} does not exist");
    }
}

#[test]
fn the_dashboard_finds_its_data_source_by_variable() {
    let dashboard: Value = serde_json::from_str(&file("dashboards/rookery.json")).unwrap();
    for panel in dashboard["panels"].as_array().unwrap() {
        if panel["type"] == "row" {
            continue;
        }
        assert_eq!(
            panel["datasource"]["uid"], "${datasource}",
            "{}",
            panel["title"]
        );
        assert!(
            !panel["description"].as_str().unwrap().is_empty(),
            "{}",
            panel["title"]
        );
    }
}
