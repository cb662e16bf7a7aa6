//! What is chosen before an engine starts.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use nix::errno::Errno;

use crate::abi::actor::Actor;
use crate::abi::error::{EngineError, Explain, Stage, SysError};
use crate::abi::module::ModuleName;
use crate::abi::sink::RecordSink;
use crate::abi::subprocess::HELPER_ENV;
use crate::sys::fork::ProcessMark;
use crate::sys::host::Host;
use crate::sys::linux::LinuxHost;

use super::actors::Actors;
use super::gate::Gatekeeper;
use super::handle::Engine;
use super::inner::{Inner, SecurityHook};
use super::pools::Pools;
use super::registry::Registry;
use super::sink::Sink;
use super::slots::Slots;
use super::sync::{Monitor, Mutex};
use super::sysctl::Sysctl;
use super::workers;

impl Engine {
    /// Everything about an engine that is chosen before it starts.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// An engine on this machine, with the knobs as at boot (SYS-8).
    pub fn start() -> Result<Self, EngineError> {
        Self::builder().start()
    }
}

/// Output kept of ended records, all told: 2 MiB (UMH-13).
const TEXT_BUDGET: usize = 2 * 1024 * 1024;
/// What may be queued for a record sink: 32 MiB.
const SINK_QUEUE: usize = 32 * 1024 * 1024;

/// Builds an [`Engine`].
#[derive(Default)]
pub struct Builder {
    host: Option<Arc<dyn Host>>,
    probe: Option<(PathBuf, &'static str)>,
    fix_sigchld: bool,
    hook: Option<SecurityHook>,
    text_budget: Option<usize>,
    sink: Option<Arc<dyn RecordSink>>,
    sink_queue: Option<usize>,
}

impl Builder {
    /// Another machine than this one (a scripted host).
    #[must_use]
    pub fn host(mut self, host: Arc<dyn Host>) -> Self {
        self.host = Some(host);
        self
    }
    /// Where the built-in probe is, and the private argument that makes it one.
    #[must_use]
    pub fn probe(mut self, path: PathBuf, arg: &'static str) -> Self {
        self.probe = Some((path, arg));
        self
    }
    /// Allows the engine to set SIGCHLD to its default; without it, an ignored SIGCHLD is an error (UMH-8).
    #[must_use]
    pub fn fix_sigchld(mut self, fix: bool) -> Self {
        self.fix_sigchld = fix;
        self
    }
    /// Bytes of output kept of ended records (UMH-13); 2 MiB by default.
    #[must_use]
    pub fn text_budget(mut self, bytes: usize) -> Self {
        self.text_budget = Some(bytes);
        self
    }
    /// Hands every record and change to `sink` as well, from a thread that the engine starts for it. The engine never
    /// waits for the sink but when it ends, up to 1 s.
    #[must_use]
    pub fn record_sink(mut self, sink: Arc<dyn RecordSink>) -> Self {
        self.sink = Some(sink);
        self
    }
    /// Bytes of records that may be queued for the sink, captured output included; 32 MiB by default. What does not fit is
    /// lost and counted in `Totals::records_lost`.
    #[must_use]
    pub fn record_sink_queue(mut self, bytes: usize) -> Self {
        self.sink_queue = Some(bytes);
        self
    }
    /// A security hook of one's own: it judges after `khelper.deny` and `khelper.allow` (REQ-2). A panic in it
    /// refuses with `ECANCELED`.
    #[must_use]
    pub fn security_hook(
        mut self,
        hook: impl Fn(&ModuleName, &Actor) -> Result<(), Errno> + Send + Sync + 'static,
    ) -> Self {
        self.hook = Some(Arc::new(hook));
        self
    }

    /// Starts it. Workers for calls of threads in the same state as this one, in capability sets, namespaces, root and
    /// the like, are started from here; a thread in another state starts its own when it calls (UMH-10). The gate opens
    /// last (GATE-1).
    pub fn start(self) -> Result<Engine, EngineError> {
        let host = self.host.unwrap_or_else(|| Arc::new(LinuxHost::new()));
        // The error's own display adds the errno.
        let why = |e: &SysError| format!("the engine could not start: {}: {}", e.what, e.errno.desc());
        let failed = |e: &SysError| EngineError::new(Stage::Gate, e.errno, why(e), e.advice());
        host.check_sigchld(self.fix_sigchld).map_err(|e| {
            EngineError::new(
                Stage::Gate,
                e.errno,
                why(&e),
                "a status would be lost: set SIGCHLD to its default, or allow the engine to (Builder::fix_sigchld)",
            )
        })?;
        let no_thread = |what: &'static str, e: std::io::Error| {
            failed(&SysError::new(what, Errno::from_raw(e.raw_os_error().unwrap_or(0))))
        };
        let queue = self.sink_queue.unwrap_or(SINK_QUEUE);
        let sink = self.sink.map(|sink| Sink::start(sink, queue, host.clone())).transpose();
        let sink = sink.map_err(|e| no_thread("a thread for the record sink", e))?;
        let inner = Arc::new(Inner {
            actors: Actors::new(&host.actor()),
            seen: Mutex::default(),
            env: HELPER_ENV.iter().map(|e| e.as_bytes().into()).collect(),
            sysctl: Sysctl::new(host.known()),
            writers: Mutex::new(()),
            slots: Slots::new(),
            gate: Gatekeeper::new(),
            registry: Monitor::new(Registry::new(self.text_budget.unwrap_or(TEXT_BUDGET), sink)),
            pools: Pools::new(),
            hook: self.hook,
            probe: self.probe,
            above: OnceLock::new(),
            initial_state: host.caller_state(),
            mark: ProcessMark::current(),
            host,
        });
        inner
            .pools
            .open(inner.initial_state.clone(), |pool, state| workers::start(&inner, pool, state, false))
            .map_err(|e| no_thread("a thread for the engine", e))?;
        let engine = Engine::new(inner);
        engine.enable()?;
        // The gate is as at start: nobody has changed it yet.
        engine.inner.registry.lock().provenance.clear();
        Ok(engine)
    }
}
