//! Clients that other projects wrote, unchanged: the `varlink` package of PyPI, the `varlink` program of crates.io, and
//! systemd's varlinkctl(1).

use std::path::PathBuf;
use std::process::{Command, Output};

use khelper::control::Key;

use crate::daemon::Daemon;
use crate::skipped;

/// A program that `.ci/run` installs beside the build, or that is in PATH.
fn client(name: &str) -> PathBuf {
    let build = std::path::Path::new(env!("CARGO_BIN_EXE_khelper")).parent().unwrap().parent().unwrap();
    let installed = build.join("clients/bin").join(name);
    if installed.exists() { installed } else { name.into() }
}

/// Runs a client; `None`, with the reason on stderr, if it is not installed.
fn run(name: &str, what: &str, args: &[&str]) -> Option<Output> {
    match Command::new(client(name)).args(args).output() {
        Ok(output) => Some(output),
        Err(why) => {
            skipped(&format!("{what}: {why}"));
            None
        }
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&*output.stdout, &*output.stderr].concat()).into_owned()
}

#[test]
fn the_package_of_pypi() {
    let daemon = Daemon::start();
    daemon.set(Key::Modprobe, b"/bin/true");
    let Some(has) = run("python3", "varlink of PyPI", &["-c", "import varlink"]) else { return };
    if !has.status.success() {
        return skipped(&format!("varlink of PyPI: {}", text(&has).lines().last().unwrap_or_default()));
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/remote/clients.py");
    let socket = daemon.socket();
    let output = run("python3", "", &[script, socket.to_str().unwrap()]).unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let version = env!("CARGO_PKG_VERSION");
    let may = nix::unistd::geteuid().is_root();
    let wanted = format!(
        "info khelper {version}\nget 3.4\nlist 14\ninvalid khelper.era EINVAL\nunknown khelper.nothing\nset False\n\
         run ended 768 out\nrehearse 1024 1024 False True\nmore queued started ended\nlog 1 2 3 4 why /bin/sh 0\nwatch missed 1 after\n"
    );
    if may {
        assert_eq!(text(&output), wanted);
    }
}

#[test]
fn the_program_of_crates_io() {
    let daemon = Daemon::start();
    daemon.set(Key::Modprobe, b"/bin/echo");
    let method = |name: &str| format!("{}/io.khelper.Control.{name}", daemon.target());
    let varlink = |args: &[&str]| run("varlink", "varlink of crates.io", args);
    let Some(info) = varlink(&["info", &daemon.target()]) else { return };
    assert!(info.status.success() && text(&info).contains("  io.khelper.Control\n"), "{}", text(&info));
    let help = varlink(&["help", &format!("{}/io.khelper.Control", daemon.target())]).unwrap();
    assert!(help.status.success() && text(&help).contains("method Get(key: string"), "{}", text(&help));
    let get = varlink(&["call", &method("Get"), r#"{"key":"kernel.modprobe"}"#]).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&get.stdout).unwrap();
    assert_eq!((&value["text"], &value["value"]["path"]), (&"/bin/echo".into(), &"/bin/echo".into()));
    // A call without parameters is legal.
    let status = varlink(&["call", &method("Status")]).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!((&value["version"], &value["state"]["pid"]), (&env!("CARGO_PKG_VERSION").into(), &daemon.pid().into()));
    let refused = varlink(&["call", &method("Set"), r#"{"writes":[{"key":"khelper.live","text":"1"}]}"#]).unwrap();
    assert!(!refused.status.success());
    for words in ["io.khelper.Control.ReadOnly", "\"knob\": \"khelper.live\"", "\"errno\": \"EACCES\"", "\"advice\""] {
        assert!(text(&refused).contains(words), "{words}: {}", text(&refused));
    }
    let once = varlink(&["call", &method("Request"), r#"{"name":"dummy"}"#]).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&once.stdout).unwrap();
    assert_eq!((&value["state"], &value["record"]["output"]["stdout"]), (&"ended".into(), &"-q -- dummy\n".into()));
    let more = varlink(&["call", "-m", &method("Request"), r#"{"name":"dummy"}"#]).unwrap();
    let answers = serde_json::Deserializer::from_slice(&more.stdout).into_iter::<serde_json::Value>();
    let states: Vec<_> = answers.map(|answer| answer.unwrap()["state"].as_str().unwrap().to_owned()).collect();
    assert_eq!(states, ["queued", "started", "ended"]);
}

/// A process without the capabilities of SYS-3 is told which one it lacks.
#[test]
fn auth_2_a_refused_set_names_the_missing_capability() {
    if !nix::unistd::geteuid().is_root() {
        // Another user is refused for its uid first.
        return;
    }
    let daemon = Daemon::start();
    let target = daemon.target();
    let method = format!("{target}/io.khelper.Control.Set");
    let varlink = client("varlink");
    let drop = ["--bounding-set=-sys_module", "--inh-caps=-sys_module", "--"];
    let call = ["call", &method, r#"{"writes":[{"key":"kernel.usermodehelper.bset","text":"-cap_sys_rawio"}]}"#];
    let output = Command::new("setpriv").args(drop).arg(&varlink).args(call).output().unwrap();
    let said = text(&output);
    if said.contains("No such file") {
        return skipped("varlink of crates.io: it is not installed");
    }
    assert!(said.contains("io.khelper.Control.Denied") && said.contains("cap_sys_module"), "{said}");
    assert!(said.contains("\"errno\": \"EPERM\""), "{said}");
}

#[test]
fn varlinkctl_of_systemd() {
    let daemon = Daemon::start();
    let socket = daemon.socket();
    let socket = socket.to_str().unwrap();
    let varlinkctl = |args: &[&str]| run("varlinkctl", "varlinkctl of systemd", args);
    let Some(info) = varlinkctl(&["info", socket]) else { return };
    assert!(info.status.success() && text(&info).contains("io.khelper.Control"), "{}", text(&info));
    let shown = varlinkctl(&["introspect", socket, "io.khelper.Control"]).unwrap();
    assert!(shown.status.success() && text(&shown).contains("method Get"), "{}", text(&shown));
    let get = varlinkctl(&["call", socket, "io.khelper.Control.Get", r#"{"key":"khelper.era"}"#]).unwrap();
    assert!(get.status.success() && text(&get).contains("3.4"), "{}", text(&get));
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/io.khelper.Control.varlink");
    let valid = varlinkctl(&["validate-idl", file]).unwrap();
    assert!(valid.status.success(), "{}", text(&valid));
}
