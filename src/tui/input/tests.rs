use proptest::prelude::*;

use super::paste::{END, PASTE_MAX, SILENT};
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
        (b"\r", KeyCode::Enter, NONE),
        (b"\x03", KeyCode::Char('c'), CONTROL),
        (b"\x00", KeyCode::Char(' '), CONTROL),
        (b"\x7f", KeyCode::Backspace, NONE),
        (b"\x1b[A", KeyCode::Up, NONE),
        (b"\x1bOA", KeyCode::Up, NONE),
        (b"\x1b[1;5C", KeyCode::Right, CONTROL),
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
        // With 8-bit controls, as one byte and as a character of UTF-8.
        (b"\x9bA", KeyCode::Up, NONE),
        (b"\xc2\x9b1;5C", KeyCode::Right, CONTROL),
        (b"\x8fP", KeyCode::F(1), NONE),
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
        b"\x1b[201~",
        b"\x9b201~",
        b"\x1b[3$",
        b"\x1b[3^",
        b"\x1b[?1u",
        b"\x1b[?2026;2$y",
        b"\x9d0;q\x9c",
        b"\x90q\x9c",
        b"\xc2\x90q\x1b\\",
        b"\x84\x9c\xc2\x85",
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

/// Keys as a terminal sends them that a program left in a newer form: kitty's and fixterms' CSI u, modifyOtherKeys.
#[test]
fn newer_forms_are_the_same_keys() {
    let table: &[(&[u8], KeyCode, KeyModifiers)] = &[
        (b"\x1b[99;5u", KeyCode::Char('c'), CONTROL),
        (b"\x1b[27;5;99~", KeyCode::Char('c'), CONTROL),
        (b"\x9b99;5u", KeyCode::Char('c'), CONTROL),
        (b"\x1b[27u", KeyCode::Esc, NONE),
        (b"\x1b[27;1;27~", KeyCode::Esc, NONE),
        (b"\x1b[113u", KeyCode::Char('q'), NONE),
        // Caps Lock, Num Lock, and both with Control.
        (b"\x1b[113;65u", KeyCode::Char('q'), NONE),
        (b"\x1b[113;129u", KeyCode::Char('q'), NONE),
        (b"\x1b[99;197u", KeyCode::Char('c'), CONTROL),
        (b"\x1b[27;5;67~", KeyCode::Char('c'), CONTROL),
        (b"\x1b[1;129A", KeyCode::Up, NONE),
        // The event: pressed, repeated.
        (b"\x1b[113;1:1u", KeyCode::Char('q'), NONE),
        (b"\x1b[113;1:2u", KeyCode::Char('q'), NONE),
        (b"\x1b[1;1:2B", KeyCode::Down, NONE),
        // Shift: by the shifted key, by the text, by the letter alone.
        (b"\x1b[49:33;2u", KeyCode::Char('!'), SHIFT),
        (b"\x1b[97:65;2;65u", KeyCode::Char('A'), SHIFT),
        (b"\x1b[97;2u", KeyCode::Char('A'), SHIFT),
        (b"\x1b[27;2;33~", KeyCode::Char('!'), SHIFT),
        (b"\x1b[97;;97u", KeyCode::Char('a'), NONE),
        (b"\x1b[113;65;81u", KeyCode::Char('Q'), SHIFT),
        (b"\x1b[0;;229u", KeyCode::Char('\u{e5}'), NONE),
        // Control on a Cyrillic keyboard: the Latin letter of the key.
        (b"\x1b[1089::99;5u", KeyCode::Char('c'), CONTROL),
        // What is a control character in the legacy encoding.
        (b"\x1b[105;5u", KeyCode::Tab, NONE),
        (b"\x1b[109;5u", KeyCode::Enter, NONE),
        (b"\x1b[91;5u", KeyCode::Esc, NONE),
        (b"\x1b[32;5u", KeyCode::Char(' '), CONTROL),
        (b"\x1b[13;2u", KeyCode::Enter, NONE),
        (b"\x1b[127;2u", KeyCode::Backspace, NONE),
        (b"\x1b[9;2u", KeyCode::BackTab, SHIFT),
        (b"\x1b[27;2;9~", KeyCode::BackTab, SHIFT),
        (b"\x1b[13u", KeyCode::Enter, NONE),
        // A chord that is one for certain.
        (b"\x1b[120;3u", KeyCode::Char('x'), ALT),
        (b"\x1b[13~", KeyCode::F(3), NONE),
        (b"\x1b[57376u", KeyCode::F(13), NONE),
        (b"\x1b[57400;129u", KeyCode::Char('1'), NONE),
        (b"\x1b[57414u", KeyCode::Enter, NONE),
        (b"\x1b[57424;5u", KeyCode::End, CONTROL),
    ];
    for (bytes, code, modifiers) in table {
        let (got, held) = one(bytes);
        let alike = held.difference(SHIFT) == modifiers.difference(SHIFT);
        assert!(got == *code && alike, "{} is {got:?} {held:?}", bytes.escape_ascii());
    }
    for bytes in [
        &b"\x1b[113;1:3u"[..],
        b"\x1b[1;1:3A",
        b"\x1b[3;1:3~",
        // Caps Lock, a Shift key, a key for music, a number that kitty does not use.
        b"\x1b[57358u",
        b"\x1b[57441;2u",
        b"\x1b[57430u",
        b"\x1b[60000u",
        // Super-q and Hyper-q.
        b"\x1b[113;9u",
        b"\x1b[113;17u",
        b"\x1b[u",
        b"\x1b[0u",
        b"\x1b[0;;27u",
        b"\x1b[27;5;~",
        b"\x1b[55296u",
        b"\x1b[4294967295u",
        b"\x1b[4294967296u",
        b"\x1b[113;4294967295u",
        b"\x1b[::::;::::u",
        b"\x1b[113;1;1;1;1u",
    ] {
        assert_eq!(decode(&[bytes]), [], "{}", bytes.escape_ascii());
    }
}

