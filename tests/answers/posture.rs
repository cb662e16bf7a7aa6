//! `posture`: one page of text, and one object for each part.

use khelper::abi::cap::CapMask;
use khelper::abi::kernel_program::{Component, Fact, FileKind, Format, Part, Program, Value};
use khelper::control::posture_json;
use khelper::control::text::posture::page;
use khelper::policy::posture::{Finding, judge};
use nix::errno::Errno;

const KNOWN: CapMask = CapMask::up_to(40);

fn text(text: &str) -> Value {
    Value::Text(text.as_bytes().into())
}

/// A file with these folders before it: path, owner, group, mode.
fn program(way: &[(&str, u32, u32, u32)], fault: Option<Errno>, format: Format) -> Option<Program> {
    let component = |(at, (path, uid, gid, mode)): (usize, &(&str, u32, u32, u32))| Component {
        path: path.as_bytes().into(),
        kind: if at + 1 == way.len() && fault.is_none() { FileKind::File } else { FileKind::Folder },
        uid: *uid,
        gid: *gid,
        mode: *mode,
    };
    let path = way.last().unwrap().0.as_bytes().into();
    Some(Program { path, way: way.iter().enumerate().map(component).collect(), fault, format })
}

fn findings() -> Vec<Finding> {
    let fact = |part, value, program| Fact { part, value, program };
    let opt = program(&[("/", 0, 0, 0o755), ("/opt", 1000, 1000, 0o755), ("/opt/m\n", 0, 0, 0o755)], None, Format::Elf);
    let core = program(&[("/", 0, 0, 0o755), ("/core", 0, 7, 0o775)], None, Format::Neither);
    let none = program(&[("/", 0, 0, 0o755), ("/sbin", 0, 0, 0o755)], Some(Errno::ENOENT), Format::Unreadable);
    let agent = |at: &str| Part::ReleaseAgent(at.as_bytes().into());
    let key = Part::KeyProgram { file: b"/etc/request-key.conf"[..].into(), line: 3 };
    let facts = vec![
        fact(Part::Modprobe, text("/opt/m\n"), opt),
        fact(Part::Bset, Value::Mask(KNOWN), None),
        fact(Part::Inheritable, Value::Unreadable(Errno::EACCES), None),
        fact(Part::ModulesDisabled, text("0"), None),
        fact(Part::CorePattern, text("|/core %P"), core),
        fact(Part::RequestKey, text("/sbin/request-key"), none),
        fact(key, text("/bin/key"), program(&[("/bin/key", 0, 0, 0o755)], None, Format::Script)),
        fact(agent("/a"), text(""), None),
        fact(agent("/b"), text(""), None),
        fact(agent("/c"), text("/agent"), program(&[("/agent", 0, 0, 0o644)], None, Format::Script)),
        fact(Part::UeventHelper, Value::Absent, None),
    ];
    judge(facts, KNOWN)
}

#[test]
fn the_page_says_how_each_part_stands_and_why_it_matters() {
    let expected = "\
kernel  HIGH    kernel.modprobe \"/opt/m\\x0a\"  uid 1000 could replace it: /opt belongs to that user
                the kernel runs it as root when something needs a module; a user can cause that
kernel  LOW     kernel.usermodehelper.bset full  every helper of the kernel gets every capability
                the most that a helper of the kernel may do; it can only be narrowed until the machine starts again
kernel  UNKNOWN kernel.usermodehelper.inheritable (not known)  could not be read (EACCES); only uid 0 may read it
                what a helper may pass on; it can only be narrowed until the machine starts again
kernel  OK      kernel.modules_disabled 0
                1 stops the loading of modules until the machine starts again; modprobe is run all the same
kernel  MEDIUM  kernel.core_pattern \"|/core %P\"  group 7 could replace it: /core can be written by that group; it is neither ELF nor a script: on some kernels each attempt asks for a module again, 50 levels deep
                the kernel runs the program after `|` as root for each core dump
kernel  OK      request-key \"/sbin/request-key\"  the program cannot be found (ENOENT)
                the kernel runs it as root for a key that it does not have; a user can cause that
kernel  OK      request-key.conf \"/bin/key\" (/etc/request-key.conf:3)
                request-key runs it as root for a key
kernel  OK      release_agent \"\" (/a) (/b)
                the kernel runs it as root when a cgroup of this hierarchy becomes empty
kernel  MEDIUM  release_agent \"/agent\" (/c)  a release agent is set: an emptied cgroup makes the kernel run it as root; nobody may execute it
                the kernel runs it as root when a cgroup of this hierarchy becomes empty
kernel  OK      uevent_helper (this kernel does not have it)
                the kernel runs it as root for each event of a device";
    assert_eq!(page(&findings(), KNOWN).join("\n"), expected);
}

#[test]
fn each_part_is_an_object_and_hostile_bytes_can_be_read_back() {
    let lines: Vec<String> = findings().iter().map(posture_json::line).collect();
    let expected = "{\"v\":1,\"target\":\"kernel\",\"part\":\"kernel.modprobe\",\"level\":\"high\",\"value\":\"/opt/m\\n\",\
        \"exists\":true,\"place\":null,\"line\":null,\"program\":{\"path\":\"/opt/m\\n\",\"file\":\"/opt/m\\n\",\"uid\":0,\
        \"gid\":0,\"mode\":\"0755\",\"format\":\"elf\",\"errno\":null},\"faults\":[{\"fault\":\"replaceable\",\
        \"level\":\"high\",\"at\":\"/opt\",\"uid\":1000,\"gid\":null,\
        \"words\":\"uid 1000 could replace it: /opt belongs to that user\"}],\
        \"why\":\"the kernel runs it as root when something needs a module; a user can cause that\"}";
    assert_eq!(lines[0], expected);
    let object = |at: usize| -> serde_json::Value { serde_json::from_str(&lines[at]).unwrap() };
    assert_eq!((&object(1)["value"], &object(2)["value"]), (&"0x000001ffffffffff".into(), &serde_json::Value::Null));
    assert_eq!((&object(6)["place"], &object(6)["line"]), (&"/etc/request-key.conf".into(), &3.into()));
    assert_eq!((&object(5)["program"]["errno"], &object(10)["exists"]), (&"ENOENT".into(), &false.into()));
}
