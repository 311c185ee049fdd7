//! Texts that must fit a message to the manager.

/// The longest text that goes in one message, in bytes; a datagram must fit the socket's buffer.
const LONGEST_TEXT: usize = 48 * 1024;

/// Cuts a text at line ends (or characters) so that each piece fits a message.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = rest.len().min(LONGEST_TEXT);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        if end < rest.len() {
            end = rest[..end].rfind('\n').map_or(end, |at| at + 1);
        }
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece.trim_end_matches('\n'))
    })
}

/// The beginning and the end of a text that is too long for one message.
pub(crate) fn shorten(text: &str) -> String {
    if text.len() <= LONGEST_TEXT {
        return text.to_owned();
    }
    let (mut head, mut tail) = (LONGEST_TEXT / 2, text.len() - LONGEST_TEXT / 2);
    while !text.is_char_boundary(head) {
        head -= 1;
    }
    while !text.is_char_boundary(tail) {
        tail += 1;
    }
    format!("{}\n[...]\n{}", &text[..head], &text[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_at_lines_and_nothing_is_lost() {
        let line = "é".repeat(40);
        let text = vec![line.as_str(); 2000].join("\n");
        let cut: Vec<&str> = pieces(&text).collect();
        assert!(cut.len() > 1 && cut.iter().all(|piece| piece.len() <= LONGEST_TEXT));
        assert_eq!(cut.join("\n"), text);
        let endless = "é".repeat(LONGEST_TEXT);
        assert_eq!(pieces(&endless).collect::<String>(), endless);
    }

    #[test]
    fn a_traceback_that_is_too_long_keeps_both_ends() {
        let text = format!("first{}last", "é".repeat(LONGEST_TEXT));
        let short = shorten(&text);
        assert!(short.starts_with("first") && short.ends_with("last"));
        assert!(short.len() <= LONGEST_TEXT + 16);
        assert_eq!(shorten("short"), "short");
    }
}
