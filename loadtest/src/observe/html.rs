//! The report as one HTML file: charts as inline SVG, nothing fetched from anywhere, for light and dark screens.

use std::fmt::Write;

use super::latency::Percentiles;
use super::radio::RadioModel;
use super::report::{ObserveReport, StrategyReport};
use super::settings::Pattern;
use super::table::number;

const STYLE: &str = include_str!("html/style.css");

/// A bar of up to two parts, one behind the other.
struct Bar {
    label: &'static str,
    parts: [f64; 2],
}

/// Bars of the same unit.
struct Chart {
    title: String,
    unit: &'static str,
    /// What the parts are.
    legend: [&'static str; 2],
    bars: Vec<Bar>,
}

/// Sizes of a chart, in CSS pixels.
const WIDTH: f64 = 560.0;
const LABELS: f64 = 178.0;
const VALUES: f64 = 78.0;
const BAR: f64 = 18.0;
const PITCH: f64 = 28.0;
/// Between the parts of a bar.
const GAP: f64 = 2.0;

/// The page.
#[must_use]
pub fn page(report: &ObserveReport) -> String {
    let settings = &report.settings;
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Observe strategies compared</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>Observe strategies compared</h1>\n\
         <p class=\"of\">{} devices against {}: {} resources of {} objects, each changing every {} s on average ({}); \
         {} s of device time, at {} times the speed of the clock; seed {}{}.</p>\n",
        settings.clients,
        escaped(&report.server_address),
        settings.resources,
        settings.objects,
        settings.change_every,
        match settings.pattern {
            Pattern::Sampled => "values are sampled together",
            Pattern::Independent => "each at times of its own",
        },
        settings.duration,
        settings.speed,
        settings.seed,
        if report.interrupted {
            "; interrupted"
        } else {
            ""
        },
    );
    page.push_str("<h2>For this fleet</h2>\n<ul class=\"advice\">\n");
    for sentence in &report.advice.sentences {
        let _ = writeln!(page, "<li>{}</li>", escaped(sentence));
    }
    page.push_str("</ul>\n");
    for (heading, charts) in [
        ("Of a device in an hour", rates(&report.strategies)),
        ("How long it takes", times(&report.strategies)),
    ] {
        let _ = writeln!(page, "<h2>{heading}</h2>\n<div class=\"charts\">");
        let charts = charts.iter().filter(|chart| chart.has_anything());
        charts.for_each(|chart| chart.draw(&mut page));
        page.push_str("</div>\n");
    }
    push_table(report, &mut page);
    push_model(report, &mut page);
    page.push_str("</body>\n</html>\n");
    page
}

/// What a chart shows of a strategy.
type Parts = Box<dyn Fn(&StrategyReport) -> [f64; 2]>;

/// For charts whose bars have one part.
const ONLY: [&str; 2] = ["", ""];
const PERCENTILES: [&str; 2] = ["median", "99th percentile"];

fn rates(strategies: &[StrategyReport]) -> Vec<Chart> {
    let both = ["from the device", "to the device"];
    let packets: Parts =
        Box::new(|r| [r.per_device_hour.packets_up, r.per_device_hour.packets_down]);
    let bytes: Parts = Box::new(|r| [r.per_device_hour.bytes_up, r.per_device_hour.bytes_down]);
    let wake_ups: Parts = Box::new(|r| [r.wake_ups, 0.0]);
    let cpu: Parts = Box::new(|r| [r.server.map_or(0.0, |s| s.cpu_us_per_device_hour), 0.0]);
    let mut charts = vec![
        Chart::new("Packets", "", both, strategies, &packets),
        Chart::new(
            "Bytes, IP and UDP headers included",
            "B",
            both,
            strategies,
            &bytes,
        ),
        Chart::new("Wake-ups", "", ONLY, strategies, &wake_ups),
        Chart::new("Server CPU time", "us", ONLY, strategies, &cpu),
    ];
    for model in RadioModel::ALL {
        let charge: Parts = Box::new(move |r| {
            let energy = r.energy.get(model.name).copied().unwrap_or_default();
            [energy.activity_mc, energy.floor_mc]
        });
        let on: Parts =
            Box::new(move |r| [r.energy.get(model.name).map_or(0.0, |e| e.radio_on_s), 0.0]);
        let title = format!("Charge, {}", model.name);
        let parts = ["radio activity", "asleep or waiting for pages"];
        charts.push(Chart::new(&title, "mC", parts, strategies, &charge));
        let title = format!("Radio on, {}", model.name);
        charts.push(Chart::new(&title, "s", ONLY, strategies, &on));
    }
    charts
}

