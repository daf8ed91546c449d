//! Times, paired: every round asks each server once, one after the other, so that whatever the
//! machine does meanwhile happens to all. What is compared is the ratio within a round; what is
//! reported is the median over the rounds.

use std::time::Duration;

use crate::Result;
use crate::load::{self, End, Outcome, Plan};
use crate::server::{Kind, Server, Setting};

/// How the clients behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Clients with a request under way at once.
    pub connections: usize,
    /// False: a new connection for each request.
    pub keep_alive: bool,
}

impl Case {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self { connections: 1, keep_alive: true },
        Self { connections: 8, keep_alive: true },
        Self { connections: 64, keep_alive: true },
        Self { connections: 1, keep_alive: false },
        Self { connections: 8, keep_alive: false },
        Self { connections: 64, keep_alive: false },
    ];
}

/// One server in one round.
#[derive(Clone, Debug)]
pub struct Sample {
    /// What the clients saw.
    pub outcome: Outcome,
    /// Processor time of the server for a request.
    pub cpu_us: f64,
}

/// A case: for each server its samples, round by round.
pub struct Table {
    /// What was measured.
    pub case: Case,
    /// By server; as many samples each as there were rounds.
    pub samples: Vec<(Kind, Vec<Sample>)>,
}

impl Table {
    /// The median of a figure of one server.
    pub fn median(&self, kind: Kind, figure: impl Fn(&Sample) -> f64) -> Option<f64> {
        median(self.of(kind)?.iter().map(figure).collect())
    }

    /// The median over the rounds of one server's figure divided by another's in the same round.
    pub fn ratio(&self, kind: Kind, to: Kind, figure: impl Fn(&Sample) -> f64) -> Option<f64> {
        let pairs = self.of(kind)?.iter().zip(self.of(to)?);
        median(pairs.map(|(one, other)| figure(one) / figure(other)).collect())
    }

    /// Requests of one server that failed, in all rounds.
    pub fn errors(&self, kind: Kind) -> u64 {
        self.of(kind).map_or(0, |samples| samples.iter().map(|sample| sample.outcome.errors).sum())
    }

    fn of(&self, kind: Kind) -> Option<&[Sample]> {
        self.samples.iter().find(|(other, _)| *other == kind).map(|(_, samples)| &**samples)
    }
}

/// Measures all cases. `say` is told of each that begins.
///
/// # Errors
/// When a server cannot be started or asked.
pub fn measure(
    setting: &Setting,
    rounds: usize,
    time: Duration,
    mut say: impl FnMut(Case),
) -> Result<Vec<Table>> {
    let kinds = Kind::ALL.into_iter().filter(|kind| kind.is_there());
    let servers: Vec<(Kind, Server)> =
        kinds.map(|kind| Ok((kind, Server::start(kind, setting, &[])?))).collect::<Result<_>>()?;
    let mut tables = Vec::new();
    for case in Case::ALL {
        say(case);
        let mut samples: Vec<(Kind, Vec<Sample>)> =
            servers.iter().map(|(kind, _)| (*kind, Vec::new())).collect();
        for _ in 0..rounds {
            for ((_, server), (_, samples)) in servers.iter().zip(&mut samples) {
                samples.push(sample(server, setting, case, time)?);
            }
        }
        tables.push(Table { case, samples });
    }
    servers.into_iter().try_for_each(|(_, server)| server.stop().map(drop))?;
    Ok(tables)
}

fn sample(server: &Server, setting: &Setting, case: Case, time: Duration) -> Result<Sample> {
    let Case { connections, keep_alive } = case;
    let (address, path) = (server.address, setting.path.clone());
    let plan =
        Plan { address, path, connections, end: End::Time(time), keep_alive, interval: None };
    let before = server.cpu_time()?;
    let outcome = load::run(&plan)?;
    let spent = server.cpu_time()?.saturating_sub(before);
    if outcome.requests == 0 {
        return Err(format!("{address} answered nothing").into());
    }
    let cpu_us = spent.as_secs_f64() * 1e6 / outcome.requests as f64;
    Ok(Sample { outcome, cpu_us })
}

/// The value in the middle; of an even number, between the two.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        length if length % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

/// By how much values differ: their standard deviation, in percent of their mean.
pub fn spread_percent(values: &[f64]) -> Option<f64> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt() / mean * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_are_the_same_have_no_spread() {
        for (values, expected) in [
            (&[][..], None),
            (&[7.0], None),
            (&[7.0, 7.0], Some(0.0)),
            (&[6.0, 8.0, 10.0], Some(25.0)),
        ] {
            assert_eq!(spread_percent(values), expected);
        }
    }

    #[test]
    fn a_median_has_as_many_below_as_above() {
        for (values, expected) in [
            (vec![], None),
            (vec![3.0], Some(3.0)),
            (vec![9.0, 1.0, 2.0], Some(2.0)),
            (vec![4.0, 1.0, 2.0, 100.0], Some(3.0)),
        ] {
            assert_eq!(median(values), expected);
        }
    }
}
