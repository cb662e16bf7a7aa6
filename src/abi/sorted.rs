//! Maps and sets in sorted lists. Removing from std's B-trees is 5 kB of code for every type; here it moves what comes
//! after. For what has few members, or new members at its end, such as ids.

use std::fmt;

use super::sort::sort_by;

/// A map, in the order of its keys.
#[derive(Clone, PartialEq, Eq)]
pub struct SortedMap<K, V>(Vec<(K, V)>);

/// A set, in order.
pub type SortedSet<K> = SortedMap<K, ()>;

/// A set of these.
pub fn set<K: Ord>(items: impl IntoIterator<Item = K>) -> SortedSet<K> {
    map(items.into_iter().map(|item| (item, ())))
}

/// A map of these; of equal keys the last one counts.
pub fn map<K: Ord, V>(pairs: impl IntoIterator<Item = (K, V)>) -> SortedMap<K, V> {
    let mut all: Vec<(K, V)> = pairs.into_iter().collect();
    all.reverse();
    sort_by(&mut all, |(one, _), (other, _)| one.cmp(other));
    all.dedup_by(|(later, _), (first, _)| later == first);
    SortedMap(all)
}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for SortedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K, V> SortedMap<K, V> {
    /// An empty one.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// How many members it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every key, with its value.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&K, &V)> + DoubleEndedIterator {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// The keys.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &K> + DoubleEndedIterator {
        self.0.iter().map(|(key, _)| key)
    }

    /// The values.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    /// The keys, without the values.
    pub fn into_keys(self) -> impl ExactSizeIterator<Item = K> {
        self.0.into_iter().map(|(key, _)| key)
    }

    /// The values, without the keys.
    pub fn into_values(self) -> impl ExactSizeIterator<Item = V> {
        self.0.into_iter().map(|(_, value)| value)
    }

    /// Every key, with its value, which may be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.0.iter_mut().map(|(key, value)| (&*key, value))
    }

    /// Removes the members that do not pass.
    pub fn retain(&mut self, mut keeps: impl FnMut(&K, &V) -> bool) {
        self.0.retain(|(key, value)| keeps(key, value));
    }

    /// Removes the last member.
    pub fn pop_last(&mut self) -> Option<(K, V)> {
        self.0.pop()
    }
}

impl<K: Ord, V> SortedMap<K, V> {
    /// Where the key is, or would be.
    fn find(&self, key: &K) -> Result<usize, usize> {
        match self.0.last() {
            Some((last, _)) if last < key => Err(self.0.len()),
            _ => self.0.binary_search_by(|(one, _)| one.cmp(key)),
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.find(key).ok().map(|at| &self.0[at].1)
    }

    /// The value of a key, which may be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.find(key).ok().map(|at| &mut self.0[at].1)
    }

    /// Whether it has this key.
    pub fn contains_key(&self, key: &K) -> bool {
        self.find(key).is_ok()
    }

    /// Adds a member. Returns the value that the key had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                self.0.insert(at, (key, value));
                None
            }
        }
    }

    /// The value of a key, which is added if it is not there.
    pub fn or_insert(&mut self, key: K, value: impl FnOnce() -> V) -> &mut V {
        let at = self.find(&key).unwrap_or_else(|at| {
            self.0.insert(at, (key, value()));
            at
        });
        &mut self.0[at].1
    }

    /// Removes a member. Returns its value.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.find(key).ok().map(|at| self.0.remove(at).1)
    }

    /// The members with this key and later ones.
    pub fn from(&self, key: K) -> impl ExactSizeIterator<Item = (&K, &V)> {
        let (Ok(at) | Err(at)) = self.find(&key);
        self.0[at..].iter().map(|(key, value)| (key, value))
    }
}

impl<K: Ord> SortedSet<K> {
    /// Whether it has this member.
    pub fn contains(&self, key: &K) -> bool {
        self.contains_key(key)
    }

    /// Adds a member. Returns whether it is new.
    pub fn add(&mut self, key: K) -> bool {
        self.insert(key, ()).is_none()
    }
}

impl<K, V> IntoIterator for SortedMap<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_has_what_a_tree_has(steps in prop::collection::vec((0u8..6, 0u8..20, any::<u16>()), 0..200)) {
            let pairs = || steps.iter().take(9).map(|(_, key, value)| (*key, *value));
            let mut ours = map(pairs());
            // One by one, as the last of equal keys counts.
            let mut tree = BTreeMap::new();
            tree.extend(pairs());
            prop_assert!(ours.iter().eq(tree.iter()) && set(pairs()).keys().copied().eq(std::collections::BTreeSet::from_iter(pairs())));
            for (step, key, value) in steps.iter().copied() {
                match step {
                    0 | 1 => prop_assert_eq!(ours.insert(key, value), tree.insert(key, value)),
                    2 => prop_assert_eq!(ours.remove(&key), tree.remove(&key)),
                    3 => prop_assert_eq!(*ours.or_insert(key, || value), *tree.entry(key).or_insert(value)),
                    4 => {
                        ours.retain(|at, _| *at != key);
                        tree.retain(|at, _| *at != key);
                    }
                    _ => prop_assert_eq!(ours.pop_last(), tree.pop_last()),
                }
                prop_assert_eq!(ours.get(&key), tree.get(&key));
                prop_assert_eq!(ours.contains_key(&key), tree.contains_key(&key));
                prop_assert!(ours.iter().eq(tree.iter()) && ours.keys().eq(tree.keys()) && ours.values().eq(tree.values()));
                prop_assert!(ours.from(key).eq(tree.range(key..)));
            }
            prop_assert_eq!(ours.len(), tree.len());
            prop_assert!(ours.into_iter().eq(tree));
        }
    }
}
