//! The machine's side.

pub mod asking;
pub mod boots;
pub mod coredump;
pub mod costs;
pub mod counts;
pub mod enforced;
pub mod finder;
pub mod flows;
pub mod init;
pub mod knobs;
pub mod names;
pub mod recording;
pub mod rights;
pub mod shim;
pub mod static_helper;
pub mod stub;
pub mod watching;
pub mod why;

/// This executable in the machine.
pub const OWN: &str = "/init";
/// The command line.
pub const KHELPER: &str = "/vm/khelper";
/// The helper of every kind.
pub const HELPER: &str = "/vm/helper";
/// The programs that the kernel starts on real machines, where the machine has them.
pub const TOOLS: &str = "/usr/bin";
/// The modules of the machine's kernel.
pub const MODULES: &str = "/lib/modules";

/// How each line of pid 1 begins, and its first word.
pub const LINE: &str = "> ";
pub const NOTE: &str = "note";
pub const PASSED: &str = "passed";
pub const FAILED: &str = "failed";
pub const RECORD: &str = "record";

/// Where a test runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Where {
    Everywhere,
    /// In user-mode Linux alone: it needs more speed, or another configuration, than the virtual machines have.
    Uml,
    /// In user-mode Linux with CONFIG_STATIC_USERMODEHELPER: `/sbin/usermode-helper` runs in place of every helper.
    Static,
    /// The same, if Debian's handler of cores can be had.
    Handler,
    /// In user-mode Linux, and as often as `--boots` says in any machine: the shim is in force before any process is.
    Boot,
    /// In user-mode Linux, in two boots that share a folder of the host.
    Twice,
    /// In virtual machines before Linux 6.12.
    Old,
    /// In virtual machines that have modules and programs of this machine's Debian.
    Debian,
    /// Everywhere, but only with `--record`.
    Recorded,
}

/// One test: a boot of its own.
pub struct Test {
    pub name: &'static str,
    /// Words for the kernel's command line.
    pub boot: &'static str,
    pub place: Where,
    /// It panics if it fails.
    pub run: fn(&mut init::Serial),
}

const fn test(name: &'static str, boot: &'static str, place: Where, run: fn(&mut init::Serial)) -> Test {
    Test { name, boot, place, run }
}

/// The shim is in force before any process is.
const IN_FORCE: &str = "sysctl.kernel.modprobe=/usr/local/lib/khelper/shim";

const fn boot(name: &'static str, run: fn(&mut init::Serial)) -> Test {
    test(name, IN_FORCE, Where::Boot, run)
}

pub const TESTS: &[Test] = &[
    test("no_helper_of_four_kinds_is_missed_and_each_requester_is_right", "", Where::Everywhere, counts::four_kinds),
    test("a_loss_is_told_exactly_and_every_end_still_appears", "", Where::Uml, counts::loss),
    test("the_next_start_removes_what_a_killed_watcher_left", "", Where::Everywhere, counts::killed),
    test("an_idle_watch_wakes_seldom_and_is_small", "", Where::Uml, counts::idle),
    test("names_chosen_by_an_ordinary_user_forge_no_line", "", Where::Uml, names::forge_nothing),
    test("root_without_any_capability_watches_all", "", Where::Everywhere, rights::no_capability),
    test("an_ordinary_user_is_told_what_is_missing", "", Where::Everywhere, rights::ordinary_user),
    test("a_new_network_namespace_has_no_ends", "", Where::Everywhere, rights::network_namespace),
    test("a_new_pid_namespace_has_nothing", "", Where::Everywhere, rights::pid_namespace),
    test("tracefs_that_is_not_mounted_is_mounted_privately", "", Where::Everywhere, rights::detached),
    test("lockdown_for_integrity_changes_nothing", "lockdown=integrity", Where::Everywhere, rights::integrity),
    test(
        "lockdown_for_confidentiality_leaves_the_ends",
        "lockdown=confidentiality",
        Where::Everywhere,
        rights::confidentiality,
    ),
    test("hidden_addresses_leave_the_requester_unknown", "", Where::Old, rights::hidden_addresses),
    test(
        "a_mask_narrowed_by_the_command_line_is_that_of_the_next_modprobe",
        "",
        Where::Everywhere,
        knobs::command_line,
    ),
    test("a_mask_narrowed_in_the_console_is_that_of_the_next_modprobe", "", Where::Uml, knobs::console),
    test("every_failure_of_a_write_has_its_words", "", Where::Everywhere, knobs::failures),
    test("what_is_kept_for_the_next_start_is_compared", "", Where::Uml, knobs::kept),
    test("a_module_is_asked_for_and_its_end_is_told", "", Where::Everywhere, knobs::requests),
    test("the_shim_stands_before_modprobe_and_is_taken_away", "", Where::Everywhere, shim::before_modprobe),
    test(
        "the_shim_is_taken_away_from_every_state_and_the_rest_is_named",
        "",
        Where::Everywhere,
        shim::taken_away_from_every_state,
    ),
    test("one_program_is_every_helper_and_asks_for_each", "", Where::Static, static_helper::four_kinds),
    test("what_machines_do_still_works_under_the_shipped_profiles", "", Where::Static, flows::under_profiles),
    test("systemd_coredump_keeps_a_core_under_the_shipped_profile", "", Where::Handler, coredump::kept),
    test("debian_s_modules_are_loaded_under_the_shipped_profile", "", Where::Debian, flows::on_debian),
    boot("a_boot_with_the_daemon_allows_and_denies", boots::whole),
    boot("a_boot_without_a_daemon_runs_every_helper_and_says_so", boots::no_daemon),
    boot("a_boot_without_the_daemon_that_is_needed_runs_none_and_says_so", boots::closed),
    boot("a_boot_with_a_bad_file_of_rules_names_its_line", boots::bad_rules),
    boot("a_boot_without_the_shim_s_file_loads_nothing_and_says_how_to_mend_it", boots::no_shim),
    boot("a_boot_with_a_full_disk_says_what_could_not_be_written", boots::full_disk),
    boot("a_boot_with_a_read_only_root_says_what_could_not_be_written", boots::read_only),
    boot("a_boot_whose_daemon_is_stopped_goes_by_the_compiled_rules", boots::stopped),
    boot("a_boot_whose_daemon_is_killed_in_the_middle_loses_no_request", boots::killed),
    boot("a_boot_with_profiles_confines_what_the_kernel_starts", boots::confined),
    boot("a_boot_with_damaged_compiled_rules_runs_nothing_unasked", boots::damaged),
    test("what_the_shim_costs_beside_the_bare_helper", IN_FORCE, Where::Uml, costs::beside_the_bare_helper),
    test("what_a_boot_taught_is_enforced_by_the_next_one", IN_FORCE, Where::Twice, enforced::learned),
    test("why_names_a_unit_a_container_a_claim_and_a_plain_user", "", Where::Uml, why::four_sentences),
    test("the_finder_knows_what_a_load_needs_and_leaves_no_probe", "", Where::Everywhere, finder::loads),
    test("what_the_kernel_says_is_recorded", "", Where::Recorded, recording::record),
];
