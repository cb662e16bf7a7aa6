//! Runs commands against the target. Nothing here blocks the caller: each answer comes as a message, exactly once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::abi::actor::Actor;
use crate::abi::error::{ControlError, Explain};
use crate::control::activity::page::PageRequest;
use crate::control::batch::{Batch, Running};
use crate::control::completion::{CallId, Completion};
use crate::control::export::{self, Save, Unsaved};
use crate::control::modules::{self, Found};
use crate::control::profiles::Folders;
use crate::control::record_json::Source;
use crate::control::target::Target;
use crate::control::text::target::not_sent;
use crate::control::{Command, Reply};
use crate::sys::channel::{Sender, channel};
use crate::sys::thread::spawn_with;

use super::line_history;
use super::mailbox::Mailbox;
use super::model::record_row::RowPage;
use super::msg::{Msg, Ticket};
use super::older_feed::OlderFeed;

/// Size of the buffer through which records are written to a file, in bytes.
const STACK: usize = 256 * 1024;

/// Jobs of the file thread, done in order.
enum Job {
    /// Stores a line of the command line.
    Remember(Vec<u8>),
    /// Finds the modules whose names begin with this, in the tree.
    Find(PathBuf, Vec<u8>),
    /// Reads the names of the profiles.
    Profiles,
    /// Reports that every job before it is done.
    Done(Sender<()>),
}

/// Accepts the console's commands.
pub(super) struct Executor {
    target: Arc<dyn Target>,
    by: Actor,
    mailbox: Arc<Mailbox>,
    /// The tree of the kernel's modules, if it is not the usual one.
    pub(super) tree: Option<PathBuf>,
    /// The file thread; started with the first job.
    files: Option<Sender<Job>>,
    /// What the ledger has of earlier runs.
    older: OlderFeed,
    /// Batches that may still be in progress.
    series: Vec<Running>,
}

impl Drop for Executor {
    fn drop(&mut self) {
        // The console is ending: start no further request of a batch.
        self.series.iter().for_each(Running::stop);
    }
}

impl Executor {
    pub(super) fn new(target: Arc<dyn Target>, by: Actor, mailbox: Arc<Mailbox>) -> Self {
        Self { target, by, mailbox, tree: None, files: None, older: OlderFeed::default(), series: Vec::new() }
    }

    /// Submits a command; the answer comes as [`Msg::Replied`].
    pub(super) fn submit(&self, ticket: Ticket, command: Command) {
        let mailbox = self.mailbox.clone();
        self.send(command, move |reply| mailbox.post_with_state(Msg::Replied { ticket, reply }));
    }

    /// Submits a command; a lost connection is reported as the answer.
    fn send(&self, command: Command, done: impl FnOnce(Result<Reply, ControlError>) + Send + 'static) {
        let info = self.target.info();
        if let Some(why) = info.lost() {
            return done(Err(not_sent(&info, why)));
        }
        self.target.submit(&self.by, CallId::fresh(), command, Completion::new(done));
    }

    /// Submits the requests of a batch: each answer starts the next request, independently of the screen.
    pub(super) fn series(&mut self, ticket: Ticket, batch: Batch) {
        self.series.retain(|running| !running.is_over());
        let mailbox = self.mailbox.clone();
        let each = move |reply| mailbox.post_with_state(Msg::Replied { ticket, reply });
        self.series.push(batch.run(self.target.clone(), self.by.clone(), each));
    }

    /// Reads a page of records; the answer comes as [`Msg::Looked`].
    pub(super) fn look(&self, question: PageRequest) {
        let (mailbox, older) = (self.mailbox.clone(), self.older.clone());
        let (target, by) = (self.target.clone(), self.by.clone());
        let asked = older.of_run(&question, &target.info());
        self.send(Command::Activity(Box::new(asked)), move |reply| {
            let page = match reply {
                Ok(Reply::Activity(page)) => {
                    let (page, behind, ask) = older.complete(&question, *page);
                    if let Some((command, begun)) = ask {
                        let mailbox = mailbox.clone();
                        let done = move |reply| {
                            older.take(begun, reply);
                            mailbox.post(Msg::Older);
                        };
                        target.submit(&by, CallId::fresh(), command, Completion::new(done));
                    }
                    RowPage { older: behind, ..RowPage::from(page) }
                }
                Ok(_) => RowPage::default(),
                Err(error) => RowPage { trouble: Some(error.whole()), ..RowPage::default() },
            };
            mailbox.post(Msg::Looked(Box::new(page)));
        });
    }

    /// Reads the rules; the answer comes as [`Msg::Rules`].
    pub(super) fn read_rules(&self) {
        let mailbox = self.mailbox.clone();
        self.send(Command::Rules, move |reply| {
            let answer = match reply {
                Ok(Reply::Rules(view)) => Ok(*view),
                Ok(_) => Err("the target answers something else than its rules".to_owned()),
                // Its text says what to do.
                Err(ControlError::Unsupported(why)) => Err(why),
                Err(error) => Err(error.whole()),
            };
            mailbox.post(Msg::Rules(answer));
        });
    }

