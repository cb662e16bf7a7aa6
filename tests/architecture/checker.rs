//! Tests of the rules: each rule finds what it forbids, and accepts what it allows.

use crate::floors::{module_of, violations};
use crate::graph::{Graph, between_rooms, circles, unlisted};
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
        ("src/verbs/perform.rs", "use crate::tui::model;"),
        ("src/verbs/perform.rs", "use crate::ledger::reader;"),
        ("src/control/target.rs", "use crate::verbs::perform;"),
        ("src/daemon/serve.rs", "use crate::cli::args;"),
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
        ("src/cli/mod.rs", "use crate::{verbs::perform, control::target, wire::frame, ledger};"),
        ("src/app.rs", "use crate::{tui, cli, control, daemon, remote};"),
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

fn graph(files: &[(&'static str, &'static str)]) -> Graph {
    Graph::new(files.iter().copied())
}

/// Each import as `from > to`, without `src/` and `.rs`.
fn imports(files: &[(&'static str, &'static str)]) -> Vec<String> {
    let short = |file: &str| module_of(file).join("/");
    graph(files).imports().iter().map(|i| format!("{} > {}", short(&i.from), short(&i.to))).collect()
}

#[test]
fn an_import_leads_to_the_file_that_defines_the_name() {
    let rest = [
        ("src/abi/mod.rs", "pub mod cap; mod error; pub use error::Errno as Code; pub use cap::*; pub struct Unit;"),
        ("src/abi/cap/mod.rs", "pub mod table; pub use table::TABLE;"),
        ("src/abi/cap/table.rs", "pub const TABLE: u8 = 0;"),
        ("src/abi/error.rs", "pub enum Errno {}"),
        ("src/sys/mod.rs", "pub mod host;"),
    ];
    for (text, expected) in [
        ("use crate::abi::cap::table::TABLE;", "sys/host > abi/cap/table"),
        ("use crate::abi::{cap::{table}, };", "sys/host > abi/cap/table"),
        ("use crate::abi::cap::{self};", "sys/host > abi/cap"),
        ("use super::super::abi::Unit;", "sys/host > abi"),
        ("fn f() -> crate::abi::Unit {}", "sys/host > abi"),
        ("fn f() { g::<super::super::abi::Unit>() }", "sys/host > abi"),
        ("mod inner { fn f(_: super::super::super::abi::Unit) {} }", "sys/host > abi"),
        ("use crate::abi::Code;", "sys/host > abi/error"),
        ("use crate::abi::cap::TABLE as T;", "sys/host > abi/cap/table"),
        ("use crate::abi::*;", "sys/host > abi"),
        ("fn f() -> impl Iterator<Item = u8> + use<> { crate::abi::cap::TABLE.iter() }", "sys/host > abi/cap/table"),
        ("macro_rules! m { () => { $crate::abi::Unit } }", "sys/host > abi"),
    ] {
        let files = [&rest[..], &[("src/sys/host.rs", text)]].concat();
        assert_eq!(imports(&files), [expected], "{text}");
    }
    let through =
        [&rest[..], &[("src/sys/host.rs", "use crate::abi; fn f() -> abi::cap::table::T { abi::Unit }")]].concat();
    assert_eq!(
        imports(&through),
        ["sys/host > abi/cap/table", "sys/host > abi"],
        "a module, and an item that is named through it"
    );
}

#[test]
fn what_imports_nothing_is_left_out() {
    for (path, text) in [
        (
            "src/sys/host.rs",
            "#[cfg(test)] use crate::abi::Unit; #[cfg(test)] mod tests { use crate::abi::Unit; } fn f() {}",
        ),
        ("src/sys/host.rs", "fn f() { #[cfg(all(test, x))] let a = if g() { crate::abi::Unit } else { h() }; }"),
        ("src/sys/host.rs", "struct S { #[cfg(test)] unit: crate::abi::Unit }"),
        (
            "src/sys/host.rs",
            "#[cfg(test)] #[derive(Debug)] pub(crate) struct S<A, B>(A, crate::abi::Unit, B); fn f() {}",
        ),
        ("src/sys/host.rs", "#[cfg(test)] fn f<A, B>(a: A, b: B) -> [u8; 2] { crate::abi::Unit } fn g() {}"),
        ("src/sys/host.rs", "#![cfg(test)] use crate::abi::Unit;"),
        ("src/sys/host/tests.rs", "use crate::abi::Unit;"),
        ("src/sys/host/tests/more.rs", "use crate::abi::Unit;"),
        ("src/sys/host.rs", "use std::io; use nix::errno::Errno; fn f() { io::stdin(); Vec::<u8>::new(); Self::g() }"),
        ("src/sys/mod.rs", "pub mod host; use host::Host; fn f() -> host::Host { Host }"),
        ("src/sys/mod.rs", "pub mod host; pub use host::Host; pub(crate) use self::host::Host as Again;"),
    ] {
        let rest = [
            ("src/abi/mod.rs", "pub struct Unit;"),
            ("src/sys/host.rs", "#[cfg(test)] mod tests; pub struct Host;"),
            ("src/sys/host/tests.rs", "mod more;"),
        ];
        let rest = rest.into_iter().filter(|(other, _)| *other != path);
        let files: Vec<_> = rest.chain([(path, text)]).collect();
        assert_eq!(imports(&files), Vec::<String>::new(), "{path}: {text}");
    }
    let still = [
        ("src/abi/mod.rs", "pub struct Unit;"),
        ("src/sys/host.rs", "#[cfg(not(test))] use crate::abi::Unit;"),
        ("src/sys/mod.rs", "pub(crate) use crate::abi::Unit;"),
        ("src/sys/fake.rs", "#[cfg(test)] fn f() {} pub fn g(_: &crate::abi::Unit) {}"),
    ];
    assert_eq!(imports(&still), ["sys/fake > abi", "sys/host > abi", "sys > abi"]);
}

