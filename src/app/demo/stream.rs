//! The requests of a demo: a calm stream, and from time to time a module whose helper asks for the module itself.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::abi::actor::{Actor, Origin};
use crate::control::ask::ask;
use crate::control::completion::{CallId, Completion};
use crate::control::target::Target;
use crate::control::{self, Command, Reply};
use crate::sys::thread::spawn_with;

/// The module that takes its time: it always holds a slot.
pub(super) const SLOW: &str = "raid456";
/// The module that is asked for in a loop: the kernel asks for it when no format of a program is the right one.
pub(super) const LOOP: &str = "binfmt-464c";

/// The stack of the thread, in bytes.
const STACK: usize = 128 * 1024;
/// How long the helper of a loop lives before it asks again.
const AGAIN: Duration = Duration::from_millis(150);
/// The most times that a loop asks: more than there are slots.
const ROUNDS: usize = 14;

/// The stream, again and again: the milliseconds since the request before, the module, who asks.
const STREAM: [(u64, &str, &str); 24] = [
    (0, SLOW, "demo-mdadm"),
    (0, SLOW, "demo-mdadm"),
    (0, "nvidia", "demo-udevd"),
    (200, "ext4", "demo-mount"),
    (900, "net-pf-10", "demo-ip"),
    (1_300, "usb-storage", "demo-udevd"),
    (1_100, "snd-hda-intel", "demo-udevd"),
    (1_500, "vfat", "demo-mount"),
    (400, "nls_utf8", "demo-mount"),
    (2_100, "zfs", "demo-zpool"),
    (1_200, "iwlwifi", "demo-udevd"),
    (1_700, "nf_tables", "demo-nft"),
    (600, "nft_ct", "demo-nft"),
    (2_000, "btrfs", "demo-mount"),
    (1_000, LOOP, "demo-exec"),
    (7_000, "fuse", "demo-mount"),
    (900, "tun", "demo-vpn"),
    (1_400, "kvm_intel", "demo-qemu"),
    (100, "vhost_net", "demo-qemu"),
    (2_200, "loop", "demo-losetup"),
    (500, "isofs", "demo-mount"),
    (1_800, "bluetooth", "demo-udevd"),
    (700, "net-pf-31", "demo-bluez"),
    (1_600, "crc32c", "demo-mount"),
];

/// Starts the thread that asks. It ends with the process.
pub(super) fn start(target: Arc<dyn Target>) -> io::Result<()> {
    let me = control::actor(Origin::Library);
    let work = move || {
        for (after, name, asks) in STREAM.into_iter().cycle() {
            thread::sleep(Duration::from_millis(after));
            request(&target, name, &named(&me, me.pid, asks));
            if name == LOOP {
                again(&target, &me);
            }
        }
    };
    spawn_with("demo-stream", STACK, work).map(drop)
}

/// A process of the demo, with a name that says so.
fn named(me: &Actor, pid: i32, name: &str) -> Actor {
    Actor::new(me.origin, pid, me.uid, me.gid, name.as_bytes())
}

/// Requests a module and does not wait.
fn request(target: &Arc<dyn Target>, name: &str, by: &Actor) {
    let command = Command::RequestModule { name: name.into(), wait: true, profile: None };
    target.submit(by, CallId::fresh(), command, Completion::new(drop));
}

/// Lets each helper of the loop ask for its own module, until the limit refuses one or the helpers have ended.
fn again(target: &Arc<dyn Target>, me: &Actor) {
    let mut last = 0;
    for _ in 0..ROUNDS {
        thread::sleep(AGAIN);
        let Ok(Reply::Status(now)) = ask(&**target, me, Command::Status) else { return };
        let newest = now.running.iter().filter(|live| *live.title == *LOOP.as_bytes() && live.id > last);
        let Some((id, pid)) = newest.filter_map(|live| Some((live.id, live.pid?))).max() else { return };
        last = id;
        request(target, LOOP, &named(me, pid, "demo-modprobe"));
    }
}