#[test]
fn esc_and_a_key_at_once_is_a_chord_or_both() {
    for (bytes, code, modifiers) in [
        (&b"\x1bx"[..], KeyCode::Char('x'), NONE),
        ("\x1bé".as_bytes(), KeyCode::Char('é'), NONE),
        (b"\x1b\r", KeyCode::Enter, NONE),
        (b"\x1b\x03", KeyCode::Char('c'), CONTROL),
        (b"\x1b\x1b[D", KeyCode::Left, NONE),
    ] {
        assert_eq!(decode(&[bytes]), [Input::Chord(KeyEvent::new(code, modifiers | ALT))], "{}", bytes.escape_ascii());
    }
    // Letters that introduce something are keys if nothing follows.
    for letter in "[OPX]^_".chars() {
        let chord = Input::Chord(KeyEvent::new(KeyCode::Char(letter), keys::of_char(letter).modifiers | ALT));
        assert_eq!(later(format!("\x1b{letter}").as_bytes(), UNFINISHED), std::slice::from_ref(&chord));
        assert_eq!(later(format!("\x1b\x1b{letter}").as_bytes(), UNFINISHED), [key(KeyCode::Esc, NONE), chord]);
    }
    assert_eq!(later(b"\x9b", UNFINISHED), []);
}

/// The events of `bytes` after a silence.
fn later(bytes: &[u8], silence: Duration) -> Vec<Input> {
    let start = Instant::now();
    let (mut decoder, mut out) = (Decoder::new(start), Vec::new());
    decoder.feed(bytes, start, &mut out);
    decoder.expire(start + silence, &mut out);
    assert_eq!(decoder.deadline(), None, "{}", bytes.escape_ascii());
    out
}

/// Esc, and half a second later `O`: no sequence that an earlier ESC began.
#[test]
fn a_key_after_a_reported_esc_waits_for_no_sequence() {
    let start = Instant::now();
    let (mut decoder, mut out) = (Decoder::new(start), Vec::new());
    decoder.feed(b"\x1b", start, &mut out);
    decoder.expire(start + LONE_ESC, &mut out);
    let typed = start + LONE_ESC * 4;
    decoder.feed(b"O", typed, &mut out);
    assert_eq!(decoder.deadline(), Some(typed + LONE_ESC));
    decoder.expire(typed + LONE_ESC, &mut out);
    decoder.feed(b"o", typed + LONE_ESC * 2, &mut out);
    let keys = [key(KeyCode::Esc, NONE), key(KeyCode::Char('O'), SHIFT), key(KeyCode::Char('o'), NONE)];
    assert_eq!(out, keys);
}

