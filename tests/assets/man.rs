//! The manual pages.

use std::fmt::Write as _;

use clap_mangen::Man;
use khelper::control::text::outcome::MASKS_AND_ROOT;
use khelper::tui::keymap::{Context, TABLE, name};

/// Sections of khelper.1 that clap does not generate.
const FILES: &str = r#".SH FILES
.TP
\fI$XDG_CONFIG_HOME/khelper/console.toml\fR (\fI~/.config/khelper/console.toml\fR)
The console's theme (\fBtheme = "ansi"\fR, \fBplain\fR, \fBhigh\-contrast\fR or \fBcolour\-blind\fR) and keys
(\fB[keys.\fICONTEXT\fB]\fR with \fIACTION\fB = "\fIKEY\fB"\fR); \fBkhelper keys\fR prints them all. \fBascii = true\fR draws
only ASCII. An unknown setting or value is an error, and the message gives its line. If the file cannot be read, khelper
warns and uses the defaults.
.TP
\fI$XDG_STATE_HOME/khelper/history\fR (\fI~/.local/state/khelper/history\fR)
The last 500 lines of the console's command line. khelper does not write it if the home folder is missing or belongs to
another user.
.SH ENVIRONMENT
.TP
\fBNO_COLOR\fR
If set and not empty, the console uses no colours. A theme in \fIconsole.toml\fR takes precedence.
.TP
\fBTERM\fR
On \fBlinux\fR, \fBvt100\fR, \fBvt220\fR and similar types the console draws only ASCII. On types without colours
(\fBvt220\fR, \fBxterm\-mono\fR) it uses bold, underlined and reversed text, whatever the theme. The console does not start
if the variable is unset, empty, \fBdumb\fR or \fBunknown\fR.
.TP
\fBLC_ALL\fR, \fBLC_CTYPE\fR, \fBLANG\fR
The first of them that is set and not empty gives the locale. If it does not name UTF\-8, or none is set, the console draws
only ASCII, and other bytes as \fB\ex\fINN\fR. \fB\-\-ascii\fR, or \fBascii\fR in \fIconsole.toml\fR, takes precedence.
.TP
\fBTMUX\fR, \fBSTY\fR
Inside tmux(1) a copy (OSC 52) reaches the clipboard only with \fBset \-g set\-clipboard on\fR. Inside screen(1) it is
passed through to the terminal.
.SH EXIT STATUS
The exit code of the helper, unchanged; 128 + n if signal n killed the helper or khelper (which then names the helpers
that are left running); 127 not found; 126 not executable; 124 timed out; 130 interrupted; 64 usage; 70 status lost; 74
cannot write to stdout; 75 refused for now; 77 not permitted.
Exit codes of the console: 0; 2 no terminal; 128 + n killed by signal n; 129 also if the terminal is gone; 101 panic. A
closed pipe on stdout is not an error.
"#;

/// Every page by its file name: khelper.1, and one page for each command.
pub fn pages() -> Vec<(String, Vec<u8>)> {
    let mut definition = khelper::cli::definition().disable_help_subcommand(true);
    definition.build();
    let mut pages = Vec::new();
    let mut text = render(&definition, "khelper");
    text.extend(format!(".SH SECURITY\n{}.\n", roff(&capitalised(MASKS_AND_ROOT))).into_bytes());
    text.extend(keys().into_bytes());
    text.extend(FILES.as_bytes());
    pages.push(("khelper.1".to_owned(), text));
    for command in definition.get_subcommands() {
        let name = format!("khelper-{}", command.get_name());
        pages.push((format!("{name}.1"), render(command, &name)));
    }
    pages
}

fn render(command: &clap::Command, name: &str) -> Vec<u8> {
    let man = Man::new(command.clone()).title(name.to_owned()).section("1");
    let mut text = Vec::new();
    // Writing to a Vec cannot fail.
    man.render(&mut text).unwrap();
    text
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
