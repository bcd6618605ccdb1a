//! Text on its way between Rust, where it is UTF-8, and the database, which may have any other
//! encoding. All of it passes here: [`statements`](super::statements) converts arguments and rows,
//! [`report`](super::report) errors and the log, [`process`](super::process) what
//! pg_stat_activity shows.
//!
//! A character that the database's encoding lacks is written as `\u{4E2D}`. A byte that is no
//! character comes back as it was, so that a symbol or tier with such a name is found again: in
//! Rust it is one of the last characters for private use. For people, [`prose`] shows it as
//! `\x{C9}`.

use super::scoped_settings::{SAFE_SEARCH_PATH, with_settings};
use pgrx::prelude::*;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{CStr, CString};

const UTF8: i32 = pg_sys::pg_enc::PG_UTF8 as i32;
const SQL_ASCII: i32 = pg_sys::pg_enc::PG_SQL_ASCII as i32;

/// This plus a byte is the character that stands for the byte.
const RAW_BYTE: u32 = 0x10_FF00;

/// Most bytes that PostgreSQL makes of one.
const MAX_GROWTH: usize = pg_sys::MAX_CONVERSION_GROWTH as usize;

/// `text` as the database writes it.
pub fn to_server(text: &str) -> Cow<'_, [u8]> {
    let server = server_encoding();
    if is_the_same_everywhere(text.as_bytes()) || server == UTF8 && !text.contains('\0') {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut written = Vec::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| needs_care(c, server)).unwrap_or(rest.len());
        let (plain, from_special) = rest.split_at(end);
        write_plain(plain, server, &mut written);
        let mut special = from_special.chars();
        match special.next() {
            Some(c) => match raw_byte(c) {
                Some(byte) if server != UTF8 => written.push(byte),
                _ => written.extend(escaped(c).into_bytes()),
            },
            None => break,
        }
        rest = special.as_str();
    }
    Cow::Owned(written)
}

/// [`to_server`], for an interface of C.
pub fn to_server_c(text: &str) -> CString {
    // Without a zero byte: `to_server` writes it in another way.
    CString::new(to_server(text).into_owned()).unwrap_or_default()
}

/// What `bytes` of the database say.
pub fn from_server(bytes: &[u8]) -> String {
    let server = server_encoding();
    if server == UTF8 || is_the_same_everywhere(bytes) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let mut read = String::with_capacity(bytes.len());
    if server == SQL_ASCII {
        // Nobody says what the bytes are. Most clients write UTF-8.
        for chunk in bytes.utf8_chunks() {
            read.push_str(chunk.valid());
            read.extend(chunk.invalid().iter().map(|byte| as_character(*byte)));
        }
        return read;
    }
    let mut rest = bytes;
    while !rest.is_empty() {
        let (text, length) = convert(rest, server, UTF8);
        read.push_str(&String::from_utf8_lossy(&text));
        rest = &rest[length..];
        if let Some((byte, behind)) = rest.split_first() {
            read.push(as_character(*byte));
            rest = behind;
        }
    }
    read
}

/// [`from_server`], for an interface of C.
pub fn from_server_c(text: &CStr) -> String {
    from_server(text.to_bytes())
}

/// `text` for people: bytes that are no character are shown in a way that every client can read.
pub fn prose(text: &str) -> String {
    if server_encoding() == UTF8 || text.is_ascii() {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match raw_byte(c) {
            Some(byte) => shown.push_str(&format!("\\x{{{byte:02X}}}")),
            None => shown.push(c),
        }
    }
    shown
}

/// Gets what converts text ready, so that it can also be converted outside transactions. For the
/// begin of one.
pub fn get_ready() {
    let server = server_encoding();
    if server != UTF8 && server != SQL_ASCII {
        converter(UTF8, server);
        converter(server, UTF8);
    }
}

/// Whether text in this database may need to be converted at all.
pub fn is_utf8() -> bool {
    server_encoding() == UTF8
}

fn server_encoding() -> i32 {
    // SAFETY: a plain read of the process's own.
    unsafe { pg_sys::GetDatabaseEncoding() }
}

/// Whether every encoding a database can have writes this text in the same way.
pub fn is_the_same_everywhere(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte.is_ascii() && *byte != 0)
}

/// Whether a character cannot simply be converted.
fn needs_care(c: char, server: i32) -> bool {
    c == '\0' || server != UTF8 && raw_byte(c).is_some()
}