const CIRCLE: [(&str, &str); 4] = [
    ("src/sys/a.rs", "use super::b::B;"),
    ("src/sys/b.rs", "pub struct B;\nfn f() { crate::sys::c::g() }"),
    ("src/sys/c.rs", "pub use super::a::A as Handed; use super::a::A; use super::d;"),
    ("src/sys/d.rs", "pub struct D;"),
];

#[test]
fn a_circle_of_files_is_found() {
    let imports = graph(&CIRCLE).imports();
    let circle = "a circle: src/sys/a.rs -> src/sys/b.rs (src/sys/a.rs:1) -> src/sys/c.rs (src/sys/b.rs:2) \
                  -> src/sys/a.rs (src/sys/c.rs:1)";
    assert_eq!(circles(&imports, &[]), [circle]);
    assert_eq!(circles(&imports, &[("src/sys/c.rs", "src/sys/a.rs")]), Vec::<String>::new());
    for needless in [("src/sys/c.rs", "src/sys/d.rs"), ("src/sys/d.rs", "src/sys/a.rs")] {
        let found = circles(&imports, &[("src/sys/c.rs", "src/sys/a.rs"), needless]);
        assert_eq!(found, [format!("{} -> {} closes no circle: remove it from the list", needless.0, needless.1)]);
    }
    // A submodule and its parent form no circle, except through another module.
    let family =
        [("src/sys/mod.rs", "mod a; struct S; fn f() { a::g() }"), ("src/sys/a.rs", "use super::S; fn g() {}")];
    assert_eq!(circles(&graph(&family).imports(), &[]), Vec::<String>::new());
    let over = [
        ("src/tui/mod.rs", "mod a; mod b;"),
        ("src/tui/a/mod.rs", "mod c; pub struct S;"),
        ("src/tui/a/c.rs", "use crate::tui::b::B;"),
        ("src/tui/b.rs", "use super::a::S; pub struct B;"),
    ];
    assert_eq!(circles(&graph(&over).imports(), &[]), Vec::<String>::new());
    assert_eq!(circles(&between_rooms(&graph(&over).imports()), &[]).len(), 1);
}

#[test]
fn rooms_that_use_each_other_are_found() {
    let files = [
        ("src/tui/model/a.rs", "use crate::tui::view::a::A;"),
        ("src/tui/model/b.rs", "pub struct B;"),
        ("src/tui/view/a.rs", "pub struct A;"),
        ("src/tui/view/b.rs", "\nuse crate::tui::model::b::B; use crate::abi::Unit;"),
        ("src/abi/mod.rs", "pub struct Unit;"),
    ];
    let imports = graph(&files).imports();
    assert_eq!(circles(&imports, &[]), Vec::<String>::new(), "no circle of files");
    let rooms = between_rooms(&imports);
    let circle =
        "a circle: src/tui/model -> src/tui/view (src/tui/model/a.rs:1) -> src/tui/model (src/tui/view/b.rs:2)";
    assert_eq!(circles(&rooms, &[]), [circle]);
    assert_eq!(circles(&rooms, &[("src/tui/view", "src/tui/model")]), Vec::<String>::new());
}

#[test]
fn a_name_of_the_engine_is_found_in_the_console_the_command_line_and_the_verbs() {
    let engine = [
        ("src/abi/record.rs", "pub struct Record;"),
        ("src/engine/mod.rs", "pub mod gate; pub use crate::abi::record::{self, Record}; pub struct Engine;"),
        ("src/engine/gate.rs", "pub struct Gate;"),
        ("src/control/mod.rs", "pub use crate::engine::Engine as Handed; use crate::engine::gate::Gate;"),
    ];
    let found = |path: &'static str, text: &'static str| {
        let files = [&engine[..], &[(path, text)]].concat();
        graph(&files).uses_of("engine", &["tui", "cli", "verbs"]).into_iter().map(|i| (i.at, i.to)).collect::<Vec<_>>()
    };
    for path in ["src/tui/run.rs", "src/cli/mod.rs", "src/verbs/perform.rs"] {
        for (text, to) in [
            ("use crate::engine::Engine;", "src/engine/mod.rs"),
            ("fn f(engine: &crate::engine::Engine) {}", "src/engine/mod.rs"),
            ("use crate::engine::{Record, gate::Gate};", "src/engine/gate.rs"),
            ("use crate::control::Handed;", "src/engine/mod.rs"),
            ("pub use crate::engine::Engine;", "src/engine/mod.rs"),
        ] {
            assert_eq!(found(path, text), [(format!("{path}:1"), to.to_owned())], "{text}");
        }
        let vocabulary = "use crate::engine::{Record, record}; #[cfg(test)] mod tests { use crate::engine::Engine; }";
        assert_eq!(found(path, vocabulary), [], "{path}");
    }
    assert_eq!(
        found("src/app.rs", "use crate::engine::Engine;"),
        [],
        "app connects the parts, so it may use the engine"
    );
    let uses = graph(&[&engine[..], &[("src/tui/run.rs", "use crate::engine::Engine;")]].concat());
    let uses = uses.uses_of("engine", &["tui"]);
    assert_eq!(unlisted(&uses, &[]), ["src/tui/run.rs:1 uses what src/engine/mod.rs defines"]);
    assert_eq!(unlisted(&uses, &["src/tui/run.rs"]), Vec::<String>::new());
    let needless = unlisted(&uses, &["src/tui/run.rs", "src/cli/mod.rs"]);
    assert_eq!(needless, ["src/cli/mod.rs uses nothing of it: remove it from the list"]);
}
