//! The memory that requests are read into: a small buffer for every slot, side by side, and a
//! few large ones that are lent to requests that outgrow theirs. Nothing is allocated beyond
//! what the budget has set aside.

use super::slab::Token;
use crate::budget::HttpLimits;

/// All buffers of the server.
pub(super) struct Buffers {
    slots: Box<[u8]>,
    slot_bytes: usize,
    large_bytes: usize,
    large_max: usize,
    /// Made at the first need and kept.
    large_free: Vec<Box<[u8]>>,
    large_lent: usize,
}

impl Buffers {
    /// The buffers of these limits.
    pub(super) fn new(limits: &HttpLimits) -> Self {
        Self {
            slots: vec![0; limits.slots * limits.slot_buffer_bytes].into(),
            slot_bytes: limits.slot_buffer_bytes,
            large_bytes: limits.large_buffer_bytes,
            large_max: limits.large_buffers,
            large_free: Vec::new(),
            large_lent: 0,
        }
    }

    /// The slot's own buffer.
    pub(super) fn slot(&mut self, token: Token) -> &mut [u8] {
        let start = token.slot() * self.slot_bytes;
        &mut self.slots[start..start + self.slot_bytes]
    }

    /// A large buffer that begins with what the slot's own holds; `None` when all are lent.
    pub(super) fn lend(&mut self, token: Token) -> Option<Box<[u8]>> {
        if self.large_lent >= self.large_max {
            return None;
        }
        let new = || vec![0; self.large_bytes].into_boxed_slice();
        let mut large = self.large_free.pop().unwrap_or_else(new);
        let slot_bytes = self.slot_bytes;
        large[..slot_bytes].copy_from_slice(self.slot(token));
        self.large_lent += 1;
        Some(large)
    }

    /// What was ever lent, and is kept.
    pub(super) fn large_weight_bytes(&self) -> usize {
        (self.large_free.len() + self.large_lent) * self.large_bytes
    }

    /// What so many slots have of their own.
    pub(super) fn slots_weight_bytes(&self, slots: usize) -> usize {
        slots * self.slot_bytes
    }

    /// Takes a large buffer back.
    pub(super) fn take_back(&mut self, large: Box<[u8]>) {
        self.large_free.push(large);
        self.large_lent -= 1;
    }
}
