//! The geometry of charts: numbers in, positions out; the SVG itself is in `templates/parts/`.
//!
//! Curves are drawn in a box of 1000 × 100 that is stretched to the panel, everything with text in percentages of
//! the panel's width, so that text keeps its size at every width.

use askama::Template;
use askama::filters::HtmlSafe;

use super::format;
use crate::rollup::latency::Latency;
use crate::rollup::window::Minute;
use crate::signals::telemetry::Nanos;

/// Height of a plot in pixels.
const HEIGHT: f64 = 132.0;

/// A stretch of time cut into equal columns of whole minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    /// First minute.
    pub from: Minute,
    /// First minute after.
    pub to: Minute,
    /// Minutes of one column.
    pub step: i64,
}

impl Columns {
    /// At most 150 columns; the last may reach beyond `to`.
    pub fn of(from: Minute, to: Minute) -> Columns {
        let span = to.0.saturating_sub(from.0).max(1);
        let steps = [1, 2, 3, 5, 10, 15, 30, 60, 120, 240, 480, 1440];
        let step = steps.into_iter().find(|step| span / step <= 150).unwrap_or(span / 150 + 1);
        Columns { from, to: Minute(from.0.saturating_add(span)), step }
    }

    /// How many.
    pub fn count(&self) -> usize {
        usize::try_from((self.to.0 - self.from.0 + self.step - 1) / self.step).unwrap_or(1).max(1)
    }

    /// The column that a minute falls in.
    pub fn at(&self, minute: Minute) -> Option<usize> {
        let inside = minute >= self.from && minute < self.to;
        inside.then(|| usize::try_from((minute.0 - self.from.0) / self.step).ok()).flatten()
    }

    /// Where an instant stands, in per cent of the width, held to the plot.
    fn share(&self, time: Nanos) -> f64 {
        let (from, to) = (self.from.start() as f64, self.to.start() as f64);
        (100.0 * (time as f64 - from) / (to - from).max(1.0)).clamp(0.0, 100.0)
    }

    /// Left edge of a column in the box.
    fn x(&self, column: usize) -> f64 {
        1000.0 * column as f64 / self.count() as f64
    }

    /// Round times on the axis in UTC, at most six.
    fn ticks(&self) -> Vec<Tick> {
        let span = self.to.0 - self.from.0;
        let steps = [1, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440, 2880, 7 * 1440, 30 * 1440];
        let step = steps.into_iter().find(|step| span / step <= 5).unwrap_or(span.max(1));
        let first =
            self.from.0.div_euclid(step) * step + if self.from.0.rem_euclid(step) == 0 { 0 } else { step };
        (0..8)
            .map(|n| Minute(first + n * step))
            .take_while(|minute| *minute <= self.to)
            .map(|minute| {
                // A day's beginning is named by its date, and so are ticks that are days apart.
                let pattern = if step >= 1440 || minute.0.rem_euclid(1440) == 0 { "%-d %b" } else { "%H:%M" };
                Tick { x: percent(self.share(minute.start())), text: format::stamp(minute.start(), pattern) }
            })
            .collect()
    }

    /// From when to when, for the script that puts ticks at round times of the viewer's zone.
    fn span(&self) -> (String, String) {
        (format::rfc3339(self.from.start()), format::rfc3339(self.to.start()))
    }
}

/// A round time on the axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    x: String,
    text: String,
}

/// A horizontal line and its label.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    y: String,
    label: String,
}

/// One curve: pieces between gaps, and points that stand alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// `bad`, `warn`, `calm` or `ink`: its colour.
    pub class: &'static str,
    /// What it shows.
    pub label: String,
    pieces: Vec<String>,
    dots: Vec<(String, String)>,
}

/// Something that stood for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// `bad`, `warn` or `info`: an amber incident is no red one.
    class: &'static str,
    x: String,
    width: String,
    /// Where its label stands and which way it reads.
    label_x: String,
    label_y: f64,
    anchor: &'static str,
    label: String,
}

/// A cell's darkness, 1 to 6, and all cells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shade {
    level: usize,
    path: String,
}

