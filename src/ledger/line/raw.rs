//! The fields of a line by their keys, each as it stands there.

use super::fields::{Fields, Malformed};

/// Declares the keys of a line, in the order in which the writer writes them.
macro_rules! keys {
    ($($name:ident $text:literal)*) => {
        #[derive(Clone, Copy)]
        pub(super) enum Key { $($name),* }
        const KEYS: &[&str] = &[$($text),*];
    };
}

keys! {
    V "v" T "t" N "n" Run "run" Event "event" Id "id" Module "module" Kind "kind" Argv "argv" Path "path" Env "env"
    Wait "wait" AskedBy "asked_by" Origin "origin" Requester "requester" Outcome "outcome" State "state" Stage "stage" Errno "errno"
    Reason "reason" Raw "raw" Result "result" Abandoned "abandoned" TimedOut "timed_out" Kernel "kernel" Profile "profile" Pid "pid"
    Enforced "enforced" Bset "bset" Inheritable "inheritable" Own "own" Caps "caps" CapsStarted "caps_started" NotEnforced "not_enforced"
    At "at" QueuedUs "queued_us" StartedUs "started_us" EndedUs "ended_us" CpuUs "cpu_us" MaxRssKib "max_rss_kib"
    Chain "chain" StartTime "start_time" Lag "lag" Stdout "stdout" Stderr "stderr" DroppedBytes "dropped_bytes"
    Target "target" Boot "boot" Mono "mono" NextId "next_id" Known "known" Bounding "bounding" Seq "seq" What "what"
    Count "count" Open "open"
}

/// The raw values of a line by their keys; unknown keys are ignored.
pub(super) struct Raw<'a>([Option<&'a [u8]>; KEYS.len()]);

impl<'a> Raw<'a> {
    pub(super) fn of(line: &'a [u8]) -> Result<Self, Malformed> {
        let mut raw = [None; KEYS.len()];
        let mut next = 0;
        for field in Fields::of(line)? {
            let (key, value) = field?;
            // The keys come in their order, so the first comparison is nearly always the right one.
            let order = (next..KEYS.len()).chain(0..next);
            if let Some(at) = order.into_iter().find(|at| KEYS[*at].as_bytes() == key) {
                raw[at] = Some(value);
                next = at + 1;
            }
        }
        Ok(Self(raw))
    }

    pub(super) fn is_short(&self) -> bool {
        self.get(Key::V) != Some(b"1")
    }

    pub(super) fn get(&self, key: Key) -> Option<&'a [u8]> {
        self.0[key as usize]
    }

    /// A value that may be left out.
    pub(super) fn maybe<T>(
        &self,
        key: Key,
        read: impl Fn(&'a [u8]) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        self.get(key).map(read).transpose()
    }

    /// A value that is never left out.
    pub(super) fn must<T>(&self, key: Key, read: impl Fn(&'a [u8]) -> Result<T, Malformed>) -> Result<T, Malformed> {
        self.get(key).ok_or(Malformed).and_then(read)
    }
}