fn as_character(byte: u8) -> char {
    char::from_u32(RAW_BYTE + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The byte that a character stands for, if it stands for one.
fn raw_byte(c: char) -> Option<u8> {
    let byte = u32::from(c).checked_sub(RAW_BYTE)?;
    u8::try_from(byte).ok().filter(|byte| !byte.is_ascii())
}

fn escaped(c: char) -> String {
    format!("\\u{{{:X}}}", u32::from(c))
}

/// Writes text without zero bytes and without characters that stand for bytes.
fn write_plain(text: &str, server: i32, written: &mut Vec<u8>) {
    if server == UTF8 || server == SQL_ASCII || is_the_same_everywhere(text.as_bytes()) {
        written.extend_from_slice(text.as_bytes());
        return;
    }
    let mut rest = text;
    while !rest.is_empty() {
        let (converted, length) = convert(rest.as_bytes(), UTF8, server);
        written.extend(converted);
        let mut unknown = rest.get(length..).unwrap_or_default().chars();
        if let Some(c) = unknown.next() {
            written.extend(escaped(c).into_bytes());
        }
        rest = unknown.as_str();
    }
}

/// As much of `bytes` as can be converted in one piece, and how long that was.
fn convert(bytes: &[u8], from: i32, to: i32) -> (Vec<u8>, usize) {
    let Some(converter) = converter(from, to) else {
        let same = bytes.iter().take_while(|b| b.is_ascii()).count();
        return (bytes[..same].to_vec(), same);
    };
    let mut source = bytes.to_vec();
    source.push(0);
    let mut target = vec![0u8; bytes.len() * MAX_GROWTH + 1];
    // SAFETY: both buffers outlive the call, and the target has the room that PostgreSQL asks for;
    // told to raise no error, the function says how far it came.
    let length = unsafe {
        pg_sys::FunctionCall6Coll(
            converter,
            pg_sys::InvalidOid,
            from.into(),
            to.into(),
            source.as_ptr().into(),
            target.as_mut_ptr().into(),
            (bytes.len() as i32).into(),
            true.into(),
        )
    };
    let converted = CStr::from_bytes_until_nul(&target).map_or(0, |text| text.to_bytes().len());
    target.truncate(converted);
    (target, length.value().min(bytes.len()))
}

/// PostgreSQL's function for these two encodings; `None` when it has none, or before it was
/// looked up in a transaction.
fn converter(from: i32, to: i32) -> Option<*mut pg_sys::FmgrInfo> {
    type Converters = HashMap<(i32, i32), Option<*mut pg_sys::FmgrInfo>>;
    thread_local! {
        static KNOWN: RefCell<Converters> = RefCell::default();
    }
    if let Some(known) = KNOWN.with_borrow(|known| known.get(&(from, to)).copied()) {
        return known;
    }
    // SAFETY: a plain read of the process's own.
    if !unsafe { pg_sys::IsTransactionState() } {
        return None;
    }
    // Among PostgreSQL's own: anybody may make one the default of their schema.
    let found = with_settings(&[SAFE_SEARCH_PATH], || {
        // SAFETY: in a transaction. The function is kept as long as the process lives.
        unsafe {
            let oid = pg_sys::FindDefaultConversionProc(from, to);
            if oid == pg_sys::InvalidOid {
                return Ok(None);
            }
            let function: *mut pg_sys::FmgrInfo = Box::leak(Box::default());
            pg_sys::fmgr_info_cxt(oid, function, pg_sys::TopMemoryContext);
            Ok(Some(function))
        }
    });
    let found = found.unwrap_or_default();
    KNOWN.with_borrow_mut(|known| known.insert((from, to), found));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_survives_as_a_character() {
        for byte in 0x80..=0xff {
            assert_eq!(raw_byte(as_character(byte)), Some(byte));
        }
        for c in ['\0', 'a', '\u{e9}', '\u{f700}', '\u{10ff7f}', '\u{10fe80}'] {
            assert_eq!(raw_byte(c), None, "{c:?}");
        }
    }

    #[test]
    fn an_unknown_character_is_written_by_its_number() {
        assert_eq!(escaped('\u{4e2d}'), "\\u{4E2D}");
        assert_eq!(escaped('\0'), "\\u{0}");
    }
}
