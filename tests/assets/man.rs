//! The manual pages. What clap knows comes from the definition of the command line; knobs, keys, exit codes and JSON
//! fields come from the program's tables. A file `tests/assets/pages/NAME.roff` is added to the page of that command,
//! so a new verb has a page at once and gets its samples by one file.

use std::fmt::Write as _;
use std::path::Path;

use clap_mangen::Man;
use khelper::abi::knob::Key;
use khelper::cli::exit::{CODES, COMBINED};
use khelper::control::text::outcome::MASKS_AND_ROOT;
use khelper::tui::keymap::{Context, TABLE, name};

/// The fields of a record as JSON, in their order.
pub const FIELDS: &[(&str, &str)] = &[
    ("v", "the version of these objects, 1"),
    ("target", "the target that has the record"),
    ("run", "one start of the engine; with the id it names one request for ever"),
    ("id", "the number of the request"),
    ("asked_at", "when the request was made: RFC 3339, UTC, microseconds"),
    ("kind", "module or helper"),
    ("module", "the module's name; null for a helper"),
    ("path", "the program"),
    ("argv", "its arguments, argv[0] first"),
    ("env", "its environment"),
    ("wait", "none, exec or proc: when the caller gets its answer"),
    ("origin", "how the request came: library, command_line, console or outside"),
    (
        "requester",
        "the process that made the request: pid, uid, comm; its systemd unit or container, or what it merely claims",
    ),
    ("chain", "who asked whom, nearest first: pid, comm, known (false: guessed from the session)"),
    ("outcome", "exited, killed, exec_failed, refused, abandoned, noop, lost or running"),
    ("exit_code", "the helper's exit code, or null"),
    ("signal", "the number of the signal that killed the helper, or null"),
    ("core", "whether the helper dumped core"),
    ("errno", "the name of the errno, or null"),
    ("stage", "the stage that refused the request or failed, or null"),
    ("reason", "the reason of a refusal or failure and what to do, or null"),
    ("raw", "the raw wait status, or null"),
    ("result", "what the kernel's function would have returned: 0, a negative errno, or the raw wait status"),
    ("enforced", "masks, no_new_privs, refused, or null if nothing was launched"),
    ("bset", "the knob at the launch; masks are 0x and 16 digits everywhere"),
    ("inheritable", "the same for the inheritable set"),
    ("own", "the masks of this call alone (bset, inheritable), or null"),
    ("profile", "the name of the profile that the helper was started with, or null"),
    ("caps", "the five sets that the helper ended with: inheritable, permitted, effective, bounding, ambient"),
    ("not_enforced", "what could not be set for lack of privilege"),
    ("pid", "the helper's pid"),
    ("queued_us", "times in microseconds since the request: queued for a worker"),
    ("started_us", "the program was executed"),
    ("ended_us", "the helper ended"),
    ("cpu_us", "CPU time of the helper, user and system"),
    ("max_rss_kib", "its peak memory"),
    ("timed_out", "whether --timeout ran out"),
    ("stdout", "the last 64 KiB that it wrote"),
    ("stderr", "the same of its standard error"),
    ("dropped_bytes", "output of both streams beyond what was kept"),
];

/// The pages of file formats, which are written by hand.
const FORMATS: [&str; 2] = ["khelper.d", "khelper-ledger"];

/// The section of a command's page: the daemon is a command for administrators.
pub fn section(command: &str) -> u8 {
    if command == "serve" { 8 } else { 1 }
}

/// Every page by its file name: khelper.1, one page for each command, and those of file formats.
pub fn pages() -> Vec<(String, Vec<u8>)> {
    let mut definition = khelper::cli::definition().disable_help_subcommand(true);
    definition.build();
    // The exit codes after the help are a section of their own here.
    let mut text = render(&definition.clone().after_help(""), "khelper", 1).replace(".SH CAVEATS\n", "");
    text = text.replace("khelper\\-serve(1)", "khelper\\-serve(8)");
    text.push_str(&knobs());
    text.push_str(&added("khelper"));
    text.push_str(&table("JSON FIELDS", FIELDS));
    text.push_str(&format!(".SH SECURITY\n{}.\n", roff(&capitalised(MASKS_AND_ROOT))));
    text.push_str(&keys());
    text.push_str(&added("files"));
    text.push_str(&table("EXIT STATUS", CODES));
    text.push_str(&format!(".PP\n{}\n", roff(COMBINED)));
    let mut pages = vec![("khelper.1".to_owned(), ascii(&text))];
    for command in definition.get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = format!("khelper-{}", command.get_name());
        let section = section(command.get_name());
        let mut text = render(command, &name, section);
        text.push_str(&added(command.get_name()));
        text.push_str(&table("EXIT STATUS", &super::exit::rows(command.get_name())));
        text.push_str(".PP\nSee \\fBkhelper\\fR(1) for which code several results give.\n");
        text.push_str(".SH SEE ALSO\n\\fBkhelper\\fR(1)\n");
        pages.push((format!("{name}.{section}"), ascii(&merged(&text))));
    }
    for name in FORMATS {
        pages.push((format!("{name}.5"), ascii(&format!(".TH {name} 5\n{}", added(name)))));
    }
    pages
}