/// Each begins something; none of the letters in it is a key.
const BEGUN: [&[u8]; 14] = [
    b"\x1b[",
    b"\x1b[1;5",
    b"\x1b[<0;1",
    b"\x1b[?2026;2$",
    b"\x1b[[",
    b"\x1b[M ",
    b"\x1bO",
    b"\x1bO5",
    b"\x1b]0;q",
    b"\x1bPq\x1b",
    b"\x1b_q",
    b"\x1b^q",
    b"\xe2\x82",
    b"\x9b1",
];

#[test]
fn what_is_begun_ends_by_itself_and_never_holds_ctrl_c_up() {
    for begun in BEGUN {
        let start = Instant::now();
        let (mut decoder, mut out) = (Decoder::new(start), Vec::new());
        decoder.feed(begun, start, &mut out);
        assert_eq!((out.len(), decoder.deadline()), (0, Some(start + UNFINISHED)), "{}", begun.escape_ascii());
        decoder.expire(start + UNFINISHED - Duration::from_millis(1), &mut out);
        assert_eq!(out.len(), 0);
        decoder.expire(start + UNFINISHED, &mut out);
        out.clear();
        assert_eq!(decoder.deadline(), None);
        decoder.feed(b"q", start + UNFINISHED, &mut out);
        assert_eq!(out, [key(KeyCode::Char('q'), NONE)], "{}", begun.escape_ascii());
        // At once.
        assert_eq!(decode(&[begun, b"\x03"]), [ctrl_c()], "{}", begun.escape_ascii());
    }
}

#[test]
fn a_paste_without_an_end_is_delivered_after_a_second() {
    let start = Instant::now();
    let (mut decoder, mut out) = (Decoder::new(start), Vec::new());
    decoder.feed(b"\x1b[200~ls -l q\x1b[20", start, &mut out);
    assert_eq!(decoder.deadline(), Some(start + SILENT));
    decoder.expire(start + SILENT, &mut out);
    assert_eq!(out, [Input::Paste(b"ls -l q\x1b[20".to_vec())]);
    assert_eq!(decoder.deadline(), None);
    decoder.feed(b"3\x1b[201~", start + SILENT, &mut out);
    assert_eq!(out[1..], [key(KeyCode::Char('3'), NONE)], "an end that comes late is no key");
}

#[test]
fn ctrl_c_in_a_paste_is_a_key_only_where_nothing_follows() {
    for form in [&b"\x03"[..], b"\x1b[99;5u", b"\x1b[27;5;99~"] {
        let inside = [b"\x1b[200~q", form, b"q"].concat();
        assert_eq!(decode(&[&inside, END]), [Input::Paste([b"q", form, b"q"].concat())]);
        let start = Instant::now();
        let (mut decoder, mut out) = (Decoder::new(start), Vec::new());
        decoder.feed(&inside, start, &mut out);
        decoder.feed(form, start, &mut out);
        assert_eq!((out.len(), decoder.deadline()), (0, Some(start + LONE_ESC)));
        decoder.expire(start + LONE_ESC, &mut out);
        assert_eq!(out, [ctrl_c()], "{}", form.escape_ascii());
        // The rest of the paste is neither keys nor text; ctrl-c works again in it.
        let now = start + LONE_ESC;
        decoder.feed(b"q\rq", now, &mut out);
        decoder.feed(form, now, &mut out);
        decoder.expire(now + LONE_ESC, &mut out);
        assert_eq!(out, [ctrl_c(), ctrl_c()]);
        let mut ended = (Vec::new(), now + LONE_ESC);
        match form.len() {
            // By its end, or by a silence.
            1 => decoder.feed(END, ended.1, &mut ended.0),
            _ => {
                ended.1 += LATE;
                decoder.expire(ended.1, &mut ended.0);
            }
        }
        assert_eq!((decoder.deadline(), ended.0.len()), (None, 0));
        decoder.feed(b"q", ended.1, &mut ended.0);
        assert_eq!(ended.0, [key(KeyCode::Char('q'), NONE)]);
    }
}

