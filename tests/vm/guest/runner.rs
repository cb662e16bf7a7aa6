//! Runs one scenario, by the kernel and by the engine.

use std::time::{Duration, Instant};

use khelper::sys::probe::Report;

use super::fields::{self, Fields, Here, Raw};
use super::helper::Facts;
use super::kmsg::Log;
use super::place::{GATE, OUT, THEN};
use super::talk::{Answer, Asker, Do, Job, Outcome};
use super::trace::Trace;
use super::{ASK, ENGINE, knobs};
use crate::observation::{Seen, Side};
use crate::scenario::{Ask, Scenario, Step, bytes};

/// How much of a waiting caller's 5 s the steps may use up. What they leave is for the rest: a slot comes free, the
/// caller takes it. A machine so busy that it takes longer says nothing of either side, and the side runs again.
const IN_TIME: u64 = 2_000_000_000;
/// So often; the last time counts in any case.
const TRIES: usize = 6;
/// The kernel logs each of its messages at most 10 times in so long. To wait for that is to wait for time itself.
const RATE_LIMIT: Duration = Duration::from_millis(5100);

pub struct Runner {
    trace: Trace,
    /// When the kernel was last seen to log.
    logged: Option<Instant>,
    here: Here,
    mutation: Option<String>,
}

impl Runner {
    pub fn new(mutation: Option<String>) -> Self {
        let report = Report::gather().unwrap();
        let here = Here { report, namespaces: super::helper::namespaces("self") };
        Self { trace: Trace::start(), logged: None, here, mutation }
    }

    /// What was seen of both sides.
    pub fn run(&mut self, scenario: &Scenario) -> Result<[Seen; 2], String> {
        std::fs::write(THEN, &scenario.then).unwrap();
        let mut job = Job {
            scenario: scenario.clone(),
            bset: knobs::mask("bset"),
            inheritable: knobs::mask("inheritable"),
            before: Vec::new(),
            mutation: self.mutation.clone(),
        };
        let kernel = self.kernel(&mut job)?;
        let engine = self.engine(&job)?;
        Ok([kernel, engine])
    }

    fn seen(&self, side: Side, fields: Fields, caller: Option<Facts>) -> Seen {
        let mut passed_on = Fields::new();
        fields::start(caller.as_slice(), &self.here, &mut passed_on);
        Seen { side, fields, caller: passed_on }
    }

    /// Sets the kernel's knobs, has it asked, reads what the probes saw.
    fn kernel(&mut self, job: &mut Job) -> Result<Seen, String> {
        let mut fields = Fields::new();
        let scenario = job.scenario.clone();
        for (knob, texts) in [("bset", &scenario.bset), ("inheritable", &scenario.inheritable)] {
            for text in texts {
                knobs::write(knob, &bytes(text)).map_err(|e| format!("{knob} refused `{text}`: {e}"))?;
            }
        }
        fields::masks(&knobs::mask("bset"), &knobs::mask("inheritable"), &mut fields);
        if !scenario.texts.is_empty() {
            for text in &scenario.texts {
                job.before.push(String::from_utf8(knobs::read(&text.knob)).unwrap());
                let raw = bytes(&text.text);
                let taken = knobs::write(&text.knob, &raw);
                let verdict = knobs::verdict(taken, raw.len(), &knobs::read(&text.knob));
                fields.insert(of_text(text), verdict);
                if text.knob == "modprobe" {
                    knobs::write("modprobe", b"/h/record").unwrap();
                }
            }
            return Ok(self.seen(Side::Kernel, fields, None));
        }
        let mut path = bytes(&scenario.modprobe);
        path.push(b'\n');
        knobs::write("modprobe", &path).map_err(|e| e.to_string())?;
        let (mut raw, answer) = self.side(ASK, job)?;
        let events = raw.events.clone();
        let call = scenario.call.is_some();
        // The kernel calls its other helpers from a thread of its own: the asker is not the caller.
        raw.outcomes = if call { fields::calls(&events) } else { fields::timed(raw.outcomes, &events) };
        fields::start(&raw.facts, &self.here, &mut fields);
        fields::requests(&raw, &|o| fields::kernel_results(&events, o.pid, call), &mut fields);
        Ok(self.seen(Side::Kernel, fields, answer.caller))
    }

    /// The same through the engine.
    fn engine(&mut self, job: &Job) -> Result<Seen, String> {
        // Nothing that the engine's side does may make the kernel run the helper too.
        knobs::write("modprobe", b"\n").unwrap();
        let mut fields = Fields::new();
        if job.scenario.command_line {
            return self.command_line(job);
        }
        let (raw, answer) = self.side(ENGINE, job)?;
        fields::masks(&answer.bset, &answer.inheritable, &mut fields);
        if !job.scenario.texts.is_empty() {
            fields.extend(job.scenario.texts.iter().map(of_text).zip(answer.texts));
            return Ok(self.seen(Side::Engine, fields, None));
        }
        fields::start(&raw.facts, &self.here, &mut fields);
        fields::requests(&raw, &|o| o.results.clone(), &mut fields);
        Ok(self.seen(Side::Engine, fields, answer.caller))
    }

    /// The steps with one kind of asker, again if the machine was too busy for them to say anything. Only the steps'
    /// own times decide that, never what came of them.
    fn side(&mut self, part: &str, job: &Job) -> Result<(Raw, Answer), String> {
        let waits = waits_for_slot(&job.scenario);
        for _ in 1..TRIES {
            let seen = self.once(part, job)?;
            if !waits || seen.0.longest_wait() <= IN_TIME {
                return Ok(seen);
            }
        }
        self.once(part, job)
    }

