//! SYS-2, SYS-3, SYS-5, SYS-8.

use std::thread;

use khelper::abi::Errno;
use khelper::abi::actor::{Actor, Origin};
use khelper::abi::cap::{CapMask, Capability};
use khelper::abi::error::{ControlError, Explain};
use khelper::abi::launch_spec::Enforcement;
use khelper::abi::mask::{MaskExpr, kernel_words};
use khelper::control::{Change, Command, Key, MaskKnob, Reply, dispatch_as};
use khelper::engine::{Cancel, Engine, KnobWrite};
use rustix::thread::CapabilitySet;

use crate::common::{field, run, skipped};

const BSET: &str = "/proc/sys/kernel/usermodehelper/bset";

/// Capability 0.
const CHOWN: CapMask = CapMask::from_bits(1);

/// Every capability that the running kernel knows, as it says itself.
fn known() -> CapMask {
    let last: u32 = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").unwrap().trim().parse().unwrap();
    CapMask::from_bits(u64::MAX >> (63 - last))
}

fn get(engine: &Engine, key: Key) -> String {
    match dispatch_as(engine, engine.actor(Origin::Console), Command::Get(key), &Cancel::new()) {
        Ok(Reply::Value(value)) => value.to_string(),
        other => panic!("{other:?}"),
    }
}

fn written(reply: Result<Reply, ControlError>) -> Result<Change, ControlError> {
    match reply? {
        Reply::Written(mut written) if written.len() == 1 => Ok(written.remove(0)),
        other => panic!("{other:?}"),
    }
}

fn write(engine: &Engine, key: Key, value: &str) -> Result<Change, ControlError> {
    written(dispatch_as(
        engine,
        engine.actor(Origin::Console),
        Command::Write(vec![(key, key.parse_value(value.as_bytes(), engine.known())?)]),
        &Cancel::new(),
    ))
}

fn reset(engine: &Engine, mask: MaskKnob) -> Change {
    written(dispatch_as(engine, engine.actor(Origin::Console), Command::Reset(mask), &Cancel::new())).unwrap()
}

#[test]
fn sys_2_masks_start_full_and_read_as_the_kernel_prints_them() {
    let engine = Engine::start().unwrap();
    let full = known().bits();
    let words = format!("{}\t{}", full & u64::from(u32::MAX), full >> 32);
    assert_eq!([get(&engine, Key::Bset), get(&engine, Key::Inheritable)], [words.clone(), words]);
    assert_eq!(engine.snapshot().known, known());
    // This machine's own knob, if it may be read: the same bits read the same.
    match std::fs::read_to_string(BSET) {
        Ok(text) => {
            let words: Vec<u64> = text.split_ascii_whitespace().map(|word| word.parse().unwrap()).collect();
            let [low, high] = words[..] else { panic!("{text:?}") };
            assert_eq!(text, format!("{}\n", kernel_words(CapMask::from_bits(high << 32 | low))));
        }
        // The file is root's; some containers have none.
        Err(e) => skipped(&format!("SYS-2: how this machine's own knob reads: {BSET}: {e}")),
    }
}

#[test]
fn sys_3_a_mask_is_written_with_both_capabilities_or_by_the_owner() {
    let engine = Engine::start().unwrap();
    let needed = [Capability::SETPCAP, Capability::SYS_MODULE];
    let none = CapabilitySet::empty();
    let mut with_both = false;
    for dropped in
        [none, CapabilitySet::SETPCAP, CapabilitySet::SYS_MODULE, CapabilitySet::SETPCAP | CapabilitySet::SYS_MODULE]
    {
        let writer = engine.clone();
        // Capability sets are a thread's: this one is the writer, and its CapEff is what the kernel says of it.
        let (effective, outside, owner) = thread::spawn(move || {
            let mut sets = rustix::thread::capabilities(None).unwrap();
            sets.effective.remove(dropped);
            rustix::thread::set_capabilities(None, sets).unwrap();
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            let effective = CapMask::from_bits(u64::from_str_radix(field(&status, "CapEff"), 16).unwrap());
            let value = Key::Bset.parse_value(b"-cap_chown", known()).unwrap();
            let command = || Command::Write(vec![(Key::Bset, value.clone())]);
            let writes = [KnobWrite::Bset(MaskExpr::parse(b"-cap_chown", known()).unwrap())];
            let sender = Actor { effective, ..(*writer.actor(Origin::Outside)).clone() };
            let outside = writer.write_as(&writes, &sender).map(|c| c[0].after.clone()).map_err(|(_, e)| e);
            let unchanged = writer.snapshot().knobs.bset == known();
            assert_eq!(unchanged, outside.is_err());
            let owner = [Origin::Library, Origin::Console, Origin::CommandLine]
                .map(|origin| dispatch_as(&writer, writer.actor(origin), command(), &Cancel::new()).is_ok());
            (effective, outside, owner)
        })
        .join()
        .unwrap();
        assert_eq!(owner, [true; 3], "it only takes power from its own children");
        let lacks: Vec<String> =
            needed.iter().filter(|cap| !effective.contains(CapMask::only(**cap))).map(|c| c.name()).collect();
        match outside {
            Ok(after) => {
                assert!(lacks.is_empty(), "{after}, without {lacks:?}");
                with_both = true;
            }
            Err(error) => {
                assert_eq!(error.errno(), Errno::EPERM);
                let (_, missing) =
                    error.to_string().split_once("lacks ").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
                assert_eq!(missing, format!("{} (EPERM)", lacks.join(" and ")));
            }
        }
        reset(&engine, MaskKnob::Bset);
    }
    if !with_both {
        skipped("SYS-3: a writer that has both capabilities: this user has not");
    }
}

