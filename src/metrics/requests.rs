//! Answers by what was asked and what came of it: a table of fixed size, found by hashing.
//!
//! The numbers of routes and methods are those of whoever counts; nothing here depends on what
//! they mean.

use std::cell::Cell;

/// Rows; a power of two. Fewer come together in a long life, but a client that tries everything
/// everywhere would fill any table that it may add rows to.
const ROWS: usize = 256;
/// Rows that are given out: a look-up in a table that is nearly full is a long one.
const ROWS_USED_MAX: usize = ROWS / 4 * 3;

#[derive(Default)]
struct Row {
    /// Zero while it is free: no status is zero.
    key: Cell<u32>,
    count: Cell<u64>,
}

/// The table.
pub struct Requests {
    rows: [Row; ROWS],
    used: Cell<usize>,
    beyond: Cell<u64>,
}

impl Default for Requests {
    fn default() -> Self {
        let rows = std::array::from_fn(|_| Row::default());
        Self { rows, used: Cell::new(0), beyond: Cell::new(0) }
    }
}

impl Requests {
    /// One more answer with this status, to a request of this series: the numbers of its route
    /// and its method.
    pub fn count(&self, [route, method]: [u8; 2], code: u16) {
        let key = u32::from(route) << 24 | u32::from(method) << 16 | u32::from(code);
        let count = match self.find(key) {
            Some(row) => &row.count,
            None => &self.beyond,
        };
        count.set(count.get() + 1);
    }

    /// The row of a key; `None` when it has none and no more are given out.
    fn find(&self, key: u32) -> Option<&Row> {
        let first = (key.wrapping_mul(0x9E37_79B1) >> 16) as usize;
        let mut rows = (first..first + ROWS).map(|place| &self.rows[place % ROWS]);
        let row = rows.find(|row| row.key.get() == key || row.key.get() == 0)?;
        if row.key.get() == 0 {
            if self.used.get() >= ROWS_USED_MAX {
                return None;
            }
            self.used.set(self.used.get() + 1);
            row.key.set(key);
        }
        Some(row)
    }

    /// Series, status and count of every row, in order.
    pub fn rows(&self) -> Vec<([u8; 2], u16, u64)> {
        let mut rows: Vec<_> = self
            .rows
            .iter()
            .filter(|row| row.key.get() != 0)
            .map(|row| {
                let [route, method, high, low] = row.key.get().to_be_bytes();
                ([route, method], u16::from_be_bytes([high, low]), row.count.get())
            })
            .collect();
        rows.sort_unstable();
        rows
    }

    /// Answers that no row was left for.
    pub fn beyond(&self) -> u64 {
        self.beyond.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_series_and_status_has_a_row() {
        let requests = Requests::default();
        for _ in 0..3 {
            requests.count([2, 1], 200);
        }
        requests.count([2, 1], 503);
        requests.count([0, 0], 404);
        let rows = [([0, 0], 404, 1), ([2, 1], 200, 3), ([2, 1], 503, 1)];
        assert_eq!(requests.rows(), rows);
        assert_eq!(requests.beyond(), 0);
    }

    #[test]
    fn who_tries_everything_fills_no_more_than_its_part() {
        let requests = Requests::default();
        let tries = (0..=255).flat_map(|route| [200, 404, 503].map(|code| (route, code)));
        tries.clone().for_each(|(route, code)| requests.count([route, 7], code));
        assert_eq!(requests.rows().len(), ROWS_USED_MAX);
        let counted: u64 = requests.rows().iter().map(|(_, _, count)| count).sum();
        assert_eq!(counted + requests.beyond(), 3 * 256);
        let before = requests.beyond();
        requests.count([0, 7], 200);
        assert_eq!(requests.beyond(), before, "who has a row keeps it");
    }
}
