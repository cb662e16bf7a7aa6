//! The targets that a console can show besides the one that it was started for. Each is opened when it is first shown.

use std::sync::{Arc, OnceLock};

use crate::abi::error::Explain;
use crate::cli::Args;
use crate::cli::target::Chosen;
use crate::control::host::{self, HostKernel};
use crate::control::kernel_knobs::Recorder;
use crate::control::local::Local;
use crate::control::target::{Target, TargetInfo, TargetKind};
use crate::control::text::kernel::state;
use crate::engine::Engine;
use crate::remote::{Address, Remote};
use crate::sys::host::Host;
use crate::sys::linux::LinuxHost;
use crate::sys::probe::PROBE_ARG;
use crate::tui::{Open, Other, tab};

use super::target::address;

/// The watch of this machine's kernel, once it was started.
pub(super) type Watched = Arc<OnceLock<Arc<HostKernel>>>;

/// The other targets of a console for this one. `changes` receives those of the kernel's knobs.
pub(super) fn others(of: &TargetInfo, args: &Args, watched: &Watched, changes: &Recorder) -> Vec<Other> {
    let chosen = args.target.as_ref();
    let address = || address(chosen.unwrap_or(&Chosen::Daemon), args.far.sudo).unwrap_or_else(Address::usual);
    match of.kind {
        // Of another machine both are shown, and nothing of this one.
        TargetKind::Daemon | TargetKind::Kernel if of.host().is_some() => {
            let (kind, address) = match of.kind {
                TargetKind::Daemon => (TargetKind::Kernel, address().kernel()),
                _ => (TargetKind::Daemon, address().engine()),
            };
            vec![Other { name: tab(&TargetInfo { kind, ..of.clone() }), open: connect(address) }]
        }
        // Nothing of this machine is looked at.
        TargetKind::Embedded if of.is_demo() => vec![super::demo::other()],
        TargetKind::Embedded => vec![kernel(None, watched, changes)],
        TargetKind::Daemon => vec![kernel(Some(address().kernel()), watched, changes)],
        TargetKind::Kernel => match chosen {
            Some(Chosen::UnixKernel(path)) => vec![daemon(Address::unix(path))],
            Some(Chosen::DaemonKernel) => vec![daemon(Address::usual())],
            _ => vec![Other { name: "engine".into(), open: Arc::new(engine) }],
        },
    }
}

/// The kernel that the daemon watches; if it watches none, this process does.
fn kernel(daemon: Option<Address>, watched: &Watched, changes: &Recorder) -> Other {
    let (watched, changes) = (watched.clone(), changes.clone());
    let open: Open = Arc::new(move || match daemon.as_ref().map(Remote::connect) {
        Some(Ok(kernel)) => Ok(kernel),
        _ => watch(&watched, &changes),
    });
    Other { name: "kernel".into(), open }
}

fn daemon(address: Address) -> Other {
    Other { name: "daemon".into(), open: connect(address) }
}

fn connect(address: Address) -> Open {
    Arc::new(move || Remote::connect(&address).map_err(|error| error.whole()))
}

fn watch(watched: &Watched, changes: &Recorder) -> Result<Arc<dyn Target>, String> {
    let host = LinuxHost::new();
    let (changes, probe) = (Some(changes.clone()), std::env::current_exe().ok());
    let options = host::Options { changes, probe, ..host::Options::new(host.known(), host.actor()) };
    let kernel = HostKernel::start(options).map_err(|why| {
        let error = why.error.iter().map(Explain::whole);
        why.states.iter().map(state).chain(error).collect::<Vec<_>>().join("; ")
    })?;
    Ok(watched.get_or_init(|| Arc::new(kernel)).clone())
}

/// An engine of this process, without a ledger.
fn engine() -> Result<Arc<dyn Target>, String> {
    let mut builder = Engine::builder().fix_sigchld(true);
    if let Ok(path) = std::env::current_exe() {
        builder = builder.probe(path, PROBE_ARG);
    }
    let engine = builder.start().map_err(|error| error.whole())?;
    Ok(Arc::new(Local::new(engine)))
}
