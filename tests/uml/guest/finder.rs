//! The least that loads a real module: what the kernel keeps of a run decides nothing without a reset.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::init::Serial;
use super::{HELPER, KHELPER, MODULES};

/// Where probes are listed; a kernel without probes has no such file.
const PROBES: &str = "/sys/kernel/tracing/kprobe_events";
/// What a killed process left there: pid 1 has another start time.
const LEFT: &str = "p:khelper_1_987654321/cap_asked cap_capable cap=$arg3:s32\n";
/// What belongs to somebody else.
const FOREIGN: &str = "p:others/asked cap_capable\n";

/// `khelper profile find` with every agreement, as JSON.
fn find(options: &[&str], argv: &[&str]) -> Value {
    let mut command = Command::new(KHELPER);
    command.args(["profile", "find", "--yes", "--json"]).args(options).arg("--").args(argv);
    let output = command.env_clear().stdin(Stdio::null()).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{argv:?}: {output:?}"))
}

/// The same need three times.
fn needs(serial: &mut Serial, capability: &str, options: &[&str], argv: &[&str]) {
    for _ in 0..3 {
        let found = find(options, argv);
        let said = (&found["verdict"], &found["capabilities"], &found["traced"]);
        assert_eq!(said, (&json!("found"), &json!([capability]), &json!(true)), "{argv:?}: {found}");
        // One without and five with all, one without, those that were used, none, one by one, ten with the result, one.
        let runs = found["runs"].as_u64().unwrap();
        assert!(runs <= 24, "the trace must shorten the search: {found}");
        let refused = &found["refused"];
        serial.note(&format!("{argv:?}: {capability}, {runs} runs, {} s, refused {refused}", found["seconds"]));
    }
}

/// The file of the module that is loaded.
fn module() -> PathBuf {
    let mut folders = vec![PathBuf::from(MODULES)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            match path.is_dir() {
                true => folders.push(path),
                false if name.starts_with("dummy.ko") || name == "overlay.ko" => return path,
                false => {}
            }
        }
    }
    panic!("no module in {MODULES}");
}

fn probes() -> String {
    fs::read_to_string(PROBES).unwrap_or_default()
}

fn add_probe(line: &str) {
    use std::io::Write;
    // Without O_APPEND the kernel forgets every probe.
    fs::File::options().append(true).open(PROBES).unwrap().write_all(line.as_bytes()).unwrap();
}

pub fn loads(serial: &mut Serial) {
    let has_probes =
        Path::new(PROBES).exists() && !Path::new("/sys/kernel/tracing/events/capability/cap_capable").exists();
    if has_probes {
        [LEFT, FOREIGN].iter().for_each(|line| add_probe(line));
    }
    let file = module();
    let name = file.file_name().unwrap().to_str().unwrap().split('.').next().unwrap();
    let path = file.to_str().unwrap();
    let load = [HELPER, "insmod", path];
    let kept = find(&[], &load);
    assert_eq!(kept["verdict"], "not_conclusive", "{kept}");
    assert!(kept["why"].as_str().unwrap().contains(&format!("the module {name} is loaded")), "{kept}");
    assert!(kept["advice"].as_str().unwrap().contains("--reset"), "{kept}");
    assert!(Command::new(HELPER).args(["rmmod", name]).status().unwrap().success());
    needs(serial, "cap_sys_module", &["--reset", HELPER, "rmmod", name, ";"], &load);
    assert!(!fs::read_to_string("/proc/modules").unwrap().contains(name), "the last run was undone, too");
    needs(serial, "cap_sys_chroot", &[], &[HELPER, "chroot"]);
    if has_probes {
        assert_eq!(probes().lines().count(), 1, "{}", probes());
        assert!(probes().starts_with("p:others/asked cap_capable"), "{}", probes());
    }
}
