//! The files that scenarios name.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use nix::mount::MsFlags;

/// Where helpers write what they saw.
pub const OUT: &str = "/h/out";
/// What a helper does after that.
pub const THEN: &str = "/h/then";

/// Everything, once at the start of the machine.
pub fn prepare() {
    fs::create_dir_all(OUT).unwrap();
    fs::set_permissions(OUT, mode(0o777)).unwrap();
    // The helper under all its names.
    let long = format!("/h/{}", "x".repeat(252));
    for name in ["/h/record", "/h/with a space", &long, "/h/-q", "/h/$(id)", "/h/;reboot", "/h/esc\x1b[2J"] {
        fs::hard_link(super::OTHER, name).unwrap();
    }
    fs::copy(super::OTHER, "/h/set-uid").unwrap();
    nix::unistd::chown("/h/set-uid", Some(1000.into()), Some(1000.into())).unwrap();
    fs::set_permissions("/h/set-uid", mode(0o6755)).unwrap();
    symlink("/h/record", "/h/link").unwrap();
    symlink("/h/nowhere", "/h/dangling").unwrap();
    symlink("/h/loop", "/h/loop").unwrap();
    program("/h/tiny", &tiny(0, None));
    program("/h/busy", &tiny(0, None));
    for seconds in [1, 3, 6, 8] {
        program(&format!("/h/sleep-{seconds}"), &tiny(0, Some(seconds)));
    }
    program("/h/script", b"#!/h/record one argument\n");
    program("/h/no-interpreter", b"#!/h/nowhere\n");
    program("/h/folder-interpreter", b"#!/h\n");
    program("/h/text", b"no interpreter named\n");
    program("/h/empty", b"");
    program("/h/not-executable", &tiny(0, None));
    fs::set_permissions("/h/not-executable", mode(0o644)).unwrap();
    for (dir, flags) in [("/noexec", MsFlags::MS_NOEXEC), ("/nosuid", MsFlags::MS_NOSUID)] {
        fs::create_dir(dir).unwrap();
        nix::mount::mount(Some("tmpfs"), dir, Some("tmpfs"), flags, None::<&str>).unwrap();
    }
    program("/noexec/tiny", &tiny(0, None));
    fs::copy("/h/set-uid", "/nosuid/set-uid").unwrap();
    nix::unistd::chown("/nosuid/set-uid", Some(1000.into()), Some(1000.into())).unwrap();
    fs::set_permissions("/nosuid/set-uid", mode(0o6755)).unwrap();
    jail();
}

/// A root for callers that have another than pid 1: all is there but the helpers.
fn jail() {
    for dir in ["dev", "proc", "sys", "lib", "lib64", "usr", "h"] {
        let (from, to) = (format!("/{dir}"), format!("/jail/{dir}"));
        fs::create_dir_all(&to).unwrap();
        if dir != "h" && fs::metadata(&from).is_ok() {
            let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
            nix::mount::mount(Some(&*from), &*to, None::<&str>, flags, None::<&str>).unwrap();
        }
    }
}

fn mode(bits: u32) -> fs::Permissions {
    PermissionsExt::from_mode(bits)
}

fn program(path: &str, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, mode(0o755)).unwrap();
}

/// The smallest program that there is, x86-64 and static: sleeps if told so, then exits. It takes no time to start,
/// so that a crowd of them is a matter of the kernel's and the engine's doing alone.
pub fn tiny(code: u8, sleep: Option<u64>) -> Vec<u8> {
    const LOAD: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    let mut text = Vec::new();
    if let Some(seconds) = sleep {
        // mov eax, 35 (nanosleep); lea rdi, [rip + 17] (the time, behind the code); xor esi, esi; syscall
        text.extend([0xb8, 35, 0, 0, 0, 0x48, 0x8d, 0x3d, 16, 0, 0, 0, 0x31, 0xf6, 0x0f, 0x05]);
        text.extend(exit(code));
        text.extend(seconds.to_le_bytes());
        text.extend(0u64.to_le_bytes());
    } else {
        text.extend(exit(code));
    }
    let size = HEADERS + text.len() as u64;
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    elf.extend(2u16.to_le_bytes()); // ET_EXEC
    elf.extend(62u16.to_le_bytes()); // x86-64
    elf.extend(1u32.to_le_bytes());
    for word in [LOAD + HEADERS, 64, 0] {
        elf.extend(u64::to_le_bytes(word)); // entry, program headers, no section headers
    }
    elf.extend(0u32.to_le_bytes());
    for half in [64u16, 56, 1, 0, 0, 0] {
        elf.extend(half.to_le_bytes());
    }
    elf.extend(1u32.to_le_bytes()); // PT_LOAD
    elf.extend(5u32.to_le_bytes()); // read and execute
    for word in [0, LOAD, LOAD, size, size, 0x1000] {
        elf.extend(u64::to_le_bytes(word));
    }
    elf.extend(text);
    elf
}

/// mov edi, code; mov eax, 60; syscall
fn exit(code: u8) -> [u8; 12] {
    [0xbf, code, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05]
}
