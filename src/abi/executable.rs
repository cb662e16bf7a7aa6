//! Reads an executable's format from its bytes (elf(5), execve(2)): whether the kernel would run it as a program or a
//! script, on which machine, and with which interpreter.

use super::escape::screen;

/// How many bytes the kernel reads to detect a file's format (BINPRM_BUF_SIZE; 128 before Linux 5.1).
pub const HEAD: usize = 256;
/// The longest path of an ELF interpreter (PATH_MAX).
const PATH_MAX: u64 = 4096;
/// The most ELF program headers that are read: more than any program has.
const HEADERS: u16 = 1024;
/// Bytes of an unknown file that are shown.
const SHOWN: usize = 8;

/// The format of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// The file is empty.
    Empty,
    /// A script, with the interpreter that its first line names.
    Script(Vec<u8>),
    /// A first line of `#!` and nothing else.
    NoInterpreter,
    /// A script whose interpreter name extends past the bytes that the kernel reads.
    LongLine,
    /// A program or another ELF file.
    Elf(Elf),
    /// An ELF file that no kernel accepts, with the reason.
    DamagedElf(&'static str),
    /// A format that the kernel does not know by itself, with the first bytes of the file.
    Unknown(Vec<u8>),
}

/// An ELF file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elf {
    /// 32 or 64.
    pub bits: u8,
    /// Whether its numbers are big-endian.
    pub big_endian: bool,
    /// `e_machine`.
    pub machine: u16,
    /// `e_type`: 1 object, 2 program, 3 program or library, 4 core dump.
    pub kind: u16,
    /// The dynamic linker, PT_INTERP.
    pub interpreter: Option<Vec<u8>>,
}

/// Detects the format of a file. `at(offset, length)` reads it, and returns fewer bytes at the end of the file.
pub fn format(mut at: impl FnMut(u64, usize) -> Vec<u8>) -> Format {
    let head = at(0, HEAD);
    if head.is_empty() {
        return Format::Empty;
    }
    if let Some(line) = head.strip_prefix(b"#!") {
        return script(line);
    }
    if head.starts_with(b"\x7fELF") {
        return elf(&head, &mut at).map_or_else(Format::DamagedElf, Format::Elf);
    }
    Format::Unknown(head[..head.len().min(SHOWN)].to_vec())
}

/// Parses the line as the kernel does: leading blanks are skipped; a blank, a NUL or the end of the line ends the name.
/// A carriage return is part of the name.
fn script(line: &[u8]) -> Format {
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let end = line.iter().position(|b| *b == b'\n');
    let line = &line[..end.unwrap_or(line.len())];
    let Some(start) = line.iter().position(|b| !blank(b)) else { return Format::NoInterpreter };
    let name = &line[start..];
    let length = name.iter().position(|b| blank(b) || *b == 0);
    match length {
        Some(0) => Format::NoInterpreter,
        Some(length) => Format::Script(name[..length].to_vec()),
        // The kernel ignores the last byte that it reads.
        None if end.is_none() && line.len() + 2 >= HEAD => Format::LongLine,
        None => Format::Script(name.to_vec()),
    }
}

fn elf(head: &[u8], at: &mut impl FnMut(u64, usize) -> Vec<u8>) -> Result<Elf, &'static str> {
    let bits = match head.get(4) {
        Some(1) => 32,
        Some(2) => 64,
        _ => return Err("its class is neither 32 nor 64 bits"),
    };
    let big_endian = match head.get(5) {
        Some(1) => false,
        Some(2) => true,
        _ => return Err("its byte order is neither little-endian nor big-endian"),
    };
    if head.len() < if bits == 64 { 64 } else { 52 } {
        return Err("its header is cut off");
    }
    let number = |bytes: &[u8], from: usize, length: usize| number(bytes, from, length, big_endian).unwrap_or_default();
    let half = |from| u16::try_from(number(head, from, 2)).unwrap_or_default();
    // e_phoff, e_phentsize and e_phnum; then of each header p_offset and p_filesz.
    let (table, size, count) =
        if bits == 64 { (number(head, 32, 8), half(54), half(56)) } else { (number(head, 28, 4), half(42), half(44)) };
    let (expected, offset, length, word) = if bits == 64 { (56, 8, 32, 8) } else { (32, 4, 16, 4) };
    let mut interpreter = None;
    if size == expected {
        let headers = at(table, usize::from(size) * usize::from(count.min(HEADERS)));
        let mut headers = headers.chunks_exact(usize::from(size));
        interpreter = headers.find(|header| number(header, 0, 4) == 3).map(|header| {
            let length = number(header, length, word).min(PATH_MAX);
            let mut path = at(number(header, offset, word), usize::try_from(length).unwrap_or_default());
            path.truncate(path.iter().position(|b| *b == 0).unwrap_or(path.len()));
            path
        });
    }
    Ok(Elf { bits, big_endian, machine: half(18), kind: half(16), interpreter })
}

