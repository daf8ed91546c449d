//! What the program shall reach. Every bar says which of these it is about, and so a report can
//! show that none is left out.

use nanoserde::{DeJson, SerJson};

/// One thing to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, SerJson, DeJson)]
pub enum Goal {
    /// Processor time and rate of answers from the cache.
    CachedGet,
    /// User instructions of one.
    Instructions,
    /// Syscalls of one.
    Syscalls,
    /// Heap allocations of one.
    Allocations,
    /// What an idle connection holds.
    IdleConnection,
    /// Processor time of an answer that is not in the cache.
    CacheMiss,
    /// What a refresh of a large feed costs.
    Refresh,
    /// From the start to an answer.
    Start,
    /// The same after a sudden death.
    StartAfterDeath,
    /// Memory when nobody asks.
    IdleMemory,
    /// Processor time when nobody asks.
    IdleProcessor,
    /// Processor time beside the programs that this one replaces.
    BesidePython,
    /// What the flags are worth.
    Flags,
    /// What the connections that are kept are worth.
    Pooling,
    /// What batches are worth.
    Batching,
    /// Costs that do not grow with the calendar or with the clients.
    Scale,
    /// The binary.
    Size,
    /// All of it together: memory beside the programs that this one replaces.
    CombinedMemory,
    /// The same for the time to an answer.
    CombinedLatency,
    /// The same for processor time.
    CombinedProcessor,
    /// No part spoils another.
    Conflicts,
    /// Figures that repeat.
    Variance,
}

impl Goal {
    /// Those of each part of the program.
    pub const SINGLE: [Self; 17] = [
        Self::CachedGet,
        Self::Instructions,
        Self::Syscalls,
        Self::Allocations,
        Self::IdleConnection,
        Self::CacheMiss,
        Self::Refresh,
        Self::Start,
        Self::StartAfterDeath,
        Self::IdleMemory,
        Self::IdleProcessor,
        Self::BesidePython,
        Self::Flags,
        Self::Pooling,
        Self::Batching,
        Self::Scale,
        Self::Size,
    ];
    /// Those of the whole: against the Python programs, and against itself with its flags off.
    pub const COMBINED: [Self; 5] = [
        Self::CombinedMemory,
        Self::CombinedLatency,
        Self::CombinedProcessor,
        Self::Conflicts,
        Self::Variance,
    ];

    /// What the report calls it.
    pub fn title(self) -> &'static str {
        match self {
            Self::CachedGet => "cached GET, kept alive",
            Self::Instructions => "instructions of a cached GET",
            Self::Syscalls => "syscalls of a cached GET",
            Self::Allocations => "heap allocations of a cached GET",
            Self::IdleConnection => "memory of an idle connection",
            Self::CacheMiss => "cache miss, what's-next, 500 events",
            Self::Refresh => "refresh of 20,000 events",
            Self::Start => "start to the first answer from the store",
            Self::StartAfterDeath => "the same after kill -9 during writes",
            Self::IdleMemory => "memory when idle, 500 events",
            Self::IdleProcessor => "processor when idle",
            Self::BesidePython => "CPU of a what's-next answer, beside the Python programs",
            Self::Flags => "flags on against off",
            Self::Pooling => "connections kept against one for each fetch and read",
            Self::Batching => "batching on against off, cold burst",
            Self::Scale => "flat from 10 to 20,000 events, and from one client to all slots",
            Self::Size => "stripped binary",
            Self::CombinedMemory => "memory, beside the Python programs",
            Self::CombinedLatency => "latency",
            Self::CombinedProcessor => "CPU",
            Self::Conflicts => "no conflicts",
            Self::Variance => "variance between rounds",
        }
    }

    /// The section of the report that measures it.
    pub fn section(self) -> &'static str {
        match self {
            Self::CachedGet
            | Self::Instructions
            | Self::Syscalls
            | Self::Allocations
            | Self::IdleConnection => "http",
            Self::Refresh => "ical",
            Self::Pooling => "connections",
            Self::BesidePython
            | Self::Flags
            | Self::Batching
            | Self::CombinedMemory
            | Self::CombinedLatency
            | Self::CombinedProcessor
            | Self::Conflicts
            | Self::Variance => "pipeline",
            Self::CacheMiss
            | Self::Start
            | Self::StartAfterDeath
            | Self::IdleMemory
            | Self::IdleProcessor
            | Self::Scale
            | Self::Size => "program",
        }
    }
}
