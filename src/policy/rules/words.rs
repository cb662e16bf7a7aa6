//! The words of the grammar, and which one was likely meant.

/// What a line begins with.
pub(super) const VERBS: &[&str] = &["allow", "deny", "let"];
/// What a rule is about.
pub(super) const OBJECTS: &[&str] = &["*", "module", "name", "helper", "unresolved"];
/// The attributes.
pub(super) const KEYS: &[&str] = &["uid", "gid", "unit", "container", "exe", "userns", "requester", "profile", "log"];

/// `a, b and c`.
pub(in crate::policy) fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => format!("`{one}`"),
        [most @ .., last] => {
            let most: Vec<String> = most.iter().map(|word| format!("`{word}`")).collect();
            format!("{} and `{last}`", most.join(", "))
        }
    }
}

/// The word that differs least from what was written, if few letters differ.
pub(in crate::policy) fn likely<'a>(written: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |word: &str| strsim::damerau_levenshtein(&written.to_ascii_lowercase(), word);
    let near = words.into_iter().map(|word| (distance(word), word));
    near.filter(|(far, word)| *far <= word.len().div_ceil(3)).min_by_key(|(far, _)| *far).map(|(_, word)| word)
}

/// The key that a word among patterns resembles. Of short keys only themselves: `unix` and `uhid` are modules.
pub(super) fn resembled(word: &str) -> Option<&'static str> {
    let start = word.split([':', '=', '!', '<', '>']).next().unwrap_or(word);
    if word.contains(['*', '?', '[', '\\', '@', '/']) {
        return None;
    }
    KEYS.iter().copied().find(|key| {
        let most = if key.len() < 6 { 0 } else { 2 };
        strsim::damerau_levenshtein(&start.to_ascii_lowercase(), key) <= most
    })
}

/// What follows a word that is not known: the likely one.
pub(in crate::policy) fn meant(likely: Option<&str>) -> String {
    likely.map_or_else(String::new, |word| format!("; did you mean `{word}`?"))
}