/// A chart over time.
#[derive(Clone, Debug, PartialEq, Template)]
#[template(path = "parts/plot.html")]
pub struct Plot {
    /// What it shows, for those who do not see it.
    pub says: String,
    height: f64,
    grid: Vec<Grid>,
    ticks: Vec<Tick>,
    span: (String, String),
    /// The curves, drawn in order.
    pub lines: Vec<Line>,
    marks: Vec<Mark>,
    shades: Vec<Shade>,
}

impl HtmlSafe for Plot {}

/// A curve to be: its class, its label, a value for each column.
pub type Series = (&'static str, String, Vec<Option<f64>>);

/// An incident to be marked: its class, from when to when, its label.
pub type Stood = (&'static str, Nanos, Nanos, String);

/// Shares of 1 over time. The axis ends at 100 % and starts at a round floor under the least value.
pub fn rates(says: String, columns: Columns, series: Vec<Series>, marks: &[Stood]) -> Plot {
    let least = series.iter().flat_map(|(_, _, values)| values.iter().flatten()).copied().fold(1.0, f64::min);
    let floor = [0.99, 0.9, 0.75, 0.5].into_iter().find(|floor| least >= *floor).unwrap_or(0.0);
    let y = |rate: f64| 100.0 * (1.0 - (rate - floor) / (1.0 - floor));
    let grid = [1.0, (1.0 + floor) / 2.0, floor];
    Plot {
        says,
        height: HEIGHT,
        grid: grid.map(|rate| Grid { y: px(y(rate)), label: format::percent(Some(rate)) }).into(),
        ticks: columns.ticks(),
        span: columns.span(),
        lines: series.into_iter().map(|series| line(columns, series, y)).collect(),
        marks: marks.iter().enumerate().map(|(at, mark)| span(columns, at, mark)).collect(),
        shades: Vec::new(),
    }
}

/// Amounts over time, from 0 to a round figure above the greatest.
pub fn amounts(says: String, columns: Columns, series: Vec<Series>, label: impl Fn(f64) -> String) -> Plot {
    let most = series.iter().flat_map(|(_, _, values)| values.iter().flatten()).copied().fold(0.0, f64::max);
    let top = round_up(most.max(2.0));
    let y = |amount: f64| 100.0 * (1.0 - amount / top);
    Plot {
        says,
        height: HEIGHT / 2.0,
        grid: [top, top / 2.0, 0.0]
            .map(|amount| Grid { y: format!("{:.1}", y(amount) * HEIGHT / 200.0), label: label(amount) })
            .into(),
        ticks: columns.ticks(),
        span: columns.span(),
        lines: series.into_iter().map(|series| line(columns, series, y)).collect(),
        marks: Vec::new(),
        shades: Vec::new(),
    }
}

/// Durations over time: the darker a cell, the more calls; over it the 95th percentile.
pub fn heatmap(says: String, columns: Columns, durations: &[Latency]) -> Option<Plot> {
    const ROWS: usize = 14;
    let all = || durations.iter().flat_map(Latency::iter).map(|(us, _)| us);
    let (low, high) = (round_down(all().min()? as f64), round_up(all().max()? as f64 + 1.0));
    // At least a factor of ten, so that a steady endpoint does not look wild.
    let high = if high < 10.0 * low { 10.0 * low } else { high };
    let depth = |us: f64| (1.0 - (us / low).ln() / (high / low).ln()).clamp(0.0, 1.0);
    let mut cells = vec![[0u64; ROWS]; columns.count()];
    for (column, latency) in cells.iter_mut().zip(durations) {
        for (us, count) in latency.iter() {
            let row = ((depth(us as f64) * ROWS as f64) as usize).min(ROWS - 1);
            column[row] += count;
        }
    }
    let most = cells.iter().flatten().copied().max().unwrap_or(1).max(1) as f64;
    let mut shades: Vec<Shade> = (1..=6).map(|level| Shade { level, path: String::new() }).collect();
    let (width, height) = (1000.0 / columns.count() as f64, 100.0 / ROWS as f64);
    for (at, column) in cells.iter().enumerate() {
        for (row, count) in column.iter().enumerate().filter(|(_, count)| **count > 0) {
            let level = ((6.0 * (*count as f64 / most).sqrt()).ceil() as usize).clamp(1, 6);
            let (x, y) = (columns.x(at), row as f64 * height);
            if let Some(shade) = shades.get_mut(level - 1) {
                shade.path += &format!("M{x:.2} {y:.2}h{width:.2}v{height:.2}h-{width:.2}z");
            }
        }
    }
    let p95 = durations.iter().map(|latency| latency.quantile_us(0.95).map(|us| us as f64)).collect();
    let middle = round_down((low * high).sqrt());
    Some(Plot {
        says,
        height: HEIGHT,
        grid: [high, middle, low]
            .map(|us| Grid { y: px(100.0 * depth(us)), label: format::micros(Some(us as u64)) })
            .into(),
        ticks: columns.ticks(),
        span: columns.span(),
        lines: vec![line(columns, ("ink", "p95".into(), p95), |us| 100.0 * depth(us))],
        marks: Vec::new(),
        shades,
    })
}

fn line(columns: Columns, (class, label, values): Series, y: impl Fn(f64) -> f64) -> Line {
    let mut line = Line { class, label, ..Line::default() };
    let half = 500.0 / columns.count() as f64;
    let points: Vec<Option<(f64, f64)>> = values
        .into_iter()
        .enumerate()
        .map(|(at, value)| value.map(|value| (columns.x(at) + half, y(value).clamp(0.0, 100.0))))
        .collect();
    for piece in points.split(Option::is_none).filter(|piece| !piece.is_empty()) {
        let piece: Vec<(f64, f64)> = piece.iter().flatten().copied().collect();
        match piece[..] {
            [(x, y)] => line.dots.push((percent(x / 10.0), format!("{y:.1}%"))),
            _ => line.pieces.push(joined(&piece)),
        }
    }
    line
}

fn joined(points: &[(f64, f64)]) -> String {
    points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ")
}

fn span(columns: Columns, at: usize, (class, from, to, label): &Stood) -> Mark {
    let (x, end) = (columns.share(*from), columns.share(*to));
    // The label stands on the side that has room.
    let (label_x, anchor) = if x > 50.0 { (x - 0.8, "end") } else { (x + 0.8, "start") };
    Mark {
        class,
        x: percent(x),
        width: percent((end - x).max(0.2)),
        label_x: percent(label_x),
        // One under another, so that incidents which began together are both read.
        label_y: HEIGHT - 6.0 - 14.0 * at as f64,
        anchor,
        label: label.clone(),
    }
}

/// A sparkline of shares of 1, 84 × 18 pixels.
#[derive(Clone, Debug, PartialEq, Template)]
#[template(path = "parts/spark.html")]
pub struct Spark {
    class: &'static str,
    pieces: Vec<String>,
    last: Option<(String, String)>,
}

impl HtmlSafe for Spark {}

/// A sparkline; none where no column has a value. Its floor is 90 %, lower where a value is.
pub fn spark(values: &[Option<f64>], class: &'static str) -> Option<Spark> {
    let floor = values.iter().flatten().copied().fold(0.9, f64::min);
    let step = 84.0 / values.len().saturating_sub(1).max(1) as f64;
    let y = |rate: f64| 2.0 + 14.0 * (1.0 - (rate - floor) / (1.0 - floor).max(0.01));
    let points: Vec<Option<(f64, f64)>> =
        values.iter().enumerate().map(|(at, value)| value.map(|rate| (at as f64 * step, y(rate)))).collect();
    let known: Vec<(f64, f64)> = points.iter().flatten().copied().collect();
    let last = known.last()?;
    Some(Spark {
        class,
        // Minutes without a judged call are bridged: a sparkline shows a course, the page's chart the gaps.
        pieces: if known.len() > 1 { vec![joined(&known)] } else { Vec::new() },
        last: Some((format!("{:.1}", last.0), format!("{:.1}", last.1))),
    })
}

/// A row of marks, one for each half hour of a day.
#[derive(Clone, Debug, PartialEq, Template)]
#[template(path = "parts/strip.html")]
pub struct Strip {
    /// What it shows, for those who do not see it.
    pub says: String,
    /// (x, `ok`, `warn`, `bad` or `quiet`).
    cells: Vec<(usize, &'static str)>,
}

impl HtmlSafe for Strip {}

/// A strip of cells, oldest first.
pub fn strip(says: String, cells: Vec<&'static str>) -> Strip {
    Strip { says, cells: cells.into_iter().enumerate().map(|(at, class)| (at * 6, class)).collect() }
}

/// A share of 1 as a bar.
#[derive(Clone, Debug, PartialEq, Template)]
#[template(path = "parts/bar.html")]
pub struct Bar {
    class: &'static str,
    width: String,
}

impl HtmlSafe for Bar {}

/// A bar that fills `share` of its cell, at least a sliver.
pub fn bar(class: &'static str, share: f64) -> Bar {
    Bar { class, width: percent((100.0 * share).clamp(1.0, 100.0)) }
}

/// A figure in per cent of the width, as SVG reads it.
pub fn percent(share: f64) -> String {
    format!("{share:.2}%")
}

fn px(y: f64) -> String {
    format!("{:.1}", y * HEIGHT / 100.0)
}

/// The next of 1, 2, 5, 10, 20 … at or above.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|round| *round >= value).unwrap_or(value)
}

/// The next of 1, 2, 5, 10, 20 … at or below.
fn round_down(value: f64) -> f64 {
    let power = 10f64.powf(value.max(1.0).log10().floor());
    [5.0, 2.0, 1.0].into_iter().map(|step| step * power).find(|round| *round <= value).unwrap_or(power)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Nanos = 1_763_978_400_000_000_000;

    fn hours(n: i64) -> Columns {
        let to = Minute::of(NOW);
        Columns::of(Minute(to.0 - 60 * n), to)
    }

    #[test]
    fn columns_are_few_and_cover_the_stretch() {
        for (n, count) in [(1, 60), (6, 120), (24, 144), (24 * 35, 105)] {
            let columns = hours(n);
            assert_eq!(columns.count(), count);
            assert_eq!(columns.at(columns.from), Some(0));
            assert_eq!(columns.at(Minute(columns.to.0 - 1)), Some(count - 1));
            assert_eq!(columns.at(columns.to), None);
        }
    }

    #[test]
    fn ticks_name_the_day_where_one_begins() {
        let texts = |n| hours(n).ticks().into_iter().map(|tick| tick.text).collect::<Vec<_>>();
        assert_eq!(texts(24), ["12:00", "18:00", "24 Nov", "06:00"]);
        assert_eq!(texts(24 * 7), ["18 Nov", "20 Nov", "22 Nov", "24 Nov"]);
    }

    #[test]
    fn a_gap_breaks_the_line_and_a_lone_value_is_a_dot() {
        let columns = Columns::of(Minute(0), Minute(6));
        let values = vec![Some(1.0), Some(0.5), None, Some(1.0), None, None];
        let plot = rates("rate".into(), columns, vec![("calm", "a".into(), values)], &[]);
        assert_eq!(plot.lines[0].pieces, ["83.3,0.0 250.0,100.0"]);
        assert_eq!(plot.lines[0].dots.len(), 1);
        let labels: Vec<&str> = plot.grid.iter().map(|grid| &*grid.label).collect();
        assert_eq!(labels, ["100\u{202f}%", "75\u{202f}%", "50\u{202f}%"]);
    }

    #[test]
    fn a_label_from_outside_is_escaped() {
        let from = hours(1).from.start();
        let mark = ("warn", from, NOW, "<script>".to_owned());
        let html = rates("\"><b>".into(), hours(1), Vec::new(), &[mark]).render().unwrap();
        assert!(!html.contains("<script>") && !html.contains("<b>"), "{html}");
        assert!(html.contains("class=\"mark warn\""), "a warning is not painted red: {html}");
    }

    #[test]
    fn a_heatmap_needs_a_call_and_spans_a_factor_of_ten() {
        assert!(heatmap(String::new(), hours(1), &[Latency::default()]).is_none());
        let mut latency = Latency::default();
        latency.record(200_000, 10);
        let plot = heatmap(String::new(), hours(1), &[latency]).unwrap();
        let labels: Vec<&str> = plot.grid.iter().map(|grid| &*grid.label).collect();
        assert_eq!(labels, ["1\u{202f}s", "200\u{202f}ms", "100\u{202f}ms"]);
    }

    #[test]
    fn round_figures() {
        assert_eq!([round_up(1.0), round_up(1204.0), round_up(0.3)], [1.0, 2000.0, 0.5]);
        assert_eq!([round_down(1.0), round_down(1204.0), round_down(999.0)], [1.0, 1000.0, 500.0]);
    }
}
