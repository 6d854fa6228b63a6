//! What the server itself counts: samples of its Prometheus text.

/// The sum of a metric's samples that have all these labels.
#[must_use]
pub fn sum(text: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
    let wanted: Vec<_> = labels
        .iter()
        .map(|(label, value)| format!("{label}=\"{value}\""))
        .collect();
    let samples = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let (labels, value) = match rest.strip_prefix('{') {
            Some(rest) => rest.split_once("} ")?,
            None => ("", rest.strip_prefix(' ')?),
        };
        let fits = wanted
            .iter()
            .all(|wanted| labels.split(',').any(|label| label == wanted));
        fits.then(|| value.trim().parse::<f64>().ok()).flatten()
    });
    samples.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# TYPE a_total counter\n\
        a_total{kind=\"x\",result=\"good\"} 3\n\
        a_total{kind=\"y\",result=\"good\"} 4\n\
        a_total{kind=\"y\",result=\"bad\"} 5\n\
        a_total_more 100\n\
        plain 7.5\n";

    #[test]
    fn samples_are_chosen_by_name_and_labels() {
        assert_eq!(sum(TEXT, "a_total", &[]), 12.0);
        assert_eq!(sum(TEXT, "a_total", &[("result", "good")]), 7.0);
        assert_eq!(
            sum(TEXT, "a_total", &[("kind", "y"), ("result", "bad")]),
            5.0
        );
        assert_eq!(sum(TEXT, "plain", &[]), 7.5);
        assert_eq!(sum(TEXT, "nothing", &[]), 0.0);
    }
}
