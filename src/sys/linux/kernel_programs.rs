//! Finds the kernel's knobs and every program that the kernel may execute on its own, with the owner and the mode of each
//! component of its path. Facts only.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;

use super::kernel_knobs::read;
use super::path::walk_below;
use crate::abi::cap::CapMask;
use crate::abi::kernel_program::{Component, Fact, FileKind, Format, Part, Program, Value};
use crate::abi::sort::sort_by;

/// The kernel's call for a key (request_key(2)).
const REQUEST_KEY: &[u8] = b"/sbin/request-key";
/// The most lines of request-key.conf(5) that are shown.
const KEY_LINES: usize = 256;

/// Every part, in the order in which they are shown. `root` is the folder that stands for `/`.
pub fn facts(root: &Path) -> Vec<Fact> {
    let mut all = vec![
        program_of(root, Part::Modprobe, text(root, "proc/sys/kernel/modprobe"), whole),
        Fact { part: Part::Bset, value: mask(root, "bset"), program: None },
        Fact { part: Part::Inheritable, value: mask(root, "inheritable"), program: None },
        Fact { part: Part::ModulesDisabled, value: text(root, "proc/sys/kernel/modules_disabled"), program: None },
    ];
    all.extend(static_helper(root));
    all.push(program_of(root, Part::CorePattern, text(root, "proc/sys/kernel/core_pattern"), piped));
    let key = Value::Text(REQUEST_KEY.into());
    all.push(program_of(root, Part::RequestKey, key, whole));
    all.extend(key_programs(root));
    all.extend(release_agents(root));
    all.push(program_of(root, Part::UeventHelper, text(root, "sys/kernel/uevent_helper"), whole));
    all.push(program_of(root, Part::PoweroffCmd, text(root, "proc/sys/kernel/poweroff_cmd"), first_word));
    all
}

/// The value of a mask's file: two words of 32 bits, the low one first.
pub fn mask(root: &Path, name: &str) -> Value {
    match read(&root.join("proc/sys/kernel/usermodehelper").join(name)) {
        Ok(bytes) => words(&bytes).map_or(Value::Unreadable(Errno::EINVAL), Value::Mask),
        Err(errno) => failed(errno),
    }
}

/// The value of a text's file, without the newline at its end.
pub fn text(root: &Path, path: &str) -> Value {
    match read(&root.join(path)) {
        Ok(bytes) => Value::Text(bytes.strip_suffix(b"\n").unwrap_or(&bytes).into()),
        Err(errno) => failed(errno),
    }
}

/// The file at this path, and the way to it.
pub fn program(root: &Path, path: &[u8]) -> Program {
    let mut way = Vec::new();
    let walked = walk_below(root, Path::new(OsStr::from_bytes(path)), &mut |at, meta| {
        way.push(component(root, at, meta));
    });
    let fault = walked.err().map(|e| Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO)));
    let last = way.last().filter(|last| fault.is_none() && last.kind == FileKind::File);
    let format = last.map_or(Format::Unreadable, |last| format(&below(root, &last.path)));
    Program { path: path.into(), way, fault, format }
}

fn failed(errno: Errno) -> Value {
    if errno == Errno::ENOENT { Value::Absent } else { Value::Unreadable(errno) }
}

fn words(bytes: &[u8]) -> Option<CapMask> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut words = text.split_ascii_whitespace().map(str::parse::<u32>);
    let (low, high) = (words.next()?.ok()?, words.next()?.ok()?);
    words.next().is_none().then(|| CapMask::from_bits(u64::from(low) | u64::from(high) << 32))
}

/// The part with the program that its value names, if it names one.
fn program_of(root: &Path, part: Part, value: Value, named: fn(&[u8]) -> Option<&[u8]>) -> Fact {
    let program = match &value {
        Value::Text(text) => named(text).filter(|path| path.starts_with(b"/")).map(|path| program(root, path)),
        _ => None,
    };
    Fact { part, value, program }
}

/// A path alone: blanks belong to it.
fn whole(text: &[u8]) -> Option<&[u8]> {
    (!text.is_empty()).then_some(text)
}

/// The first word of a command line.
fn first_word(text: &[u8]) -> Option<&[u8]> {
    text.split(u8::is_ascii_whitespace).find(|word| !word.is_empty())
}

/// The program behind the `|` of core(5).
fn piped(text: &[u8]) -> Option<&[u8]> {
    first_word(text.strip_prefix(b"|")?)
}

fn below(root: &Path, path: &[u8]) -> PathBuf {
    root.join(OsStr::from_bytes(path.strip_prefix(b"/").unwrap_or(path)))
}

fn component(root: &Path, at: &Path, meta: &Metadata) -> Component {
    let inside = at.strip_prefix(root).unwrap_or(at).as_os_str().as_bytes();
    let kind = match meta.file_type() {
        t if t.is_symlink() => FileKind::Link,
        t if t.is_dir() => FileKind::Folder,
        t if t.is_file() => FileKind::File,
        _ => FileKind::Other,
    };
    let path: Arc<[u8]> = [b"/", inside].concat().into();
    Component { path, kind, uid: meta.uid(), gid: meta.gid(), mode: meta.mode() & 0o7777 }
}

