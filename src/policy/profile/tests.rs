use super::*;
use crate::abi::cap::{CapMask, Capability};
use crate::abi::error::Explain;
use crate::abi::launch_spec::Rlimit;
use crate::abi::verdict;
use crate::policy::rules::Source;
use proptest::prelude::*;

const KNOWN: CapMask = CapMask::up_to(40);

fn read(text: &[u8]) -> Result<Profile, Vec<Fault>> {
    let names = Names {
        user: &|name| match name {
            "nobody" => Some((65534, Some(65533))),
            digits => digits.parse().ok().map(|uid| (uid, None)),
        },
        group: &|name| if name == "keys" { Some(77) } else { name.parse().ok() },
    };
    parse(&Source { path: "/etc/khelper.d/profiles.d/x.profile".into(), text: text.to_vec() }, KNOWN, &names)
}

fn place(path: &str, may_lack: bool) -> Place {
    Place { path: std::ffi::CString::new(path).unwrap(), may_lack }
}

#[test]
fn every_key_has_its_meaning() {
    let text =
        b"# a comment\n\n user = nobody \ngroup=keys\ncapabilities = sys_module net_admin\nambient = sys_module\n\
        read = /etc -/lib64\twrite\n";
    assert!(read(text).is_err(), "a path that is not absolute");
    let text =
        b"# a comment\n\n user = nobody \ngroup=keys\ncapabilities = sys_module net_admin\nambient = sys_module\n\
        read = /etc  -/lib64\nwrite=/tmp\nexecute=/usr\ndeny_calls = setns unshare\ncgroup = /sys/fs/cgroup/x\n\
        read_only_root = yes\nrlimit.nofile = 64\nrlimit.as = 16M:unlimited\n";
    let both = CapMask::only(Capability::SYS_MODULE) | CapMask::only(Capability::NET_ADMIN);
    let module = CapMask::only(Capability::SYS_MODULE);
    let profile = read(text).unwrap();
    assert_eq!(
        profile,
        Profile {
            name: "x".into(),
            file: "/etc/khelper.d/profiles.d/x.profile".into(),
            user: Some(Ids { uid: 65534, gid: 77 }),
            sets: Some(Sets { bounding: both, inheritable: both, permitted: both, ambient: module }),
            no_new_privs: true,
            rlimits: vec![
                Rlimit { resource: libc::RLIMIT_NOFILE, soft: 64, hard: 64 },
                Rlimit { resource: libc::RLIMIT_AS, soft: 16 << 20, hard: u64::MAX },
            ],
            paths: Some(Paths {
                read: vec![place("/etc", false), place("/lib64", true)],
                write: vec![place("/tmp", false)],
                execute: vec![place("/usr", false)],
            }),
            calls: Some(Calls::Denied({
                let mut calls: Vec<u32> =
                    [libc::SYS_setns, libc::SYS_unshare].map(|n| u32::try_from(n).unwrap()).into();
                calls.sort_unstable();
                calls
            })),
            cgroup: Some("/sys/fs/cgroup/x".into()),
            read_only_root: true,
        }
    );
    assert_eq!(profile.parts().count(), 8);
    let answer = answer(&profile);
    let all = verdict::ALLOW | verdict::NO_NEW_PRIVS | verdict::IDS | verdict::SETS | verdict::LANDLOCK;
    let all = all | verdict::READ_ONLY_ROOT | verdict::SECCOMP;
    assert_eq!((answer.flags, answer.uid, answer.gid), (all, 65534, 77));
    assert_eq!((answer.bounding, answer.inheritable), (both.bits(), both.bits()));
    assert_eq!((answer.permitted, answer.ambient), (both.bits(), module.bits()));
    assert_eq!(verdict::Answer::read(&answer.packet()), None, "without its filter");
    let packet = [&answer.packet()[..], &[0; 8]].concat();
    assert_eq!(verdict::Answer::read(&packet), Some((answer, &[0; 8][..])));
}

#[test]
fn a_set_with_a_key_of_its_own_keeps_that_and_the_others_keep_capabilities() {
    let sets = |text: &str| read(text.as_bytes()).unwrap().sets;
    let (module, net) = (CapMask::only(Capability::SYS_MODULE), CapMask::only(Capability::NET_ADMIN));
    let full = !CapMask::EMPTY;
    for (text, bounding, inheritable, permitted) in [
        ("capabilities=empty", CapMask::EMPTY, CapMask::EMPTY, CapMask::EMPTY),
        ("bounding=sys_module", module, full, full),
        ("capabilities=empty\nbounding=net_admin", net, CapMask::EMPTY, CapMask::EMPTY),
        ("inheritable=empty\npermitted=net_admin", full, CapMask::EMPTY, net),
    ] {
        let expected = Sets { bounding, inheritable, permitted, ambient: CapMask::EMPTY };
        assert_eq!(sets(text), Some(expected), "{text}");
    }
    assert_eq!(sets("no_new_privs=yes"), None);
    assert!(!read(b"user=nobody").unwrap().no_new_privs && read(b"read=/etc").unwrap().no_new_privs);
    assert_eq!(read(b"user=nobody").unwrap().user, Some(Ids { uid: 65534, gid: 65533 }));
}

