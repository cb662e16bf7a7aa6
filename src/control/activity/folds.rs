//! The rows of a list of records: one for each record, or one for equal ones together.

use std::collections::HashMap;

/// Where each row begins in the order of the records; empty if each record has its own row.
#[derive(Debug, Default)]
pub(super) struct Rows {
    starts: Vec<u32>,
    total: usize,
}

impl Rows {
    /// A row for each of so many records.
    pub(super) fn single(total: usize) -> Self {
        Self { starts: Vec::new(), total }
    }

    /// Rows that begin at these places in the order of so many records.
    pub(super) fn at(starts: Vec<u32>, total: usize) -> Self {
        Self { starts, total }
    }

    /// A row for each value of `key`, at the place of its first record; the records of a row follow each other from now
    /// on, in their order. Those whose key is `apart` follow each other too, but have a row each.
    pub(super) fn folded(order: &mut Vec<u32>, key: impl Fn(u32) -> u64, apart: impl Fn(u64) -> bool) -> Self {
        let mut rows: HashMap<u64, u32> = HashMap::new();
        let mut starts: Vec<u32> = Vec::new();
        let row = |at: &u32| {
            let row = *rows.entry(key(*at)).or_insert_with(|| {
                starts.push(0);
                starts.len() as u32 - 1
            });
            starts[row as usize] += 1;
            row
        };
        let of: Vec<u32> = order.iter().map(row).collect();
        let mut begin = 0;
        for start in &mut starts {
            begin += std::mem::replace(start, begin);
        }
        let (mut next, mut grouped) = (starts.clone(), vec![0; order.len()]);
        for (at, row) in order.iter().zip(of) {
            grouped[next[row as usize] as usize] = *at;
            next[row as usize] += 1;
        }
        let total = grouped.len();
        *order = grouped;
        let mut rows = Self { starts, total };
        if !rows.starts.is_empty() {
            let split = |row: usize| {
                let all = rows.records(row);
                let end = if apart(key(order[all.start])) { all.end } else { all.start + 1 };
                all.start as u32..end as u32
            };
            rows.starts = (0..rows.starts.len()).flat_map(split).collect();
        }
        rows
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        if self.starts.is_empty() { self.total } else { self.starts.len() }
    }

    /// The places of a row's records in the order.
    pub(super) fn records(&self, row: usize) -> std::ops::Range<usize> {
        let start = |row: usize| match self.starts.is_empty() {
            true => row.min(self.total),
            false => self.starts.get(row).map_or(self.total, |start| *start as usize),
        };
        start(row)..start(row + 1)
    }

    /// The row of the record at this place in the order.
    pub(super) fn row_of(&self, at: usize) -> usize {
        match self.starts.is_empty() {
            true => at,
            false => self.starts.partition_point(|start| *start as usize <= at).saturating_sub(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_record_is_in_one_row_with_its_equals(keys in prop::collection::vec(0u64..6, 0..40)) {
            let mut order: Vec<u32> = (0..keys.len() as u32).rev().collect();
            let before = order.clone();
            let rows = Rows::folded(&mut order, |at| keys[at as usize], |_| false);
            let of = |row: usize| order[rows.records(row)].to_vec();
            let mut seen = Vec::new();
            for row in 0..rows.len() {
                let members = of(row);
                let key = keys[members[0] as usize];
                let wanted: Vec<u32> = before.iter().copied().filter(|at| keys[*at as usize] == key).collect();
                prop_assert_eq!(&members, &wanted);
                prop_assert!(rows.records(row).all(|at| rows.row_of(at) == row));
                seen.push(before.iter().position(|at| *at == members[0]));
            }
            prop_assert!(seen.is_sorted());
            prop_assert_eq!(rows.records(rows.len()).len(), 0);
        }
    }

    #[test]
    fn those_apart_have_a_row_each_where_their_row_would_be() {
        let keys = [1, 2, 1, 3, 2, 2];
        let mut order: Vec<u32> = (0..6).rev().collect();
        let rows = Rows::folded(&mut order, |at| keys[at as usize], |key| key == 2);
        let all: Vec<Vec<u32>> = (0..rows.len()).map(|row| order[rows.records(row)].to_vec()).collect();
        assert_eq!(all, [vec![5], vec![4], vec![1], vec![3], vec![2, 0]]);
        let mut none = Vec::new();
        assert_eq!(Rows::folded(&mut none, |_| 1, |_| true).len(), 0);
    }
}
