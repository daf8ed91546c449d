//! Health: what is measured about the process itself and its machine.

pub mod sample;
pub mod usage;
