//! The lines of the access log: `common` and `combined` as Apache writes them, and `json`.
//!
//! Everything that a client says is escaped, so that a line is one line and its quotes are its own: in Apache's formats
//! as Apache does it (`\"`, `\\`, `\n`, `\xhh` for whatever is not printable ASCII), in JSON by its escapes, of all that is not ASCII too.

mod escape;
mod record;
mod stamp;

pub use record::Record;
pub use stamp::Stamp;

use pinion_wire::message::http::AccessFormat;

use std::io::Write as _;

/// How much of what clients say goes into a line, in bytes as they are written; `...` stands for the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    target: usize,
    referer: usize,
    agent: usize,
    host: usize,
    /// Names: of a peer, a user, a method.
    name: usize,
}

impl Room {
    /// For a file: all of it, which the limits of a request's head bound.
    pub const FILE: Self = Self {
        target: usize::MAX,
        referer: usize::MAX,
        agent: usize::MAX,
        host: usize::MAX,
        name: usize::MAX,
    };

    /// For a pipe: so much that a line is at most [`LONGEST`] bytes.
    pub const PIPE: Self = Self { target: 1800, referer: 800, agent: 600, host: 256, name: 64 };
}

/// The longest line of [`Room::PIPE`]: what Linux writes to a pipe in one piece (`PIPE_BUF`), so that the lines of several
/// workers never mix.
pub const LONGEST: usize = 4096;

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lines {
    /// The format.
    pub format: AccessFormat,
    /// How much of what clients say goes into a line.
    pub room: Room,
}

impl Lines {
    /// Appends the line of a request, whose second the stamp is.
    pub fn push(&self, record: &Record<'_>, stamp: &Stamp, out: &mut Vec<u8>) {
        match self.format {
            AccessFormat::Common => self.push_common(record, stamp, out),
            AccessFormat::Combined => {
                self.push_common(record, stamp, out);
                for (value, room) in
                    [(record.referer, self.room.referer), (record.agent, self.room.agent)]
                {
                    out.extend_from_slice(b" \"");
                    escape::push_apache(value.unwrap_or(b"-"), room, out);
                    out.push(b'"');
                }
            }
            AccessFormat::Json => self.push_json(record, stamp, out),
        }
        out.push(b'\n');
    }

    /// `%h %l %u %t "%r" %>s %b`.
    fn push_common(&self, record: &Record<'_>, stamp: &Stamp, out: &mut Vec<u8>) {
        let name = |value: &[u8], out: &mut Vec<u8>| match value {
            b"" => out.push(b'-'),
            value => escape::push_word(value, self.room.name, out),
        };
        name(record.peer, out);
        out.extend_from_slice(b" - ");
        name(record.user.unwrap_or_default(), out);
        out.push(b' ');
        out.extend_from_slice(stamp.apache());
        out.extend_from_slice(b" \"");
        self.push_line(record, out);
        out.extend_from_slice(b"\" ");
        number(u64::from(record.status), out);
        out.push(b' ');
        match record.sent {
            0 => out.push(b'-'),
            sent => number(sent, out),
        }
    }

    /// The request line, or what there is of it.
    fn push_line(&self, record: &Record<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        for (part, room) in [
            (record.method, self.room.name),
            (record.target, self.room.target),
            (record.protocol, self.room.name),
        ] {
            if part.is_empty() {
                continue;
            }
            if out.len() > start {
                out.push(b' ');
            }
            escape::push_apache(part, room, out);
        }
        if out.len() == start {
            out.push(b'-');
        }
    }

    fn push_json(&self, record: &Record<'_>, stamp: &Stamp, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"time\":\"");
        stamp.push_json(record.micros, out);
        out.push(b'"');
        let given = |value| (!<[u8]>::is_empty(value)).then_some(value);
        for (key, value, room) in [
            ("peer", given(record.peer), self.room.name),
            ("user", record.user, self.room.name),
            ("host", record.host, self.room.host),
            ("method", given(record.method), self.room.name),
            ("target", given(record.target), self.room.target),
            ("protocol", given(record.protocol), self.room.name),
            ("referer", record.referer, self.room.referer),
            ("user_agent", record.agent, self.room.agent),
        ] {
            push_key(key, out);
            match value {
                Some(value) => {
                    out.push(b'"');
                    escape::push_json(value, room, out);
                    out.push(b'"');
                }
                None => out.extend_from_slice(b"null"),
            }
        }
        for (key, value) in [
            ("status", u64::from(record.status)),
            ("bytes", record.sent),
            ("duration_us", record.duration),
            ("pid", u64::from(record.pid)),
        ] {
            push_key(key, out);
            number(value, out);
        }
        out.push(b'}');
    }
}

/// How many bytes the first lines have that fit into `longest`, but one line at least.
pub fn whole_lines(lines: &[u8], longest: usize) -> usize {
    if lines.len() <= longest {
        return lines.len();
    }
    let last = memchr::memrchr(b'\n', &lines[..longest]);
    let end = last.or_else(|| memchr::memchr(b'\n', lines));
    end.map_or(lines.len(), |end| end + 1)
}

fn push_key(key: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
}

fn number(value: u64, out: &mut Vec<u8>) {
    // Writing to memory never fails.
    let _ = write!(out, "{value}");
}

#[cfg(test)]
mod tests;
