//! Capabilities in the order of what can be done with them, so that the weakest of several that do is found.

use crate::abi::cap::{CAPABILITIES, CapMask, Capability};

/// Bits, the weakest first; those that are as good as root or the kernel come last ([`Capability::risk`]).
const WEAKEST_FIRST: [u8; CAPABILITIES.len()] = [
    35, 36, 11, 28, 20, 8, 10, 14, 23, 26, 29, 37, 24, 25, 9, 34, 38, 40, 15, 5, 13, 22, 12, 30, 4, 32, 18, 2, 33, 39,
    27, 3, 0, 6, 7, 1, 31, 19, 21, 17, 16,
];

/// The members of a set, the weakest first. Capabilities newer than this program are the last: nothing is known of them.
pub fn weakest_first(set: CapMask) -> Vec<Capability> {
    let newer = (0..64).filter(|bit| usize::from(*bit) >= WEAKEST_FIRST.len());
    let all = WEAKEST_FIRST.into_iter().chain(newer);
    all.filter_map(Capability::from_bit).filter(|cap| set.has(*cap)).collect()
}

/// Capabilities that few programs use, and none for what it prints: if the output changes without each of these, it
/// depends on the sets themselves.
pub fn seldom_used(set: CapMask) -> Vec<Capability> {
    weakest_first(set).into_iter().take(3).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_has_each_capability_once_and_the_strongest_last() {
        let order = weakest_first(CapMask::from_bits(u64::MAX));
        assert_eq!((order.len(), order.iter().copied().collect::<CapMask>()), (64, CapMask::from_bits(u64::MAX)));
        let at = |name: &str| order.iter().position(|cap| Some(*cap) == Capability::from_name(name)).unwrap();
        for (weaker, stronger) in [
            ("dac_read_search", "dac_override"),
            ("net_bind_service", "net_raw"),
            ("net_raw", "net_admin"),
            ("net_admin", "sys_admin"),
            ("perfmon", "sys_admin"),
            ("syslog", "sys_admin"),
            ("checkpoint_restore", "sys_admin"),
            ("bpf", "sys_admin"),
            ("fowner", "dac_override"),
            ("sys_admin", "sys_module"),
            ("sys_module", "41"),
        ] {
            assert!(at(weaker) < at(stronger), "{weaker} {stronger}");
        }
    }
}
