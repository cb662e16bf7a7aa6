//! The manual pages.

use std::fmt::Write as _;

use clap_mangen::Man;
use khelper::control::text::outcome::MASKS_AND_ROOT;
use khelper::tui::keymap::{Context, TABLE, name};

/// Of the program: what its definition does not say.
const FILES: &str = r#".SH FILES
.TP
\fI$XDG_CONFIG_HOME/khelper/console.toml\fR (\fI~/.config/khelper/console.toml\fR)
The console's theme (\fBtheme = "ansi"\fR, \fBplain\fR, \fBhigh\-contrast\fR or \fBcolour\-blind\fR) and keys
(\fB[keys.\fICONTEXT\fB]\fR with \fIACTION\fB = "\fIKEY\fB"\fR); \fBkhelper keys\fR prints them all. \fBascii = true\fR draws
ASCII alone. What means nothing is an error that names its line. A file that cannot be read is a warning, and the
defaults hold.
.TP
\fI$XDG_STATE_HOME/khelper/history\fR (\fI~/.local/state/khelper/history\fR)
The last 500 lines of the console's command line. It is not kept where the home folder is missing or belongs to another
user.
.SH ENVIRONMENT
.TP
\fBNO_COLOR\fR
If set and not empty: no colours, unless \fIconsole.toml\fR chooses a theme, which overrules it.
.TP
\fBTERM\fR
On \fBlinux\fR, \fBvt100\fR, \fBvt220\fR and the like the console draws ASCII alone; types without colours (\fBvt220\fR,
\fBxterm\-mono\fR) get bold, underlined and reversed text, whatever theme is chosen. The console does not start where the
variable is not set, empty, \fBdumb\fR or \fBunknown\fR.
.TP
\fBLC_ALL\fR, \fBLC_CTYPE\fR, \fBLANG\fR
If the first of them that is set and not empty names no UTF\-8, or none is set, the console draws ASCII alone, and bytes
beyond it as \fB\ex\fINN\fR; \fB\-\-ascii\fR, or \fBascii = true\fR or \fBfalse\fR in \fIconsole.toml\fR, overrule them.
.TP
\fBTMUX\fR, \fBSTY\fR
Within tmux(1) a copy (OSC 52) arrives only with \fBset \-g set\-clipboard on\fR; within screen(1) it is passed through to
the terminal.
.SH EXIT STATUS
The helper's own, passed on unchanged; 128 + n if signal n killed it, or ended khelper, which names the
helpers that it leaves running; 127 not found, 126 not executable; 124 timed out; 130 interrupted; 64 usage; 70 status lost; 74 the answer could not be written; 75 refused for now; 77 not permitted.
Of the console: 0; 2 no terminal; 128 + n ended by signal n, 129 also if its terminal has gone; 101 a panic. A reader
of stdout that has gone (a closed pipe) is no error.
"#;

/// Every page by its name: the program's, and one for each command.
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

/// Text that means nothing to roff.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}