#[test]
fn sys_5_every_form_of_a_mask_and_what_is_none() {
    let engine = Engine::start().unwrap();
    let full = known();
    let (module, chown, kill) = (CapMask::only(Capability::SYS_MODULE), CHOWN, CapMask::from_bits(1 << 5));
    for (texts, expected) in [
        (&["65536 0"][..], module),
        (&["0x10000\t0x0"], module),
        (&["0x10021"], module | chown | kill),
        (&["cap_sys_module"], module),
        (&["SYS_MODULE,Cap_Chown kill"], module | chown | kill),
        (&["full"], full),
        (&["4294967295 4294967295"], full),
        (&["empty"], CapMask::EMPTY),
        (&["-cap_chown"], full.minus(chown)),
        (&["full -cap_chown,-cap_kill"], full.minus(chown | kill)),
        (&["~cap_chown cap_kill"], full.minus(chown | kill)),
        (&["cap_chown cap_kill", "+cap_chown -cap_kill"], chown),
        (&["cap_chown", "+cap_kill"], chown),
    ] {
        for text in texts {
            write(&engine, Key::Bset, text).unwrap();
        }
        assert_eq!(get(&engine, Key::Bset), kernel_words(expected), "{texts:?}");
        reset(&engine, MaskKnob::Bset);
    }
    write(&engine, Key::Bset, "cap_chown cap_kill").unwrap();
    let past = format!("{:#x}", full.bits() + 1);
    for text in [
        past.as_str(),
        "65536",
        "4294967296 0",
        "1 2 3",
        "010 0",
        "-1 0",
        "+1 0",
        "0x1ffffffffffffffff",
        "cap_nonsense",
        "cap_chown nonsense",
        "",
        " ",
    ] {
        let error = write(&engine, Key::Bset, text).unwrap_err();
        assert_eq!(error.errno(), Errno::EINVAL, "{text:?}");
        assert_eq!(get(&engine, Key::Bset), kernel_words(chown | kill), "{text:?} changed it");
    }
}

#[test]
fn sys_8_how_it_starts_and_that_reset_is_an_act_of_its_own() {
    let engine = Engine::start().unwrap();
    let full = kernel_words(known());
    let start = [
        (Key::Modprobe, "/sbin/modprobe"),
        (Key::Bset, full.as_str()),
        (Key::Inheritable, &full),
        (Key::Era, "3.4"),
        (Key::Allow, ""),
        (Key::Deny, ""),
        (Key::Gate, "enabled"),
    ];
    for (key, value) in start {
        assert_eq!(get(&engine, key), value, "{}", key.name());
    }
    assert_eq!(engine.snapshot().knobs.max_concurrent, 50);
    let bounding = || run(&engine, &["/bin/true"]).caps.as_deref().copied().unwrap().bounding;
    let host = engine.snapshot().host.bounding.known().unwrap();
    for (key, knob) in [(Key::Bset, MaskKnob::Bset), (Key::Inheritable, MaskKnob::Inheritable)] {
        write(&engine, key, "cap_chown").unwrap();
        // No write gives it back.
        let asked = write(&engine, key, "full").unwrap();
        assert_eq!((asked.after.mask(), asked.not_granted), (Some(CHOWN), known().minus(CHOWN)));
        let narrow = run(&engine, &["/bin/true"]);
        if key == Key::Bset && narrow.enforced == Some(Enforcement::Masks) {
            assert_eq!(bounding(), host & CHOWN);
        }
        let answer = reset(&engine, knob);
        assert_eq!((answer.key, answer.after.to_string()), (key, full.clone()));
    }
    assert_eq!(bounding(), host, "a helper gets all of it again");
}