/// A page in which sections of the same title are one, at the place of the first.
fn merged(text: &str) -> String {
    let mut parts = text.split("\n.SH ");
    let head = parts.next().unwrap_or_default().to_owned();
    let mut sections: Vec<(&str, String)> = Vec::new();
    for (title, body) in parts.map(|part| part.split_once('\n').unwrap_or((part, ""))) {
        match sections.iter_mut().find(|(known, _)| *known == title) {
            Some((_, known)) => *known += &format!("\n.PP\n{}", body.strip_prefix(".PP\n").unwrap_or(body)),
            None => sections.push((title, body.to_owned())),
        }
    }
    let text: String = sections.iter().map(|(title, body)| format!("\n.SH {title}\n{body}")).collect();
    (head + &text).trim_end().to_owned() + "\n"
}

/// The sections that are written by hand for this command; empty if there are none.
fn added(command: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/assets/pages");
    std::fs::read_to_string(folder.join(format!("{command}.roff"))).unwrap_or_default()
}

fn render(command: &clap::Command, name: &str, section: u8) -> String {
    let man = Man::new(command.clone()).title(name.to_owned()).section(section.to_string());
    let mut text = Vec::new();
    // Writing to a Vec cannot fail.
    man.render(&mut text).unwrap();
    String::from_utf8(text).unwrap().replace(".SH EXTRA\n", ".SH CAVEATS\n")
}

/// troff(1) reads bytes: other characters are written by their numbers.
fn ascii(page: &str) -> Vec<u8> {
    let one = |c: char| if c.is_ascii() { c.to_string() } else { format!("\\[u{:04X}]", u32::from(c)) };
    page.chars().map(one).collect::<String>().into_bytes()
}

fn table(title: &str, rows: &[(&str, &str)]) -> String {
    let row = |(name, meaning): &(&str, &str)| format!(".TP\n\\fB{}\\fR\n{}\n", roff(name), roff(meaning));
    format!(".SH {title}\n{}", rows.iter().map(row).collect::<String>())
}

fn knobs() -> String {
    let all: Vec<_> = Key::ALL
        .into_iter()
        .chain([Key::RulesMode, Key::ModulesDisabled])
        .map(|key| (key.name(), meaning(key)))
        .collect();
    table("KNOBS", &all)
}

const fn meaning(key: Key) -> &'static str {
    match key {
        Key::Modprobe => "the program that a module request runs; empty turns module requests off",
        Key::Bset => "the bounding set of every helper: a mask, which can only be narrowed",
        Key::Inheritable => "the inheritable set of every helper: a mask, which can only be narrowed",
        Key::Allow => "globs of the modules that may be requested; empty allows all",
        Key::Concurrent => "read-only: module requests in progress",
        Key::Deny => "globs of the modules that may not be requested; wins over khelper.allow",
        Key::Era => "3.4: a request above the limit is refused; current: it waits up to 5 s",
        Key::Gate => "enabled, freezing or disabled; shutting it waits up to 5 s for running calls",
        Key::Live => "read-only: helper processes that run",
        Key::LoopMessages => "read-only: runaway messages logged, 5 at most",
        Key::MaxConcurrent => "the most module requests in progress, 1 to 50",
        Key::Queued => "read-only: calls that wait for a worker",
        Key::Refused => "read-only: requests that were refused",
        Key::RunningHelpers => "read-only: calls in flight",
        Key::RulesMode => {
            "of a daemon with rules: off, learn, audit or enforce; `enforce 10m` goes back by itself after that time unless \
             `enforce` is written meanwhile. It stays over restarts without --persist"
        }
        Key::ModulesDisabled => {
            "of this machine's kernel alone: 1 stops the loading of modules until the machine starts again"
        }
    }
}

/// The keys of the console, from its table.
fn keys() -> String {
    let mut out = String::from(".SH KEYS OF THE CONSOLE\n");
    for context in Context::ALL {
        writeln!(out, ".SS {}", roff(context.title())).unwrap();
        for row in TABLE.iter().filter(|row| row.context == context) {
            let keys: Vec<String> = row.keys.iter().map(|key| format!("\\fB{}\\fR", roff(&name(*key)))).collect();
            writeln!(out, ".TP\n{}\n{}", keys.join(", "), roff(row.help)).unwrap();
        }
    }
    out
}

fn capitalised(sentence: &str) -> String {
    let (first, rest) = sentence.split_at(1);
    first.to_uppercase() + rest
}

/// Escapes text, so that roff prints it unchanged.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}
