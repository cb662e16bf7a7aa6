//! The text that describes binary trace data: `events/header_page` and the `format` file of each event. Offsets differ
//! between kernels, so they are always read.

/// One field of a page or an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name, without a type and without `[16]`.
    pub name: String,
    /// Where it begins.
    pub offset: usize,
    /// Its size in bytes.
    pub size: usize,
    /// Whether it is a `__data_loc`: 16 bits of length above 16 bits of offset, and the data elsewhere in the record.
    pub is_indirect: bool,
}

/// The layout of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFormat {
    /// The number that stands in each record as `common_type`.
    pub id: u16,
    /// Its fields, the common ones included.
    pub fields: Vec<Field>,
}

/// The most bytes that one record can have: the kernel's sub-buffers are at most 64 KiB.
const LONGEST: usize = 1 << 16;

impl EventFormat {
    /// Parses a `format` file; `None` if it is not one.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let id = text.lines().find_map(|line| line.strip_prefix("ID:"))?.trim().parse().ok()?;
        Some(Self { id, fields: fields(text)? })
    }

    /// A field by its name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// The layout of a page of the ring buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageFormat {
    /// Where the time of the first record is, 8 bytes.
    pub timestamp: usize,
    /// Where the length of the data and the flags are.
    pub commit: usize,
    /// Where the data begins.
    pub data: usize,
}

impl PageFormat {
    /// Parses `events/header_page`; `None` if it is not one that this program can read.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let fields = fields(std::str::from_utf8(text).ok()?)?;
        let field = |name: &str| fields.iter().find(|field| field.name == name);
        let (timestamp, commit, data) = (field("timestamp")?, field("commit")?, field("data")?);
        let before_data = |field: &Field| field.offset + field.size <= data.offset;
        let usable =
            timestamp.size == 8 && matches!(commit.size, 4 | 8) && before_data(timestamp) && before_data(commit);
        usable.then_some(Self { timestamp: timestamp.offset, commit: commit.offset, data: data.offset })
    }
}

/// Every `field:TYPE NAME; offset:N; size:N; signed:N;` line.
fn fields(text: &str) -> Option<Vec<Field>> {
    text.lines().filter_map(|line| line.trim_start().strip_prefix("field:")).map(field).collect()
}

fn field(line: &str) -> Option<Field> {
    let mut parts = line.split(';').map(str::trim);
    let declaration = parts.next()?;
    let mut number = |name: &str| -> Option<usize> { parts.next()?.strip_prefix(name)?.trim().parse().ok() };
    let (offset, size) = (number("offset:")?, number("size:")?);
    // Of a declaration without an array the last word is the name: `__data_loc char[] comm`, `char comm[16]`.
    let name = declaration.split_whitespace().last()?.split('[').next()?;
    let fits = !name.is_empty() && offset.checked_add(size)? <= LONGEST;
    let is_indirect = declaration.starts_with("__data_loc ");
    fits.then(|| Field { name: name.to_owned(), offset, size, is_indirect })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub const PAGE: &str = "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n\
        \tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n\
        \tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;\n";
    pub const COMMON: &str = "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\
        \tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n\
        \tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n\
        \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n";

    #[test]
    fn the_formats_of_a_kernel_are_read() {
        assert_eq!(PageFormat::parse(PAGE.as_bytes()), Some(PageFormat { timestamp: 0, commit: 8, data: 16 }));
        let text = format!(
            "name: sched_process_fork\nID: 366\nformat:\n{COMMON}\tfield:__data_loc char[] parent_comm;\toffset:8;\tsize:4;\tsigned:0;\n\
             \tfield:pid_t parent_pid;\toffset:12;\tsize:4;\tsigned:1;\n\tfield:char oldcomm[16];\toffset:16;\tsize:16;\tsigned:0;\n\n\
             print fmt: \"comm=%s field:x;\", __get_str(parent_comm)\n"
        );
        let format = EventFormat::parse(text.as_bytes()).unwrap();
        assert_eq!((format.id, format.fields.len()), (366, 7));
        assert!(format.field("parent_comm").unwrap().is_indirect);
        let old = format.field("oldcomm").unwrap();
        assert_eq!((old.offset, old.size, old.is_indirect), (16, 16, false));
        assert_eq!(format.field("absent"), None);
    }

    #[test]
    fn a_format_that_would_lead_outside_is_refused() {
        let page = |from: &str, to: &str| PageFormat::parse(PAGE.replace(from, to).as_bytes());
        assert!(page("offset:16", "offset:12").is_none() && page("size:8;\tsigned:1", "size:2;\tsigned:1").is_none());
        assert!(page("offset:16", "offset:99999999").is_none() && page("timestamp", "time").is_none());
        assert!(EventFormat::parse(b"ID: 70000\n").is_none() && EventFormat::parse(b"\xff").is_none());
        assert!(EventFormat::parse(b"ID: 7\n\tfield:int a;\toffset:18446744073709551615;\tsize:8;\n").is_none());
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_a_panic(text in "(ID: [0-9]{0,6}\n)?(\tfield:[a-z_\\[\\] ;:0-9\t]{0,60}\n){0,4}[ -~\n]{0,40}") {
            if let Some(format) = EventFormat::parse(text.as_bytes()) {
                prop_assert!(format.fields.iter().all(|field| field.offset + field.size <= LONGEST));
            }
            let _ = PageFormat::parse(text.as_bytes());
        }
    }
}
