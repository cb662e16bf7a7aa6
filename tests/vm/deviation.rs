//! The declared deviations: `assets/deviations.toml`, read by this suite and the source of `docs/deviations.md`.

use std::path::Path;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    deviation: Vec<Deviation>,
}

/// One deviation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviation {
    /// The rule that declares it.
    pub rule: String,
    /// What is it about.
    pub title: String,
    /// What the kernel does.
    pub kernel: String,
    /// What the engine does.
    pub ours: String,
    /// Why.
    pub why: String,
    /// Where this suite sees it: it must, at least once.
    #[serde(default)]
    pub seen: Vec<Seen>,
    /// The tests that show it where this suite cannot: `file::function`.
    #[serde(default)]
    pub tests: Vec<String>,
}

/// A difference that is no mistake. Every value is a pattern, in which `*` stands for anything.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    pub field: String,
    #[serde(default = "any")]
    pub scenario: String,
    pub kernel: String,
    pub engine: String,
    /// Only on these kernels.
    #[serde(default)]
    pub kernels: Vec<String>,
    /// It depends on which of two comes first, so a run may pass without it.
    #[serde(default)]
    pub rare: bool,
}

fn any() -> String {
    "*".into()
}

pub fn load(file: &Path) -> Result<Vec<Deviation>, String> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    let file: File = toml::from_str(&text).map_err(|e| format!("{}: {e}", file.display()))?;
    Ok(file.deviation)
}

impl Seen {
    /// Whether it covers this difference.
    pub fn covers(&self, series: &str, scenario: &str, field: &str, kernel: &str, engine: &str) -> bool {
        (self.kernels.is_empty() || self.kernels.iter().any(|k| k == series))
            && matches(&self.scenario, scenario)
            && matches(&self.field, field)
            && matches(&self.kernel, kernel)
            && matches(&self.engine, engine)
    }
}

/// `*` stands for any text, everything else for itself.
pub fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, mut rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    while let Some((part, after)) = rest.split_once('*') {
        let Some(at) = text.find(part) else { return false };
        (text, rest) = (&text[at + part.len()..], after);
    }
    text.ends_with(rest)
}
