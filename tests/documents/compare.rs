//! Compares what a command printed with what its document shows. `...` stands for anything: alone in a line, for any
//! number of lines. Times, durations, sizes, process numbers and the width of columns are not compared, and the line that
//! names a target that was not chosen is left out: on a terminal it comes first, elsewhere last.

/// Whether the output is as expected.
pub fn same(expected: &[String], output: &str) -> bool {
    let told = |line: &&str| line.starts_with("khelper: uses the ");
    let expected: Vec<_> = expected.iter().map(String::as_str).filter(|line| !told(line)).map(stable).collect();
    let output: Vec<_> = output.lines().filter(|line| !told(line)).map(stable).collect();
    lines(&expected, &output)
}

fn lines(expected: &[String], output: &[String]) -> bool {
    match expected.split_first() {
        None => output.is_empty(),
        Some((first, rest)) if first == "..." => (0..=output.len()).any(|skip| lines(rest, &output[skip..])),
        Some((first, rest)) => {
            output.split_first().is_some_and(|(line, after)| within(first, line) && lines(rest, after))
        }
    }
}

/// Whether the parts between `...` stand in the line, in their order.
fn within(expected: &str, line: &str) -> bool {
    let Some((first, mut parts)) = expected.split_once("...") else { return expected == line };
    let Some(mut line) = line.strip_prefix(first) else { return false };
    while let Some((part, more)) = parts.split_once("...") {
        let Some((_, after)) = line.split_once(part) else { return false };
        (line, parts) = (after, more);
    }
    line.ends_with(parts)
}

/// The line with `0` for each number that differs from run to run, and one blank for several.
pub fn stable(line: &str) -> String {
    let words = line.split_ascii_whitespace().collect::<Vec<_>>();
    let mut stable: Vec<String> = Vec::new();
    for (i, word) in words.iter().enumerate() {
        let core = word.trim_matches(|c: char| "();,.".contains(c));
        let next = words.get(i + 1).map_or("", |next| next.trim_end_matches([')', ';', ',', '.']));
        let number = core.trim_start_matches("pid:").chars().all(|c| c.is_ascii_digit() || c == '.' || c == ',');
        let before = i.checked_sub(1).map_or("", |i| words[i]).trim_start_matches('(');
        let varies = is_time(core)
            || !core.is_empty()
                && number
                && (["µs", "ms", "s", "KiB", "MiB", "B"].contains(&next)
                    || before == "pid"
                    || next.contains(':') && is_time(next)
                    || core.starts_with("pid:")
                    || word.starts_with('('));
        stable.push(if varies { word.replace(core, "0") } else { (*word).to_owned() });
    }
    let line = stable.join(" ");
    ["µs", "ms", "s"].iter().fold(line, |line, unit| line.replace(&format!("0 {unit}"), "0 s"))
}

/// `14:02:11`, `2026-11-26`, `0:02.1`, with or without an offset or a fraction.
fn is_time(word: &str) -> bool {
    let separated = word.bytes().filter(|byte| *byte == b':' || *byte == b'-').count();
    separated > 0
        && word.contains(|c: char| c.is_ascii_digit())
        && word.starts_with(|c: char| c.is_ascii_digit())
        && word.bytes().all(|byte| byte.is_ascii_digit() || b":-+.TZ".contains(&byte))
}

#[test]
fn what_varies_is_not_compared_and_all_else_is() {
    let same = |expected: &str, output: &str| same(&expected.lines().map(str::to_owned).collect::<Vec<_>>(), output);
    assert!(same("a\n...\nb", "a\nb") && same("a\n...\nb", "a\nc\nd\nb") && !same("a\n...\nb", "a\nc"));
    assert!(same("one ... three", "one two three") && !same("one ... three", "one two four"));
    assert!(same("... two", "one two") && same("one ...", "one two") && !same("two ...", "one two"));
    assert!(same("x: exit 0, 3 ms", "x: exit 0, 157 µs") && !same("x: exit 0, 3 ms", "x: exit 1, 3 ms"));
    assert!(same("by \"x\" (pid 4121, uid 0).", "by \"x\" (pid 7, uid 0)."));
    assert!(!same("by \"x\" (pid 4121, uid 0).", "by \"x\" (pid 7, uid 9)."));
    assert!(same("14:02:11+01:00 daemon", "22:11:03+00:00  daemon") && !same("14:02:11 daemon", "daemon"));
    assert!(same("#6  29932  0:00.0  run", "#6  29932  0:12.5 run") && !same("slots 5 of 50", "slots 6 of 50"));
    assert!(same("a (12) < b (3)", "a (4) < b (77)") && same("41 MiB, 0.3 s behind", "3 MiB, 8 µs behind"));
    assert!(same("khelper: uses the daemon (pid 7)\na", "a\nkhelper: uses the embedded engine"));
    assert!(!same("", "a") && !same("a", "") && same("", ""));
}
