//! The order of a tree: each request below the one whose helper asked for it (REQ-12).

use std::collections::HashMap;

use super::page::Branch;

/// What a tree needs of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) id: u64,
    /// The request whose helper asked for it; 0 if there is none.
    pub(super) asked_by: u64,
    /// Equal for equal requests.
    pub(super) alike: u64,
    /// Equal for requests of one name.
    pub(super) name: u32,
}

/// The requests in the order of the tree, where each row begins, and the place of each row.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) order: Vec<u32>,
    pub(super) starts: Vec<u32>,
    pub(super) branches: Vec<Branch>,
}

/// No request.
const NONE: u32 = u32::MAX;

/// The tree of these requests; those below one request keep their order. Equal ones below one request share a row if
/// `folded`, unless something is below them. `above` tells which request asked for one that is not among them.
pub(super) fn tree(
    order: &[u32],
    node: impl Fn(u32) -> Node,
    above: impl Fn(u64) -> Option<u64>,
    folded: bool,
) -> Tree {
    let nodes: Vec<Node> = order.iter().map(|at| node(*at)).collect();
    let at_of: HashMap<u64, u32> = (0..).zip(&nodes).map(|(at, node)| (node.id, at)).collect();
    let parent = |node: &Node| {
        let (mut id, mut by, mut skips) = (node.id, node.asked_by, false);
        // A request is asked for by an earlier one, whatever a history says.
        while by != 0 && by < id {
            match at_of.get(&by) {
                Some(at) => return (*at, skips),
                None => (id, by, skips) = (by, above(by).unwrap_or(0), true),
            }
        }
        (NONE, false)
    };
    let parents: Vec<(u32, bool)> = nodes.iter().map(parent).collect();
    // The first request below each one, and the next one beside it; the last place is for those below none.
    let (mut first, mut next) = (vec![NONE; nodes.len() + 1], vec![NONE; nodes.len()]);
    for (at, (parent, _)) in parents.iter().enumerate().rev() {
        let of = if *parent == NONE { nodes.len() } else { *parent as usize };
        next[at] = std::mem::replace(&mut first[of], at as u32);
    }
    let rows_below = |of: usize| {
        let beside = std::iter::successors(Some(first[of]), |at| next.get(*at as usize).copied());
        let mut rows: Vec<Vec<u32>> = Vec::new();
        let mut equal: HashMap<u64, usize> = HashMap::new();
        for at in beside.take_while(|at| *at != NONE) {
            let is_leaf = first[at as usize] == NONE;
            let row = match folded && is_leaf {
                true => *equal.entry(nodes[at as usize].alike).or_insert(rows.len()),
                false => rows.len(),
            };
            if row == rows.len() {
                rows.push(Vec::new());
            }
            rows[row].push(at);
        }
        rows
    };
    let mut tree = Tree::default();
    let mut names: Vec<u32> = Vec::new();
    let mut open: Vec<(Vec<u32>, u32)> = rows_below(nodes.len()).into_iter().rev().map(|row| (row, 0)).collect();
    while let Some((row, depth)) = open.pop() {
        let Some(head) = row.first().map(|at| *at as usize) else { continue };
        names.truncate(depth as usize);
        let is_loop = names.contains(&nodes[head].name);
        names.push(nodes[head].name);
        tree.starts.push(tree.order.len() as u32);
        tree.order.extend(row.iter().map(|at| order[*at as usize]));
        tree.branches.push(Branch { depth, is_loop, skips: parents[head].1 });
        open.extend(rows_below(head).into_iter().rev().map(|row| (row, depth + 1)));
    }
    tree
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests as (id, asked_by, name), the newest first, with the ids of each row and its place.
    fn rows(all: &[(u64, u64, u32)], folded: bool) -> Vec<(Vec<u64>, u32, bool, bool)> {
        let node = |at: u32| {
            let (id, asked_by, name) = all[at as usize];
            Node { id, asked_by, alike: name.into(), name }
        };
        let order: Vec<u32> = (0..all.len() as u32).collect();
        // 50 is asked for by 40, which is asked for by 1.
        let above = |id| [(50, 40), (40, 1)].into_iter().find(|(of, _)| *of == id).map(|(_, by)| by);
        let tree = tree(&order, node, above, folded);
        let row = |(at, branch): (usize, &Branch)| {
            let end = tree.starts.get(at + 1).map_or(tree.order.len(), |end| *end as usize);
            let ids = tree.order[tree.starts[at] as usize..end].iter().map(|at| all[*at as usize].0).collect();
            (ids, branch.depth, branch.is_loop, branch.skips)
        };
        tree.branches.iter().enumerate().map(row).collect()
    }

    #[test]
    fn each_request_is_below_the_one_whose_helper_asked_for_it() {
        let all = [(9, 0, 9), (8, 3, 8), (7, 5, 7), (5, 3, 5), (3, 0, 3)];
        let wanted = [(9, 0), (3, 0), (8, 1), (5, 1), (7, 2)].map(|(id, depth)| (vec![id], depth, false, false));
        assert_eq!(rows(&all, false), wanted);
    }

    #[test]
    fn a_name_below_itself_is_a_loop() {
        let all = [(4, 3, 7), (3, 2, 1), (2, 1, 7), (1, 0, 7)];
        let loops: Vec<bool> = rows(&all, true).into_iter().map(|row| row.2).collect();
        assert_eq!(loops, [false, true, false, true]);
        // Beside each other they are none.
        assert!(rows(&[(3, 1, 7), (2, 1, 7), (1, 0, 1)], false).iter().all(|row| !row.2));
    }

    #[test]
    fn equal_requests_share_a_row_if_nothing_is_below_them() {
        let all = [(9, 4, 1), (8, 1, 7), (7, 1, 5), (6, 1, 7), (4, 1, 7), (3, 0, 7), (1, 0, 2)];
        let folded: Vec<_> = rows(&all, true).into_iter().map(|row| (row.0, row.1)).collect();
        let wanted = [(vec![3], 0), (vec![1], 0), (vec![8, 6], 1), (vec![7], 1), (vec![4], 1), (vec![9], 2)];
        assert_eq!(folded, wanted);
        assert_eq!(rows(&all, false).len(), 7);
    }

    #[test]
    fn what_a_filter_hides_is_skipped_and_said() {
        let shown = rows(&[(60, 50, 6), (55, 54, 5), (1, 0, 1)], false);
        assert_eq!(shown, [(vec![55], 0, false, false), (vec![1], 0, false, false), (vec![60], 1, false, true)]);
        // A history that says otherwise makes no circle.
        assert_eq!(rows(&[(2, 3, 1), (3, 3, 1)], true).len(), 1);
    }
}
