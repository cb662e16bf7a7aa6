//! `request_module` (REQ): checks the name, calls the security hook, takes a slot, emits the event, and then calls
//! modprobe as `call_usermodehelper` does.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use nix::errno::Errno;

use crate::abi::era::Era;
use crate::abi::error::{EngineError, Explain, Stage};
use crate::abi::module::ModuleName;
use crate::abi::mutation::{self, Mutation};
use crate::abi::subprocess::{HELPER_ENV, SubprocessInfo};
use crate::abi::wait::WaitMode;
use crate::policy::authorize::judge_name;
use crate::policy::limit::Admission;
use crate::policy::rules::Wanted;

use super::cancel::Cancel;
use super::inner::Inner;
use super::options::{How, RequestOptions};
use super::rules::confined_by;
use super::slots::Waited;
use super::sysctl::Values;
use crate::abi::event::EventKind;
use crate::abi::log::LogKind;
use crate::abi::profile::Profile;
use crate::abi::record::{Args, Kind, Outcome, Record};

/// The most bytes of a module name that a record keeps.
const SHOWN: usize = 256;

/// A slot, which is released on every return path (REQ-9).
struct Slot<'a> {
    inner: &'a Inner,
    id: u64,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.inner.slots.release(self.id, &self.inner.sysctl);
        // The event comes after the release, so a snapshot taken now shows the slot free.
        self.inner.emit(EventKind::Released { id: self.id });
    }
}

/// The profile that confines modprobe, if there is one.
type Confined = Option<Arc<Profile>>;

/// Why a request got no slot.
enum NoSlot {
    Refused(EngineError),
    Cancelled,
}

impl Inner {
    pub(super) fn request_module(self: &Arc<Self>, name: &[u8], wait: bool, options: &RequestOptions) -> Arc<Record> {
        let caller = &options.ask;
        let values = self.sysctl.copy_for_request();
        let mode = if wait { WaitMode::PROC } else { WaitMode::EXEC };
        let (mut record, cancel) = self.draft(Kind::Module, mode, &values, caller);
        record.module = Some(name[..name.len().min(SHOWN)].into());
        record.path = values.path.clone();
        record.args = Args::Module;
        record.env = self.env.clone();
        if let Err(error) = self.begin(&mut record, &cancel) {
            return self.end_without_process(record, Outcome::Refused, Some(&error));
        }
        caller.begins(record.id);
        let (slot, profile) = match self.admit(name, &values, &mut record, options, &cancel) {
            Ok(slot) => slot,
            Err(NoSlot::Refused(error)) => return self.end_without_process(record, Outcome::Refused, Some(&error)),
            Err(NoSlot::Cancelled) => return self.give_up(record),
        };
        self.emit(EventKind::ModuleRequest { id: record.id, name: name.into(), wait, actor: record.actor.clone() });
        let argv = record.argv();
        let more = mutation::is(Mutation::EnvironmentGrown).then_some("KHELPER=1");
        let info = match SubprocessInfo::setup(Some(values.path.to_vec()), argv, HELPER_ENV.into_iter().chain(more)) {
            Ok(info) => info,
            // Should not happen: the name and the path contain no NUL, and the path is absolute.
            Err(e) => {
                let error = EngineError::new(Stage::Path, e.errno(), e.why(), e.advice());
                return self.end_without_process(record, Outcome::Refused, Some(&error));
            }
        };
        let how = How { module: true, own: None, profile, timeout: None, wait: mode };
        let answer = self.exec(info, record, &how, values.era, [&cancel, &caller.cancel]);
        if mutation::is(Mutation::SlotLeaked) && answer.abandoned {
            std::mem::forget(slot);
        } else {
            drop(slot);
        }
        answer
    }

    /// The checks before the event, in the order of the era (REQ-1 to REQ-5, REQ-10).
    fn admit(
        &self,
        name: &[u8],
        values: &Values,
        record: &mut Record,
        options: &RequestOptions,
        cancel: &Cancel,
    ) -> Result<(Slot<'_>, Confined), NoSlot> {
        if values.era == Era::Current && values.path.is_empty() {
            return Err(refused(
                Stage::Path,
                Errno::ENOENT,
                "kernel.modprobe is empty: autoload is off",
                "write a path to kernel.modprobe",
            ));
        }
        let name = ModuleName::parse(name).map_err(|e| refused(Stage::Name, e.errno(), e.why(), e.advice()))?;
        self.not_within().map_err(NoSlot::Refused)?;
        let by_rule = self.judge(&name, values, record)?;
        let profile = confined_by(by_rule, options.profile.as_ref()).map_err(NoSlot::Refused)?;
        Ok((self.take_slot(&name, values, record.id, [cancel, &options.ask.cancel])?, profile))
    }

