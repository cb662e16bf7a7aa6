use proptest::prelude::*;

use super::*;

fn decode(chunks: &[&[u8]]) -> Vec<Input> {
    let now = Instant::now();
    let (mut decoder, mut out) = (Decoder::new(now), Vec::new());
    chunks.iter().for_each(|chunk| decoder.feed(chunk, now, &mut out));
    out
}

fn one(bytes: &[u8]) -> (KeyCode, KeyModifiers) {
    match &decode(&[bytes])[..] {
        [Input::Key(key)] => (key.code, key.modifiers),
        other => panic!("{} is {other:?}", bytes.escape_ascii()),
    }
}

const NONE: KeyModifiers = KeyModifiers::NONE;
const ALT: KeyModifiers = KeyModifiers::ALT;
const SHIFT: KeyModifiers = KeyModifiers::SHIFT;
const CONTROL: KeyModifiers = KeyModifiers::CONTROL;

#[test]
fn keys_of_real_terminals() {
    let table: &[(&[u8], KeyCode, KeyModifiers)] = &[
        (b"q", KeyCode::Char('q'), NONE),
        (b"Q", KeyCode::Char('Q'), SHIFT),
        ("é".as_bytes(), KeyCode::Char('é'), NONE),
        ("\x1bé".as_bytes(), KeyCode::Char('é'), ALT),
        (b"\r", KeyCode::Enter, NONE),
        (b"\x03", KeyCode::Char('c'), CONTROL),
        (b"\x00", KeyCode::Char(' '), CONTROL),
        (b"\x7f", KeyCode::Backspace, NONE),
        (b"\x1bx", KeyCode::Char('x'), ALT),
        (b"\x1b\r", KeyCode::Enter, ALT),
        (b"\x1b[A", KeyCode::Up, NONE),
        (b"\x1bOA", KeyCode::Up, NONE),
        (b"\x1b[1;5C", KeyCode::Right, CONTROL),
        (b"\x1b\x1b[D", KeyCode::Left, ALT),
        (b"\x1b[Z", KeyCode::BackTab, SHIFT),
        (b"\x1b[3~", KeyCode::Delete, NONE),
        (b"\x1b[6;3~", KeyCode::PageDown, ALT),
        (b"\x1bOP", KeyCode::F(1), NONE),
        (b"\x1b[1;2S", KeyCode::F(4), SHIFT),
        (b"\x1b[[C", KeyCode::F(3), NONE),
        (b"\x1b[15~", KeyCode::F(5), NONE),
        (b"\x1b[24~", KeyCode::F(12), NONE),
        (b"\x1b[34~", KeyCode::F(20), NONE),
        (b"\x1bOM", KeyCode::Enter, NONE),
        (b"\x1bOy", KeyCode::Char('9'), NONE),
        (b"\x1bO5P", KeyCode::F(1), CONTROL),
    ];
    for (bytes, code, modifiers) in table {
        assert_eq!(one(bytes), (*code, *modifiers), "{}", bytes.escape_ascii());
    }
}

#[test]
fn unknown_sequences_are_swallowed_whole() {
    for bytes in [
        &b"\x1b[?62;22c"[..],
        b"\x1b[12;40R",
        b"\x1b[I",
        b"\x1b[<35;12;7M",
        b"\x1b[M q!",
        b"\x1b[99999999~",
        b"\x1b[1;99A",
        b"\x1b[27;5;113~",
        b"\x1b[201~",
        b"\x1b[11111111111111111111111111111111111111111111111111111q",
        b"\x1b]11;rgb:0000/0000/0000\x1b\\",
        b"\x1b]11;rgb:q/q/q\x07",
        b"\x1bP>|XTerm(370)\x1b\\",
        b"\xff\xc0\xe2\x28\xa1",
    ] {
        let got = decode(&[bytes, b"z"]);
        let last = got.last().unwrap();
        assert_eq!(*last, key(KeyCode::Char('z'), NONE), "{}", bytes.escape_ascii());
        let stray = got.iter().filter(|i| **i != *last && **i != key(KeyCode::Char('('), NONE)).count();
        assert_eq!(stray, 0, "{} is {got:?}", bytes.escape_ascii());
    }
}

