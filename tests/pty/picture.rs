//! Pictures of the screen, as text and as SVG, for the README (`tests/pictures.sh`).
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

use std::path::{Path, PathBuf};

use crate::pty::Pty;
use crate::svg::svg;

/// Where pictures are kept; `None` if they are only looked at.
pub fn folder() -> Option<PathBuf> {
    std::env::var_os("KHELPER_SCREENS").map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
}

/// Takes a picture of what the terminal shows now.
pub fn picture(pty: &Pty, keep: Option<&Path>, name: &str) {
    let (text, picture) = (pty.text(), svg(pty.screen()));
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
    assert!(!picture.chars().any(|c| c.is_control() && c != '\n'), "{name}");
    assert_eq!(picture.matches("<text ").count(), picture.matches("</text>").count());
    if let Some(folder) = keep {
        let trimmed: Vec<&str> = text.lines().map(str::trim_end).collect();
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join(format!("{name}.txt")), trimmed.join("\n") + "\n").unwrap();
        std::fs::write(folder.join(format!("{name}.svg")), picture).unwrap();
    }
}