    /// Checks the allow and deny lists and the rules, then calls the embedder's security hook (REQ-2). A panic in the hook refuses.
    fn judge(&self, name: &ModuleName, values: &Values, record: &mut Record) -> Result<Confined, NoSlot> {
        judge_name(&values.allow, &values.deny, name.as_bytes()).map_err(|why| {
            refused(
                Stage::Hook,
                Errno::EPERM,
                why,
                "change khelper.allow or khelper.deny if this module may be requested",
            )
        })?;
        let profile = self.judge_by_rules(Wanted::Module(name.as_bytes()), record).map_err(NoSlot::Refused)?;
        let Some(hook) = &self.hook else { return Ok(profile) };
        let verdict = catch_unwind(AssertUnwindSafe(|| hook(name, &record.actor))).unwrap_or(Err(Errno::ECANCELED));
        verdict.map(|()| profile).map_err(|errno| {
            refused(
                Stage::Hook,
                errno,
                format!("the security hook refused `{name}`"),
                "check the host program's security hook",
            )
        })
    }

    fn take_slot(
        &self,
        name: &ModuleName,
        values: &Values,
        id: u64,
        cancels: [&Cancel; 2],
    ) -> Result<Slot<'_>, NoSlot> {
        match values.era {
            Era::V3_4 => self.take_or_refuse(name, id, self.limit_now(values.era))?,
            Era::Current => self.wait_for_slot(name, id, cancels)?,
        }
        Ok(Slot { inner: self, id })
    }

    /// Era 3.4: takes a slot, or refuses at once (REQ-4). A refusal names the loop that the request belongs to.
    fn take_or_refuse(&self, name: &ModuleName, id: u64, max: u32) -> Result<(), NoSlot> {
        let admission = self.slots.admit(id, max);
        let Admission::Refused { log } = admission else { return Ok(()) };
        if log {
            self.log(LogKind::Runaway { module: name.as_bytes().into() });
        }
        Err(refused(
            Stage::Limit,
            Errno::ENOMEM,
            format!("{max} module requests are in progress, which is the limit"),
            self.loop_advice(id, "look for a modprobe that itself requests a module; or wait until other requests end"),
        ))
    }

    /// Era current: waits for a slot (REQ-5).
    fn wait_for_slot(&self, name: &ModuleName, id: u64, cancels: [&Cancel; 2]) -> Result<(), NoSlot> {
        let waits = || self.emit(EventKind::Waiting { id });
        let throttle = match self.slots.wait(id, self.host.clock(), &self.sysctl, cancels, waits) {
            Waited::Granted => return Ok(()),
            Waited::Cancelled => return Err(NoSlot::Cancelled),
            Waited::TimedOut(throttle) => throttle,
        };
        let max = self.sysctl.slots();
        self.log_suppressed(throttle.suppressed);
        if throttle.log {
            self.log(LogKind::Throttled { module: name.as_bytes().into(), limit: max });
        }
        Err(refused(
            Stage::Throttle,
            Errno::ETIME,
            format!("all {max} slots were busy for 5 seconds"),
            self.loop_advice(id, "see which helpers hold the slots, or try again later"),
        ))
    }

    /// Ends a request that was cancelled before it got a slot, with `EINTR` (REQ-5).
    fn give_up(&self, mut record: Record) -> Arc<Record> {
        record.abandoned = true;
        let now = self.now();
        self.registry.lock().abandoned(now, record.id);
        let error =
            EngineError::new(Stage::Cancel, Errno::EINTR, "the wait for a slot was ended", "nothing was started");
        self.end_without_process(record, Outcome::Abandoned, Some(&error))
    }

    /// Logs how many messages the rate limit has suppressed since the last report. The kernel reports them with the
    /// next message that is not suppressed; the engine also reports them when it ends.
    pub(super) fn report_suppressed(&self) {
        let suppressed = self.slots.lock().take_suppressed();
        self.log_suppressed(suppressed);
    }

    fn log_suppressed(&self, count: u64) {
        if count > 0 {
            self.log(LogKind::Suppressed { count });
        }
    }
}

fn refused(
    stage: Stage,
    errno: Errno,
    why: impl Into<String>,
    advice: impl Into<std::borrow::Cow<'static, str>>,
) -> NoSlot {
    NoSlot::Refused(EngineError::new(stage, errno, why, advice))
}