    /// Saves records on a separate thread, because a disk may be slow. The answer comes as [`Msg::Saved`].
    pub(super) fn save(&self, ticket: Ticket, save: Save) {
        let (target, by, mailbox) = (self.target.clone(), self.by.clone(), self.mailbox.clone());
        let work = move || {
            let saved = || match export::records(&*target, &by, &save.what) {
                Ok(records) => export::save(&save, &Source::of(&target.info()), records),
                Err(error) => Err(Unsaved::Failed(error.whole())),
            };
            let result = catch_unwind(AssertUnwindSafe(saved));
            let failed = || Unsaved::Failed("khelper panicked while saving: this is a bug".into());
            mailbox.post(Msg::Saved { ticket, result: result.unwrap_or_else(|_| Err(failed())) });
        };
        if spawn_with("console-save", STACK, work).is_err() {
            let result = Err(Unsaved::Failed("cannot start a thread; nothing was saved".into()));
            self.mailbox.post(Msg::Saved { ticket, result });
        }
    }

    /// Checks the modprobe path (SYS-6); the answer comes as [`Msg::PathWarnings`].
    pub(super) fn look_at(&self, path: Arc<[u8]>) {
        let mailbox = self.mailbox.clone();
        self.send(Command::CheckPath(path), move |reply| {
            let warnings = match reply {
                Ok(Reply::Warnings(warnings)) => warnings,
                Ok(_) => Vec::new(),
                Err(error) => vec![format!("not checked: {error}").into()],
            };
            mailbox.post(Msg::PathWarnings(warnings));
        });
    }

    /// Stores a line of the command line for the next start.
    pub(super) fn remember(&mut self, line: Vec<u8>) {
        self.job(Job::Remember(line));
    }

    /// Finds the modules whose names begin with this; the answer comes as [`Msg::Modules`].
    pub(super) fn find_modules(&mut self, typed: Vec<u8>) {
        let tree = self.tree.clone().unwrap_or_else(modules::running_tree);
        self.job(Job::Find(tree, typed));
    }

    /// Reads the names of the profiles of this machine; the answer comes as [`Msg::Profiles`].
    pub(super) fn find_profiles(&mut self) {
        self.job(Job::Profiles);
    }

    /// Waits until every line is stored, but no longer than `patience`, because a disk may hang.
    pub(super) fn finish(&mut self, patience: Duration) {
        if self.files.is_some() {
            let (told, done) = channel();
            self.job(Job::Done(told));
            // On a timeout, or when the thread has ended, the console exits all the same.
            let _ = done.recv_timeout(patience);
        }
    }

    fn job(&mut self, job: Job) {
        if self.files.is_none() {
            self.files = self.start_files().ok();
        }
        // Without a thread the line is not stored.
        let _ = self.files.as_ref().map(|files| files.send(job));
    }