#[test]
fn each_fault_says_where_it_is_and_what_was_likely_meant() {
    for (text, at, what) in [
        ("usr = nobody", "1:1", "no key is called `usr`; did you mean `user`?"),
        ("rlimit.nofiles = 3", "1:1", "no key is called `rlimit.nofiles`; did you mean `rlimit.nofile`?"),
        ("\n  user", "2:3", "`user` is not `KEY = VALUE`"),
        ("user = nobdy", "1:8", "this machine has no user `nobdy`"),
        ("user = 4294967295", "1:8", "this machine has no user `4294967295`"),
        ("user = 7", "1:8", "the group of user `7` is not known"),
        ("group = keys", "1:9", "a group without a user"),
        ("user = nobody\nuser = nobody", "2:1", "`user` is here twice"),
        ("read =", "1:7", "`read` cannot be ``"),
        ("read = /etc lib", "1:13", "`lib` is not an absolute path"),
        ("deny_calls = setns unshar", "1:20", "no system call is called `unshar`; did you mean `unshare`?"),
        ("deny_calls = execve", "1:14", "without `execve` no helper can start or end"),
        ("deny_calls = setns\nallow_calls = read", "2:15", "`allow_calls` and `deny_calls` are both here"),
        ("no_new_privs = maybe", "1:16", "`no_new_privs` cannot be `maybe`"),
        ("no_new_privs = no\nread = /etc", "2:1", "`read, write or execute` needs no_new_privs"),
        ("rlimit.nofile = 5:4", "1:17", "`rlimit` cannot be `5:4`"),
        ("rlimit.as = 99999999999G", "1:13", "`rlimit` cannot be `99999999999G`"),
        ("capabilities = empty\nambient = sys_module", "2:1", "cap_sys_module cannot be ambient"),
        ("a\u{1}b = c", "1:2", "not UTF-8 text, or a control character"),
    ] {
        let faults = read(text.as_bytes()).unwrap_err();
        let [fault] = &faults[..] else { panic!("{text}: {faults:?}") };
        let whole = fault.to_string();
        let expected = format!("/etc/khelper.d/profiles.d/x.profile:{at}: {what}");
        assert!(whole.starts_with(&expected), "{text}: {whole}");
        assert!(!fault.advice().is_empty());
    }
    assert_eq!(read(b"a\nb\nc").unwrap_err().len(), 3, "all of them");
    assert!(read(b"capabilities = sys_modul").unwrap_err()[0].to_string().contains(":1:16: "));
}

#[test]
fn allowed_calls_include_those_without_which_nothing_starts() {
    let Some(Calls::Allowed(calls)) = read(b"allow_calls = read").unwrap().calls else { panic!() };
    let mut expected: Vec<u32> = [
        libc::SYS_read,
        libc::SYS_execve,
        libc::SYS_exit,
        libc::SYS_exit_group,
        libc::SYS_rt_sigreturn,
        libc::SYS_write,
    ]
    .map(|n| u32::try_from(n).unwrap())
    .into();
    expected.sort_unstable();
    assert_eq!(calls, expected);
    // A call that only older architectures have is known everywhere.
    assert!(read(b"deny_calls = fork vfork clone clone3").is_ok());
}

#[test]
fn a_profile_that_leaves_root_as_it_is_is_remarked_on() {
    let remarks_of = |text: &str| remarks(&read(text.as_bytes()).unwrap());
    let ways = [18, 19, 21].into_iter().filter_map(Capability::from_bit).collect::<CapMask>();
    assert_eq!(remarks_of("bounding = empty"), [Remark::StaysRoot], "capabilities alone");
    assert_eq!(remarks_of("no_new_privs = yes")[..2], [Remark::StaysRoot, Remark::WaysOut(ways)]);
    assert_eq!(remarks_of("user = 0\ngroup = 0\ncapabilities = empty"), [Remark::StaysRoot]);
    assert_eq!(remarks_of("read = /etc\ncapabilities = empty"), []);
    assert!(remarks_of("read = /etc").contains(&Remark::WaysOut(ways)));
    assert_eq!(remarks_of("user = nobody"), [Remark::UnreadConfiguration]);
    assert_eq!(
        remarks_of("user = nobody\ncapabilities = sys_module dac_read_search\nambient = sys_module dac_read_search"),
        [Remark::InstallLines]
    );
    assert_eq!(remarks_of("read_only_root = yes\ncapabilities = empty\ndeny_calls = setns"), []);
    assert_eq!(remarks_of("read = /etc\ncapabilities = empty\nrlimit.nofile = 6"), []);
    let few = remarks_of("read = /etc\ncapabilities = empty\nrlimit.nofile = 5");
    assert_eq!(few, [Remark::BeyondShim(Part::Rlimits)]);
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic_and_every_fault_has_a_place(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Err(faults) = read(&text) {
            prop_assert!(!faults.is_empty() && faults.iter().all(|f| f.column >= 1 && f.at.line >= 1));
        }
    }

    #[test]
    fn words_of_the_grammar_in_any_order_never_panic(
        words in proptest::collection::vec(prop_oneof![
            Just("user"), Just("="), Just("\n"), Just(" "), Just("nobody"), Just("read"), Just("-/x"), Just("rlimit.as"),
            Just("1G"), Just(":"), Just("deny_calls"), Just("setns"), Just("ambient"), Just("full"), Just("\u{e4}"),
        ], 0..30)
    ) {
        let _ = read(words.concat().as_bytes());
    }
}
