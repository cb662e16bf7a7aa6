//! The segments of one folder, and the one that is being written.

use std::sync::Arc;

use nix::errno::Errno;

use crate::abi::actor::Actor;
use crate::abi::cap::CapMask;
use crate::abi::sorted::SortedMap;
use crate::control::target_info::RunId;

use super::folder::Folder;
use super::line::{Head, Item, KeepOutput, Running, Usual, Wall, encode};
use super::rotate::{Limits, STEP, prune};
use super::segment::Segment;

/// After a segment could not be made, how long no other one is tried: 0.1 s, in microseconds.
const RETRY: u64 = 100_000;

/// Helpers that run, by the run and the id of their requests.
pub(super) type Open = SortedMap<(RunId, u64), Running>;

/// What the first line of every segment has.
pub(super) struct Fixed {
    pub(super) run: RunId,
    pub(super) target: Arc<str>,
    pub(super) boot: Arc<str>,
    pub(super) known: CapMask,
    pub(super) bounding: CapMask,
    pub(super) actor: Arc<Actor>,
}

/// When a line is written, its number, and the run that it is about, if that is not the writer's.
#[derive(Clone, Copy)]
pub(super) struct About {
    pub(super) wall: Wall,
    pub(super) n: u64,
    pub(super) run: Option<RunId>,
}

/// A series of segments.
pub(super) struct Series {
    folder: Folder,
    limits: Limits,
    current: Option<(Segment, Head)>,
    /// The time of the last line.
    last: Wall,
    /// The bytes of the other segments.
    others: u64,
    /// Why a segment could not be made, and when, by the monotonic clock.
    failed: Option<(Errno, u64)>,
}

impl Series {
    pub(super) fn new(folder: Folder, limits: Limits) -> Self {
        Self { folder, limits, current: None, last: Wall::MIN, others: 0, failed: None }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.others + self.current.as_ref().map_or(0, |(segment, _)| segment.bytes())
    }

    /// Begins a new segment if there is none, or if the one that is being written is large, old, or from a time to come.
    pub(super) fn rotate(
        &mut self,
        (about, mono, next_id): (About, u64, u64),
        fixed: &Fixed,
        open: &Open,
    ) -> Result<(), Errno> {
        let went_back = about.wall < self.last.saturating_sub(STEP);
        if let Some((segment, _)) = &self.current {
            let limits = &self.limits;
            let old = about.wall.saturating_sub(segment.begun()) >= limits.segment_age;
            if !went_back && !old && segment.written() < limits.segment_bytes {
                return Ok(());
            }
        }
        match self.begin(about, mono, next_id, fixed, open) {
            // A segment may grow too large or too old, but its times do not go back.
            Err(_) if self.current.is_some() && !went_back => Ok(()),
            done => done,
        }
    }

    /// Makes a new segment, with the helpers that run, and ends the one before it.
    fn begin(&mut self, about: About, mono: u64, next_id: u64, fixed: &Fixed, open: &Open) -> Result<(), Errno> {
        if let Some((errno, at)) = self.failed
            && (at + 1..at + RETRY).contains(&mono)
        {
            return Err(errno);
        }
        let (Fixed { run, target, boot, known, bounding, actor }, About { wall, n, .. }) = (fixed, about);
        let head = Head {
            wall,
            mono,
            n,
            next_id,
            run: *run,
            target: target.clone(),
            boot: boot.clone(),
            known: *known,
            bounding: *bounding,
            actor: actor.clone(),
            usual: Usual::default(),
        };
        let mut first = encode(&head, (wall, n, None), &Item::Segment(Box::new(head.clone())), KeepOutput::None);
        for ((run, _), running) in open.iter() {
            first.extend(encode(&head, (wall, 0, Some(*run)), &Item::Open(running.clone()), KeepOutput::None));
        }
        // If the folder cannot be read, the next rotation removes what is too much.
        let all = prune(&self.folder, &self.limits, wall, self.limits.segment_bytes).unwrap_or(self.bytes());
        let made = Segment::create(&self.folder, wall, &first);
        let segment = made.inspect_err(|errno| self.failed = Some((*errno, mono)))?;
        let _ = self.folder.sync();
        // The new one has all helpers that run, so none is left to the old one. Its lines are in the file: that they may
        // not be on the disk is all that can be lost.
        self.others = all;
        let _ = self.end(wall, &Item::End { next_id, open: 0 });
        (self.current, self.last, self.failed) = (Some((segment, head)), wall, None);
        Ok(())
    }

    /// Appends lines, all or none.
    pub(super) fn append(&mut self, lines: &[(About, &Item)], keep: KeepOutput) -> Result<(), Errno> {
        let Some((segment, head)) = &mut self.current else { return Ok(()) };
        let encoded = |(About { wall, n, run }, item): &(About, &Item)| encode(head, (*wall, *n, *run), item, keep);
        segment.append(&lines.iter().flat_map(encoded).collect::<Vec<u8>>())?;
        self.last = lines.iter().map(|(about, _)| about.wall).fold(self.last, Wall::max);
        Ok(())
    }

    /// Ends the segment that is being written, whose bytes are counted with the others already.
    fn end(&mut self, wall: Wall, item: &Item) -> Result<(), Errno> {
        let Some((segment, head)) = self.current.take() else { return Ok(()) };
        // The clock may have gone back: the times of a segment do not.
        let wall = wall.max(self.last);
        let before = segment.bytes();
        let (bytes, closed) = segment.close(&encode(&head, (wall, 0, None), item, KeepOutput::None));
        self.others += bytes - before;
        closed
    }

    /// Ends the segment that is being written, if there is one.
    pub(super) fn close(&mut self, wall: Wall, item: &Item) -> Result<(), Errno> {
        self.others = self.bytes();
        self.end(wall, item)
    }
}
