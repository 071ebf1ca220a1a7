//! The results as Markdown: tables, and charts that Markdown viewers draw.

use std::fmt::Write;
use std::time::Duration;

use crate::load::Latencies;
use crate::measure::Measured;
use crate::workload::Workload;

/// What the function is called.
pub const FUNCTION: &str = "function-inference";
/// The name of the baseline that decodes.
pub const DECODING: &str = "decoding echo";
/// The name of the baseline that does not.
pub const BYTES: &str = "byte echo";

/// What was aimed at, and what came out.
pub fn targets(
    alone: &[Measured],
    changing: &[Measured],
    among: &[Measured],
    first_answer: Duration,
    size: u64,
) -> String {
    let row = |rows: &[Measured], name: &str| rows.iter().find(|row| row.name == name).cloned();
    let own = row(alone, FUNCTION).unwrap_or_default();
    let own_among = row(among, FUNCTION).unwrap_or_default();
    let of_decoding = |rows| {
        let [own, decoding] = [FUNCTION, DECODING].map(|name| row(rows, name).unwrap_or_default());
        format!("{:.2}", own.ratio_to(&decoding))
    };
    let bytes_among = row(among, BYTES).unwrap_or_default();
    let above_base = own_among.cpu_per_call().saturating_sub(own.cpu_per_call()).as_secs_f64()
        / bytes_among.cpu_per_call().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    let memory = own_among.peak as f64 / bytes_among.peak as f64;
    let mut text = "| | aimed at | measured |\n|---|---|---|\n".to_owned();
    let rows = [
        ("base: CPU, of the decoding echo's", "at most 0.40".to_owned(), of_decoding(alone)),
        ("changing: CPU, of the decoding echo's", "nothing".to_owned(), of_decoding(changing)),
        (
            "neighbours: CPU above that of base, of the byte echo's",
            "at most 1.20".to_owned(),
            format!("{above_base:.2}"),
        ),
        ("neighbours: peak memory, of the byte echo's", "at most 1.30".to_owned(), format!("{memory:.2}")),
        ("idle memory", format!("at most {}", bytes(10 << 20)), bytes(own.idle)),
        (
            "exec to first answer",
            format!("at most {}", duration(Duration::from_millis(10))),
            duration(first_answer),
        ),
        ("static, stripped binary with TLS", format!("at most {}", bytes(8 << 20)), bytes(size)),
    ];
    for (what, aim, measured) in rows {
        let _ = writeln!(text, "| {what} | {aim} | {measured} |");
    }
    text
}

/// One workload's table: a row for each server.
pub fn workload(name: &str, workload: &Workload, rows: &[Measured]) -> String {
    let mut text = format!(
        "**{name}**: {} in, {} out\n\n\
         | server | CPU per call | of decoding echo | of byte echo | p50, p99 of 1 | p50, p99 of 8 | memory idle, peak |\n\
         |---|---|---|---|---|---|---|\n",
        bytes(workload.size()),
        bytes(workload.answer().len() as u64),
    );
    let ratio = |row: &Measured, name: &str| {
        let other = rows.iter().find(|other| other.name == name);
        other.map_or(String::new(), |other| format!("{:.2}", row.ratio_to(other)))
    };
    let quantiles = |latencies: &Latencies| {
        format!("{}, {}", duration(latencies.quantile(0.5)), duration(latencies.quantile(0.99)))
    };
    for row in rows {
        let [one, eight] = &row.latencies;
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {}, {} |",
            row.name,
            duration(row.cpu_per_call()),
            ratio(row, DECODING),
            ratio(row, BYTES),
            quantiles(one),
            quantiles(eight),
            bytes(row.idle),
            bytes(row.peak),
        );
    }
    text
}

/// A bar for each server: CPU time per call.
pub fn chart(title: &str, rows: &[Measured]) -> String {
    let names: Vec<String> = rows.iter().map(|row| format!("{:?}", row.name)).collect();
    let values: Vec<Duration> = rows.iter().map(Measured::cpu_per_call).collect();
    format!(
        "```mermaid\nxychart-beta horizontal\n  title \"CPU ms per call, {title}\"\n  x-axis [{}]\n  bar [{}]\n```\n",
        names.join(", "),
        milliseconds(&values)
    )
}

/// A row for each point of a curve, of the byte echo and the function, and the difference as a line.
pub fn curve(heading: &str, points: &[(String, Vec<Measured>)]) -> String {
    let mut text =
        format!("| {heading} | {BYTES} | {FUNCTION} | what the function adds |\n|---|---|---|---|\n");
    let mut differences = Vec::new();
    for (name, rows) in points {
        let [bytes, own] = rows.as_slice() else { continue };
        let difference = own.above(bytes);
        differences.push(difference);
        let (bytes, own) = (bytes.cpu_per_call(), own.cpu_per_call());
        let _ =
            writeln!(text, "| {name} | {} | {} | {} |", duration(bytes), duration(own), duration(difference));
    }
    let names: Vec<String> = points.iter().map(|(name, _)| format!("{name:?}")).collect();
    let _ = writeln!(
        text,
        "\n```mermaid\nxychart-beta\n  title \"CPU ms per call that the function adds\"\n  x-axis \"{heading}\" [{}]\n  \
         y-axis \"ms\" 0 --> {:.1}\n  line [{}]\n```",
        names.join(", "),
        differences.iter().max().copied().unwrap_or_default().as_secs_f64() * 1.5e3,
        milliseconds(&differences)
    );
    text
}

fn milliseconds(durations: &[Duration]) -> String {
    let texts: Vec<String> =
        durations.iter().map(|duration| format!("{:.3}", duration.as_secs_f64() * 1e3)).collect();
    texts.join(", ")
}

/// A duration in milliseconds.
pub fn duration(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1e3;
    if ms < 10.0 { format!("{ms:.3} ms") } else { format!("{ms:.1} ms") }
}

/// A size in the unit that suits it.
pub fn bytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "few digits are shown")]
    let kib = bytes as f64 / 1024.0;
    if kib < 1024.0 { format!("{kib:.0} KiB") } else { format!("{:.1} MiB", kib / 1024.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(name: &'static str, cpu: u64) -> Measured {
        Measured { name, cpu: vec![Duration::from_micros(cpu)], peak: 1 << 20, ..Measured::default() }
    }

    #[test]
    fn a_target_is_compared_with_what_it_speaks_of() {
        let alone = [measured(BYTES, 50), measured(FUNCTION, 200), measured(DECODING, 500)];
        let among = [measured(BYTES, 2000), measured(FUNCTION, 2400), measured(DECODING, 40_000)];
        let changing = [measured(FUNCTION, 300), measured(DECODING, 600)];
        let text = targets(&alone, &changing, &among, Duration::from_millis(5), 8 << 20);
        let rows: Vec<&str> = text.lines().skip(2).collect();
        let wanted =
            ["| 0.40 |", "| 0.50 |", "| 1.10 |", "| 1.00 |", "| 0 KiB |", "| 5.000 ms |", "| 8.0 MiB |"];
        assert_eq!(rows.len(), wanted.len());
        for (row, wanted) in rows.iter().zip(wanted) {
            assert!(row.ends_with(wanted), "{row}");
        }
    }

    #[test]
    fn a_curve_shows_what_is_added() {
        let text = curve("size", &[("1 KiB".to_owned(), vec![measured(BYTES, 50), measured(FUNCTION, 200)])]);
        assert!(text.contains("| 1 KiB | 0.050 ms | 0.200 ms | 0.150 ms |"), "{text}");
        assert!(text.contains("line [0.150]"), "{text}");
    }
}
