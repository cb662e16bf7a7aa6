//! khelper: what this machine runs on the kernel's behalf.
#![warn(missing_docs)]

pub mod abi;
pub mod app;
pub mod cli;
pub mod control;
pub mod engine;
pub mod policy;
pub mod sys;
pub mod tui;
