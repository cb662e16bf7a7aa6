//! Streams of messages, whole or in pieces, legal or hostile.

use proptest::prelude::*;

use super::daemon;
use crate::control::command::Command;
use crate::wire::client;
use crate::wire::frame::{MAX_CALL, Splitter};
use crate::wire::server::{self, Ask, Request};

#[test]
fn a_message_may_have_the_maximum_length_and_no_more() {
    let mut splitter = Splitter::new(MAX_CALL);
    let longest = vec![b'x'; MAX_CALL];
    splitter.push(&longest);
    assert_eq!(splitter.next_message(), Ok(None));
    assert_eq!(splitter.waiting(), MAX_CALL);
    splitter.push(b"\0y");
    assert_eq!(splitter.next_message(), Ok(Some(&longest[..])));
    assert_eq!(splitter.next_message(), Ok(None));
    assert_eq!(splitter.waiting(), 1);
    splitter.push(&longest);
    assert!(splitter.next_message().is_err(), "before its end is there");
    let mut whole = Splitter::new(3);
    whole.push(b"abc\0abcd\0");
    assert_eq!(whole.next_message(), Ok(Some(&b"abc"[..])));
    assert!(whole.next_message().is_err());
}

/// Pieces of calls, whole calls and other bytes.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let calls = proptest::sample::select(vec![
        r#"{"method":"io.khelper.Control.Get","parameters":{"key":"khelper.era"}}"#,
        r#"{"method":"io.khelper.Control.Run","parameters":{"path":"/x","args":["\\xff"],"bset":{"exactly":{"hex":"0x1"}}}}"#,
        r#"{"method":"io.khelper.Control.Set","parameters":{"writes":[{"key":"khelper.era","text":"3.4"}]},"oneway":true}"#,
        r#"{"method":"io.khelper.Control.Watch","parameters":{"kinds":["log"]},"more":true}"#,
        r#"{"method":"org.varlink.service.GetInfo"}"#,
    ]);
    let one = prop_oneof![
        4 => calls.clone().prop_map(|text| [text.as_bytes(), b"\0"].concat()),
        3 => (calls, any::<proptest::sample::Index>(), any::<u8>()).prop_map(|(text, at, byte)| {
            let mut bytes = [text.as_bytes(), b"\0"].concat();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes
        }),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => Just(b"\0\0\0".to_vec()),
        1 => Just(vec![b'{'; 300]),
    ];
    proptest::collection::vec(one, 0..8).prop_map(|all| all.concat())
}

proptest! {
    /// However the stream is cut, the messages are those between the NULs, and each is a call, a refusal or an error.
    #[test]
    fn any_stream_in_any_pieces_is_split_and_read(bytes in stream(), cuts in proptest::collection::vec(1usize..60, 1..40)) {
        const MOST: usize = 250;
        let mut splitter = Splitter::new(MOST);
        let (mut came, mut too_long, mut rest) = (Vec::new(), false, &bytes[..]);
        let mut cuts = cuts.iter().cycle();
        while !rest.is_empty() && !too_long {
            let (piece, later) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            rest = later;
            splitter.push(piece);
            loop {
                match splitter.next_message() {
                    Ok(Some(message)) => came.push(message.to_vec()),
                    Ok(None) => break,
                    Err(_) => {
                        too_long = true;
                        break;
                    }
                }
            }
        }
        let parts: Vec<&[u8]> = bytes.split(|byte| *byte == 0).collect();
        let whole = &parts[..parts.len() - 1];
        let fits = whole.iter().position(|part| part.len() > MOST).unwrap_or(whole.len());
        prop_assert_eq!(&came[..], &whole[..fits]);
        prop_assert_eq!(too_long, fits < whole.len() || parts[parts.len() - 1].len() > MOST);
        if !too_long {
            prop_assert_eq!(splitter.waiting(), parts[parts.len() - 1].len());
        }
        for message in came {
            if let Ok(Request { ask: Ask::Nothing(answer), way, .. }) = server::read(&message, &daemon(), None) {
                prop_assert_eq!(answer.is_empty(), way.oneway);
            }
        }
    }

    #[test]
    fn any_answer_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let (sent, _) = client::call(&Command::Status, false).unwrap();
        let _ = (sent.answer(&bytes, "1"), client::watched(&bytes, "1"), client::described(&bytes));
    }
}
