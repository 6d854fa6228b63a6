//! Which values of a device's telemetry are asked for.

use crate::proto::time::UnixMillis;
use crate::services::engine::TelemetryView;

/// A selection of telemetry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TelemetryQuery {
    /// Only these keys; all when empty.
    pub keys: Vec<String>,
    /// Not before.
    pub from: Option<UnixMillis>,
    /// Not after.
    pub to: Option<UnixMillis>,
    /// Most values per key, the newest ones.
    pub limit: usize,
}

impl TelemetryQuery {
    /// Keeps what is selected. A key without a selected value is left out.
    pub(in crate::services) fn select(&self, telemetry: TelemetryView) -> TelemetryView {
        telemetry
            .into_iter()
            .filter(|(key, _)| self.keys.is_empty() || self.keys.contains(key))
            .filter_map(|(key, mut values)| {
                values.retain(|value| {
                    self.from.is_none_or(|from| value.ts >= from)
                        && self.to.is_none_or(|to| value.ts <= to)
                });
                values.truncate(self.limit);
                (!values.is_empty()).then_some((key, values))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::engine::TimedValue;

    fn telemetry() -> TelemetryView {
        let values = |times: &[i64]| {
            let value = |ts: &i64| TimedValue {
                ts: *ts,
                value: 1.into(),
            };
            times.iter().map(value).collect()
        };
        TelemetryView::from([
            ("a".to_owned(), values(&[30, 20, 10])),
            ("b".to_owned(), values(&[5])),
        ])
    }

    fn selected(query: &TelemetryQuery) -> Vec<(String, Vec<i64>)> {
        let times = |values: Vec<TimedValue>| values.into_iter().map(|value| value.ts).collect();
        query
            .select(telemetry())
            .into_iter()
            .map(|(key, values)| (key, times(values)))
            .collect()
    }

    #[test]
    fn keys_times_and_the_limit_select_the_newest() {
        let all = TelemetryQuery {
            keys: vec![],
            from: None,
            to: None,
            limit: 2,
        };
        assert_eq!(
            selected(&all),
            [("a".into(), vec![30, 20]), ("b".into(), vec![5])]
        );
        let one_key = TelemetryQuery {
            keys: vec!["b".into(), "c".into()],
            ..all.clone()
        };
        assert_eq!(selected(&one_key), [("b".into(), vec![5])]);
        let times = TelemetryQuery {
            from: Some(10),
            to: Some(20),
            ..all
        };
        assert_eq!(selected(&times), [("a".into(), vec![20, 10])]);
    }
}
