//! A daemon's side of the shim's socket: it answers as a test wants.

use std::fs;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;

use khelper::abi::verdict::{Answer, QUESTION};
use khelper::control::shim::{Release, Settings};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType, accept, bind, listen, recv,
    send, shutdown, socket_with,
};

pub const SOCKET: &str = "/run/khelper/shim.sock";
pub const RULES: &str = "/run/khelper/rules.bin";

/// What `khelper shim install` writes into the shim.
pub fn settings(fails_closed: bool) -> Settings {
    let (modprobe, socket, rules) = (b"/sbin/modprobe".into(), SOCKET.into(), RULES.into());
    Settings { release: Release::own(), kept: false, fails_closed, patience: 200, modprobe, socket, rules }
}

/// The words of a question: its arguments.
pub type Words = Vec<String>;

pub struct Stub {
    listener: Arc<OwnedFd>,
    thread: Option<JoinHandle<Vec<Words>>>,
}

impl Stub {
    /// Listens and says nothing, as a daemon that is stopped.
    pub fn silent() -> Self {
        fs::create_dir_all("/run/khelper").unwrap();
        let fd = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        bind(&fd, &SocketAddrUnix::new(SOCKET).unwrap()).unwrap();
        listen(&fd, 128).unwrap();
        Self { listener: Arc::new(fd), thread: None }
    }

    /// Answers each question with the flags that `answer` gives for its arguments.
    pub fn answer(answer: fn(&Words) -> u8) -> Self {
        let Self { listener, .. } = Self::silent();
        let own = listener.clone();
        let thread = std::thread::spawn(move || {
            let mut questions = Vec::new();
            while let Ok(fd) = accept(&*own) {
                let words = question(&fd);
                let flags = answer(&words);
                let answer = Answer { flags, uid: 0, gid: 0, bounding: 0, inheritable: 0, permitted: 0, ambient: 0 };
                // The shim may have been killed.
                let _ = send(&fd, &answer.packet(), SendFlags::NOSIGNAL);
                questions.push(words);
            }
            questions
        });
        Self { listener, thread: Some(thread) }
    }

    /// Ends it. Returns every question.
    pub fn end(self) -> Vec<Words> {
        shutdown(&*self.listener, Shutdown::Both).unwrap();
        let questions = self.thread.map_or_else(Vec::new, |thread| thread.join().unwrap());
        fs::remove_file(SOCKET).unwrap();
        questions
    }
}

fn question(fd: &OwnedFd) -> Words {
    let mut packet = vec![0; QUESTION];
    let (length, _) = recv(fd, &mut packet[..], RecvFlags::empty()).unwrap();
    let count = usize::from(u16::from_le_bytes([packet[2], packet[3]]));
    let words = packet[6..length].split(|byte| *byte == 0);
    words.take(count).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}
