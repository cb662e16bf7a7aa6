//! Sets up two trace instances of this process: one for works and module requests, one for forks and executions. The
//! second one is bound to the kernel workers, so that a process that forks without end cannot fill it.

use std::os::fd::OwnedFd;

use nix::errno::Errno;

use super::event::{Decoder, Kind};
use super::format::PageFormat;
use super::join::Lost;
use super::knowledge::{NoRequesters, NoTrace, Trace};
use crate::abi::error::SysError;
use crate::sys::linux::tasks::{self, Task};
use crate::sys::linux::tracefs::{Instance, Tracefs};

/// How the names of our instances begin.
const NAME: &str = "khelper-";
/// How the name of the second instance ends.
const FORKS: &str = "-forks";
/// The functions of works that start helpers.
const FUNCTIONS: [&str; 2] = ["call_usermodehelper_exec_work", "cgroup1_release_agent"];
/// The size of the buffer of each CPU.
const BUFFER_KIB: &[u8] = b"512";
/// A sub-buffer of a kernel that cannot change its size is one page.
const PAGE: usize = 4096;
/// The largest sub-buffer that is read.
const LARGEST_PAGE: usize = 1 << 16;

/// The buffer of one CPU.
#[derive(Debug)]
pub(super) struct Buffer {
    pub(super) fd: OwnedFd,
    /// As its folder in `per_cpu` is called.
    cpu: String,
    pub(super) source: Lost,
    /// How many lost events were told.
    told: u64,
    /// The time of the last record that was read.
    pub(super) last: u64,
}

/// Trace events, ready to be read. The fields are dropped in this order: buffers before their instances.
#[derive(Debug)]
pub(super) struct Tracing {
    pub(super) buffers: Vec<Buffer>,
    pub(super) page: PageFormat,
    pub(super) page_size: usize,
    pub(super) decoder: Decoder,
    pub(super) trace: Trace,
    pub(super) requesters: Result<(), NoRequesters>,
    instances: [Instance; 2],
}

impl Tracing {
    /// How many events of a buffer were lost since the last call. The kernel counts them; a page that follows a loss
    /// names their number only if it has room for it.
    pub(super) fn lost(&mut self, at: usize) -> Option<u64> {
        let buffer = self.buffers.get_mut(at)?;
        let [works, forks] = &self.instances;
        let instance = if buffer.source == Lost::Works { works } else { forks };
        let all = instance.overwritten(&buffer.cpu).ok()?;
        let count = all.saturating_sub(buffer.told);
        buffer.told = all;
        Some(count)
    }
}

/// The name of this process's instance: its pid and start time, which together name one process.
pub(super) fn name() -> String {
    let pid = std::process::id();
    let start = Task::of(pid.cast_signed()).map_or(0, |task| task.start_time);
    format!("{NAME}{pid}-{start}")
}

/// The pid and the start time in an instance's name, if it is one of ours.
fn owner(name: &[u8]) -> Option<(i32, u64)> {
    let name = std::str::from_utf8(name).ok()?.strip_prefix(NAME)?;
    let (pid, start) = name.strip_suffix(FORKS).unwrap_or(name).split_once('-')?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if digits(pid) && digits(start) { Some((pid.parse().ok()?, start.parse().ok()?)) } else { None }
}

/// Whether this is a name of ours, and its process is gone, as after SIGKILL.
pub(super) fn is_left_behind(name: &[u8]) -> bool {
    owner(name).is_some_and(|(pid, start)| Task::of(pid).is_none_or(|task| task.start_time != start))
}

/// Removes the instances of processes that are gone. Returns how many. One that a process of another pid namespace uses
/// stays, since it has files open (`EBUSY`).
fn remove_left_behind(tracefs: &Tracefs) -> Result<usize, SysError> {
    let left = tracefs.instances()?.into_iter().filter(|name| is_left_behind(name));
    Ok(left.filter(|name| tracefs.remove_instance(name).is_ok()).count())
}

