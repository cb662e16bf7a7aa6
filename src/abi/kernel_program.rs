//! The knobs of this machine's kernel and the programs that it may execute on its own, as they were found. Facts only:
//! [`crate::policy::posture`] judges them.

use std::sync::Arc;

use nix::errno::Errno;

use super::cap::CapMask;

/// A part of the posture: a knob, or something that the kernel may execute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// `kernel.modprobe`: a module request.
    Modprobe,
    /// `kernel.usermodehelper.bset`.
    Bset,
    /// `kernel.usermodehelper.inheritable`.
    Inheritable,
    /// `kernel.modules_disabled`.
    ModulesDisabled,
    /// CONFIG_STATIC_USERMODEHELPER_PATH: the program that runs in place of every other one.
    StaticHelper,
    /// `kernel.core_pattern`: a core dump.
    CorePattern,
    /// `/sbin/request-key`: a request for a key.
    RequestKey,
    /// A line of request-key.conf(5): the program that `/sbin/request-key` runs.
    KeyProgram {
        /// The file.
        file: Arc<[u8]>,
        /// The line, counted from 1.
        line: u32,
    },
    /// A release agent of a cgroup v1 hierarchy, which is mounted here.
    ReleaseAgent(Arc<[u8]>),
    /// `/sys/kernel/uevent_helper`: an event of a device.
    UeventHelper,
    /// `kernel.poweroff_cmd`: an orderly power-off.
    PoweroffCmd,
    /// A file of sysctl.d(5) that sets one of the knobs at boot.
    BootFile,
}

impl Part {
    /// Its name in text and JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Modprobe => "kernel.modprobe",
            Self::Bset => "kernel.usermodehelper.bset",
            Self::Inheritable => "kernel.usermodehelper.inheritable",
            Self::ModulesDisabled => "kernel.modules_disabled",
            Self::StaticHelper => "static_usermodehelper",
            Self::CorePattern => "kernel.core_pattern",
            Self::RequestKey => "request-key",
            Self::KeyProgram { .. } => "request-key.conf",
            Self::ReleaseAgent(_) => "release_agent",
            Self::UeventHelper => "uevent_helper",
            Self::PoweroffCmd => "kernel.poweroff_cmd",
            Self::BootFile => "sysctl.d",
        }
    }
}

/// What a knob's file said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text, without the newline at its end: hostile bytes.
    Text(Arc<[u8]>),
    /// A mask.
    Mask(CapMask),
    /// There is no such file: this kernel does not have it.
    Absent,
    /// The file could not be read.
    Unreadable(Errno),
}

/// What kind of file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A regular file.
    File,
    /// A device, a socket, a named pipe.
    Other,
}

/// A component of a path: a folder on the way, a symbolic link, or the file itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Its path, from `/`.
    pub path: Arc<[u8]>,
    /// What it is.
    pub kind: FileKind,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its mode: the lower 12 bits.
    pub mode: u32,
}

/// What the kernel would make of a file that it executes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An ELF file.
    Elf,
    /// A script: it begins with `#!`.
    Script,
    /// Neither.
    Neither,
    /// It could not be read.
    Unreadable,
}

/// The file of a program, and the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its path, as the kernel has it.
    pub path: Arc<[u8]>,
    /// Every component from `/` on, symbolic links followed one by one, as far as it could be walked.
    pub way: Vec<Component>,
    /// Why the way ends before a file is reached.
    pub fault: Option<Errno>,
    /// The file's format; meaningless without a file.
    pub format: Format,
}

impl Program {
    /// The file at the end of the way.
    pub fn file(&self) -> Option<&Component> {
        self.way.last().filter(|_| self.fault.is_none())
    }
}

/// A part, what it is set to, and the program or file that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The part.
    pub part: Part,
    /// Its value; for a file alone its path.
    pub value: Value,
    /// The program that the value names, or the file.
    pub program: Option<Program>,
}