fn format(path: &Path) -> Format {
    let mut head = Vec::new();
    // The file may have been replaced by a named pipe.
    let opened = File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path);
    match opened.and_then(|file| file.take(4).read_to_end(&mut head)) {
        Err(_) => Format::Unreadable,
        Ok(_) if head == b"\x7fELF" => Format::Elf,
        Ok(_) if head.starts_with(b"#!") => Format::Script,
        Ok(_) => Format::Neither,
    }
}

/// CONFIG_STATIC_USERMODEHELPER, where the kernel's configuration lies beside it.
fn static_helper(root: &Path) -> Option<Fact> {
    let Value::Text(release) = text(root, "proc/sys/kernel/osrelease") else { return None };
    let config = fs::read(below(root, &[b"/boot/config-", &*release].concat())).ok()?;
    let mut lines = config.split(|b| *b == b'\n');
    let path = lines.find_map(|line| line.strip_prefix(b"CONFIG_STATIC_USERMODEHELPER_PATH="))?;
    let path = path.strip_prefix(b"\"").and_then(|path| path.strip_suffix(b"\"")).unwrap_or(path);
    Some(program_of(root, Part::StaticHelper, Value::Text(path.into()), whole))
}

/// The programs of request-key.conf(5): the file itself and those of request-key.d.
fn key_programs(root: &Path) -> Vec<Fact> {
    let mut files = vec![b"/etc/request-key.conf".to_vec()];
    let entries = fs::read_dir(root.join("etc/request-key.d")).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
    sort_by(&mut names, Ord::cmp);
    let is_read = |name: &[u8]| name.ends_with(b".conf") && !name.starts_with(b".");
    let names = names.iter().map(|name| name.as_bytes()).filter(|name| is_read(name));
    files.extend(names.map(|name| [b"/etc/request-key.d/", name].concat()));
    let mut all = Vec::new();
    for file in files {
        let Ok(bytes) = fs::read(below(root, &file)) else { continue };
        all.push(Fact {
            part: Part::KeyProgram { file: file.as_slice().into(), line: 0 },
            value: Value::Text(file.as_slice().into()),
            program: Some(program(root, &file)),
        });
        for (line, text) in (1..).zip(bytes.split(|b| *b == b'\n')) {
            let Some(path) = key_program(text) else { continue };
            let part = Part::KeyProgram { file: file.as_slice().into(), line };
            all.push(program_of(root, part, Value::Text(path.into()), whole));
        }
    }
    all.truncate(KEY_LINES);
    all
}

/// The program of a line: the fifth word, without the `|` that feeds it the callout data.
fn key_program(line: &[u8]) -> Option<&[u8]> {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.next().filter(|first| !first.starts_with(b"#"))?;
    let program = words.nth(3)?;
    program.strip_prefix(b"|").or(Some(program)).filter(|path| !path.is_empty())
}

/// The release agents of the mounted cgroup v1 hierarchies.
fn release_agents(root: &Path) -> Vec<Fact> {
    let mounts = fs::read(root.join("proc/self/mountinfo")).unwrap_or_default();
    let of = |line: &[u8]| {
        let at = line.windows(3).position(|three| three == b" - ")?;
        let mut fields = line[..at].split(|b| *b == b' ');
        let (folder, mounted) = (fields.nth(3)?, fields.next()?);
        // The agent's file is in the root of the hierarchy only.
        (line[at + 3..].starts_with(b"cgroup ") && folder == b"/").then(|| unescape(mounted))
    };
    let mut all: Vec<Fact> = Vec::new();
    for mounted in mounts.split(|b| *b == b'\n').filter_map(of) {
        let value = match read(&below(root, &mounted).join("release_agent")) {
            Ok(bytes) => Value::Text(bytes.strip_suffix(b"\n").unwrap_or(&bytes).into()),
            Err(errno) => failed(errno),
        };
        if value != Value::Absent {
            all.push(program_of(root, Part::ReleaseAgent(mounted.into()), value, whole));
        }
    }
    all
}

