//! The tree of requests: who asked whom, what each chain holds, and the loops in it (REQ-12).

use crate::abi::escape::screen;
use crate::abi::sorted::{SortedMap, map};

/// How far up a loop is looked for.
const LOOK_UP: usize = 64;

/// A request in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node<'a> {
    /// The request.
    pub id: u64,
    /// The request whose helper made it. One that is not in the tree, or is not older, counts as none.
    pub asked_by: Option<u64>,
    /// Whether it is a module request.
    pub module: bool,
    /// The module's name or the helper's path.
    pub name: &'a [u8],
    /// Whether it holds a slot.
    pub slot: bool,
}

impl Node<'_> {
    /// Whether both request the same module. As for modprobe, `-` and `_` are the same letter. Two helpers with the same
    /// path need not do the same.
    fn is_same(&self, other: &Node) -> bool {
        let letter = |b: &u8| if *b == b'-' { b'_' } else { *b };
        self.module && other.module && self.name.iter().map(letter).eq(other.name.iter().map(letter))
    }
}

/// One row of the tree: a node, below those that led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The node's place in the list.
    pub at: usize,
    /// How many nodes led to it.
    pub depth: usize,
    /// Whether it is the last one below its parent.
    pub last: bool,
    /// The number of nodes below it.
    pub below: usize,
    /// The slots that the whole tree holds, from its first request on.
    pub slots: usize,
    /// The loop that led to it, as places in the list, in the order in which the members ask for each other; the first
    /// member stands at the end again. Only for a node with none below it.
    pub members: Vec<usize>,
}

/// The places of each node's children, by the parent's place (`None`: the roots), each in the order of the ids.
fn children(nodes: &[Node]) -> SortedMap<Option<usize>, Vec<usize>> {
    let at = map(nodes.iter().enumerate().map(|(at, node)| (node.id, at)));
    let mut below: SortedMap<Option<usize>, Vec<usize>> = SortedMap::new();
    for (id, place) in at.iter() {
        let parent = nodes[*place].asked_by.filter(|parent| parent < id).and_then(|parent| at.get(&parent).copied());
        below.or_insert(parent, Vec::new).push(*place);
    }
    below
}

/// The rows of all trees, each node once, its parent before it. Of nodes with the same id the last one counts.
pub fn forest(nodes: &[Node]) -> Vec<Row> {
    let children = children(nodes);
    let of = |parent: Option<usize>| children.get(&parent).map_or(&[][..], Vec::as_slice);
    let mut rows: Vec<Row> = Vec::new();
    // The nodes that are still to be shown, the next one last; and the way from the root to the last row.
    let mut next: Vec<(usize, usize, bool)> = Vec::new();
    let push = |next: &mut Vec<_>, parent, depth| {
        let all = of(parent);
        next.extend(all.iter().enumerate().rev().map(|(n, at)| (*at, depth, n + 1 == all.len())));
    };
    push(&mut next, None, 0);
    let mut way: Vec<usize> = Vec::new();
    while let Some((at, depth, last)) = next.pop() {
        way.truncate(depth);
        way.push(at);
        let leaf = of(Some(at)).is_empty();
        let members = if leaf { loop_in(nodes, &way[way.len().saturating_sub(LOOK_UP)..]) } else { Vec::new() };
        rows.push(Row { at, depth, last, below: 0, slots: 0, members });
        push(&mut next, Some(at), depth + 1);
    }
    count(nodes, &mut rows);
    rows
}

/// Fills in what a row says about the rows below it.
fn count(nodes: &[Node], rows: &mut [Row]) {
    let mut first = 0;
    while first < rows.len() {
        let end = rows[first + 1..].iter().position(|row| row.depth == 0).map_or(rows.len(), |n| first + 1 + n);
        let slots = rows[first..end].iter().filter(|row| nodes[row.at].slot).count();
        rows[first..end].iter_mut().for_each(|row| row.slots = slots);
        first = end;
    }
    // From the end: every row that is less deep ends the subtrees of those before it.
    let mut open: Vec<(usize, usize)> = Vec::new();
    for at in (0..rows.len()).rev() {
        let depth = rows[at].depth;
        let mut below = 0;
        while let Some((deeper, size)) = open.pop_if(|(deeper, _)| *deeper > depth) {
            below += if deeper == depth + 1 { size } else { 0 };
        }
        rows[at].below = below;
        open.push((depth, below + 1));
    }
}