#[test]
fn a_lone_escape_is_told_by_time_and_a_late_rest_is_no_key() {
    let start = Instant::now();
    let (mut decoder, mut out) = (Decoder::new(start), Vec::new());
    decoder.feed(b"\x1b", start, &mut out);
    assert_eq!((decoder.deadline(), out.len()), (Some(start + LONE_ESC), 0));
    decoder.expire(start + LONE_ESC, &mut out);
    assert_eq!((std::mem::take(&mut out), decoder.deadline()), (vec![key(KeyCode::Esc, NONE)], None));
    decoder.feed(b"[200~q\x1b[201~", start + LONE_ESC * 2, &mut out);
    assert_eq!(std::mem::take(&mut out), [Input::Paste(b"q".to_vec())]);

    decoder.feed(b"\x1b\x1b", start, &mut out);
    decoder.expire(start + LONE_ESC, &mut out);
    assert_eq!(std::mem::take(&mut out).len(), 2);
    decoder.feed(b"[", start + LONE_ESC + LATE, &mut out);
    assert_eq!(out, [key(KeyCode::Char('['), NONE)]);
}

#[test]
fn an_endless_reply_is_given_up() {
    let start = Instant::now();
    let (mut decoder, mut out) = (Decoder::new(start), Vec::new());
    decoder.feed(b"\x1bPqqq", start, &mut out);
    decoder.expire(start + SILENT, &mut out);
    decoder.feed(b"z", start + SILENT, &mut out);
    assert_eq!(out, [key(KeyCode::Char('z'), NONE)]);
    assert_eq!(decode(&[b"\x1b]qq\x03"]), [key(KeyCode::Char('c'), CONTROL)]);
}

#[test]
fn a_long_paste_is_cut_and_never_keys() {
    let mut bytes = b"\x1b[200~".to_vec();
    bytes.resize(PASTE_MAX + 100, b'q');
    bytes.extend_from_slice(b"\x1b[201~z");
    let got = decode(&[&bytes]);
    assert!(matches!(&got[0], Input::Paste(text) if text.len() == PASTE_MAX && text.iter().all(|b| *b == b'q')));
    assert_eq!(got[1..], [key(KeyCode::Char('z'), NONE)]);
}

/// Bytes as terminals send them, and rubbish.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..12),
        "\\PC{0,6}".prop_map(String::into_bytes),
        "\x1b\\[[0-9;?<]{0,6}[ -/]?[@-~]".prop_map(String::into_bytes),
        "\x1bO[0-9]?[A-Za-z]".prop_map(String::into_bytes),
        Just(b"\x1b[200~".to_vec()),
        Just(b"\x1b[201~".to_vec()),
        Just(b"\x1b".to_vec()),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn how_bytes_are_split_into_reads_does_not_matter(
        bytes in stream(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let chunks: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        prop_assert_eq!(decode(&chunks), decode(&[&bytes]));
    }

    #[test]
    fn nothing_inside_a_paste_becomes_a_key(
        inside in stream(),
        cut in any::<prop::sample::Index>(),
    ) {
        prop_assume!(!inside.windows(PASTE_END.len()).any(|w| w == PASTE_END));
        let bytes = [b"\x1b[200~", &inside[..], PASTE_END].concat();
        // What is pasted may end in the beginning of its own end: the end is then found at the first chance.
        let (head, tail) = bytes.split_at(cut.index(bytes.len()));
        prop_assert_eq!(decode(&[head, tail]), [Input::Paste(inside)]);
    }

    #[test]
    fn a_sequence_split_by_a_pause_is_never_its_letters(
        sequence in "\x1b(\\[[0-9;]{0,6}[A-LN-Z~]|O[A-S])",
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = sequence.as_bytes();
        let (head, tail) = bytes.split_at(cut.index(bytes.len()));
        let start = Instant::now();
        let (mut decoder, mut out) = (Decoder::new(start), Vec::new());
        decoder.feed(head, start, &mut out);
        decoder.expire(start + LONE_ESC, &mut out);
        decoder.feed(tail, start + LONE_ESC, &mut out);
        for input in &out {
            prop_assert!(!matches!(input, Input::Key(KeyEvent { code: KeyCode::Char(_), .. })), "{:?}", out);
        }
    }
}
