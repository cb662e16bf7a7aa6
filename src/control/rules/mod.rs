//! Rules as an operator handles them: their files, what a ledger says about them, and their texts.

mod counts;
mod differ;
mod files;
pub mod json;
mod live;
mod order;
mod replay;
mod strictest;
pub mod text;
mod unknown;
mod verdict;
mod waiters;

pub use super::rules_view::{Asking, Denied, RuleUse, RulesView};
pub use differ::differing;
pub use files::{Folders, from_path, to_import};
pub use live::{Live, Refused, Report, Say, compiled};
pub use order::{Now, Order, OrderFile, publish};
pub use replay::{Change, Counts, Replay, is_before_rules, requester, was_denied};
pub use strictest::Strictest;
pub use unknown::unknown_requesters;
pub use verdict::{Answers, Asks, Given, Judge, Open, Told, Untaken};
pub use waiters::Waiters;