fn number(bytes: &[u8], from: usize, length: usize, big_endian: bool) -> Option<u64> {
    let bytes = bytes.get(from..from.checked_add(length)?)?;
    let join = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    Some(if big_endian { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) })
}

/// `e_machine` by name; `machine 0x1234` for one without.
pub fn machine_name(elf: &Elf) -> String {
    let name = match (elf.machine, elf.bits) {
        (2, _) => "sparc",
        (3, _) => "i386",
        (4, _) => "m68k",
        (8, 64) => "mips64",
        (8, _) => "mips",
        (15, _) => "parisc",
        (20, _) => "powerpc",
        (21, _) => "powerpc64",
        (22, 64) => "s390x",
        (22, _) => "s390",
        (40, _) => "arm",
        (42, _) => "sh",
        (43, _) => "sparc64",
        (50, _) => "ia64",
        (62, 32) => "x32",
        (62, _) => "x86_64",
        (94, _) => "xtensa",
        (183, _) => "aarch64",
        (189, _) => "microblaze",
        (243, 32) => "riscv32",
        (243, _) => "riscv64",
        (247, _) => "bpf",
        (258, _) => "loongarch64",
        (other, _) => return format!("machine {other:#x}"),
    };
    name.to_owned()
}

/// The `e_machine` of this machine's native programs, from Rust's name of the architecture.
fn native() -> Option<u16> {
    Some(match std::env::consts::ARCH {
        "x86" => 3,
        "x86_64" => 62,
        "arm" => 40,
        "aarch64" => 183,
        "riscv32" | "riscv64" => 243,
        "powerpc" => 20,
        "powerpc64" => 21,
        "s390x" => 22,
        "mips" | "mips64" => 8,
        "sparc64" => 43,
        "loongarch64" => 258,
        _ => return None,
    })
}

/// Why the kernel cannot execute the file itself, whatever its interpreter. `None` if no fault was found.
pub fn objection(format: &Format) -> Option<String> {
    Some(match format {
        Format::Empty => "it is empty".into(),
        Format::NoInterpreter => "its first line begins with #! and names no interpreter: write #!/bin/sh".into(),
        Format::LongLine => format!("its first line is longer than the {} bytes that the kernel reads", HEAD - 1),
        Format::DamagedElf(what) => format!("it is a damaged ELF file: {what}"),
        Format::Unknown(bytes) => {
            let hint = match bytes.as_slice() {
                [0xef, 0xbb, 0xbf, b'#', b'!', ..] => ": remove the byte order mark before its #!",
                [b'M', b'Z', ..] => ", a program for Windows or DOS",
                _ => ": a script needs a first line that names its interpreter, as #!/bin/sh",
            };
            format!("it begins with `{}`, which is neither ELF nor #!{hint}", screen(bytes))
        }
        Format::Script(_) => return None,
        Format::Elf(elf) => return elf_objection(elf),
    })
}

