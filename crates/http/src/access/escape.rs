//! What clients say, made harmless.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// What stands for what has no room.
const REST: &[u8] = b"...";

/// Appends text as Apache's `ap_escape_logitem` does: printable ASCII as it is but for quotes and backslashes.
pub(super) fn push_apache(text: &[u8], room: usize, out: &mut Vec<u8>) {
    push(text, room, out, is_plain);
}

/// The same for a word that stands without quotes: spaces are escaped too, so that it stays one word.
pub(super) fn push_word(text: &[u8], room: usize, out: &mut Vec<u8>) {
    push(text, room, out, |byte| is_plain(byte) && byte != b' ');
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

fn push(text: &[u8], room: usize, out: &mut Vec<u8>, is_plain: impl Fn(u8) -> bool) {
    // What is nearly always the case, at once.
    if text.len() <= room && text.iter().all(|byte| is_plain(*byte)) {
        return out.extend_from_slice(text);
    }
    let end = out.len().saturating_add(room);
    for byte in text.iter().copied() {
        let high = DIGITS[usize::from(byte >> 4)];
        let low = DIGITS[usize::from(byte & 15)];
        let escaped: &[u8] = match byte {
            byte if is_plain(byte) => &[byte],
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\x08' => b"\\b",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            b'\x0b' => b"\\v",
            _ => &[b'\\', b'x', high, low],
        };
        if !fits(escaped.len(), end, out) {
            return;
        }
        out.extend_from_slice(escaped);
    }
}

/// Appends text as the inside of a JSON string, in ASCII alone; bytes that are no UTF-8 become U+FFFD.
pub(super) fn push_json(text: &[u8], room: usize, out: &mut Vec<u8>) {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'"' && *byte != b'\\';
    if text.len() <= room && text.iter().all(is_plain) {
        return out.extend_from_slice(text);
    }
    let end = out.len().saturating_add(room);
    for chunk in text.utf8_chunks() {
        let replaced = (!chunk.invalid().is_empty()).then_some(char::REPLACEMENT_CHARACTER);
        for character in chunk.valid().chars().chain(replaced) {
            let mut units = [0; 2];
            let mut escaped = arrayvec::ArrayVec::<u8, 12>::new();
            match character {
                '"' | '\\' => escaped.extend([b'\\', character as u8]),
                ' '..='~' => escaped.push(character as u8),
                _ => {
                    for unit in character.encode_utf16(&mut units) {
                        let digit = |shift: u16| DIGITS[usize::from(*unit >> shift & 15)];
                        escaped.extend([b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
                    }
                }
            }
            if !fits(escaped.len(), end, out) {
                return;
            }
            out.extend_from_slice(&escaped);
        }
    }
}

/// Whether so many bytes more have room, with the dots that may have to follow; otherwise appends those.
fn fits(length: usize, end: usize, out: &mut Vec<u8>) -> bool {
    let fits = out.len() + length <= end.saturating_sub(REST.len());
    if !fits {
        out.extend_from_slice(REST);
    }
    fits
}
