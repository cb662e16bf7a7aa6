//! Completion of module names, from the index files of depmod(8).
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

use std::fmt::Write as _;
use std::path::Path;

use crate::over::engine;
use crate::pty::{Pty, Start};
use crate::steps::{ENTER, ESC, QUICK, quits};

const SIZES: [(u16, u16); 4] = [(200, 60), (120, 40), (80, 24), (40, 10)];

/// The settings of an operator whose kernel has its modules in this tree.
fn settings(tree: &Path) -> tempfile::TempDir {
    let config = tempfile::tempdir().unwrap();
    std::fs::create_dir(config.path().join("khelper")).unwrap();
    let text = format!("modules = \"{}\"\n", tree.display());
    std::fs::write(config.path().join("khelper/console.toml"), text).unwrap();
    config
}

/// As many aliases as the kernel of a distribution has.
fn tree() -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(tree.path().join(name), text).unwrap();
    let mut dep = "kernel/net/zz_conntrack.ko.zst: kernel/lib/crc.ko.zst\nkernel/net/zz_conncount.ko:\n".to_owned();
    let mut alias = "alias zz-tables-1 zz_nat\nalias net-pf-233 zz_conncount\n".to_owned();
    for n in 0..20_000 {
        // Writing to a String cannot fail.
        let _ = writeln!(alias, "alias pci:v0000{n:04X}d*sv*sd*bc*sc*i* driver_{n}");
    }
    for n in 0..4_000 {
        let _ = writeln!(dep, "kernel/drivers/driver_{n}.ko.xz:");
    }
    write("modules.dep", &dep);
    write("modules.alias", &alias);
    write("modules.builtin", "kernel/net/zz_core.ko\n");
    tree
}

fn console((columns, rows): (u16, u16), config: &Path) -> (crate::over::Engine, Pty) {
    let (engine, options) = engine(QUICK, &[]);
    let mut pty = Start::khelper(columns, rows).args(options).env("XDG_CONFIG_HOME", config).start();
    pty.shows(crate::steps::TARGET);
    (engine, pty)
}

#[test]
fn a_module_is_found_by_the_beginning_of_its_name() {
    let tree = tree();
    let config = settings(tree.path());
    for size in SIZES {
        let (_engine, mut pty) = console(size, config.path());
        let room = size.1 >= 20;
        pty.press("m", "Ask for a module");
        pty.send("zz_con");
        // The first one is chosen.
        pty.says("> zz_conncount");
        if room {
            pty.says("zz_conntrack");
            pty.says("stands for no module");
        }
        pty.send("\t");
        pty.says("> name zz_conncount");
        pty.send("\x15zz_");
        if room {
            pty.says("zz_core built in");
            pty.says("zz_tables-1 alias of zz_nat");
        }
        // The second name, by its key.
        pty.says("> name zz_ > zz_conncount");
        pty.send("\x0e");
        pty.says("> zz_conntrack");
        pty.send("\t");
        pty.says("> name zz_conntrack");
        if room {
            pty.says("stands for zz_conntrack");
        }
        pty.send(ENTER);
        pty.says("#1 zz_conntrack: ✓ exit 0");
        // The same on the command line.
        pty.press(":", "─ Command");
        pty.send("request zz_con\t");
        pty.says("request zz_conn");
        pty.send("t\t");
        pty.says("request zz_conntrack");
        pty.send(ESC);
        pty.hides("─ Command");
        quits(&mut pty);
    }
}

#[test]
fn names_are_typed_as_ever_where_there_is_no_list_of_modules() {
    let none = tempfile::tempdir().unwrap();
    let config = settings(&none.path().join("absent"));
    for size in SIZES {
        let (_engine, mut pty) = console(size, config.path());
        pty.press("m", "Ask for a module");
        pty.send("zz_con");
        if size.1 >= 20 {
            pty.says_broken("no completion: ");
            pty.says_broken("modules.dep: No such file or directory (ENOENT)");
        }
        pty.send("\t");
        pty.says("> wait");
        pty.send(ENTER);
        pty.says("#1 zz_con: ✓ exit 0");
        quits(&mut pty);
    }
}