fn times(strategies: &[StrategyReport]) -> Vec<Chart> {
    let spread = |of: fn(&StrategyReport) -> Percentiles| -> Parts {
        Box::new(move |r| [of(r).p50, of(r).p99 - of(r).p50])
    };
    let chart = |title, unit, of| Chart::new(title, unit, PERCENTILES, strategies, &spread(of));
    vec![
        chart("From Register to observed (polls: read once)", "ms", |r| {
            r.ready_ms
        }),
        chart("From a message to its value at the server", "ms", |r| {
            r.latency_ms
        }),
        chart(
            "From a change to its value at the server, device time",
            "s",
            |r| r.age_s,
        ),
    ]
}

impl Chart {
    fn new(
        title: &str,
        unit: &'static str,
        legend: [&'static str; 2],
        strategies: &[StrategyReport],
        parts: &Parts,
    ) -> Self {
        let bar = |report: &StrategyReport| Bar {
            label: report.strategy,
            parts: parts(report),
        };
        Self {
            title: title.to_owned(),
            unit,
            legend,
            bars: strategies.iter().map(bar).collect(),
        }
    }

    fn has_anything(&self) -> bool {
        self.bars
            .iter()
            .any(|bar| bar.parts.iter().sum::<f64>() > 0.0)
    }

    fn draw(&self, page: &mut String) {
        let most = self.bars.iter().map(|bar| bar.parts.iter().sum::<f64>());
        let scale = (WIDTH - LABELS - VALUES) / most.fold(f64::MIN_POSITIVE, f64::max);
        let height = PITCH * self.bars.len() as f64;
        let _ = writeln!(
            page,
            "<figure>\n<figcaption>{}</figcaption>\n\
             <svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{0}\">",
            escaped(&self.title)
        );
        for (row, bar) in self.bars.iter().enumerate() {
            let top = PITCH * row as f64 + (PITCH - BAR) / 2.0;
            let middle = top + BAR / 2.0;
            let mut left = LABELS;
            let _ = write!(
                page,
                "<g><title>{}</title><text class=\"label\" x=\"{}\" y=\"{middle:.1}\">{}</text>",
                escaped(&self.told(bar)),
                LABELS - 8.0,
                bar.label
            );
            for (part, value) in bar.parts.iter().enumerate() {
                let width = value * scale - if part > 0 { GAP } else { 0.0 };
                if width > 0.0 {
                    let from = left + if part > 0 { GAP } else { 0.0 };
                    let _ = write!(
                        page,
                        "<rect class=\"part{part}\" x=\"{from:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" \
                         height=\"{BAR}\" rx=\"2\"/>"
                    );
                }
                left += value * scale;
            }
            let _ = writeln!(
                page,
                "<text class=\"value\" x=\"{:.1}\" y=\"{middle:.1}\">{}</text></g>",
                left + 6.0,
                self.with_unit(bar.parts.iter().sum())
            );
        }
        page.push_str("</svg>\n");
        if self.legend != ONLY {
            let _ = writeln!(
                page,
                "<p class=\"legend\"><span class=\"key0\"></span>{} <span class=\"key1\"></span>{}</p>",
                self.legend[0], self.legend[1]
            );
        }
        page.push_str("</figure>\n");
    }

    /// A bar in words.
    fn told(&self, bar: &Bar) -> String {
        let ([one, other], [what, else_what]) = (bar.parts, self.legend);
        if self.legend == ONLY {
            return format!("{}: {}", bar.label, self.with_unit(one));
        }
        // The far end of a percentile's bar is its value, that of another part its share.
        let other = if self.legend == PERCENTILES {
            one + other
        } else {
            other
        };
        let (one, other) = (self.with_unit(one), self.with_unit(other));
        format!("{}: {one} {what}, {other} {else_what}", bar.label)
    }

    fn with_unit(&self, value: f64) -> String {
        format!("{} {}", number(value), self.unit)
            .trim_end()
            .to_owned()
    }
}

fn push_table(report: &ObserveReport, page: &mut String) {
    page.push_str("<details>\n<summary>All figures</summary>\n<pre>");
    page.push_str(&escaped(&super::table::observe_table(report)));
    page.push_str("</pre>\n</details>\n");
}

/// What the estimates follow from.
fn push_model(report: &ObserveReport, page: &mut String) {
    let model = &report.model;
    let _ = writeln!(
        page,
        "<details open>\n<summary>How charge is estimated</summary>\n<p>Each packet is its CoAP message and {} bytes of \
         headers. A radio stays connected for {} s after its last packet and listens for {} s more; a packet after \
         that is a wake-up. Devices that are polled do not sleep: they are paged every {} s if that is often enough, \
         else in each DRX cycle. Charges are at {} V.</p>\n<table>\n<tr><th></th>{}</tr>",
        model.header_bytes,
        model.radio.inactivity,
        model.radio.active_time,
        model.edrx_cycle_s,
        model.voltage,
        model
            .technologies
            .iter()
            .map(|technology| format!("<th>{}</th>", technology.name))
            .collect::<String>()
    );
    type Figure = fn(&RadioModel) -> f64;
    let figures: [(&str, Figure); 10] = [
        ("a connection, mC", |m| m.connection_mc),
        ("it takes, s", |m| m.connection_s),
        ("sending, mA", |m| m.send_ma),
        ("bits a second sent", |m| m.send_bps),
        ("receiving or connected, mA", |m| m.receive_ma),
        ("bits a second received", |m| m.receive_bps),
        ("listening in each DRX cycle, mA", |m| m.listen_ma),
        ("listening by eDRX, uA", |m| m.edrx_ma * 1e3),
        ("asleep, uA", |m| m.sleep_ma * 1e3),
        ("asleep all day, mC", |m| m.sleep_ma * 86_400.0),
    ];
    for (what, figure) in figures {
        let cells: String = model
            .technologies
            .iter()
            .map(|technology| format!("<td>{}</td>", number(figure(technology))))
            .collect();
        let _ = writeln!(page, "<tr><th scope=\"row\">{what}</th>{cells}</tr>");
    }
    page.push_str("</table>\n<ul>\n");
    for source in model.sources {
        let _ = writeln!(page, "<li>{}</li>", escaped(source));
    }
    page.push_str("</ul>\n</details>\n");
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::report::Rates;
    use crate::observe::settings::Settings;
    use crate::observe::strategy::Strategy;

    fn sample() -> ObserveReport {
        let mut strategies: Vec<_> = Strategy::USUAL.map(StrategyReport::sample).into();
        strategies[0].per_device_hour = Rates {
            packets_up: 60.0,
            packets_down: 20.0,
            ..Rates::default()
        };
        let address = "127.0.0.1:5685".parse().unwrap();
        ObserveReport::new(&Settings::default(), address, strategies, false)
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let page = page(&sample());
        for fetching in [
            "http://", "https://", "src=", "href=", "url(", "@import", "<script",
        ] {
            assert!(!page.contains(fetching), "{fetching}");
        }
        assert!(page.contains("prefers-color-scheme: dark"));
    }

    #[test]
    fn every_element_is_closed() {
        let page = page(&sample());
        let body = page.split_once("<body>").unwrap().1;
        for element in [
            "figure", "svg", "g", "text", "table", "tr", "details", "ul", "li", "p",
        ] {
            let opened = body.matches(&format!("<{element}>")).count()
                + body.matches(&format!("<{element} ")).count();
            assert_eq!(
                opened,
                body.matches(&format!("</{element}>")).count(),
                "{element}"
            );
        }
    }

    #[test]
    fn bars_are_as_long_as_their_values() {
        let page = page(&sample());
        let whole = WIDTH - LABELS - VALUES;
        let (one, other) = (whole * 0.75, whole * 0.25 - GAP);
        assert!(
            page.contains(&format!("width=\"{one:.1}\"")),
            "three quarters"
        );
        assert!(page.contains(&format!("width=\"{other:.1}\"")), "a quarter");
        assert!(page.contains("SINGLE: 60.0 from the device, 20.0 to the device"));
        assert!(!page.contains("Server CPU time"), "no figures, no chart");
    }

    #[test]
    fn text_from_outside_is_escaped() {
        assert_eq!(
            escaped("<a href=\"&\">"),
            "&lt;a href=&quot;&amp;&quot;&gt;"
        );
    }
}
