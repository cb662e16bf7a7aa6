//! The texts of outcomes, reports and errors. Each sentence is written once, here.

pub mod change;
pub mod error;
pub mod event;
pub mod kernel;
pub mod letters;
pub mod log;
pub mod mask;
pub mod outcome;
mod pieces;
pub mod posture;
pub mod probe_report;
pub mod provenance;
pub mod ps;
pub mod rehearsal;
pub mod status;
pub mod target;
pub mod tree;
pub mod watch;
pub mod why;
