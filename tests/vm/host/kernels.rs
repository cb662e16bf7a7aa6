//! Debian's cloud kernels: from the cache, or by apt into it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What there may be; the first must be.
const SERIES: [&str; 2] = ["6.1", "6.12"];

/// One that is in another suite of Debian than this machine's: its name, the suite, and the path of the archive that
/// stands for `debian` of this machine's mirror.
pub const OTHERS: [(&str, &str, &str); 2] =
    [("5.10", "bullseye-security", "debian-security"), ("newest", "sid", "debian")];

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
            match fetch(series, &dir, &mut updated, &[]) {
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
    for (name, suite, archive) in OTHERS.iter().filter(|(name, ..)| wanted.iter().any(|w| w == name)) {
        let dir = cache.join(name);
        if !dir.join("done").exists() && !fetch(name, &dir, &mut false, &apt_of(cache, suite, archive)?)? {
            return Err(format!("{suite} has no cloud kernel {name}"));
        }
        kernels.push(cached(name, &dir)?);
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

/// Options by which apt knows another suite of this machine's mirror, and only that: nothing of the machine's own apt is
/// changed. The signature is checked; the date is not, since a mirror may be a copy of a past day.
fn apt_of(cache: &Path, suite: &str, archive: &str) -> Result<Vec<String>, String> {
    let folder = cache.join("apt").join(suite);
    let wrong = |e: std::io::Error| format!("{}: {e}", folder.display());
    for name in ["lists/partial", "archives/partial"] {
        fs::create_dir_all(folder.join(name)).map_err(wrong)?;
    }
    let targets = run(Command::new("apt-get").args(["indextargets", "--format", "$(REPO_URI)"]))?;
    let mirror = targets.lines().find(|uri| !uri.contains("security")).ok_or("apt has no mirror")?;
    let mirror = mirror.trim_end_matches('/').trim_end_matches("debian").to_owned() + archive;
    let keys = fs::read_dir("/usr/share/keyrings").map_err(wrong)?.filter_map(|entry| Some(entry.ok()?.path()));
    let key = keys.into_iter().find(|key| key.to_string_lossy().contains("debian-archive-keyring."));
    let key = key.ok_or("no debian-archive-keyring")?;
    let list = folder.join("sources.list");
    fs::write(&list, format!("deb [signed-by={}] {mirror} {suite} main\n", key.display())).map_err(wrong)?;
    let all = [
        format!("Dir::State::lists={}", folder.join("lists").display()),
        format!("Dir::Cache={}", folder.display()),
        format!("Dir::Etc::sourcelist={}", list.display()),
        "Dir::Etc::sourceparts=/nonexistent".to_owned(),
        "Dir::State::status=/dev/null".to_owned(),
        "Acquire::Check-Valid-Until=false".to_owned(),
        "APT::Sandbox::User=root".to_owned(),
    ];
    Ok(all.into_iter().flat_map(|option| ["-o".to_owned(), option]).collect())
}

/// False if apt knows none.
fn fetch(series: &str, dir: &Path, updated: &mut bool, apt: &[String]) -> Result<bool, String> {
    for program in ["apt-get", "apt-cache", "dpkg-deb", "tar"] {
        if !has(program) {
            return Err(format!("{program} is missing: kernels are fetched with Debian's tools"));
        }
    }
    if !nix::unistd::geteuid().is_root() {
        return Err(format!("the kernel {series} is not in the cache, and only root can fetch it by apt"));
    }
    if !*updated {
        run(Command::new("apt-get").args(apt).args(["update", "-q"]))?;
        *updated = true;
    }
    let Some(package) = newest(series, apt)? else { return Ok(false) };
    let scratch = dir.with_extension("new");
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(&scratch).map_err(|e| format!("{}: {e}", scratch.display()))?;
    run(Command::new("apt-get").args(apt).args(["download", "-q", &package]).current_dir(&scratch))?;
    // Since 2026 Debian has the kernel and its modules in packages of their own.
    unpack(&scratch, package.starts_with("linux-image-"))?;
    let _ = fs::remove_dir_all(dir);
    fs::write(scratch.join("done"), &package)
        .and_then(|()| fs::rename(&scratch, dir))
        .map_err(|e| format!("{}: {e}", dir.display()))?;
    Ok(true)
}

/// The newest package of a series.
fn newest(series: &str, apt: &[String]) -> Result<Option<String>, String> {
    let pattern = if series == "newest" {
        "^linux-binary-[0-9].*cloud-amd64$".to_owned()
    } else {
        format!("^linux-image-{}\\..*cloud-amd64$", series.replace('.', "\\."))
    };
    let found = run(Command::new("apt-cache").args(apt).args(["search", "--names-only", &pattern]))?;
    let numbers =
        |name: &str| -> Vec<u64> { name.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect() };
    let names = found.lines().filter_map(|l| l.split_whitespace().next());
    Ok(names.max_by_key(|n| numbers(n)).map(str::to_owned))
}

/// Out of the package: the kernel, and a module to load, if it has modules. Everything else goes.
fn unpack(dir: &Path, has_modules: bool) -> Result<(), String> {
    let wrong = |e: std::io::Error| format!("{}: {e}", dir.display());
    let package = fs::read_dir(dir).map_err(wrong)?.filter_map(|e| Some(e.ok()?.path())).next();
    let package = package.ok_or_else(|| format!("apt-get download left nothing in {}", dir.display()))?;
    let mut from =
        Command::new("dpkg-deb").arg("--fsys-tarfile").arg(&package).stdout(Stdio::piped()).spawn().map_err(wrong)?;
    let tar = from.stdout.take().ok_or("dpkg-deb has no output")?;
    let wanted = ["--wildcards", "--transform=s,.*/,,", "*/vmlinuz*"];
    run(Command::new("tar").arg("-x").args(wanted).current_dir(dir).stdin(tar))?;
    from.wait().map_err(wrong)?;
    if !has_modules {
        return fs::remove_file(package).map_err(wrong);
    }
    let mut from =
        Command::new("dpkg-deb").arg("--fsys-tarfile").arg(&package).stdout(Stdio::piped()).spawn().map_err(wrong)?;
    let tar = from.stdout.take().ok_or("dpkg-deb has no output")?;
    let wanted = ["--wildcards", "--transform=s,.*/,,", "*/drivers/net/dummy.ko*"];
    run(Command::new("tar").arg("-x").args(wanted).current_dir(dir).stdin(tar))?;
    from.wait().map_err(wrong)?;
    fs::remove_file(package).map_err(wrong)
}

/// Runs it to its end. Returns its output.
pub fn run(command: &mut Command) -> Result<String, String> {
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
