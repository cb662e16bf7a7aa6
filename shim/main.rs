//! The shim: the program that the kernel runs in place of its helpers. It asks khelper's daemon whether the helper may run
//! and with which powers, and then executes it in place: pid, parent, keyrings, open files, exit status and signals stay
//! the kernel's own (RULES.md, "The shim").
//!
//! The kernel starts it as `kernel.modprobe`, under its own path, which is argv[0] too, or by
//! `CONFIG_STATIC_USERMODEHELPER`, with the path of the wanted program as argv[0]. It exits with 1 where the helper is
//! denied, with 126 or 127 where it cannot be executed, and otherwise becomes the helper.
#![no_std]
#![no_main]

use core::arch::global_asm;
use core::panic::PanicInfo;

mod ask;
#[path = "../src/abi/compiled.rs"]
mod compiled;
mod confine;
mod memory;
mod rules;
mod settings;
mod syscall;
#[path = "../src/abi/verdict.rs"]
#[expect(dead_code, reason = "the daemon writes answers")]
mod verdict;
#[path = "../src/abi/wildcard.rs"]
mod wildcard;

use ask::Asked;
use compiled::Subject;
use syscall::Text;

#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "mov rdi, rsp", "and rsp, -16", "call {start}", start = sym start);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x0, sp", "bl {start}", start = sym start);

/// The only argument with which the shim only says, by exit code 0, that it can be executed.
const CHECK: &[u8] = b"--check\0";

const DENIED: u8 = 1;
const CANNOT_RUN: u8 = 126;
const NOT_FOUND: u8 = 127;

/// The argument vector: the kernel's, whose first element may be replaced.
struct Words {
    argv: *mut Text,
    argc: usize,
    envp: *const Text,
    envc: usize,
    /// The path that was executed, if the kernel tells it.
    executed: Option<Text>,
}

extern "C" fn start(stack: *mut Text) -> ! {
    // SAFETY: execve(2) lays out the stack: the number of arguments, the arguments, null, the variables, null, the auxiliary
    // vector.
    let words = unsafe {
        let argc = *stack.cast::<usize>();
        let argv = stack.add(1);
        let envp = argv.add(argc + 1);
        let mut envc = 0;
        while !(*envp.add(envc)).is_null() {
            envc += 1;
        }
        Words { argv, argc, envp, envc, executed: executed(envp.add(envc + 1).cast()) }
    };
    syscall::exit(run(&words))
}

/// AT_EXECFN of the auxiliary vector, see getauxval(3).
///
/// # Safety
/// `vector` is the auxiliary vector of this process.
unsafe fn executed(mut vector: *const [usize; 2]) -> Option<Text> {
    const AT_NULL: usize = 0;
    const AT_EXECFN: usize = 31;
    loop {
        // SAFETY: AT_NULL ends it.
        let [kind, value] = unsafe { *vector };
        match kind {
            AT_NULL => return None,
            AT_EXECFN => return Some(value as Text),
            // SAFETY: this was not its end.
            _ => vector = unsafe { vector.add(1) },
        }
    }
}

/// Decides and executes. Returns the exit code where nothing was executed.
fn run(words: &Words) -> u8 {
    // SAFETY: both were counted in `start`; nothing changes the vectors while these slices are used.
    let (argv, envp) = unsafe {
        (core::slice::from_raw_parts_mut(words.argv, words.argc), core::slice::from_raw_parts(words.envp, words.envc))
    };
    if argv.is_empty() {
        return NOT_FOUND;
    }
    // Under its own name it stands for modprobe; to execute that name would start it again, for ever.
    let is_module = words.executed.is_none_or(|executed| bytes(executed) == bytes(argv[0]));
    if is_module && argv.len() == 2 && bytes(argv[1]) == CHECK {
        return 0;
    }
    fill();
    if is_module {
        // kmod's programs look at their name, so it must be modprobe's.
        argv[0] = settings::modprobe().as_ptr();
    }
    let helper = argv[0];
    let mut packet = [0; verdict::LONGEST];
    match ask::ask(trimmed(settings::socket()), argv, envp, settings::patience(), &mut packet) {
        Asked::Verdict(answer, ruleset, filter) => {
            if !answer.has(verdict::ALLOW) {
                return DENIED;
            }
            if confine::apply(&answer, ruleset, filter).is_err() {
                say(b"khelper: shim: a profile could not be applied, the helper does not run\n");
                return DENIED;
            }
        }
        Asked::Nobody | Asked::Left if settings::fails_closed() => {
            say(verdict::LOGGED[2].as_bytes());
            return DENIED;
        }
        Asked::Nobody => {}
        // A daemon that was killed has not switched its rules off.
        Asked::NoAnswer | Asked::Left => {
            let module = module(argv, is_module).map(|name| trimmed(bytes(name)));
            let allowed = rules::allow(settings::rules(), &Subject { module, helper: trimmed(bytes(helper)) });
            say(verdict::LOGGED[usize::from(!allowed)].as_bytes());
            if !allowed {
                return DENIED;
            }
        }
    }
    match syscall::execve(helper, words.argv, words.envp) {
        syscall::ENOENT => NOT_FOUND,
        _ => CANNOT_RUN,
    }
}

/// The name of the module that is asked for: the last argument of a modprobe. Where every helper is this program, a
/// request for a module is known by the arguments that the kernel gives to no other helper.
fn module(argv: &[Text], is_modprobe: bool) -> Option<Text> {
    match argv {
        [_, quiet, end, name] if bytes(*quiet) == b"-q\0" && bytes(*end) == b"--\0" => Some(*name),
        [_, .., name] if is_modprobe => Some(*name),
        _ => None,
    }
}

/// The kernel starts a helper without open files. What this program opens must not take the numbers 0 to 2. The root
/// folder is there when /dev is not yet, and the helper gets none of it.
fn fill() {
    while !(0..3).all(syscall::is_open) {
        if !syscall::open(c"/".as_ptr().cast(), 0).is_ok_and(|fd| fd < 3) {
            break;
        }
    }
}

/// Writes a line into the kernel's log, where it can be.
fn say(line: &[u8]) {
    if let Ok(fd) = syscall::open(c"/dev/kmsg".as_ptr().cast(), syscall::O_WRONLY) {
        let _ = syscall::write(fd, line);
        syscall::close(fd);
    }
}

/// The bytes of a text with the NUL that ends it.
pub fn bytes<'a>(text: Text) -> &'a [u8] {
    let mut length = 0;
    // SAFETY: the kernel ends each argument and variable with a NUL, and so does `settings`.
    unsafe {
        while *text.add(length) != 0 {
            length += 1;
        }
        core::slice::from_raw_parts(text, length + 1)
    }
}

/// Without the NUL.
fn trimmed(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"\0").unwrap_or(text)
}

#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    syscall::exit(DENIED)
}