/// `\040` is a blank (proc_pid_mountinfo(5)).
fn unescape(text: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::with_capacity(text.len()), 0);
    while at < text.len() {
        let octal = text.get(at..at + 4).filter(|four| four[0] == b'\\').and_then(|four| {
            let digits = std::str::from_utf8(&four[1..]).ok()?;
            u8::from_str_radix(digits, 8).ok()
        });
        out.push(octal.unwrap_or(text[at]));
        at += if octal.is_some() { 4 } else { 1 };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn put(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn of(facts: &[Fact], part: &Part) -> Fact {
        facts.iter().find(|fact| fact.part == *part).unwrap_or_else(|| panic!("{part:?}: {facts:?}")).clone()
    }

    #[test]
    fn every_knob_and_every_program_is_found_below_the_root() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        put(root, "proc/sys/kernel/modprobe", "/opt/my modprobe\n");
        put(root, "proc/sys/kernel/usermodehelper/bset", "4294967295\t511\n");
        put(root, "proc/sys/kernel/usermodehelper/inheritable", "7\n");
        put(root, "proc/sys/kernel/osrelease", "1.2\n");
        put(root, "boot/config-1.2", "A=y\nCONFIG_STATIC_USERMODEHELPER_PATH=\"/sbin/static\"\n");
        put(root, "proc/sys/kernel/core_pattern", "|/usr/lib/core %P\n");
        put(root, "etc/request-key.conf", "# create a b c /bin/no\ncreate user * * /bin/key %k\n");
        put(root, "etc/request-key.d/a.conf", "create user x * |/bin/pipe %k\nshort line\n");
        put(root, "etc/request-key.d/ignored", "create user x * /bin/no %k\n");
        let mounts = "1 2 0:1 / /cg\\040one rw - cgroup none rw,name=a\n1 2 0:1 /sub /sub rw - cgroup none rw\n\
                      1 2 0:2 / /two rw - cgroup2 none rw\n";
        put(root, "proc/self/mountinfo", mounts);
        put(root, "cg one/release_agent", "/bin/agent\n");
        put(root, "two/release_agent", "/bin/no\n");
        put(root, "proc/sys/kernel/poweroff_cmd", "/sbin/poweroff -f\n");
        put(root, "opt/my modprobe", "\x7fELFxx");
        let all = facts(root);
        let program = |part: &Part| of(&all, part).program.map(|p| String::from_utf8(p.path.to_vec()).unwrap());
        let modprobe = of(&all, &Part::Modprobe).program.unwrap();
        assert_eq!((&*modprobe.path, modprobe.format, modprobe.fault), (&b"/opt/my modprobe"[..], Format::Elf, None));
        let way: Vec<_> = modprobe.way.iter().map(|c| String::from_utf8_lossy(&c.path).into_owned()).collect();
        assert_eq!(way, ["/", "/opt", "/opt/my modprobe"]);
        assert_eq!(of(&all, &Part::Bset).value, Value::Mask(CapMask::from_bits((511 << 32) | 0xffff_ffff)));
        assert_eq!(of(&all, &Part::Inheritable).value, Value::Unreadable(Errno::EINVAL), "one word is no mask");
        assert_eq!(of(&all, &Part::ModulesDisabled).value, Value::Absent);
        assert_eq!(program(&Part::StaticHelper).unwrap(), "/sbin/static");
        assert_eq!(program(&Part::CorePattern).unwrap(), "/usr/lib/core");
        assert_eq!(of(&all, &Part::RequestKey).program.unwrap().fault, Some(Errno::ENOENT));
        let key = |file: &str, line| Part::KeyProgram { file: file.as_bytes().into(), line };
        assert_eq!(program(&key("/etc/request-key.conf", 2)).unwrap(), "/bin/key");
        assert_eq!(program(&key("/etc/request-key.d/a.conf", 1)).unwrap(), "/bin/pipe");
        assert_eq!(all.iter().filter(|fact| matches!(fact.part, Part::KeyProgram { .. })).count(), 4);
        assert_eq!(program(&Part::ReleaseAgent(b"/cg one"[..].into())).unwrap(), "/bin/agent");
        assert_eq!(all.iter().filter(|fact| matches!(fact.part, Part::ReleaseAgent(_))).count(), 1);
        assert_eq!(program(&Part::PoweroffCmd).unwrap(), "/sbin/poweroff");
        assert_eq!(of(&all, &Part::UeventHelper).value, Value::Absent);
    }

    #[test]
    fn links_stay_below_the_root_and_each_component_has_its_owner_and_mode() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        put(root, "usr/bin/kmod", "#!/bin/sh\n");
        fs::create_dir(root.join("sbin")).unwrap();
        symlink("/usr/bin/../../../../usr/bin/kmod", root.join("sbin/modprobe")).unwrap();
        fs::set_permissions(root.join("usr"), PermissionsExt::from_mode(0o1757)).unwrap();
        let found = program(root, b"/sbin/modprobe");
        let way: Vec<_> =
            found.way.iter().map(|c| (String::from_utf8_lossy(&c.path).into_owned(), c.kind, c.mode)).collect();
        assert_eq!(way[2].0, "/sbin/modprobe");
        assert_eq!(way[2].1, FileKind::Link);
        assert_eq!(way[3], ("/usr".into(), FileKind::Folder, 0o1757));
        assert_eq!(way.last().unwrap().0, "/usr/bin/kmod");
        assert_eq!((found.format, found.file().unwrap().uid), (Format::Script, nix::unistd::geteuid().as_raw()));
        put(root, "text", "hello\n");
        assert_eq!(program(root, b"/text").format, Format::Neither);
        assert_eq!(program(root, b"/usr").format, Format::Unreadable, "a folder");
        symlink("loop", root.join("loop")).unwrap();
        assert_eq!(program(root, b"/loop").fault, Some(Errno::ELOOP));
    }
}
