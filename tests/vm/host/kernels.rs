//! Debian's cloud kernels: from the cache, or by apt into it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What there may be; the first must be.
const SERIES: [&str; 2] = ["6.1", "6.12"];

pub struct Kernel {
    pub series: String,
    pub image: PathBuf,
    /// Modules for `load`, by file name; from the package, unpacked.
    pub modules: Vec<PathBuf>,
}

/// The folder, made if need be.
pub fn cache() -> Result<PathBuf, String> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let dir = set("KHELPER_VM_CACHE")
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("khelper-vm")))
        .or_else(|| Some(set("HOME")?.join(".cache/khelper-vm")))
        .ok_or("no place for kernels: set KHELPER_VM_CACHE")?;
    fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    Ok(dir)
}

/// Those that are asked for, or all that can be had.
pub fn get(cache: &Path, wanted: &[String]) -> Result<Vec<Kernel>, String> {
    if !cfg!(target_arch = "x86_64") {
        return Err("the kernels that it boots are for x86-64; this machine is another".into());
    }
    for (program, package) in [("qemu-system-x86_64", "qemu-system-x86"), ("ldd", "libc-bin")] {
        if !has(program) {
            return Err(format!("{program} is missing: apt-get install {package}"));
        }
    }
    let mut updated = false;
    let mut kernels = Vec::new();
    for series in SERIES.iter().filter(|s| wanted.is_empty() || wanted.iter().any(|w| w == *s)) {
        let dir = cache.join(series);
        if !dir.join("done").exists() {
            match fetch(series, &dir, &mut updated) {
                Ok(true) => {}
                // Only some of Debian's releases have the newer one.
                Ok(false) if *series != SERIES[0] => {
                    eprintln!("apt knows no cloud kernel of {series}: it is left out");
                    continue;
                }
                Ok(false) => return Err(format!("apt knows no linux-image-{series}*-cloud-amd64")),
                Err(why) => return Err(why),
            }
        }
        kernels.push(cached(series, &dir)?);
    }
    if kernels.is_empty() { Err(format!("no such kernel; there are {}", SERIES.join(" and "))) } else { Ok(kernels) }
}

fn cached(series: &str, dir: &Path) -> Result<Kernel, String> {
    let listed = fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let files: Vec<PathBuf> = listed.filter_map(|e| Some(e.ok()?.path())).collect();
    let named = |start: &str| {
        let is = |f: &&PathBuf| f.file_name().is_some_and(|n| n.to_string_lossy().starts_with(start));
        files.iter().filter(is).cloned().collect::<Vec<_>>()
    };
    let image = named("vmlinuz").pop().ok_or_else(|| format!("no kernel in {}: remove the folder", dir.display()))?;
    Ok(Kernel { series: series.to_owned(), image, modules: named("dummy.ko") })
}

/// False if apt knows none.
fn fetch(series: &str, dir: &Path, updated: &mut bool) -> Result<bool, String> {
    for program in ["apt-get", "apt-cache", "dpkg-deb", "tar"] {
        if !has(program) {
            return Err(format!("{program} is missing: kernels are fetched with Debian's tools"));
        }
    }
    if !nix::unistd::geteuid().is_root() {
        return Err(format!("the kernel {series} is not in the cache, and only root can fetch it by apt"));
    }
    if !*updated {
        run(Command::new("apt-get").args(["update", "-q"]))?;
        *updated = true;
    }
    let Some(package) = newest(series)? else { return Ok(false) };
    let scratch = dir.with_extension("new");
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(&scratch).map_err(|e| format!("{}: {e}", scratch.display()))?;
    run(Command::new("apt-get").args(["download", "-q", &package]).current_dir(&scratch))?;
    unpack(&scratch)?;
    let _ = fs::remove_dir_all(dir);
    fs::write(scratch.join("done"), &package)
        .and_then(|()| fs::rename(&scratch, dir))
        .map_err(|e| format!("{}: {e}", dir.display()))?;
    Ok(true)
}

/// The newest package of a series.
fn newest(series: &str) -> Result<Option<String>, String> {
    let pattern = format!("^linux-image-{}\\..*cloud-amd64$", series.replace('.', "\\."));
    let found = run(Command::new("apt-cache").args(["search", "--names-only", &pattern]))?;
    let numbers =
        |name: &str| -> Vec<u64> { name.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect() };
    let names = found.lines().filter_map(|l| l.split_whitespace().next());
    Ok(names.max_by_key(|n| numbers(n)).map(str::to_owned))
}

/// Out of the package: the kernel, and a module to load. Everything else goes.
fn unpack(dir: &Path) -> Result<(), String> {
    let wrong = |e: std::io::Error| format!("{}: {e}", dir.display());
    let package = fs::read_dir(dir).map_err(wrong)?.filter_map(|e| Some(e.ok()?.path())).next();
    let package = package.ok_or_else(|| format!("apt-get download left nothing in {}", dir.display()))?;
    let mut from =
        Command::new("dpkg-deb").arg("--fsys-tarfile").arg(&package).stdout(Stdio::piped()).spawn().map_err(wrong)?;
    let tar = from.stdout.take().ok_or("dpkg-deb has no output")?;
    let wanted = ["--wildcards", "--strip-components=2", "./boot/vmlinuz-*"];
    run(Command::new("tar").arg("-x").args(wanted).current_dir(dir).stdin(tar))?;
    from.wait().map_err(wrong)?;
    let mut from =
        Command::new("dpkg-deb").arg("--fsys-tarfile").arg(&package).stdout(Stdio::piped()).spawn().map_err(wrong)?;
    let tar = from.stdout.take().ok_or("dpkg-deb has no output")?;
    let wanted = ["--wildcards", "--transform=s,.*/,,", "*/drivers/net/dummy.ko*"];
    run(Command::new("tar").arg("-x").args(wanted).current_dir(dir).stdin(tar))?;
    from.wait().map_err(wrong)?;
    fs::remove_file(package).map_err(wrong)
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.stderr(Stdio::piped()).output().map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}: {}", output.status, text.lines().last().unwrap_or_default()))
}

fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}
