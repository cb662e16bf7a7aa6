//! Floor 4: the grammar of commands, shared by the shell and the console's command line, and what each verb does.
#![forbid(unsafe_code)]

pub mod complete;
pub mod knobs;
pub mod operate;
pub mod options;
pub mod perform;
pub mod span;
pub mod verb;
pub mod when;
