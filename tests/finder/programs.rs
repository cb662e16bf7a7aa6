//! The folder of one test, with the program that has known needs.

use std::fs;
use std::os::unix::fs::chown;
use std::process::Command;

use crate::common::Dir;

pub struct Programs {
    dir: Dir,
    path: String,
}

impl Programs {
    pub fn build() -> Self {
        let dir = Dir::new();
        let path = dir.path().join("needs");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/finder/needs.c");
        let built = Command::new("cc").args(["-O1", "-Wall", "-Wno-unused", "-o"]).arg(&path).arg(source).status();
        assert!(built.is_ok_and(|status| status.success()), "cc could not build the program");
        Self { path: path.to_str().unwrap().to_owned(), dir }
    }

    /// The program.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// A path in the folder, where nothing is.
    pub fn name(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    pub fn file(&self, name: &str, mode: u32, owner: u32) -> String {
        let path = self.dir.file(name, "text\n", mode);
        chown(&path, Some(owner), Some(owner)).unwrap();
        path
    }

    pub fn folder(&self, name: &str) -> String {
        self.folder_of(name, 0)
    }

    pub fn folder_of(&self, name: &str, owner: u32) -> String {
        let path = self.name(name);
        fs::create_dir(&path).unwrap();
        chown(&path, Some(owner), Some(owner)).unwrap();
        path
    }

    pub fn fifo(&self) -> String {
        self.dir.fifo("fifo")
    }
}