/// The 8-bit CSI is also a part of characters: only a paste that began with it ends with it.
#[test]
fn a_paste_ends_as_it_began() {
    let text = "\u{11b}201~".as_bytes();
    assert_eq!(decode(&[b"\x1b[200~", text, END]), [Input::Paste(text.to_vec())]);
    assert_eq!(decode(&[b"\x9b200~q\x1b[201~\x9b201~"]), [Input::Paste(b"q\x1b[201~".to_vec())]);
    assert_eq!(decode(&["\u{11b}".as_bytes()]), [key(KeyCode::Char('\u{11b}'), NONE)]);
}

#[test]
fn a_control_character_breaks_a_reply_off() {
    assert_eq!(decode(&[b"\x1b]qq\r"]), [key(KeyCode::Enter, NONE)]);
    assert_eq!(decode(&[b"\x1b[M\r"]), [key(KeyCode::Enter, NONE)]);
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
        "\x1b\\[[0-9:;]{0,40}[u~]".prop_map(String::into_bytes),
        "\x1b[PX\\]^_][a-z;]{0,6}(\x1b\\\\|\x07)?".prop_map(String::into_bytes),
        proptest::sample::select(vec![0x03u8, 0x8f, 0x90, 0x9b, 0x9c, 0x9d, 0xc2, 0xe2]).prop_map(|b| vec![b]),
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
        prop_assume!(!inside.windows(END.len()).any(|w| w == END));
        let bytes = [b"\x1b[200~", &inside[..], END].concat();
        // Pasted text may end in the first bytes of the end marker: the marker is then found at its first occurrence.
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

    /// After any bytes, split into reads in any way, with or without pauses.
    #[test]
    fn after_a_silence_every_key_works(
        bytes in stream(),
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0u64..1500), 0..8),
        typed in proptest::sample::select(vec![b'\x03', b'q', b'\r']),
    ) {
        let mut now = Instant::now();
        let (mut decoder, mut out) = (Decoder::new(now), Vec::new());
        let mut cuts: Vec<_> = cuts.iter().map(|(cut, pause)| (cut.index(bytes.len() + 1), *pause)).collect();
        cuts.sort_unstable();
        let mut from = 0;
        for (cut, pause) in cuts.into_iter().chain([(bytes.len(), 0)]) {
            decoder.feed(&bytes[from..cut], now, &mut out);
            from = cut;
            let until = now + Duration::from_millis(pause);
            while let Some(deadline) = decoder.deadline().filter(|deadline| *deadline <= until) {
                prop_assert!(deadline > now, "a time-out that is never over");
                now = deadline;
                decoder.expire(now, &mut out);
            }
            now = until;
        }
        let silence = now + SILENT + LONE_ESC;
        while let Some(deadline) = decoder.deadline() {
            prop_assert!(deadline <= silence, "deaf for longer than a second");
            decoder.expire(deadline, &mut out);
        }
        out.clear();
        decoder.feed(&[typed], silence + LATE, &mut out);
        prop_assert_eq!(out, [Input::Key(keys::of_byte(typed).unwrap())]);
    }

    /// Without a silence: at the latest when no byte follows it.
    #[test]
    fn ctrl_c_always_works(bytes in stream()) {
        let now = Instant::now();
        let (mut decoder, mut out) = (Decoder::new(now), Vec::new());
        decoder.feed(&bytes, now, &mut out);
        out.clear();
        decoder.feed(b"\x03", now, &mut out);
        decoder.expire(now + LONE_ESC, &mut out);
        let alt = Input::Chord(KeyEvent::new(KeyCode::Char('c'), CONTROL | ALT));
        prop_assert!(out.last().is_some_and(|last| *last == ctrl_c() || *last == alt), "{:?}", out);
    }
}
