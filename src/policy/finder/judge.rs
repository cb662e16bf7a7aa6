//! Whether two runs ended the same.

use nix::errno::Errno;

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It exited with this code.
    Exited(u8),
    /// This signal killed it.
    Killed(u8),
    /// It was ended because it ran for too long.
    TimedOut,
    /// It could not be executed.
    NotExecuted(Errno),
}

/// What is compared besides exit status and signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Text {
    /// The program's fd 1.
    Stdout,
    /// The program's fd 2.
    Stderr,
    /// fd 1 of the program that checks the result.
    CheckStdout,
    /// fd 2 of the program that checks the result.
    CheckStderr,
}

impl Text {
    /// All of them, in the order of [`End::texts`].
    pub const ALL: [Self; 4] = [Self::Stdout, Self::Stderr, Self::CheckStdout, Self::CheckStderr];

    /// As it is shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::CheckStdout => "the check's stdout",
            Self::CheckStderr => "the check's stderr",
        }
    }
}

/// How one run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The program.
    pub how: How,
    /// The program that checks the result, if there is one.
    pub check: Option<How>,
    /// What both wrote, in the order of [`Text::ALL`].
    pub texts: [Vec<u8>; 4],
}

impl End {
    fn is_as(&self, other: &Self) -> bool {
        (self.how, self.check) == (other.how, other.check)
    }

    /// Whether both ended in the same way and wrote the same, numbers aside.
    pub fn resembles(&self, other: &Self) -> bool {
        self.is_as(other) && self.texts.iter().zip(&other.texts).all(|(a, b)| folded(a) == folded(b))
    }

    /// Whether both ended in the same way, and only what they wrote may differ.
    pub fn differs_in_text_only(&self, other: &Self) -> bool {
        self.is_as(other) && self.texts != other.texts
    }
}

/// How a text is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// Byte by byte.
    Exactly,
    /// With every number as the same number: it varies in numbers alone.
    Folded,
    /// Not at all: it varies.
    Not,
}

/// What is the same end as that of the runs with every capability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judge {
    model: End,
    texts: [Compared; 4],
}

impl Judge {
    /// Learns from runs with every capability what varies by itself. `Err` has the number of the first run, from 1, that
    /// ended in another way than the first.
    pub fn of(runs: &[&End]) -> Result<Self, usize> {
        let Some((model, rest)) = runs.split_first() else { return Err(0) };
        if let Some(at) = rest.iter().position(|end| !end.is_as(model)) {
            return Err(at + 2);
        }
        let compared = |at: usize| {
            let all =
                |same: &dyn Fn(&[u8], &[u8]) -> bool| rest.iter().all(|end| same(&end.texts[at], &model.texts[at]));
            match () {
                () if all(&|a, b| a == b) => Compared::Exactly,
                () if all(&|a, b| folded(a) == folded(b)) => Compared::Folded,
                () => Compared::Not,
            }
        };
        Ok(Self { model: (*model).clone(), texts: [0, 1, 2, 3].map(compared) })
    }

    /// Whether this is the same end.
    pub fn is_same(&self, end: &End) -> bool {
        let same = |at: usize| match self.texts[at] {
            Compared::Exactly => end.texts[at] == self.model.texts[at],
            Compared::Folded => folded(&end.texts[at]) == folded(&self.model.texts[at]),
            Compared::Not => true,
        };
        end.is_as(&self.model) && (0..4).all(same)
    }

    /// How the program ends with every capability.
    pub const fn how(&self) -> How {
        self.model.how
    }

    /// How each text is compared.
    pub fn texts(&self) -> impl Iterator<Item = (Text, Compared)> + '_ {
        let checks = self.model.check.is_some();
        let all = Text::ALL.into_iter().zip(self.texts);
        all.filter(move |(text, _)| checks || matches!(text, Text::Stdout | Text::Stderr))
    }
}

/// The text with each row of decimal digits as one `0`, and each row of blanks as one: numbers are aligned by blanks.
fn folded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b'0'..=b'9' if out.last() == Some(&b'0') => {}
            b'0'..=b'9' => out.push(b'0'),
            b' ' | b'\t' if out.last() == Some(&b' ') => {}
            b'\t' => out.push(b' '),
            other => out.push(*other),
        }
    }
    out
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn end(code: u8, stdout: &str, stderr: &str) -> End {
        let texts = [stdout.into(), stderr.into(), Vec::new(), Vec::new()];
        End { how: How::Exited(code), check: None, texts }
    }

    #[test]
    fn what_varies_by_itself_is_folded_or_dropped_and_named() {
        let runs = [end(0, "pid 12", "a"), end(0, "pid 9", "b"), end(0, "pid  7777", "a")];
        let judge = Judge::of(&runs.each_ref()).unwrap();
        let texts: Vec<_> = judge.texts().collect();
        assert_eq!(texts, [(Text::Stdout, Compared::Folded), (Text::Stderr, Compared::Not)]);
        assert!(judge.is_same(&end(0, "pid 1", "anything")));
        assert!(!judge.is_same(&end(0, "pid x", "a")) && !judge.is_same(&end(1, "pid 1", "a")));
    }

    #[test]
    fn what_does_not_vary_is_compared_byte_by_byte() {
        let runs = [end(3, "7 files", ""), end(3, "7 files", "")];
        let judge = Judge::of(&runs.each_ref()).unwrap();
        assert!(judge.is_same(&runs[0]) && !judge.is_same(&end(3, "8 files", "")));
        assert!(!judge.is_same(&end(3, "7 files", "x")));
    }

    #[test]
    fn a_check_counts_as_the_program_itself() {
        let with = |code, text: &str| End {
            check: Some(How::Exited(code)),
            texts: [Vec::new(), Vec::new(), text.into(), Vec::new()],
            ..end(0, "", "")
        };
        let judge = Judge::of(&[&with(0, "owner")]).unwrap();
        assert!(judge.is_same(&with(0, "owner")) && !judge.is_same(&with(1, "owner")));
        assert!(!judge.is_same(&with(0, "other")) && judge.texts().count() == 4);
    }

    #[test]
    fn another_way_to_end_is_told_by_its_number() {
        let runs = [end(0, "", ""), end(0, "", ""), end(1, "", "")];
        assert_eq!(Judge::of(&runs.each_ref()), Err(3));
        let killed = End { how: How::Killed(9), ..end(0, "", "") };
        assert_eq!(Judge::of(&[&killed, &runs[0]]), Err(2));
        assert!(!runs[0].resembles(&runs[2]) && end(1, "at 5", "").resembles(&end(1, "at 66", "")));
    }
}
