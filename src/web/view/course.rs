//! How figures went over time: a value for each column of a chart.

use super::calls::{self, EndpointKey, Endpoints, Seldom, Summary};
use super::queue::Queue;
use crate::rollup::latency::Latency;
use crate::rollup::window::Part;
use crate::web::chart::Columns;

/// Calls by endpoint for each column.
pub struct Course(Vec<Endpoints>);

impl Course {
    /// Reads a window once for all curves drawn from it.
    pub fn of(part: &Part, columns: Columns, with_durations: bool) -> Course {
        let window = (columns.from, columns.to);
        Course(calls::by_column(part, window, columns.count(), |minute| columns.at(minute), with_durations))
    }

    /// The success rate of the endpoints that pass, by column.
    pub fn rates(&self, seldom: &Seldom, pass: impl Fn(&EndpointKey) -> bool) -> Vec<Option<f64>> {
        self.0.iter().map(|column| Summary::over(column, seldom, &pass).judged.success_rate()).collect()
    }

    /// Durations of ok and partial attempts of the endpoints that pass, by column.
    pub fn durations(&self, pass: impl Fn(&EndpointKey) -> bool) -> Vec<Latency> {
        self.0.iter().map(|column| Summary::over(column, &Seldom::new(), &pass).good).collect()
    }
}

/// The depth of a queue by column: the latest in it.
pub fn depths(queue: &Queue, columns: Columns) -> Vec<Option<f64>> {
    let mut depths = vec![None; columns.count()];
    for (minute, depth) in &queue.history {
        if let Some(slot) = columns.at(*minute).and_then(|at| depths.get_mut(at)) {
            *slot = Some(*depth);
        }
    }
    depths
}