fn elf_objection(elf: &Elf) -> Option<String> {
    match elf.kind {
        2 | 3 => {}
        1 => return Some("it is an object file, not a program: link it".into()),
        4 => return Some("it is a core dump, not a program".into()),
        other => return Some(format!("it is an ELF file of type {other:#x}, not a program")),
    }
    let order = if elf.big_endian { "big-endian" } else { "little-endian" };
    let (name, here) = (machine_name(elf), std::env::consts::ARCH);
    let this = format!("this one is {here}");
    let native_order = elf.big_endian == cfg!(target_endian = "big");
    if native().is_some_and(|native| native != elf.machine) {
        let order = if native_order { String::new() } else { format!(", {order}") };
        return Some(format!("it is a program for another machine ({name}{order}); {this}"));
    }
    if !native_order {
        return Some(format!("it is a {order} program ({name}); {this}"));
    }
    (usize::from(elf.bits) != usize::BITS as usize)
        .then(|| format!("it is a {}-bit program ({name}); {this}", elf.bits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(bytes: &[u8]) -> Format {
        format(|offset, length| {
            let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
            bytes[from..from.saturating_add(length).min(bytes.len())].to_vec()
        })
    }

    /// An ELF header and one program header, which names `interpreter`.
    fn program(bits: u8, big: bool, machine: u16, kind: u16, interpreter: &[u8]) -> Vec<u8> {
        let put = |file: &mut Vec<u8>, at: usize, length: usize, value: u64| {
            let bytes =
                if big { value.to_be_bytes()[8 - length..].to_vec() } else { value.to_le_bytes()[..length].to_vec() };
            file.resize(file.len().max(at + length), 0);
            file[at..at + length].copy_from_slice(&bytes);
        };
        let mut file = vec![0x7f, b'E', b'L', b'F', bits / 32, if big { 2 } else { 1 }];
        put(&mut file, 16, 2, kind.into());
        put(&mut file, 18, 2, machine.into());
        let word = usize::from(bits / 8);
        let (table, size) = if bits == 64 { (64, 56) } else { (52, 32) };
        put(&mut file, if bits == 64 { 32 } else { 28 }, word, table as u64);
        put(&mut file, if bits == 64 { 54 } else { 42 }, 2, size as u64);
        put(&mut file, if bits == 64 { 56 } else { 44 }, 2, 1);
        put(&mut file, table, 4, 3);
        put(&mut file, table + word, word, 1000);
        put(&mut file, table + if bits == 64 { 32 } else { 16 }, word, interpreter.len() as u64 + 1);
        file.resize(1000, 0);
        file.extend(interpreter);
        file.push(0);
        file
    }

    #[test]
    fn umh_3_what_a_program_is_for_is_read_in_both_classes_and_byte_orders() {
        for (bits, big, machine, name) in [
            (64, false, 183, "aarch64"),
            (64, true, 22, "s390x"),
            (32, false, 40, "arm"),
            (32, true, 8, "mips"),
            (64, false, 0x1234, "machine 0x1234"),
        ] {
            let Format::Elf(elf) = of(&program(bits, big, machine, 2, b"/lib/ld.so")) else { panic!("{name}") };
            assert_eq!((elf.bits, elf.big_endian, machine_name(&elf).as_str()), (bits, big, name));
            assert_eq!(elf.interpreter.as_deref(), Some(&b"/lib/ld.so"[..]), "{name}");
            if native() != Some(machine) {
                let said = objection(&Format::Elf(elf)).unwrap();
                assert!(said.contains("another machine") && said.contains(name), "{said}");
                assert_eq!(said.contains("big-endian"), big != cfg!(target_endian = "big"), "{said}");
            }
        }
        let own = std::fs::read("/proc/self/exe").unwrap();
        assert_eq!(objection(&of(&own)), None);
        let said = |file: &[u8]| objection(&of(file)).unwrap_or_default();
        assert!(said(&program(64, false, 62, 1, b"")).contains("object file"));
        assert!(said(&own[..30]).contains("cut off"));
        assert!(said(b"\x7fELF\x07").contains("class"));
    }

    #[test]
    fn umh_3_first_lines_are_cut_as_the_kernel_cuts_them() {
        let script = |name: &[u8]| Format::Script(name.to_vec());
        assert_eq!(of(b"#!/bin/sh\r\necho\r\n"), script(b"/bin/sh\r"));
        assert_eq!(of(b"#! \t/bin/sh -x\n"), script(b"/bin/sh"));
        assert_eq!(of(b"#!/bin/sh"), script(b"/bin/sh"));
        assert_eq!(of(b"#!/bin/\0sh\n"), script(b"/bin/"));
        for none in [&b"#!"[..], b"#!\n", b"#! \t\n/bin/sh", b"#!\0x\n"] {
            assert_eq!(of(none), Format::NoInterpreter, "{none:?}");
        }
        let line = |length: usize| [b"#!/", &vec![b'x'; length - 3][..], b"\n"].concat();
        assert_eq!(of(&line(255)), script(&line(255)[2..255]));
        assert_eq!(of(&line(256)), Format::LongLine);
        assert_eq!(of(&[&line(200)[..200], b" ", &[b'y'; 400]].concat()), script(&line(200)[2..200]));
        assert_eq!(of(b""), Format::Empty);
        assert_eq!(of(b"\xef\xbb\xbf#!/bin/sh\n"), Format::Unknown(b"\xef\xbb\xbf#!/bi".to_vec()));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Arbitrary bytes, many of them nearly ELF or nearly a script: no panic, and nothing hostile in the words.
        #[test]
        fn umh_3_any_bytes_are_looked_at(
            start in prop::sample::select(vec![&b""[..], b"#!", b"\x7fELF", b"\x7fELF\x02\x01", b"\x7fELF\x01\x02"]),
            rest in prop::collection::vec(any::<u8>(), 0..600),
        ) {
            let format = of(&[start, &rest].concat());
            let said = objection(&format).unwrap_or_default();
            prop_assert!(!said.chars().any(char::is_control), "{:?}", said);
            if let Format::Script(name) = &format {
                prop_assert!(!name.is_empty() && !name.contains(&b' ') && !name.contains(&b'\n') && !name.contains(&0));
            }
        }

        /// One byte of a whole program is another.
        #[test]
        fn umh_3_a_damaged_program_is_looked_at(at in 0usize..1100, byte in any::<u8>(), bits in prop_oneof![Just(32u8), Just(64)]) {
            let mut file = program(bits, false, 62, 3, b"/lib64/ld-linux-x86-64.so.2");
            let length = file.len();
            file[at % length] = byte;
            objection(&of(&file));
            objection(&of(&file[..at % length]));
        }
    }
}
