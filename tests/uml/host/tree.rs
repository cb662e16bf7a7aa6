//! What a Debian machine has beside its kernel, for the test that loads modules: some of the kernel's modules with what
//! depmod(8) makes of them, and the programs that the kernel starts. By apt, into the cache of kernels.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::kernels::run;

/// As Debian's kernels name their files.
const MODULES: [&str; 9] = [
    "overlay",
    "binfmt_misc",
    "squashfs",
    "kcm",
    "af_alg",
    "algif_hash",
    "algif_skcipher",
    "blake2b_generic",
    "crypto_null",
];
const TOOLS: [&str; 3] = ["kmod", "request-key", "keyctl"];

#[derive(Clone)]
pub struct Tree {
    /// A folder that stands for `/`, with `lib/modules`.
    pub root: PathBuf,
    pub tools: Vec<PathBuf>,
}

/// Those of a kernel in the cache. `None` for one of another suite of Debian than this machine's.
pub fn get(cache: &Path, series: &str) -> Result<Option<Tree>, String> {
    if super::kernels::OTHERS.iter().any(|(other, ..)| *other == series) {
        return Ok(None);
    }
    let tools = tools(cache)?;
    let (of, root) = (cache.join(series), cache.join(series).join("tree"));
    // Of another list of modules once.
    let list = of.join("tree.list");
    if !root.exists() || fs::read_to_string(&list).ok().as_deref() != Some(&*MODULES.join(" ")) {
        let _ = fs::remove_dir_all(&root);
        let package = fs::read_to_string(of.join("done")).map_err(|e| format!("{}: {e}", of.display()))?;
        let (scratch, new) = (of.join("tree.package"), of.join("tree.new"));
        empty(&scratch)?;
        empty(&new)?;
        extract(&downloaded(&scratch, package.trim())?, &new)?;
        let version = only(&new.join("lib/modules"))?;
        let depmod = cache.join("tools/depmod");
        run(Command::new(depmod).arg("-b").arg(&new).arg(version.file_name().unwrap_or_default()))?;
        fs::remove_dir_all(&scratch)
            .and_then(|()| fs::rename(&new, &root))
            .and_then(|()| fs::write(&list, MODULES.join(" ")))
            .map_err(|e| format!("{}: {e}", root.display()))?;
    }
    Ok(Some(Tree { root, tools }))
}

/// The programs, not installed.
fn tools(cache: &Path) -> Result<Vec<PathBuf>, String> {
    let folder = cache.join("tools");
    let wrong = |e: std::io::Error| format!("{}: {e}", folder.display());
    if !folder.exists() {
        let (scratch, new) = (cache.join("tools.package"), cache.join("tools.new"));
        empty(&new)?;
        for package in ["kmod", "keyutils"] {
            empty(&scratch)?;
            let package = downloaded(&scratch, package)?;
            run(Command::new("dpkg-deb").arg("-x").arg(package).arg(scratch.join("all")))?;
            for at in ["usr/bin", "bin", "usr/sbin", "sbin"].map(|at| scratch.join("all").join(at)) {
                for tool in
                    TOOLS.iter().filter(|tool| at.join(tool).symlink_metadata().is_ok_and(|meta| meta.is_file()))
                {
                    fs::rename(at.join(tool), new.join(tool)).map_err(wrong)?;
                }
            }
        }
        std::os::unix::fs::symlink("kmod", new.join("depmod")).map_err(wrong)?;
        fs::remove_dir_all(&scratch).and_then(|()| fs::rename(&new, &folder)).map_err(wrong)?;
    }
    Ok(TOOLS.iter().map(|tool| folder.join(tool)).collect())
}

/// An empty folder.
pub fn empty(folder: &Path) -> Result<(), String> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))
}

/// A package in this folder, which is empty.
pub fn downloaded(folder: &Path, package: &str) -> Result<PathBuf, String> {
    run(Command::new("apt-get")
        .args(["download", "-q", "-o", "APT::Sandbox::User=root", package])
        .current_dir(folder))?;
    only(folder)
}

/// The only entry of a folder.
fn only(folder: &Path) -> Result<PathBuf, String> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.next().ok_or_else(|| format!("nothing in {}", folder.display()))
}

/// The modules of a kernel's package, and its lists of modules.
fn extract(package: &Path, to: &Path) -> Result<(), String> {
    let unpack = |words: &[String]| -> Result<String, String> {
        let wrong = |e: std::io::Error| format!("{}: {e}", package.display());
        let mut from = Command::new("dpkg-deb")
            .arg("--fsys-tarfile")
            .arg(package)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(wrong)?;
        let tar = from.stdout.take().ok_or("dpkg-deb has no output")?;
        let said = run(Command::new("tar").args(words).current_dir(to).stdin(tar))?;
        from.wait().map_err(wrong)?;
        Ok(said)
    };
    let is_wanted = |path: &&str| {
        let name = path.rsplit('/').next().unwrap_or_default();
        let module = name.split_once(".ko").map(|(module, _)| module);
        name.starts_with("modules.") || module.is_some_and(|module| MODULES.contains(&module))
    };
    let list = unpack(&["-t".to_owned()])?;
    let wanted = list.lines().filter(is_wanted).map(str::to_owned);
    unpack(&["-x".to_owned()].into_iter().chain(wanted).collect::<Vec<_>>()).map(drop)
}
