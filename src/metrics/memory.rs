//! Memory against the plan: of each term of the budget its share, what is used of it and the most
//! that ever was. Whoever owns the memory says what is used; whether that is counted byte by byte
//! or worked out from a number of things stands with each.

use std::cell::Cell;

/// One term of the budget.
pub struct Usage {
    name: &'static str,
    how: &'static str,
    share: Cell<u64>,
    used: Cell<u64>,
    peak: Cell<u64>,
    times_over: Cell<u64>,
}

impl Usage {
    fn new(name: &'static str, how: &'static str) -> Self {
        let [used, peak, times_over] = [const { Cell::new(0) }; 3];
        Self { name, how, share: Cell::new(u64::MAX), used, peak, times_over }
    }

    /// The term's name in the plan.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How its figures come about.
    pub fn how(&self) -> &'static str {
        self.how
    }

    /// Bytes that are set aside; as many as there can be as long as nobody has said.
    pub fn share(&self) -> u64 {
        self.share.get()
    }

    /// Bytes in use.
    pub fn used(&self) -> u64 {
        self.used.get()
    }

    /// Most bytes in use at once.
    pub fn peak(&self) -> u64 {
        self.peak.get()
    }

    /// How often it went over its share.
    pub fn times_over(&self) -> u64 {
        self.times_over.get()
    }

    /// True while more is in use than is set aside.
    pub fn is_over(&self) -> bool {
        self.used() > self.share()
    }

    /// So many bytes are in use now.
    pub fn set(&self, bytes: usize) {
        let was_over = self.is_over();
        self.used.set(bytes as u64);
        self.peak.set(self.peak().max(self.used()));
        if self.is_over() && !was_over {
            self.times_over.set(self.times_over() + 1);
        }
    }

    /// The same, and so many at once some time before.
    pub fn set_with_peak(&self, bytes: usize, peak_bytes: usize) {
        self.peak.set(self.peak().max(peak_bytes as u64));
        self.set(bytes);
    }

    /// So many more are in use until the guard is dropped.
    pub fn hold(&self, bytes: usize) -> Held<'_> {
        let mut held = Held { usage: self, bytes: 0 };
        held.resize(bytes);
        held
    }
}

/// Memory in use.
pub struct Held<'u> {
    usage: &'u Usage,
    bytes: usize,
}

impl Held<'_> {
    /// It is so many bytes now.
    pub fn resize(&mut self, bytes: usize) {
        let others = (self.usage.used() as usize).saturating_sub(self.bytes);
        self.bytes = bytes;
        self.usage.set(others + bytes);
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.resize(0);
    }
}

macro_rules! usages {
    ($($field:ident $name:literal $how:literal;)*) => {
        /// Every term of the plan.
        pub struct Memory {
            $(#[doc = $how] pub $field: Usage,)*
        }

        impl Default for Memory {
            fn default() -> Self {
                Self { $($field: Usage::new($name, $how),)* }
            }
        }

        impl Memory {
            /// All terms, in the plan's order.
            pub fn terms(&self) -> impl Iterator<Item = &Usage> {
                [$(&self.$field),*].into_iter()
            }
        }
    };
}

usages! {
    program "program" "measured: anonymous memory that belongs to no other term, and pages of the binary and its libraries, as many as it works with";
    connections "connections" "counted: slots that were ever let, clients' rates, recent heads";
    socket_buffers "socket buffers" "worked out: two full buffers for each client that leaves its socket full";
    large_requests "large requests" "counted: buffers that were ever lent";
    cache "cache" "counted: every byte of the answers and their keys";
    slow_readers "slow readers" "counted: each holder's part of the answers half sent";
    views "views" "counted: entries read and the answer made of them, and what one that is being sent takes beyond the slow readers' share";
    database "database" "measured: what SQLite has allocated";
    refreshes "refreshes" "counted: buffers, lines, components and stages of the refreshes under way";
    expansion "expansion" "counted: what was expanded for the feeds that were published";
    outbound "outbound" "worked out: a TLS connection's peak for each that is open";
    health "health" "worked out: a fixed size";
    feeds "feeds" "counted: names, states and notes of every feed";
    history "history" "counted: all points, from the start on";
    people "people" "counted: what people skip, hide and set";
}

impl Memory {
    /// Sets what is set aside for a term. False when there is no such term.
    pub fn plan(&self, name: &str, bytes: usize) -> bool {
        let usage = self.terms().find(|usage| usage.name == name);
        usage.inspect(|usage| usage.share.set(bytes as u64)).is_some()
    }

    /// What all terms use together: what the process takes of its budget.
    pub fn used(&self) -> u64 {
        self.terms().map(Usage::used).sum()
    }

    /// The terms that use more than is set aside for them.
    pub fn over(&self) -> impl Iterator<Item = &Usage> {
        self.terms().filter(|usage| usage.is_over())
    }

    /// How often any term went over.
    pub fn times_over(&self) -> u64 {
        self.terms().map(Usage::times_over).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_over_its_share_is_seen_once_until_it_is_back() {
        let memory = Memory::default();
        assert!(memory.plan("cache", 100) && !memory.plan("nothing", 1));
        for (used, over, times) in
            [(100, 0, 0), (101, 1, 1), (200, 1, 1), (100, 0, 1), (101, 1, 2), (0, 0, 2)]
        {
            memory.cache.set(used);
            assert_eq!((memory.over().count(), memory.times_over()), (over, times), "{used}");
        }
        assert_eq!(memory.cache.peak(), 200);
        memory.views.set(usize::MAX);
        assert_eq!(memory.over().count(), 0, "nobody has said what is set aside");
    }

    #[test]
    fn what_is_held_counts_until_it_is_dropped() {
        let usage = Usage::new("a", "b");
        let mut first = usage.hold(10);
        drop(usage.hold(5));
        first.resize(3);
        assert_eq!((usage.used(), usage.peak()), (3, 15));
        drop(first);
        assert_eq!(usage.used(), 0);
        usage.set_with_peak(1, 20);
        assert_eq!((usage.used(), usage.peak()), (1, 20));
    }
}
