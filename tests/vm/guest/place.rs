//! The files that scenarios name.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use nix::mount::MsFlags;

/// Where helpers write what they saw.
pub const OUT: &str = "/h/out";
/// What a helper does after that.
pub const THEN: &str = "/h/then";

/// A pipe with a name: helpers that are held wait for its other end to be opened.
pub const GATE: &str = "/h/gate";

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
    program("/h/tiny", &tiny(&Before::Nothing));
    program("/h/busy", &tiny(&Before::Nothing));
    // Programs whose only segment cannot be mapped. The kernel finds that out after execve(2) has given up the old image.
    program("/h/unmappable-address", &elf(KERNEL_SPACE, HEADERS, 0x1000)); // ENOMEM
    program("/h/unmappable-memory", &elf(LOAD, HEADERS, 1 << 45)); // ENOMEM: 32 TiB, which an address space has room for
    program("/h/unmappable-size", &elf(LOAD, HEADERS, HEADERS - 1)); // EINVAL: more in the file than in memory
    nix::unistd::mkfifo(GATE, nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap();
    program("/h/held", &tiny(&Before::Gate));
    program("/h/script", b"#!/h/record one argument\n");
    program("/h/no-interpreter", b"#!/h/nowhere\n");
    program("/h/folder-interpreter", b"#!/h\n");
    program("/h/text", b"no interpreter named\n");
    program("/h/empty", b"");
    program("/h/not-executable", &tiny(&Before::Nothing));
    fs::set_permissions("/h/not-executable", mode(0o644)).unwrap();
    for (dir, flags) in [("/noexec", MsFlags::MS_NOEXEC), ("/nosuid", MsFlags::MS_NOSUID)] {
        fs::create_dir(dir).unwrap();
        nix::mount::mount(Some("tmpfs"), dir, Some("tmpfs"), flags, None::<&str>).unwrap();
    }
    program("/noexec/tiny", &tiny(&Before::Nothing));
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

/// What a tiny program does before it exits.
enum Before {
    Nothing,
    /// Opens [`GATE`], which takes until somebody opens its other end.
    Gate,
}

/// The smallest program that there is, x86-64 and static. It takes no time to start, so that a crowd of them is a
/// matter of the kernel's and the engine's doing alone.
fn tiny(before: &Before) -> Vec<u8> {
    // mov edi, 0; mov eax, 60 (exit); syscall
    const EXIT: [u8; 12] = [0xbf, 0, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05];
    // mov eax, 2 (open); lea rdi, [rip + 16] (behind the code); xor esi, esi (for reading); syscall
    const OPEN: [u8; 16] = [0xb8, 2, 0, 0, 0, 0x48, 0x8d, 0x3d, 16, 0, 0, 0, 0x31, 0xf6, 0x0f, 0x05];
    let text: Vec<u8> = match before {
        Before::Nothing => EXIT.to_vec(),
        Before::Gate => [&OPEN[..], &EXIT, GATE.as_bytes(), &[0]].concat(),
    };
    let size = HEADERS + text.len() as u64;
    let mut file = elf(LOAD, size, size);
    file.extend(text);
    file
}

/// Where a program is loaded.
const LOAD: u64 = 0x40_0000;
/// A canonical address that belongs to the kernel.
const KERNEL_SPACE: u64 = 0xffff_8000_0000_0000;
/// The size of what [`elf`] returns.
const HEADERS: u64 = 64 + 56;

/// An ELF header and one program header. Its segment begins with both and has these sizes in the file and in memory.
fn elf(load: u64, file_size: u64, memory_size: u64) -> Vec<u8> {
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    elf.extend(2u16.to_le_bytes()); // ET_EXEC
    elf.extend(62u16.to_le_bytes()); // x86-64
    elf.extend(1u32.to_le_bytes());
    for word in [load.wrapping_add(HEADERS), 64, 0] {
        elf.extend(u64::to_le_bytes(word)); // entry, program headers, no section headers
    }
    elf.extend(0u32.to_le_bytes());
    for half in [64u16, 56, 1, 0, 0, 0] {
        elf.extend(half.to_le_bytes());
    }
    elf.extend(1u32.to_le_bytes()); // PT_LOAD
    elf.extend(5u32.to_le_bytes()); // read and execute
    for word in [0, load, load, file_size, memory_size, 0x1000] {
        elf.extend(u64::to_le_bytes(word));
    }
    elf
}
