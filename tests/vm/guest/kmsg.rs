//! The kernel's log, from one point to another.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;

pub struct Log(File);

impl Log {
    /// From now on.
    pub fn start() -> Self {
        let mut file = std::fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg").unwrap();
        file.seek(SeekFrom::End(0)).unwrap();
        Self(file)
    }

    /// What has been logged of helpers since. A message that lacks its newline shows with the next one: ours.
    pub fn lines(mut self) -> Vec<String> {
        let mark = format!("khelper-vm: mark {}\n", super::now());
        File::options().write(true).open("/dev/kmsg").unwrap().write_all(mark.as_bytes()).unwrap();
        let mut lines = Vec::new();
        let mut record = vec![0; 8192];
        loop {
            let got = match self.0.read(&mut record) {
                Ok(got) => got,
                // Overwritten before it was read: the next read is of the oldest that is there.
                Err(e) if e.raw_os_error() == Some(libc::EPIPE) => continue,
                Err(e) => panic!("/dev/kmsg: {e}"),
            };
            let text = String::from_utf8_lossy(&record[..got]).into_owned();
            let message = text.split_once(';').map_or("", |(_, m)| m).lines().next().unwrap_or_default().to_owned();
            if message == mark.trim_end() {
                return lines;
            }
            // What the code that asked has to say of the answer (`request_module fs-x succeeded, but...`) is its own.
            // `__request_module: N callbacks suppressed` is of its rate limit.
            if ["request_module:", "__request_module:", "usermodehelper"].iter().any(|start| message.starts_with(start))
            {
                lines.push(message);
            }
        }
    }
}
