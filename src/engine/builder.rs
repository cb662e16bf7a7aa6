//! The options of an engine, which are set before it starts.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use nix::errno::Errno;

use crate::abi::actor::Actor;
use crate::abi::error::{EngineError, Explain, Stage, SysError};
use crate::abi::launch_spec::Rlimit;
use crate::abi::module::ModuleName;
use crate::abi::sink::RecordSink;
use crate::abi::subprocess::HELPER_ENV;
use crate::sys::fork::ProcessMark;
use crate::sys::host::Host;
use crate::sys::linux::LinuxHost;

use super::actors::Actors;
use super::gate::Gatekeeper;
use super::handle::Engine;
use super::inner::{Inner, ProfileHook, RuleHook, SecurityHook};
use super::pools::Pools;
use super::registry::Registry;
use super::sink::Sink;
use super::slots::Slots;
use super::sync::{Monitor, Mutex};
use super::sysctl::Sysctl;
use super::workers;

impl Engine {
    /// Returns a builder, which sets the options of an engine before it starts.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Starts an engine on this machine with the default options; the knobs are as after boot (SYS-8).
    pub fn start() -> Result<Self, EngineError> {
        Self::builder().start()
    }
}

/// The most output kept for all ended records together: 2 MiB (UMH-13).
const TEXT_BUDGET: usize = 2 * 1024 * 1024;
/// The most that may be queued for a record sink: 32 MiB.
const SINK_QUEUE: usize = 32 * 1024 * 1024;

/// Builds an [`Engine`].
#[derive(Default)]
pub struct Builder {
    host: Option<Arc<dyn Host>>,
    probe: Option<(PathBuf, &'static str)>,
    fix_sigchld: bool,
    hook: Option<SecurityHook>,
    rules: Option<RuleHook>,
    profiles: Option<ProfileHook>,
    text_budget: Option<usize>,
    sink: Option<Arc<dyn RecordSink>>,
    sink_queue: Option<usize>,
    helper_limits: Vec<Rlimit>,
    helper_cgroups: Option<PathBuf>,
    first_id: Option<u64>,
}

impl Builder {
    /// Uses `host` instead of this machine, for example a scripted one.
    #[must_use]
    pub fn host(mut self, host: Arc<dyn Host>) -> Self {
        self.host = Some(host);
        self
    }
    /// Sets the path of the executable with the built-in probe, and the private argument that makes it run the probe.
    #[must_use]
    pub fn probe(mut self, path: PathBuf, arg: &'static str) -> Self {
        self.probe = Some((path, arg));
        self
    }
    /// Allows the engine to set SIGCHLD to its default action. Otherwise [`Self::start`] fails if SIGCHLD is ignored
    /// (UMH-8).
    #[must_use]
    pub fn fix_sigchld(mut self, fix: bool) -> Self {
        self.fix_sigchld = fix;
        self
    }
    /// Sets how many bytes of output to keep for all ended records together; 2 MiB by default (UMH-13).
    #[must_use]
    pub fn text_budget(mut self, bytes: usize) -> Self {
        self.text_budget = Some(bytes);
        self
    }
    /// Delivers every record and change to `sink`, from a thread that the engine starts for it. The engine waits for
    /// the sink only when it ends, for up to 1 s.
    #[must_use]
    pub fn record_sink(mut self, sink: Arc<dyn RecordSink>) -> Self {
        self.sink = Some(sink);
        self
    }
    /// Sets how many bytes of records, captured output included, may be queued for the sink; 32 MiB by default. Items
    /// that do not fit are lost and counted in `Totals::records_lost`.
    #[must_use]
    pub fn record_sink_queue(mut self, bytes: usize) -> Self {
        self.sink_queue = Some(bytes);
        self
    }
    /// Sets resource limits of every helper, which otherwise has those of this process; an init hook may set others.
    #[must_use]
    pub fn helper_limits(mut self, limits: Vec<Rlimit>) -> Self {
        self.helper_limits = limits;
        self
    }
    /// Puts every helper into a cgroup of its own, below this one, which this process must own (cgroups(7)). Otherwise
    /// helpers are in the cgroup of this process.
    #[must_use]
    pub fn helper_cgroups(mut self, below: PathBuf) -> Self {
        self.helper_cgroups = Some(below);
        self
    }
    /// Sets the id of the first request, for an engine that continues the numbers of an earlier one; 1 by default.
    #[must_use]
    pub fn first_id(mut self, id: u64) -> Self {
        self.first_id = Some(id);
        self
    }
    /// Sets a security hook, which is called after `khelper.deny` and `khelper.allow` have allowed a request (REQ-2).
    /// If the hook panics, the request is refused with `ECANCELED`.
    #[must_use]
    pub fn security_hook(
        mut self,
        hook: impl Fn(&ModuleName, &Actor) -> Result<(), Errno> + Send + Sync + 'static,
    ) -> Self {
        self.hook = Some(Arc::new(hook));
        self
    }

    /// Decides by rules which modules and helpers are started ([`crate::policy::rules`]). What they deny ends with `EPERM`
    /// and cites the rule; what they would deny is a line of the log. If the hook panics, the request is refused with
    /// `ECANCELED`.
    #[must_use]
    pub fn rules(mut self, rules: RuleHook) -> Self {
        self.rules = Some(rules);
        self
    }

    /// Looks up the profiles that rules name ([`crate::abi::profile`]). Where a rule names one that is not there, nothing is
    /// started (`EPERM`).
    #[must_use]
    pub fn profiles(mut self, profiles: ProfileHook) -> Self {
        self.profiles = Some(profiles);
        self
    }

    /// Starts the engine. The calling thread starts the workers that serve threads in its own state: the same
    /// capability sets, namespaces, root and so on. A thread in another state starts other workers when it makes a call
    /// (UMH-10). The gate opens last (GATE-1).
    ///
    /// # Errors
    /// The errno of the step that failed, for example `EAGAIN` if a thread could not be started.
    pub fn start(self) -> Result<Engine, EngineError> {
        let host = self.host.unwrap_or_else(|| Arc::new(LinuxHost::new()));
        // `EngineError` itself displays the errno's name.
        let why = |e: &SysError| format!("cannot start the engine: {}: {}", e.what, e.errno.desc());
        let failed = |e: &SysError| EngineError::new(Stage::Gate, e.errno, why(e), e.advice());
        host.check_sigchld(self.fix_sigchld).map_err(|e| {
            EngineError::new(
                Stage::Gate,
                e.errno,
                why(&e),
                "otherwise exit statuses are lost: set SIGCHLD to its default action, or use Builder::fix_sigchld",
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
            registry: Monitor::new(Registry::new(
                self.text_budget.unwrap_or(TEXT_BUDGET),
                sink,
                self.first_id.unwrap_or(1),
            )),
            pools: Pools::new(),
            hook: self.hook,
            rules: self.rules,
            profiles: self.profiles,
            helper_limits: self.helper_limits.into(),
            helper_cgroups: self.helper_cgroups,
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
        // The gate's first opening is not a change by an actor.
        engine.inner.registry.lock().provenance.clear();
        Ok(engine)
    }
}
