//! The checker finds what it is there for.

use crate::floors::{module_of, violations};
use crate::source::{before_tests, code, functions, tokens};

fn judge(path: &str, text: &str) -> Vec<String> {
    violations(&module_of(path), &tokens(&code(text)))
}

#[test]
fn an_import_that_points_up_or_across_is_found() {
    for (path, text) in [
        ("src/abi/cap.rs", "use crate::policy::gate::Gate;"),
        ("src/policy/gate.rs", "use crate::sys::host::Host;"),
        ("src/sys/linux/mod.rs", "use crate::policy::masks;"),
        ("src/engine/umh.rs", "fn f() { crate::control::dispatch() }"),
        ("src/engine/umh.rs", "use crate::{abi::cap::{CapMask, Capability}, tui::msg};"),
        ("src/engine/umh.rs", "use crate::kernel::knobs;"),
        ("src/tui/view/mod.rs", "use crate::cli::args;"),
        ("src/cli/mod.rs", "pub use crate::app::main;"),
        ("src/engine/mod.rs", "use super::control;"),
        ("src/engine/gate.rs", "use super::super::control::knob;"),
        ("src/engine/gate.rs", "use super::super::{abi::cap, control};"),
        ("src/engine/gate.rs", "mod tests { use super::super::super::control::knob; }"),
        ("src/engine/gate.rs", "use super::{super::control, inner};"),
        ("src/engine/gate.rs", "use crate as root;"),
        ("src/engine/gate.rs", "macro_rules! m { () => { $crate::tui::run() } }"),
        ("src/engine/gate.rs", "use crate::\n    app;"),
        ("src/engine/gate.rs", "use crate::somewhere;"),
        ("src/cellar/mod.rs", ""),
    ] {
        assert_eq!(judge(path, text).len(), 1, "{path}: {text}: {:?}", judge(path, text));
    }
}

#[test]
fn an_import_that_points_down_or_stays_is_let_be() {
    for (path, text) in [
        ("src/policy/gate.rs", "use crate::abi::Errno; use crate::policy::limit;"),
        ("src/engine/umh.rs", "use crate::{abi::cap, policy::{gate, limit}, sys::host::Host, engine};"),
        ("src/engine/umh.rs", "use super::inner::Inner; pub(crate) fn f() {} pub(super) fn g() {}"),
        ("src/tui/view/masks.rs", "use super::super::model; use super::{text, theme};"),
        ("src/engine/gate.rs", "mod a { mod tests { use super::super::super::inner; } } use super::inner;"),
        (
            "src/engine/gate.rs",
            "// use crate::tui;\n/* crate::tui /* */ crate::tui */ const S: &str = \"crate::tui\\\"\";",
        ),
        ("src/engine/gate.rs", "const S: &str = r#\"crate::tui\" crate::app\"#; const C: char = '\"'; use crate::abi;"),
        ("src/engine/gate.rs", "fn f<'a>(x: &'a str) -> char { '\\'' } use crate::abi::x;"),
        ("src/app.rs", "use crate::{tui, cli, control};"),
        ("src/main.rs", "khelper::app::main()"),
    ] {
        assert_eq!(judge(path, text), Vec::<String>::new(), "{path}: {text}");
    }
}

#[test]
fn an_unsafe_word_is_told_from_a_text() {
    let words = |text: &str| tokens(&code(text)).iter().filter(|t| t.text == "unsafe").count();
    assert_eq!(words("// unsafe\n#![forbid(unsafe_code)] const S: &str = \"unsafe\";"), 0);
    assert_eq!(words("fn f() { unsafe { g() } } unsafe fn g() {}"), 2);
}

#[test]
fn lengths_are_counted() {
    let text = "fn short(x: [u8; 2]) -> u8 {\n    1\n}\n\ntrait T {\n    fn none();\n}\n\nimpl T for X {\n    fn long() {\n        if a {\n        }\n        let s = \"}\";\n    }\n}\n#[cfg(test)]\nmod tests {}\n";
    let found = functions(&tokens(&code(text)));
    assert_eq!(found, [("short".to_owned(), 1, 3), ("long".to_owned(), 10, 5)]);
    assert_eq!(before_tests(&code(text)), 15);
    assert_eq!(functions(&tokens("fn f(g: fn(u8) -> u8) where A: B {\n}")), [("f".to_owned(), 1, 2)]);
}
