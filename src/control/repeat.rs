//! Rebuilds the command that led to a record, to submit it again.

use crate::abi::mask::MaskExpr;
use crate::abi::record::{Args, Kind, Record};
use crate::abi::subprocess::HELPER_ENV;
use crate::abi::wait::WaitMode;

use super::command::{Call, Command};

/// The command that repeats a record's request. The error says why it cannot be repeated.
pub fn repeat(record: &Record) -> Result<Command, String> {
    match record.kind {
        Kind::Module => {
            let name = record.module.as_deref().unwrap_or_default().to_vec();
            let profile = record.profile.as_deref().map(str::to_owned);
            Ok(Command::RequestModule { name, wait: matches!(record.wait, WaitMode::Proc { .. }), profile })
        }
        Kind::Helper => call(record).map(Command::Call),
    }
}

fn call(record: &Record) -> Result<Call, String> {
    let Args::List(list) = &record.args else { return Err("its arguments are unknown".into()) };
    if list.first().map(|first| &**first) != Some(&*record.path) {
        return Err("its argv[0] is not its path: only a program that uses the library can make such a call".into());
    }
    let has = |entry: &&&str| {
        let key = entry.split('=').next().unwrap_or_default();
        !record.env.iter().any(|e| e.strip_prefix(key.as_bytes()).is_some_and(|rest| rest.starts_with(b"=")))
    };
    if let Some(missing) = HELPER_ENV.iter().find(has) {
        let why =
            format!("its environment has no {missing}: only a program that uses the library can make such a call");
        return Err(why);
    }
    let own = record.own.as_deref().copied();
    Ok(Call {
        path: record.path.to_vec(),
        args: list.iter().skip(1).map(|arg| arg.to_vec()).collect(),
        env: record.env.iter().map(|entry| entry.to_vec()).collect(),
        wait: record.wait,
        bset: own.map(|own| MaskExpr::Exactly(own.bset)),
        inheritable: own.map(|own| MaskExpr::Exactly(own.inheritable)),
        timeout: None,
        profile: record.profile.as_deref().map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::abi::cap::CapMask;
    use crate::control::testing::record;

    #[test]
    fn the_command_repeats_the_request() {
        let module = repeat(&record(1, b"x\xff", 0)).unwrap();
        assert!(matches!(module, Command::RequestModule { name, wait: true, profile: None } if name == b"x\xff"));
        let confined = Record { profile: Some("tight".into()), ..record(1, b"x", 0) };
        let Command::RequestModule { profile, .. } = repeat(&confined).unwrap() else { panic!() };
        assert_eq!(profile.as_deref(), Some("tight"));
        let list = |args: &[&[u8]]| Args::List(args.iter().map(|a| Box::from(*a)).collect());
        let env = |more: &[&[u8]]| -> Arc<[Box<[u8]>]> {
            HELPER_ENV.iter().map(|e| e.as_bytes()).chain(more.iter().copied()).map(Box::from).collect()
        };
        let one = CapMask::from_bits(1);
        let helper = Record {
            kind: Kind::Helper,
            module: None,
            path: b"/bin/sh"[..].into(),
            args: list(&[b"/bin/sh", b"-c", b"exit 3"]),
            env: env(&[b"A=1"]),
            wait: WaitMode::EXEC,
            own: Some(Box::new((one, CapMask::EMPTY).into())),
            ..record(2, b"", 0)
        };
        let Command::Call(call) = repeat(&helper).unwrap() else { panic!() };
        assert_eq!(
            (call.path.as_slice(), call.args.len(), call.env.len(), call.wait),
            (&b"/bin/sh"[..], 2, 4, WaitMode::EXEC)
        );
        assert_eq!(call.bset, Some(MaskExpr::Exactly(one)));
        let other = Record { args: list(&[b"sh"]), ..helper.clone() };
        assert!(repeat(&other).unwrap_err().contains("argv[0]"));
        let bare = Record { env: Arc::from(Vec::new()), ..helper };
        assert!(repeat(&bare).unwrap_err().contains("HOME"));
    }
}
