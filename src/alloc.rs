//! The counting allocator: how much heap the program holds, and the most it ever held; what SQLite
//! says of its own; and what must be set while the process has one thread.
//!
//! This is the one file with `unsafe` in it. It forwards every call to the system allocator
//! unchanged and keeps three numbers beside it; it owns no memory and takes no lock. The counts
//! are atomics only because the threads that block allocate too.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Install it with `#[global_allocator]` in the binary or the test crate.
pub struct Counting;

static USED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

/// Bytes handed out now.
pub fn used_bytes() -> usize {
    USED.load(Relaxed)
}

/// Most bytes handed out at once since the start or the last [`restart_peak`].
pub fn peak_bytes() -> usize {
    PEAK.load(Relaxed)
}

/// Allocations made since the start; reallocations count as one each.
pub fn allocations() -> usize {
    ALLOCATIONS.load(Relaxed)
}

/// Lets the peak be measured anew from what is used now.
pub fn restart_peak() {
    PEAK.store(USED.load(Relaxed), Relaxed);
}

/// Prepares the process: call it first in `main`, while there is one thread.
///
/// It keeps glibc to one arena and to returning what it frees: with the default of eight arenas
/// a core each thread would hold on to its own, unseen by the budget.
pub fn configure() {
    // SAFETY: mallopt only sets tunables of malloc.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 128 * 1024);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 64 * 1024);
    }
}

/// Gives back to the system what is free. Of itself malloc keeps a little at the top, and all that
/// lies below something in use.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes no pointer, and malloc's own lock is its business.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Bytes that SQLite has allocated now, and the most that it had at once. It has an allocator of its
/// own, which keeps these counts for its limit.
pub fn database_bytes() -> (usize, usize) {
    // SAFETY: both only read counts, under a lock of their own.
    let (used, peak) = unsafe {
        (rusqlite::ffi::sqlite3_memory_used(), rusqlite::ffi::sqlite3_memory_highwater(0))
    };
    let bytes = |count| usize::try_from(count).unwrap_or(0);
    (bytes(used), bytes(peak))
}

fn grow(bytes: usize) {
    let used = USED.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(used, Relaxed);
}

// SAFETY: every method forwards its arguments unchanged to `System`, whose guarantees are
// therefore ours, and counts without touching the memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises about `layout` are passed on.
        let memory = unsafe { System.alloc(layout) };
        if !memory.is_null() {
            ALLOCATIONS.fetch_add(1, Relaxed);
            grow(layout.size());
        }
        memory
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises about `layout` are passed on.
        let memory = unsafe { System.alloc_zeroed(layout) };
        if !memory.is_null() {
            ALLOCATIONS.fetch_add(1, Relaxed);
            grow(layout.size());
        }
        memory
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promises about `memory` and `layout` are passed on.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promises about `memory` and `layout` are passed on.
        let moved = unsafe { System.realloc(memory, layout, new_size) };
        if !moved.is_null() {
            ALLOCATIONS.fetch_add(1, Relaxed);
            USED.fetch_sub(layout.size(), Relaxed);
            grow(new_size);
        }
        moved
    }
}
