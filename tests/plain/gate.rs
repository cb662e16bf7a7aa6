//! GATE-1 to GATE-5.

use khelper::abi::Errno;
use khelper::abi::depth::Depth;
use khelper::policy::gate::{Gate, Read};
use proptest::prelude::*;

use super::{STEPS, config};

const DEPTHS: [Depth; 3] = [Depth::Enabled, Depth::Freezing, Depth::Disabled];

/// Threads are bare numbers here.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Command {
    Enter(u64),
    /// The call at this place among those that are in.
    Leave(usize),
    MayDisable(Depth, u8),
    MayWrite(u8),
    TryTurn,
    EndTurn,
    WriterArrives,
    TryWrite(Depth),
    StartDrain,
    ReadTrylock(u8),
    ReadLock(u8),
    ReadUnlock(u8),
    TheEnd,
}
use Command::*;

fn command() -> impl Strategy<Value = Command> {
    let depth = || prop::sample::select(&DEPTHS[..]);
    prop_oneof![
        6 => any::<u64>().prop_map(Enter),
        6 => (0..4usize).prop_map(Leave),
        2 => (depth(), 0..4u8).prop_map(|(d, t)| MayDisable(d, t)),
        2 => (0..4u8).prop_map(MayWrite),
        2 => Just(TryTurn),
        2 => Just(EndTurn),
        4 => Just(WriterArrives),
        6 => depth().prop_map(TryWrite),
        2 => Just(StartDrain),
        4 => (0..4u8).prop_map(ReadTrylock),
        4 => (0..4u8).prop_map(ReadLock),
        6 => (0..4u8).prop_map(ReadUnlock),
        1 => prop::num::u8::ANY.prop_map(|n| if n < 16 { TheEnd } else { EndTurn }),
    ]
}

/// What happened, as it was done and not as it was asked.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fact {
    Entered(u64),
    Left(u64),
    TurnTaken,
    TurnGiven,
    WriterCame,
    Written(Depth),
    Watched,
    Read(u8),
    Unread(u8),
    Ended,
}

#[derive(Default)]
struct Plain(Vec<Fact>);

impl Plain {
    fn count(&self, fact: impl Fn(&Fact) -> bool) -> usize {
        self.0.iter().filter(|f| fact(f)).count()
    }
    fn ended(&self) -> bool {
        self.0.contains(&Fact::Ended)
    }
    /// The last depth written; disabled before the first and after the end.
    fn depth(&self) -> Depth {
        if self.ended() {
            return Depth::Disabled;
        }
        let written = self.0.iter().rev().find_map(|f| if let Fact::Written(depth) = f { Some(*depth) } else { None });
        written.unwrap_or(Depth::Disabled)
    }
    /// In after these many facts, in the order of their numbers.
    fn inside(&self, facts: usize) -> Vec<u64> {
        let mut inside = Vec::new();
        for fact in &self.0[..facts] {
            match fact {
                Fact::Entered(id) => inside.push(*id),
                Fact::Left(id) => inside.retain(|i| i != id),
                _ => {}
            }
        }
        inside.sort_unstable();
        inside
    }
    fn reads(&self, thread: u8) -> usize {
        self.count(|f| *f == Fact::Read(thread)) - self.count(|f| *f == Fact::Unread(thread))
    }
    fn read_at_all(&self) -> bool {
        (0..4).any(|thread| self.reads(thread) > 0)
    }
    fn writers(&self) -> usize {
        self.count(|f| *f == Fact::WriterCame) - self.count(|f| matches!(f, Fact::Written(_)))
    }
    fn turn(&self) -> bool {
        self.count(|f| *f == Fact::TurnTaken) > self.count(|f| *f == Fact::TurnGiven)
    }
    /// Whether nobody was in at one moment since the last watch began; `None` if none did.
    fn drained(&self) -> Option<bool> {
        let watched = self.0.iter().rposition(|f| *f == Fact::Watched)?;
        Some((watched..=self.0.len()).any(|moment| self.inside(moment).is_empty()))
    }
    fn may_write(&self, thread: u8) -> Result<(), Errno> {
        match (self.ended(), self.reads(thread)) {
            (true, _) => Err(Errno::ESHUTDOWN),
            (false, 0) => Ok(()),
            (false, _) => Err(Errno::EDEADLK),
        }
    }
    fn read(&mut self, thread: u8) -> Read {
        if self.depth() != Depth::Enabled || (self.writers() > 0 && self.reads(thread) == 0) {
            return Read::Wait;
        }
        self.0.push(Fact::Read(thread));
        Read::Taken
    }
}