/// Sets up both instances.
///
/// # Errors
/// [`NoTrace`].
pub(super) fn start(now: impl Fn() -> u64) -> Result<Tracing, NoTrace> {
    let tracefs = open()?;
    let name = name();
    let works = tracefs.make_instance(&name).map_err(NoTrace::of)?;
    let forks = tracefs.make_instance(&format!("{name}{FORKS}")).map_err(NoTrace::of)?;
    let mut decoder = Decoder::default();
    for instance in [&works, &forks] {
        prepare(instance).map_err(NoTrace::of)?;
    }
    let page = tracefs.read("events/header_page").map_err(NoTrace::of)?;
    let page = PageFormat::parse(&page).ok_or(NoTrace::Unsupported)?;
    let files = trace_forks(&forks, &mut decoder)?;
    let requesters = trace_works(&works, &mut decoder);
    let modules = trace(&works, &mut decoder, Kind::Module, None).is_ok();
    let mut buffers = Vec::new();
    for (instance, source) in [(&works, Lost::Works), (&forks, Lost::Forks)] {
        let all = instance.buffers().map_err(NoTrace::of)?;
        buffers.extend(all.into_iter().map(|(cpu, fd)| Buffer { fd, cpu, source, told: 0, last: now() }));
    }
    let trace = Trace { is_detached: tracefs.is_detached(), files, modules };
    let page_size = page_size(&works);
    Ok(Tracing { buffers, page, page_size, decoder, trace, requesters, instances: [works, forks] })
}

/// Opens tracefs, and removes what was left there.
pub(super) fn open() -> Result<Tracefs, NoTrace> {
    let tracefs = Tracefs::open().map_err(NoTrace::of)?;
    match remove_left_behind(&tracefs) {
        Err(error) if error.errno == Errno::ENOENT => Err(NoTrace::LockedDown),
        other => other.map(|_| tracefs).map_err(NoTrace::of),
    }
}

/// What trace events would tell, found out with one instance of which nothing is read: it has the usual clock and size,
/// which the kernel takes its time to change.
///
/// # Errors
/// As for [`start`].
pub(super) fn check() -> Result<(Trace, Result<(), NoRequesters>), NoTrace> {
    let tracefs = open()?;
    let instance = tracefs.make_instance(&name()).map_err(NoTrace::of)?;
    instance.write("options/overwrite", b"1").map_err(NoTrace::of)?;
    let page = tracefs.read("events/header_page").map_err(NoTrace::of)?;
    PageFormat::parse(&page).ok_or(NoTrace::Unsupported)?;
    let mut decoder = Decoder::default();
    let files = trace_forks(&instance, &mut decoder)?;
    let requesters = trace_works(&instance, &mut decoder);
    let modules = trace(&instance, &mut decoder, Kind::Module, None).is_ok();
    Ok((Trace { is_detached: tracefs.is_detached(), files, modules }, requesters))
}

/// Its clock is that of the proc connector. With `overwrite` the kernel tells how much is lost, and where.
fn prepare(instance: &Instance) -> Result<(), SysError> {
    instance.write("trace_clock", b"mono")?;
    instance.write("options/overwrite", b"1")?;
    instance.write("buffer_size_kb", BUFFER_KIB)?;
    match instance.write("buffer_percent", b"0") {
        // Before Linux 5.0 there is no such file, and a reader is woken by each event.
        Err(error) if error.errno != Errno::ENOENT => Err(error),
        _ => Ok(()),
    }
}

fn page_size(instance: &Instance) -> usize {
    let text = instance.read("buffer_subbuf_size_kb").ok();
    let kib = text.and_then(|text| std::str::from_utf8(&text).ok()?.trim().parse::<usize>().ok());
    kib.map_or(PAGE, |kib| kib.saturating_mul(1024)).clamp(PAGE, LARGEST_PAGE)
}