    fn once(&mut self, part: &str, job: &Job) -> Result<(Raw, Answer), String> {
        let log = (part == ASK).then(|| {
            if let Some(at) = self.logged {
                std::thread::sleep(RATE_LIMIT.saturating_sub(at.elapsed()));
            }
            Log::start()
        });
        let busy = (job.scenario.modprobe == "/h/busy").then(|| {
            // Executing a file that is open for writing is ETXTBSY.
            std::fs::File::options().write(true).open("/h/busy").unwrap()
        });
        self.trace.clear()?;
        let mut asker = Asker::start(part, job);
        let steps = if job.scenario.texts.is_empty() { &job.scenario.steps[..] } else { &[] };
        let (mut gate, mut released, mut asked) = (None, None, Vec::new());
        for step in steps {
            match *step {
                Step::Ask(count) => {
                    asker.say(Do::Ask(count));
                    asked.push(count);
                }
                Step::Kill(group) => drop(asker.say(Do::Kill(group))),
                // Whoever makes the kernel call another helper is back before that.
                Step::Running(count) if job.scenario.call.is_some() => self.trace.running(count, None)?,
                Step::Running(count) => {
                    let last = asked.last().map(|count| (asked.len() - 1, *count));
                    self.trace.running(count, last)?;
                }
                Step::Back(count) => self.trace.back(count)?,
                Step::Called(count) if part == ASK => self.trace.called(count)?,
                Step::Called(_) => drop(asker.say(Do::Join)),
                Step::Asked(count) if part == ASK => self.trace.asked(count)?,
                Step::Asked(count) => drop(asker.say(Do::Settle(count))),
                // Helpers are there, so it takes no time; open until all are gone, for those that are not so far yet.
                Step::Release(_) => {
                    released = Some(super::now());
                    gate = Some(std::fs::File::options().write(true).open(GATE).unwrap());
                }
            }
        }
        let mut answer = asker.finish()?;
        self.trace.ended()?;
        drop((busy, gate));
        unload();
        if let Ask::ReleaseAgent(_) = job.scenario.ask
            && part == ASK
        {
            nix::mount::umount("/cg").unwrap();
        }
        let outcomes = std::mem::take(&mut answer.outcomes);
        let log = log.map_or_else(|| std::mem::take(&mut answer.log), Log::lines);
        if part == ASK && !log.is_empty() {
            self.logged = Some(Instant::now());
        }
        let (events, waits_for_slot) = (self.trace.seen(), waits_for_slot(&job.scenario));
        Ok((Raw { facts: facts()?, outcomes, events, released, waits_for_slot, log }, answer))
    }

    /// By the program, as a person would ask.
    fn command_line(&mut self, job: &Job) -> Result<Seen, String> {
        self.trace.clear()?;
        let scenario = &job.scenario;
        let mut command = std::process::Command::new(super::KHELPER);
        for setting in [
            "khelper.era=current".to_owned(),
            format!("kernel.modprobe={}", scenario.modprobe),
            format!("kernel.usermodehelper.bset={}", job.bset),
            format!("kernel.usermodehelper.inheritable={}", job.inheritable),
        ] {
            command.arg("--set").arg(setting);
        }
        command.args(["request", "--json", "--"]).args(&scenario.names).stdin(std::process::Stdio::null());
        let start = super::now();
        let output = command.output().map_err(|e| e.to_string())?;
        let end = super::now();
        let mut results = Vec::new();
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let record: serde_json::Value = serde_json::from_str(line).map_err(|e| format!("`{line}`: {e}"))?;
            let result = record["result"].as_i64().and_then(|r| i32::try_from(r).ok());
            results.push(result.ok_or_else(|| format!("no result in `{line}`"))?);
        }
        self.trace.ended()?;
        let log = String::from_utf8_lossy(&output.stderr);
        let raw = Raw {
            facts: facts()?,
            outcomes: vec![Outcome { group: 0, pid: 0, start, end, killed: None, results }],
            events: self.trace.seen(),
            released: None,
            waits_for_slot: false,
            log: log.lines().filter(of_request_module).map(str::to_owned).collect(),
        };
        let mut fields = Fields::new();
        fields::masks(&job.bset, &job.inheritable, &mut fields);
        fields::start(&raw.facts, &self.here, &mut fields);
        fields::requests(&raw, &|o| o.results.clone(), &mut fields);
        Ok(self.seen(Side::Engine, fields, None))
    }
}

/// Whether the last callers wait for a slot: their steps say when they have begun to.
fn waits_for_slot(scenario: &Scenario) -> bool {
    scenario.steps.iter().any(|s| matches!(s, Step::Asked(_)))
}

/// What a helper may have loaded, so that the other side can load it again.
fn unload() {
    // SAFETY: a name that ends in a NUL, no flags. That it is not loaded is no error.
    unsafe { libc::syscall(libc::SYS_delete_module, c"dummy".as_ptr(), libc::O_NONBLOCK) };
}

fn of_text(text: &crate::scenario::Text) -> String {
    crate::compared::knob_text(&text.knob, &khelper::abi::escape::screen(&bytes(&text.text)))
}

/// Whether a line is a message of `request_module`, the count of those that its rate limit suppressed included.
fn of_request_module(line: &&str) -> bool {
    line.starts_with("request_module:") || line.starts_with("__request_module:")
}

/// What the helpers wrote down, in the order of time.
fn facts() -> Result<Vec<Facts>, String> {
    let mut files: Vec<_> = std::fs::read_dir(OUT).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let read = |file: &std::path::PathBuf| {
        let text = std::fs::read_to_string(file).unwrap();
        std::fs::remove_file(file).unwrap();
        serde_json::from_str(&text).map_err(|e| format!("{}: {e}", file.display()))
    };
    files.iter().map(read).collect()
}
