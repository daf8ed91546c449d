//! Every row of the matrix, a step a second.

use super::*;
use crate::config::usual_health;

/// What a state has told, each with its second.
#[derive(Default)]
struct Bench {
    state: State,
    held: Option<Flag>,
    told: Vec<(u64, Verdict)>,
}

impl Bench {
    /// One step a second, with the symptoms of each; parts that are off are off.
    fn run(&mut self, seconds: std::ops::Range<u64>, symptoms: impl Fn(&State) -> Symptoms) {
        let settings = usual_health().rollback;
        for second in seconds {
            let (mut flags, mut held) = (Flags::ON, Flags::OFF);
            Flag::ALL.into_iter().for_each(|it| flags.set(it, self.state.cause(it).is_none()));
            self.held.into_iter().for_each(|it| held.set(it, true));
            let symptoms = symptoms(&self.state);
            let now = Moment::default() + Duration::from_secs(second);
            let told = &mut self.told;
            self.state.step(&symptoms, (flags, held), &settings, now, |it| told.push((second, it)));
        }
    }

    fn told(&mut self) -> Vec<(u64, Verdict)> {
        std::mem::take(&mut self.told)
    }
}

use Cause::{Cpu, Latency, Memory, Slower};
use Verdict::{Back, Off};

const WELL: Symptoms = Symptoms {
    memory_critical: false,
    cpu_critical: false,
    latency: None,
    latency_bound: None,
    latency_with: None,
    latency_without: None,
    slower: None,
    errors: None,
};

#[test]
fn parts_go_one_at_a_time_and_come_back_one_at_a_time() {
    let memory = Symptoms { memory_critical: true, ..WELL };
    let cpu = Symptoms { cpu_critical: true, ..WELL };
    let (first, second) = (Flag::Caching, Flag::ConnectionPooling);
    let mut bench = Bench::default();
    bench.run(0..1000, |_| memory);
    assert_eq!(bench.told(), [(60, Off(first, Memory)), (120, Off(second, Memory))]);
    bench.run(1000..2000, |_| WELL);
    assert_eq!(bench.told(), [(1300, Back(second)), (1600, Back(first))]);
    // The processor has only one: warming is off by then.
    bench.run(2000..3000, |_| cpu);
    bench.run(3000..4000, |_| WELL);
    assert_eq!(bench.told(), [(2300, Off(Flag::Batching, Cpu)), (3300, Back(Flag::Batching))]);
}

#[test]
fn a_condition_that_does_not_last_moves_nothing() {
    let mut bench = Bench::default();
    for start in (0..1000).step_by(100) {
        bench.run(start..start + 59, |_| Symptoms { memory_critical: true, ..WELL });
        bench.run(start + 59..start + 100, |_| WELL);
    }
    assert_eq!(bench.told(), []);
}

#[test]
fn a_part_that_has_to_go_again_stays_off_for_twice_as_long() {
    let mut bench = Bench::default();
    // As long as there is a cache, memory is critical.
    bench.run(0..4000, |state| Symptoms {
        memory_critical: state.cause(Flag::Caching).is_none(),
        ..WELL
    });
    let off = Off(Flag::Caching, Memory);
    let back = Back(Flag::Caching);
    let expected =
        [(60, off), (361, back), (422, off), (1023, back), (1084, off), (2285, back), (2346, off)];
    assert_eq!(bench.told(), expected);
}

#[test]
fn the_part_without_which_latency_falls_is_found() {
    for culprit in [Flag::Warming, Flag::Batching, Flag::Deduplication, Flag::RequestPipeline] {
        let mut bench = Bench::default();
        bench.run(0..530, |state| Symptoms {
            latency: Some(if state.cause(culprit).is_some() { 90.0 } else { 500.0 }),
            latency_bound: Some(200.0),
            ..WELL
        });
        let told = bench.told();
        assert_eq!(told.first(), Some(&(180, Off(Flag::Warming, Latency))));
        assert!(told.iter().all(|(_, verdict)| *verdict != Back(culprit)));
        assert_eq!(bench.state.cause(culprit), Some(Latency), "{told:?}");
        assert!(!bench.state.is_on_trial(culprit));
        let off = Flag::ALL.into_iter().filter(|flag| bench.state.cause(*flag).is_some());
        assert_eq!(off.count(), 1);
    }
}

#[test]
fn parts_that_are_not_the_cause_come_back_and_are_left_alone() {
    let mut bench = Bench::default();
    let slow = Symptoms { latency: Some(500.0), latency_bound: Some(200.0), ..WELL };
    bench.run(0..2000, |_| slow);
    let told = bench.told();
    assert_eq!(told.len(), 8, "each went once and came back: {told:?}");
    assert_eq!(told[1], (255, Back(Flag::Warming)));
    // A trial that makes things worse ends sooner.
    let mut bench = Bench::default();
    bench.run(0..260, |state| {
        let is_worse = state.cause(Flag::Warming).is_some();
        Symptoms { latency: Some(if is_worse { 800.0 } else { 500.0 }), ..slow }
    });
    assert_eq!(bench.told()[..2], [(180, Off(Flag::Warming, Latency)), (200, Back(Flag::Warming))]);
}

