//! A number for what messages and frames look like, which differs between builds whose messages or frames do.

/// Of this build: a hash of the definitions, without what is only there for people.
pub const OWN: [u8; 4] = of(&[
    include_bytes!("../message.rs"),
    include_bytes!("http.rs"),
    include_bytes!("settings.rs"),
    include_bytes!("../call.rs"),
    include_bytes!("../frame.rs"),
    include_bytes!("../request.rs"),
    include_bytes!("../answer.rs"),
    include_bytes!("../area.rs"),
]);

/// FNV-1a of the files' bytes but for blanks and comments, so that words may be changed without having servers that run and a newer worker
/// core disagree.
const fn of(files: &[&[u8]]) -> [u8; 4] {
    let mut hash = 0x811c_9dc5_u32;
    let mut number = 0;
    while number < files.len() {
        let file = files[number];
        let mut at = 0;
        while at < file.len() {
            if file[at] == b'/' && at + 1 < file.len() && file[at + 1] == b'/' {
                while at < file.len() && file[at] != b'\n' {
                    at += 1;
                }
                continue;
            }
            if !file[at].is_ascii_whitespace() {
                hash = (hash ^ file[at] as u32).wrapping_mul(0x0100_0193);
            }
            at += 1;
        }
        number += 1;
    }
    hash.to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_count_and_words_do_not() {
        let plain = of(&[b"struct A { b: u8 }"]);
        assert_eq!(of(&[b"/// Words.\nstruct A {\n    b: u8 // More.\n}\n", b"// None"]), plain);
        assert_ne!(of(&[b"struct A { b: u16 }"]), plain);
        assert_ne!(of(&[b"struct A { c: u8 }"]), plain);
    }
}
