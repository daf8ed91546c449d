//! Health: what is measured about the process itself.

pub mod sample;