    fn start_files(&self) -> std::io::Result<Sender<Job>> {
        let (sender, jobs) = channel();
        let mailbox = self.mailbox.clone();
        let work = move || {
            let mut warned = false;
            for job in jobs.iter() {
                match job {
                    // The console may have exited: it waits for a limited time.
                    Job::Done(told) => drop(told.send(())),
                    Job::Find(tree, typed) => {
                        let found = catch_unwind(|| modules::find(&tree, &typed)).unwrap_or_else(|_| Found {
                            trouble: Some("khelper panicked while it searched: this is a bug".into()),
                            typed,
                            ..Found::default()
                        });
                        mailbox.post(Msg::Modules(Box::new(found)));
                    }
                    Job::Profiles => {
                        let names = catch_unwind(|| Folders::default().names());
                        mailbox.post(Msg::Profiles(names.unwrap_or_default()));
                    }
                    Job::Remember(line) => {
                        let kept = catch_unwind(|| line_history::add(&line));
                        let kept = kept.unwrap_or_else(|_| Err("khelper panicked: this is a bug".into()));
                        // Reported once: the reason is the same for every line.
                        if let Err(why) = kept
                            && !std::mem::replace(&mut warned, true)
                        {
                            mailbox.post(Msg::Notice(format!("the command history is not saved: {why}")));
                        }
                    }
                }
            }
        };
        spawn_with("console-files", STACK, work)?;
        Ok(sender)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::actor::Origin;
    use crate::control::local::Local;
    use crate::control::{self, Key};
    use crate::engine::Engine;
    use crate::sys::fake::{FOREVER, FakeHost, Script};

    fn series(total: usize, parallel: usize) -> Batch {
        let request = |name: &[u8]| Command::RequestModule { name: name.to_vec(), wait: true, profile: None };
        Batch { commands: vec![request(b"a"), request(b"b")], total, parallel }
    }

    /// An engine whose modprobe runs for the given time, and an executor over it whose mailbox nobody empties.
    fn desk(runs: u64) -> (Arc<FakeHost>, Engine, Executor) {
        let host = FakeHost::new();
        host.script("/sbin/modprobe", Script { runs, ..Script::default() });
        let engine = Engine::builder().host(host.clone()).start().unwrap();
        let target = Arc::new(Local::new(engine.clone()));
        let desk = Executor::new(target, control::actor(Origin::Console), Mailbox::new().unwrap());
        (host, engine, desk)
    }

    /// Waits for this many answers.
    fn answers(mailbox: &Mailbox, many: usize) -> Vec<(Ticket, String)> {
        let mut all = Vec::new();
        while all.len() < many {
            all.extend(mailbox.empty().1.into_iter().map(|msg| match msg {
                Msg::Replied { ticket, reply: Ok(control::Reply::Answered(record)) } => {
                    (ticket, String::from_utf8_lossy(record.title()).into_owned())
                }
                other => panic!("{other:?}"),
            }));
            std::thread::yield_now();
        }
        all
    }

    #[test]
    fn a_series_needs_no_screen() {
        let (_host, engine, mut desk) = desk(0);
        let events = engine.subscribe(100_000);
        desk.series(7, series(1000, 1));
        let mut ended = 0;
        while ended < 1000 {
            let crate::engine::Received::Event(event) = events.recv() else { panic!("events were missed") };
            ended += u32::from(matches!(event.kind, crate::abi::event::EventKind::Finished(_)));
        }
        let answers = answers(&desk.mailbox, 1000);
        assert!(answers.iter().all(|(ticket, _)| *ticket == 7));
        assert_eq!((answers.len(), &*answers[0].1, &*answers[1].1, &*answers[2].1), (1000, "a", "b", "a"));
        assert_eq!(engine.snapshot().slots.peak, 1);
    }

    /// Reads answers until one has this ticket.
    fn answered(mailbox: &Mailbox, wanted: Ticket) -> Result<control::Reply, ControlError> {
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        loop {
            for msg in mailbox.empty().1 {
                if let Msg::Replied { ticket, reply } = msg {
                    assert_eq!(ticket, wanted, "another command is answered first: {reply:?}");
                    return reply;
                }
            }
            assert!(std::time::Instant::now() < deadline, "command {wanted} waits for another one");
            std::thread::yield_now();
        }
    }

    /// A request, a probe and a drain all wait; commands that need no waiting are answered meanwhile.
    #[test]
    fn no_command_waits_for_one_that_blocks() {
        use crate::abi::depth::Depth;
        for depth in [Depth::Freezing, Depth::Disabled] {
            let (host, engine, desk) = desk(FOREVER);
            let mailbox = desk.mailbox.clone();
            desk.submit(1, Command::RequestModule { name: b"dummy".to_vec(), wait: true, profile: None });
            host.wait_for("a helper", |now| now.running == 1);
            let drain = Command::Write(vec![(Key::Gate, depth.into())]);
            desk.submit(2, drain);
            host.wait_for("the drain", |now| now.on_clock == 1);
            desk.submit(3, Command::Get(Key::Gate));
            let gate = answered(&mailbox, 3);
            assert!(matches!(&gate, Ok(control::Reply::Value(value)) if *value == depth.into()), "{gate:?}");
            desk.submit(4, Command::Write(vec![(Key::Deny, Key::Deny.parse_value(b"x", engine.known()).unwrap())]));
            assert!(matches!(answered(&mailbox, 4), Ok(control::Reply::Written(_))));
            // The gate can be opened again while the drain waits.
            desk.submit(5, Command::SetDepth(Depth::Enabled));
            assert!(matches!(answered(&mailbox, 5), Ok(control::Reply::Done)));
            assert_eq!((engine.snapshot().gate, engine.snapshot().draining), (Depth::Enabled, true));
            desk.submit(6, Command::Kill { id: 1, signal: libc::SIGKILL });
            let mut ended = Vec::new();
            while ended.len() < 3 {
                ended.extend(mailbox.empty().1.into_iter().filter_map(|msg| match msg {
                    Msg::Replied { ticket, .. } => Some(ticket),
                    _ => None,
                }));
                std::thread::yield_now();
            }
            ended.sort_unstable();
            assert_eq!(ended, [1, 2, 6]);
        }
    }

    #[test]
    fn a_series_ends_with_the_console() {
        let (host, engine, mut desk) = desk(FOREVER);
        desk.series(7, series(10, 2));
        host.wait_for("two helpers", |now| now.running == 2);
        let mailbox = desk.mailbox.clone();
        drop(desk);
        for live in engine.snapshot().running {
            engine.abandon(live.id).unwrap();
        }
        assert_eq!(answers(&mailbox, 2).len(), 2);
        assert_eq!(engine.snapshot().totals.requests, 2, "none is begun after the end");
    }
}