#[test]
fn a_trial_that_nobody_asks_in_convicts_nobody() {
    let mut bench = Bench::default();
    bench.run(0..600, |state| Symptoms {
        latency: state.cause(Flag::Warming).is_none().then_some(500.0),
        latency_bound: Some(200.0),
        ..WELL
    });
    let expected = [(180, Off(Flag::Warming, Latency)), (255, Back(Flag::Warming))];
    assert_eq!(bench.told()[..2], expected);
    assert_eq!(bench.state.cause(Flag::Warming), None);
}

/// The next part takes the step, and one that is off is so no longer.
#[test]
fn what_an_operator_holds_on_does_not_go() {
    let memory = Symptoms { memory_critical: true, ..WELL };
    let mut bench = Bench { held: Some(Flag::Caching), ..Bench::default() };
    bench.run(0..200, |_| memory);
    assert_eq!(bench.told(), [(60, Off(Flag::ConnectionPooling, Memory))]);
    bench.held = Some(Flag::ConnectionPooling);
    bench.run(200..300, |_| memory);
    let expected = [(200, Back(Flag::ConnectionPooling)), (201, Off(Flag::Caching, Memory))];
    assert_eq!(bench.told(), expected);
    // A trial that an operator ends tells nothing.
    let slow = Symptoms { latency: Some(500.0), latency_bound: Some(200.0), ..WELL };
    let mut bench = Bench::default();
    bench.run(0..200, |_| slow);
    assert_eq!(bench.told(), [(180, Off(Flag::Warming, Latency))]);
    bench.held = Some(Flag::Warming);
    bench.run(200..210, |_| slow);
    let expected = [(200, Back(Flag::Warming)), (201, Off(Flag::Batching, Latency))];
    assert_eq!(bench.told(), expected);
}

#[test]
fn clients_without_the_pipeline_tell_whether_it_is_the_cause() {
    let slow = Symptoms {
        latency: Some(500.0),
        latency_bound: Some(200.0),
        latency_with: Some(500.0),
        ..WELL
    };
    for (without, expected) in
        [(100.0, vec![(180, Off(Flag::RequestPipeline, Latency))]), (490.0, vec![])]
    {
        let mut bench = Bench::default();
        bench.run(0..600, |_| Symptoms { latency_without: Some(without), ..slow });
        assert_eq!(bench.told(), expected);
        assert!(!bench.state.is_on_trial(Flag::RequestPipeline));
    }
}

#[test]
fn a_version_that_is_slower_is_reported_and_the_pipeline_goes_if_it_is_the_cause() {
    let slow = Symptoms { slower: Some(15.0), ..WELL };
    let mut bench = Bench::default();
    bench.run(0..300, |_| Symptoms { slower: Some(9.0), ..WELL });
    bench.run(300..600, |_| slow);
    assert_eq!(bench.told(), [(480, Verdict::Slower(true))]);
    let compared = Symptoms { latency_with: Some(9.0), latency_without: Some(3.0), ..slow };
    bench.run(600..700, |_| compared);
    assert_eq!(bench.told(), [(600, Off(Flag::RequestPipeline, Slower))]);
    bench.run(700..800, |_| WELL);
    assert_eq!(bench.told(), [(760, Verdict::Slower(false))]);
}

#[test]
fn errors_ask_for_the_last_good_configuration_once() {
    let mut bench = Bench::default();
    bench.run(0..500, |_| Symptoms { errors: Some(6.0), ..WELL });
    bench.run(500..700, |_| WELL);
    bench.run(700..800, |_| Symptoms { errors: Some(100.0), ..WELL });
    assert_eq!(bench.told(), [(60, Verdict::Revert), (760, Verdict::Revert)]);
}

#[test]
fn whoever_turns_it_off_gets_back_what_it_has_taken() {
    let mut bench = Bench::default();
    bench.run(0..200, |_| Symptoms { memory_critical: true, ..WELL });
    assert_eq!(bench.told().len(), 2);
    let settings = Rollback { enabled: false, ..usual_health().rollback };
    let mut back = Vec::new();
    for second in 200..500 {
        let now = Moment::default() + Duration::from_secs(second);
        let symptoms = Symptoms { memory_critical: true, errors: Some(50.0), ..WELL };
        bench
            .state
            .step(&symptoms, (Flags::ON, Flags::OFF), &settings, now, |verdict| back.push(verdict));
    }
    assert_eq!(back, [Back(Flag::ConnectionPooling), Back(Flag::Caching)]);
}