/// The innermost loop on the way to a request, whose nodes `way` lists from the first request on. The result begins with
/// the member that was asked for first, follows the order in which they ask for each other, and ends with the first member
/// again; it is empty if no module is requested twice on the way.
pub fn loop_in(nodes: &[Node], way: &[usize]) -> Vec<usize> {
    let same = |a: usize, b: usize| nodes[way[a]].is_same(&nodes[way[b]]);
    let again = |at: usize| (0..at).rev().find(|before| same(*before, at)).map(|before| (before, at));
    // A loop that has another one inside is left out for that one.
    let is_simple = |(from, to): &(usize, usize)| (from + 1..*to).all(|at| !(*from..at).any(|before| same(before, at)));
    let Some((from, to)) = (0..way.len()).rev().filter_map(again).find(is_simple) else { return Vec::new() };
    // A member's first place on the way; the loop begins with the member that has the lowest one.
    let first = |at: usize| (0..at).find(|before| same(*before, at)).unwrap_or(at);
    let start = (from..to).min_by_key(|at| first(*at)).unwrap_or(from);
    (start..to).chain(from..start).chain([start]).map(|at| way[at]).collect()
}

/// The most members of a loop that are named; of more, the number is.
const NAMED: usize = 9;

/// `a → b → a`: the names of a loop's members, escaped.
pub fn named<'a>(names: impl ExactSizeIterator<Item = &'a [u8]>) -> String {
    let all = names.len();
    let left_out = all.saturating_sub(NAMED);
    let mut out = String::new();
    for (at, name) in names.enumerate() {
        if left_out > 0 && at == NAMED - 1 {
            out.push_str(&format!(" → ({left_out} more)"));
        }
        if left_out == 0 || at + 1 < NAMED || at + 1 == all {
            out.push_str(if at > 0 { " → " } else { "" });
            out.push_str(&screen(name));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn node(id: u64, asked_by: u64, name: &[u8], slot: bool) -> Node<'_> {
        Node { id, asked_by: (asked_by > 0).then_some(asked_by), module: true, name, slot }
    }

    /// The names of the members of the loop that led to the last node of this way.
    fn members_of(names: &[&str]) -> String {
        let nodes: Vec<_> = names.iter().zip(1..).map(|(name, id)| node(id, id - 1, name.as_bytes(), true)).collect();
        let way: Vec<usize> = (0..nodes.len()).collect();
        loop_in(&nodes, &way).iter().map(|at| names[*at]).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn req_12_a_loop_is_named_by_its_members_in_their_order() {
        for (way, members) in [
            (&["a", "a"][..], "a a"),
            (&["a", "b", "a"], "a b a"),
            (&["a", "b", "a", "b"], "a b a"),
            (&["a", "b", "c", "a", "b", "c", "a", "b"], "a b c a"),
            (&["x", "b", "a", "b", "a"], "b a b"),
            (&["a", "b", "b", "b"], "b b"),
            (&["a", "b", "a", "c"], "a b a"),
            (&["snd-hda", "x", "snd_hda"], "snd-hda x snd-hda"),
            (&["a", "b", "c"], ""),
            (&["a"], ""),
            (&[], ""),
        ] {
            assert_eq!(members_of(way), members, "{way:?}");
        }
    }

    #[test]
    fn req_12_a_long_loop_is_named_in_part() {
        let names: Vec<String> = (0..60).chain([0]).map(|n| format!("m{n}\x1b")).collect();
        let of = |n: usize| named(names[..n].iter().map(String::as_bytes));
        assert_eq!(of(2), "m0\\x1b → m1\\x1b");
        assert_eq!(of(9).matches('→').count(), 8);
        assert!(of(61).ends_with("m7\\x1b → (52 more) → m0\\x1b"), "{}", of(61));
    }

    #[test]
    fn req_12_two_helpers_with_one_path_are_no_loop_but_may_stand_in_one() {
        let helper = |id, name: &'static [u8]| Node { module: false, ..node(id, id - 1, name, false) };
        assert_eq!(loop_in(&[helper(1, b"/bin/sh"), helper(2, b"/bin/sh")], &[0, 1]), Vec::<usize>::new());
        let nodes = [node(1, 0, b"a", true), helper(2, b"/bin/sh"), node(3, 2, b"a", true)];
        assert_eq!(loop_in(&nodes, &[0, 1, 2]), [0, 1, 0]);
    }

    #[test]
    fn req_12_a_tree_shows_parents_before_children_and_counts_the_slots() {
        let nodes = [
            node(14, 13, b"a", false),
            node(12, 0, b"a", true),
            node(13, 12, b"b", true),
            node(15, 12, b"c", true),
            node(16, 9, b"d", true),
        ];
        let rows = forest(&nodes);
        let shown: Vec<_> =
            rows.iter().map(|r| (nodes[r.at].id, r.depth, r.last, r.below, r.slots, r.members.len())).collect();
        assert_eq!(
            shown,
            [
                (12, 0, false, 3, 3, 0),
                (13, 1, false, 1, 3, 0),
                (14, 2, true, 0, 3, 3),
                (15, 1, true, 0, 3, 0),
                (16, 0, true, 0, 1, 0),
            ]
        );
    }

    fn is_below(nodes: &[Node], id: u64, top: u64) -> bool {
        let parent = |id| nodes.iter().find(|n| n.id == id).and_then(|n| n.asked_by).filter(|parent| *parent < id);
        id == top || parent(id).is_some_and(|parent| is_below(nodes, parent, top))
    }

    proptest! {
        /// Also for a list from a hostile target: any parent, any order.
        #[test]
        fn req_12_every_request_has_one_row_below_the_one_that_asked(
            all in prop::collection::vec((0u64..40, 0usize..3, any::<bool>()), 0..40),
            order in any::<u64>(),
        ) {
            let names: [&[u8]; 3] = [b"a", b"b", b"c"];
            let mut nodes: Vec<Node> =
                all.iter().zip(1..).map(|((by, name, slot), id)| node(id, *by, names[*name], *slot)).collect();
            nodes.sort_by_key(|n| n.id.wrapping_mul(order | 1));
            let rows = forest(&nodes);
            let mut shown: Vec<u64> = rows.iter().map(|r| nodes[r.at].id).collect();
            let mut way: Vec<u64> = Vec::new();
            for row in &rows {
                let me = nodes[row.at];
                way.truncate(row.depth);
                let exists = |id: &u64| nodes.iter().any(|n| n.id == *id);
                prop_assert_eq!(way.last().copied(), me.asked_by.filter(|by| *by < me.id).filter(exists));
                way.push(me.id);
                let below = nodes.iter().filter(|n| n.id != me.id && is_below(&nodes, n.id, me.id)).count();
                prop_assert_eq!(row.below, below);
                let slots = nodes.iter().filter(|n| n.slot && is_below(&nodes, n.id, way[0])).count();
                prop_assert_eq!(row.slots, slots);
                // A loop: each member was asked for by the one before it, and the first one again by the last.
                let names: Vec<_> = row.members.iter().map(|at| nodes[*at].name).collect();
                let repeats = way.iter().enumerate().any(|(n, a)| way[..n].iter().any(|b| {
                    let name = |id: u64| nodes.iter().find(|n| n.id == id).unwrap().name;
                    name(*a) == name(*b)
                }));
                prop_assert_eq!(!names.is_empty(), repeats && row.below == 0);
                if let [first, middle @ .., last] = names.as_slice() {
                    prop_assert_eq!(first, last);
                    prop_assert!(!middle.contains(first));
                    prop_assert!(middle.iter().enumerate().all(|(n, name)| !middle[..n].contains(name)));
                }
            }
            shown.sort_unstable();
            prop_assert_eq!(shown, (1..=all.len() as u64).collect::<Vec<_>>());
        }
    }
}