fn step(gate: &mut Gate<u8>, plain: &mut Plain, command: Command) {
    match command {
        Enter(id) => {
            gate.enter(id);
            plain.0.push(Fact::Entered(id));
        }
        Leave(at) => {
            if let Some(id) = plain.inside(plain.0.len()).get(at).copied() {
                plain.0.push(Fact::Left(id));
                assert_eq!(gate.leave(id), plain.inside(plain.0.len()).is_empty());
            }
        }
        MayDisable(Depth::Enabled, thread) => {
            assert_eq!(gate.may_disable(Depth::Enabled, thread), Err(Errno::EINVAL));
        }
        MayDisable(depth, thread) => assert_eq!(gate.may_disable(depth, thread), plain.may_write(thread)),
        MayWrite(thread) => assert_eq!(gate.may_write(thread), plain.may_write(thread)),
        TryTurn => {
            let free = !plain.turn();
            assert_eq!(gate.try_turn(), free);
            if free {
                plain.0.push(Fact::TurnTaken);
            }
        }
        EndTurn => {
            if plain.turn() {
                plain.0.push(Fact::TurnGiven);
            }
            gate.end_turn();
        }
        WriterArrives => {
            gate.writer_arrives();
            plain.0.push(Fact::WriterCame);
        }
        TryWrite(depth) => {
            if plain.writers() > 0 {
                let before = (!plain.read_at_all()).then(|| plain.depth());
                assert_eq!(gate.try_write(depth), before);
                if before.is_some() {
                    plain.0.push(Fact::Written(depth));
                }
            }
        }
        StartDrain => {
            gate.start_drain();
            plain.0.push(Fact::Watched);
        }
        ReadTrylock(thread) => {
            let refused = plain.depth() == Depth::Disabled && plain.writers() == 0;
            let answer = if refused { Read::Refused } else { plain.read(thread) };
            assert_eq!(gate.read_trylock(thread), answer);
        }
        ReadLock(thread) => assert_eq!(gate.read_lock(thread), plain.read(thread)),
        ReadUnlock(thread) => {
            if plain.reads(thread) > 0 {
                plain.0.push(Fact::Unread(thread));
            }
            gate.read_unlock(thread);
        }
        TheEnd => {
            assert_eq!(gate.shut_for_good(), plain.depth());
            plain.0.push(Fact::Ended);
        }
    }
}

proptest! {
    #![proptest_config(config(96))]
    #[test]
    fn gate_1_to_gate_5_as_a_plain_model_has_it(commands in prop::collection::vec(command(), 1..STEPS)) {
        let (mut gate, mut plain) = (Gate::default(), Plain::default());
        for command in commands {
            step(&mut gate, &mut plain, command);
            let inside = plain.inside(plain.0.len());
            prop_assert_eq!(gate.depth(), plain.depth());
            prop_assert_eq!(gate.admits().is_ok(), plain.depth() == Depth::Enabled);
            prop_assert_eq!((gate.running_helpers(), gate.draining()), (inside.len(), plain.turn()));
            prop_assert_eq!(gate.running().collect::<Vec<_>>(), inside);
            if let Some(drained) = plain.drained() {
                prop_assert_eq!(gate.drained(), drained);
            }
        }
    }
}
