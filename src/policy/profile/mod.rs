//! Profiles: what a helper is confined to. A file of `profiles.d` is one profile, and its name is the profile's.
//!
//! ```text
//! # profiles.d/keys.profile
//! user         = nobody
//! capabilities = empty
//! no_new_privs = yes
//! execute      = /usr /bin /sbin /lib -/lib64
//! read         = /etc /proc/keys
//! deny_calls   = setns unshare mount ptrace
//! rlimit.nofile = 64
//! ```
//!
//! A line is `KEY = VALUE`; blanks separate the items of a list. A line that is empty or begins with `#` is a comment. Every
//! key may be there once. A path that begins with `-` is passed over where it does not exist.
//!
//! Capabilities alone do not confine a helper of uid 0: it owns root's files ([`remarks`]).

mod answer;
mod calls;
mod error;
mod parse;
mod remarks;
#[cfg(test)]
mod tests;
mod words;

pub use crate::abi::profile::{Calls, Ids, Part, Paths, Place, Profile, Sets};
pub use answer::{answer, beyond_shim};
pub use error::{Fault, What};
pub use parse::{Names, parse};
pub use remarks::{Remark, remarks};
pub use words::limit_name;
