//! SYS-2, SYS-4, SYS-5, SYS-8, SYS-9, REQ-3: the knobs, through the engine.

use std::collections::BTreeSet;

use khelper::abi::Errno;
use khelper::abi::actor::Origin;
use khelper::abi::cap::{CapMask, Capability};
use khelper::abi::era::Era;
use khelper::abi::error::Explain;
use khelper::abi::mask::MaskExpr;
use khelper::engine::{Change, Engine, KnobWrite};
use khelper::policy::authorize::Globs;
use khelper::sys::fake::{FakeHost, Script};
use proptest::prelude::*;

use super::config;

const LAST: u8 = 40;

/// A mask as a set of bit numbers.
type Bits = BTreeSet<u8>;

fn full() -> Bits {
    (0..=LAST).collect()
}

#[derive(Clone, Debug)]
enum Mask {
    These(Bits),
    AllBut(Bits),
    /// From full or from the live value, with these kept and those dropped.
    Change(bool, Bits, Bits),
}

impl Mask {
    /// As an operator writes it.
    fn text(&self) -> String {
        let names = |sign: &str, bits: &Bits| {
            bits.iter().map(|bit| format!("{sign}{}", Capability::from_bit(*bit).unwrap().name())).collect::<Vec<_>>()
        };
        match self {
            Self::These(bits) if bits.is_empty() => "empty".into(),
            Self::These(bits) => names("", bits).join(","),
            Self::AllBut(bits) if bits.is_empty() => "full".into(),
            Self::AllBut(bits) => format!("~{}", names("", bits).join(" ")),
            Self::Change(from_full, keep, drop) => {
                let mut words = if *from_full { vec!["full".into()] } else { Vec::new() };
                words.extend(names("+", keep));
                words.extend(names("-", drop));
                if words.is_empty() { "full".into() } else { words.join(" ") }
            }
        }
    }
    fn asked(&self, live: &Bits) -> Bits {
        match self {
            Self::These(bits) => bits.clone(),
            Self::AllBut(bits) => &full() - bits,
            Self::Change(from_full, keep, drop) => {
                let from = if *from_full || keep.is_empty() && drop.is_empty() { &full() } else { live };
                &(from | keep) - drop
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Write {
    Modprobe(&'static str),
    Bset(Mask),
    Inheritable(Mask),
    ResetBset,
    ResetInheritable,
    Era(bool),
    Max(u32),
    Allow(&'static str),
    Deny(&'static str),
}

#[derive(Clone, Debug)]
enum Command {
    Writes(Vec<Write>),
    Threads(Option<u32>),
    /// The first fixes the era.
    Request,
}

fn bits() -> impl Strategy<Value = Bits> {
    prop::collection::btree_set(0..=LAST, 0..20)
}

fn mask() -> impl Strategy<Value = Mask> {
    prop_oneof![
        bits().prop_map(Mask::These),
        bits().prop_map(Mask::AllBut),
        (any::<bool>(), bits(), bits()).prop_map(|(from_full, keep, drop)| Mask::Change(
            from_full,
            &keep - &drop,
            drop
        )),
    ]
}

fn write() -> impl Strategy<Value = Write> {
    let list = || prop::sample::select(vec!["", "dummy", "usb-* snd?"]);
    prop_oneof![
        1 => prop::sample::select(vec!["", "/sbin/modprobe", "/bin/my modprobe"]).prop_map(Write::Modprobe),
        4 => mask().prop_map(Write::Bset),
        4 => mask().prop_map(Write::Inheritable),
        2 => Just(Write::ResetBset),
        2 => Just(Write::ResetInheritable),
        1 => any::<bool>().prop_map(Write::Era),
        2 => (0..60u32).prop_map(Write::Max),
        1 => list().prop_map(Write::Allow),
        1 => list().prop_map(Write::Deny),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        12 => prop::collection::vec(write(), 1..4).prop_map(Command::Writes),
        2 => prop::option::of(0..200u32).prop_map(Command::Threads),
        1 => prop::num::u8::ANY.prop_map(|n| if n < 40 { Command::Request } else { Command::Threads(None) }),
    ]
}

#[derive(Clone, Debug)]
struct Plain {
    path: &'static str,
    masks: [Bits; 2],
    current: bool,
    max: u32,
    lists: [&'static str; 2],
    threads: Option<u32>,
    requested: bool,
}

/// What a change is compared by: before, after, not granted.
type Told = (String, String, Bits);

impl Plain {
    fn ceiling(&self) -> u32 {
        match self.threads {
            Some(threads) if !self.current => 50.min(threads / 2),
            _ => 50,
        }
    }

    fn write(&mut self, write: &Write) -> Result<Told, Errno> {
        let put = |live: &mut Bits, after: Bits, refused: Bits| {
            let before = std::mem::replace(live, after.clone());
            Ok((words(&before), words(&after), refused))
        };
        let plain = |before: &str, after: &str| Ok((before.to_owned(), after.to_owned(), Bits::new()));
        let era = |current: bool| if current { "current" } else { "3.4" };
        match write {
            Write::Modprobe(path) => plain(std::mem::replace(&mut self.path, path), path),
            Write::Bset(mask) | Write::Inheritable(mask) => {
                let live = &mut self.masks[usize::from(matches!(write, Write::Inheritable(_)))];
                let asked = mask.asked(live);
                let (after, refused) = (&*live & &asked, &asked - &*live);
                put(live, after, refused)
            }
            Write::ResetBset => put(&mut self.masks[0], full(), Bits::new()),
            Write::ResetInheritable => put(&mut self.masks[1], full(), Bits::new()),
            Write::Era(current) if self.requested && *current != self.current => Err(Errno::EBUSY),
            Write::Era(current) => plain(era(std::mem::replace(&mut self.current, *current)), era(*current)),
            Write::Max(max) if *max < 1 || *max > self.ceiling() => Err(Errno::EINVAL),
            Write::Max(max) => plain(&std::mem::replace(&mut self.max, *max).to_string(), &max.to_string()),
            Write::Allow(list) => plain(std::mem::replace(&mut self.lists[0], list), list),
            Write::Deny(list) => plain(std::mem::replace(&mut self.lists[1], list), list),
        }
    }

    /// All or none; which write was wrong, and how.
    fn write_all(&mut self, writes: &[Write]) -> Result<Vec<Told>, (usize, Errno)> {
        let mut next = self.clone();
        let told = writes.iter().enumerate().map(|(at, write)| next.write(write).map_err(|errno| (at, errno)));
        let told = told.collect::<Result<Vec<_>, _>>()?;
        *self = next;
        Ok(told)
    }
}

/// Two decimal words of 32 bits, low word first, a tab between.
fn words(bits: &Bits) -> String {
    let word = |from: u8| bits.range(from..from + 32).map(|bit| 1u64 << (bit - from)).sum::<u64>();
    format!("{}\t{}", word(0), word(32))
}

fn bits_of(mask: CapMask) -> Bits {
    (0..64).filter(|bit| mask.bits() >> bit & 1 == 1).collect()
}

fn real(write: &Write) -> KnobWrite {
    let mask = |mask: &Mask| MaskExpr::parse(mask.text().as_bytes(), CapMask::up_to(LAST)).unwrap();
    let globs = |list: &str| Globs::parse(list.as_bytes()).unwrap();
    match write {
        Write::Modprobe(path) => KnobWrite::Modprobe(path.as_bytes().into()),
        Write::Bset(m) => KnobWrite::Bset(mask(m)),
        Write::Inheritable(m) => KnobWrite::Inheritable(mask(m)),
        Write::ResetBset => KnobWrite::ResetBset,
        Write::ResetInheritable => KnobWrite::ResetInheritable,
        Write::Era(current) => KnobWrite::Era(if *current { Era::Current } else { Era::V3_4 }),
        Write::Max(max) => KnobWrite::MaxConcurrent(*max),
        Write::Allow(list) => KnobWrite::Allow(globs(list)),
        Write::Deny(list) => KnobWrite::Deny(globs(list)),
    }
}

fn told(changes: Vec<Change>) -> Vec<Told> {
    changes.into_iter().map(|c| (c.before.to_string(), c.after.to_string(), bits_of(c.not_granted))).collect()
}

fn compare(engine: &Engine, plain: &Plain) {
    let snapshot = engine.snapshot();
    let knobs = snapshot.knobs;
    assert_eq!(knobs.modprobe.as_ref(), plain.path.as_bytes());
    assert_eq!([bits_of(knobs.bset), bits_of(knobs.inheritable)], plain.masks);
    assert_eq!((knobs.era == Era::Current, knobs.max_concurrent), (plain.current, plain.max));
    assert_eq!([&**knobs.allow.text(), &**knobs.deny.text()], plain.lists);
    assert_eq!(snapshot.slots.limit, plain.max.min(plain.ceiling()));
}

fn run(commands: Vec<Command>) {
    let host = FakeHost::new();
    for path in ["/sbin/modprobe", "/bin/my modprobe"] {
        host.script(path, Script::default());
    }
    host.change(|machine| machine.threads_max = None);
    let engine = Engine::builder().host(host.clone()).start().unwrap();
    let mut plain = Plain {
        path: "/sbin/modprobe",
        masks: [full(), full()],
        current: false,
        max: 50,
        lists: ["", ""],
        threads: None,
        requested: false,
    };
    compare(&engine, &plain);
    for command in commands {
        match command {
            Command::Writes(writes) => {
                let real: Vec<_> = writes.iter().map(real).collect();
                let answer = engine.write(&real, Origin::Library);
                match plain.write_all(&writes) {
                    Ok(expected) => assert_eq!(told(answer.unwrap()), expected),
                    Err((at, errno)) => {
                        let (key, error) = answer.unwrap_err();
                        assert_eq!((key, error.errno()), (real[at].key(), errno));
                    }
                }
            }
            Command::Threads(threads) => {
                host.change(|machine| machine.threads_max = threads);
                plain.threads = threads;
            }
            Command::Request => {
                plain.requested = true;
                assert!(engine.request_module("dummy", true).result.is_some());
            }
        }
        compare(&engine, &plain);
    }
}

proptest! {
    #![proptest_config(config(48))]
    #[test]
    fn sys_4_sys_5_and_sys_9_as_a_plain_model_has_it(commands in prop::collection::vec(command(), 1..super::STEPS)) {
        run(commands);
    }
}
