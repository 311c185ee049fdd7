//! Text cut into lines, for logs.

/// The longest line that is kept together; a longer one without end is cut.
const LONGEST: usize = 64 * 1024;

/// The beginning of a line that has not ended yet.
#[derive(Debug, Default)]
pub(crate) struct Lines(Vec<u8>);

impl Lines {
    /// Takes more text and hands each line that is whole now to `line`, without its end.
    pub(crate) fn write(&mut self, mut text: &[u8], mut line: impl FnMut(&[u8])) {
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            if self.0.is_empty() {
                line(&text[..end]);
            } else {
                self.0.extend_from_slice(&text[..end]);
                line(&self.0);
                self.0.clear();
            }
            text = &text[end + 1..];
        }
        self.0.extend_from_slice(text);
        if self.0.len() > LONGEST {
            self.finish(line);
        }
    }

    /// Forgets the line that has not ended.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Hands the line that has not ended to `line`, if there is one.
    pub(crate) fn finish(&mut self, mut line: impl FnMut(&[u8])) {
        if !self.0.is_empty() {
            line(&self.0);
            self.0.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(parts: &[&str]) -> (Vec<String>, Lines) {
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        for part in parts {
            lines.write(part.as_bytes(), |line| {
                out.push(String::from_utf8(line.to_vec()).unwrap());
            });
        }
        (out, lines)
    }

    #[test]
    fn lines_are_put_together_and_cut() {
        assert_eq!(written(&["a", "b\nc\n", "\n", "d"]).0, ["ab", "c", ""]);
    }

    #[test]
    fn what_is_left_comes_at_the_end_and_only_once() {
        let (_, mut lines) = written(&["a\nrest"]);
        let mut out = Vec::new();
        lines.finish(|line| out.push(line.to_vec()));
        lines.finish(|line| out.push(line.to_vec()));
        assert_eq!(out, [b"rest".to_vec()]);
    }

    #[test]
    fn a_line_without_end_does_not_grow_for_ever() {
        let (mut lines, mut out) = (Lines::default(), 0);
        for _ in 0..200 {
            lines.write(&[b'x'; 1024], |line| out += line.len());
        }
        assert!(out >= 128 * 1024);
    }
}
