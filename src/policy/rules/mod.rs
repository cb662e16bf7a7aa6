//! Rules: who may ask for which module, and for which helper. The first rule that matches decides; where none does, a
//! request is allowed.
//!
//! ```text
//! allow name   fs-vfat fs-exfat nls_*   unit=udisks2.service
//! deny  module dccp sctp rds tipc       log=yes
//! allow helper /sbin/request-key
//! deny  name   *                        uid>=1000
//! allow *
//! ```
//!
//! `name` looks at the name that was asked for. `deny module P` holds if the name, **any** module that it resolves to or
//! **any** module that one of these depends on matches; `allow module P` needs **every** module that it resolves to.
//! `unresolved` is a name that no module answers. `helper` is a program of `call_usermodehelper`; it is matched as it is.
//!
//! What is not known of a requester satisfies a deny, never an allow. A command name is never a condition: every process
//! chooses its own.

mod check;
mod cited;
mod compile;
mod condition;
mod error;
mod export;
mod import;
mod index;
mod judge;
mod learn;
mod parse;
mod pieces;
mod rule;
mod ruleset;
#[cfg(test)]
mod tests;
pub(super) mod words;

pub use crate::abi::rules_mode::Mode;
pub use check::Remark;
pub use cited::{Because, Cited, Decision, Verdict, Wanted};
pub use compile::Compiled;
pub use condition::{Known, Requester};
pub use error::{Fault, Fix, What};
pub use import::{Import, import};
pub use judge::{Asked, Resolved};
pub use learn::{Learner, literal};
pub use rule::{Action, Object, Position, Rule};
pub use ruleset::{Rules, Source};