/// Enables one event with a filter.
fn trace(instance: &Instance, decoder: &mut Decoder, kind: Kind, filter: Option<&str>) -> Result<(), SysError> {
    let folder = format!("events/{}", kind.folder());
    let format = instance.read(&format!("{folder}/format"))?;
    if let Some(filter) = filter {
        instance.write(&format!("{folder}/filter"), filter.as_bytes())?;
    }
    if !decoder.add(kind, &format) {
        return Err(SysError::new(format!("read the format of {folder}"), Errno::EPROTO));
    }
    instance.write(&format!("{folder}/enable"), b"1")
}

/// Forks and executions of the kernel workers that there are and will be. Returns whether executed files are reported.
fn trace_forks(forks: &Instance, decoder: &mut Decoder) -> Result<bool, NoTrace> {
    forks.write("options/event-fork", b"1").map_err(NoTrace::of)?;
    // kthreadd first: from now on each new worker is added by the kernel.
    forks.write("set_event_pid", b"2").map_err(NoTrace::of)?;
    let workers: Vec<String> =
        tasks::all().iter().filter(|task| task.is_worker()).map(|task| task.pid.to_string()).collect();
    if workers.is_empty() {
        return Err(NoTrace::PidNamespace);
    }
    // The kernel copies a write through a page.
    for some in workers.chunks(256) {
        forks.append("set_event_pid", some.join(" ").as_bytes()).map_err(NoTrace::of)?;
    }
    let own_and_new = "parent_comm ~ \"kworker/*\" || parent_pid == 2";
    trace(forks, decoder, Kind::Fork, Some(own_and_new)).map_err(NoTrace::of)?;
    if trace(forks, decoder, Kind::Exec, Some("comm ~ \"kworker/*\"")).is_ok() {
        return Ok(true);
    }
    trace(forks, decoder, Kind::Rename, Some("oldcomm ~ \"kworker/*\"")).map_err(NoTrace::of)?;
    Ok(false)
}

/// Works of the functions that start helpers, found by name (Linux 6.12) or by address.
fn trace_works(works: &Instance, decoder: &mut Decoder) -> Result<(), NoRequesters> {
    let join = |parts: Vec<String>| parts.join(" || ");
    let by_name = |names: &[&str]| join(names.iter().map(|name| format!("function.function == {name}")).collect());
    let addresses = std::cell::OnceCell::new();
    let filters: [&dyn Fn() -> Option<String>; 3] = [
        &|| Some(by_name(&FUNCTIONS)),
        // A kernel without cgroups of version 1.
        &|| Some(by_name(&FUNCTIONS[..1])),
        &|| {
            let found: &Vec<u64> = addresses.get_or_init(|| tasks::addresses(&FUNCTIONS));
            (!found.is_empty()).then(|| join(found.iter().map(|at| format!("function == {at:#x}")).collect()))
        },
    ];
    for filter in filters {
        let Some(filter) = filter() else { return Err(NoRequesters::AddressesHidden) };
        match trace(works, decoder, Kind::Queue, Some(&filter)) {
            Ok(()) => {
                let rest = [Kind::Start, Kind::End];
                let all = rest.into_iter().try_for_each(|kind| trace(works, decoder, kind, Some(&filter)));
                return all.map_err(|_| NoRequesters::Unsupported);
            }
            Err(error) if error.errno == Errno::EINVAL => {}
            Err(_) => break,
        }
    }
    Err(NoRequesters::Unsupported)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_instances_have_an_owner() {
        assert_eq!(owner(name().as_bytes()).map(|(pid, _)| pid), Some(std::process::id().cast_signed()));
        assert_eq!(owner(b"khelper-12-345-forks"), Some((12, 345)));
        for other in [
            &b"khelper-12"[..],
            b"khelper-12-",
            b"khelper--1-5",
            b"khelper-+1-5",
            b"khelper-1-5-x",
            b"mine-1-5",
            b"\xff",
        ] {
            assert_eq!(owner(other), None, "{other:?}");
        }
    }
}
