//! khelper: a console, a command line and an engine for *usermode helpers*, the programs that the Linux kernel starts
//! by itself. The best known of them is modprobe.
//!
//! The engine re-creates the kernel's own code for this in user space: `request_module` with its limit on requests
//! in progress, `call_usermodehelper` with its wait modes and hooks, the two capability masks and the modprobe path
//! under one lock, and the gate that can be disabled and drained. It launches real programs and really narrows their
//! capabilities. It never changes the machine's kernel.
//!
//! ```standalone_crate
//! use khelper::abi::path::parse_modprobe;
//! use khelper::abi::actor::Origin;
//! use khelper::abi::record::Outcome;
//! use khelper::engine::{Engine, KnobWrite};
//!
//! let engine = Engine::builder().fix_sigchld(true).start()?;
//! let echo = KnobWrite::Modprobe(parse_modprobe(b"/bin/echo")?);
//! engine.write(&[echo], Origin::Library).map_err(|(key, error)| format!("{key}: {error}"))?;
//!
//! let record = engine.request_module("dummy", true);
//! assert_eq!((record.outcome, record.result), (Outcome::Exited, Some(0)));
//! assert_eq!(record.output.as_ref().unwrap().stdout, b"-q -- dummy\n");
//!
//! // A positive result is modprobe's raw wait status, a negative one an errno: check for both.
//! let refused = engine.request_module("this name has 56 bytes, one more than the kernel accepts", true);
//! assert_eq!(refused.outcome, Outcome::Refused);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`engine::Engine`] is a cheap handle that any thread may use. `examples/embed.rs` is the smallest host program and
//! `examples/request.rs` a longer one. `examples/record_sink.rs` receives every record and every change of a knob.
//! `examples/core_handler.rs` and `examples/request_key.rs` show how to use hooks.
//!
//! # Architecture
//!
//! A module uses only modules of lower floors. Two modules of one floor do not use each other, and files do not import
//! each other in a circle (`tests/architecture`).
//!
//! | floor | module | what it is for |
//! |---|---|---|
//! | 6 | [`app`] | builds the parts, wires them, stops them in order; `main` calls it |
//! | 5 | [`tui`] | the console: messages, a pure update that returns effects, a view; one table of keys |
//! | 5 | [`remote`] | a daemon behind a Unix socket, as a target |
//! | 5 | [`cli`] | the command line: arguments, answers, JSON, exit codes |
//! | 5 | [`daemon`] | one engine behind a socket, for other processes: who they are, what they may do, their calls |
//! | 4 | [`ledger`] | records and changes on disk: lines, segments, rotation, the writer, the reader |
//! | 4 | [`wire`] | the daemon's protocol: framing, the Varlink interface, calls and answers |
//! | 4 | [`verbs`] | the grammar of commands, shared by the shell and the console's command line, and what each verb does |
//! | 3 | [`control`] | the single entry point for an operator's commands: authorize, then act; the tree of knobs |
//! | 2 | [`kernel`] | the helpers of this machine's kernel: trace events and ends of processes, joined |
//! | 2 | [`engine`] | applies policy to the machine: requests, workers, knobs, gate, records, events |
//! | 1 | [`policy`] | pure decisions: state and input in, state and decision out; no clock, no system call |
//! | 1 | [`sys`] | the machine behind one trait, real and scripted; the only `unsafe` code |
//! | 0 | [`abi`] | shared types: names, masks, statuses, errors, escaping; no I/O |
//!
//! # Features
//!
//! Each feature includes the next one. A program that embeds an engine needs none of them: `default-features = false`.
//!
//! | feature | what it adds |
//! |---|---|
//! | `console` (default) | [`tui`] |
//! | `cli` | [`cli`], [`app`] and the `khelper` program; without `console` the program needs a command |
//! | `control` | [`control`], [`kernel`], [`ledger`], [`wire`] and [`remote`]: commands and knobs, records as JSON and on disk, daemons |
//!
//! # Guarantees and limits
//!
//! - A helper is started from an argument array, never through a shell. It gets the environment that the caller gives,
//!   and no variable of the host program.
//! - Names, paths and output are hostile bytes. A helper receives them unchanged; a person sees them escaped
//!   ([`abi::escape`]).
//! - A helper inherits the state of the calling thread at the time of the call: capability sets, no_new_privs, seccomp
//!   filters, user ids, namespaces and root ([`sys::caller`]).
//! - Every error has an errno and says what to do ([`abi::error::Explain`]).
//! - Masks apply in the helper's own user namespace: a program that may create a user namespace has every capability
//!   inside it, and nowhere else.
//! - Masks alone do not confine root: a helper of uid 0 owns root's files, kernel.modprobe and core_pattern without any
//!   capability, and can become all-powerful again in one step; masks bound what it may do directly, and confine it only
//!   together with another user, Landlock or a read-only root ([`control::text::outcome::MASKS_AND_ROOT`]).
#![warn(missing_docs)]
#![cfg_attr(
    not(feature = "console"),
    expect(
        rustdoc::broken_intra_doc_links,
        reason = "the text above names modules that only the default features include"
    )
)]

pub mod abi;
#[cfg(feature = "cli")]
pub mod app;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "control")]
pub mod control;
#[cfg(feature = "control")]
pub mod daemon;
pub mod engine;
#[cfg(feature = "control")]
pub mod kernel;
#[cfg(feature = "control")]
pub mod ledger;
pub mod policy;
#[cfg(feature = "control")]
pub mod remote;
pub mod sys;
#[cfg(feature = "console")]
pub mod tui;
#[cfg(feature = "cli")]
pub mod verbs;
#[cfg(feature = "control")]
pub mod wire;

#[doc = include_str!("../docs/deviations.md")]
pub mod deviations {}
