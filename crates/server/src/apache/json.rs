//! The access log as JSON, under Apache: Apache's `LogFormat` escapes by rules that are not those of JSON, so its lines go through this
//! program, which takes their fields apart and writes what `pinion serve` itself would write.

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use pinion_deploy::render::word;
use pinion_http::access::{Lines, Record, Room, Stamp};
use pinion_unix::clock;
use pinion_wire::message::http::AccessFormat;

/// The hidden command of `pinion` that runs this.
pub const COMMAND: &str = "access-json";

/// What Apache writes for it: fields between tabs, which Apache writes as `\t` within one. Seconds and microseconds of the begin, peer, user,
/// host, request line, referer, user agent, status, bytes, duration, process.
pub const FORMAT: &str = "%{begin:sec}t\\t%{begin:usec_frac}t\\t%a\\t%u\\t%{Host}i\\t%r\\t%{Referer}i\\t%{User-Agent}i\\t%>s\\t%B\\t%D\\t%P";

/// How many fields there are.
const FIELDS: usize = 12;

const LINES: Lines = Lines { format: AccessFormat::Json, room: Room::FILE };

/// What `CustomLog` is given to have this write to a descriptor: Apache hands the rest of one quoted word to a shell.
pub fn to_descriptor(program: &Path, number: i32) -> String {
    let line = format!("exec {} {COMMAND} >&{number}", word(&program.to_string_lossy()));
    format!("|${}", quoted(&line))
}

/// What `CustomLog` is given to have this append to a file, without a shell.
pub fn to_file(program: &Path, file: &Path) -> String {
    let [program, file] = [program, file].map(|path| quoted(&path.to_string_lossy()));
    format!("|{program} {COMMAND} {file}")
}

/// One word of a command that Apache divides into words (`apr_tokenize_to_argv`).
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Makes JSON of standard input until its end, and appends it to a file, or writes it to standard output.
///
/// # Errors
/// The file cannot be opened, or nothing more written.
pub fn run(file: Option<&Path>) -> io::Result<()> {
    match file {
        None => relay(io::stdin(), io::stdout()),
        Some(path) => {
            let opened = OpenOptions::new().append(true).create(true).mode(0o640).open(path)?;
            relay(io::stdin(), opened)
        }
    }
}

/// Writes whole lines, as many at once as there are.
fn relay(input: impl Read, mut output: impl Write) -> io::Result<()> {
    let mut input = BufReader::with_capacity(64 * 1024, input);
    let (mut line, mut out, mut stamp) = (Vec::new(), Vec::new(), Stamp::new(0, 0));
    while input.read_until(b'\n', &mut line)? > 0 {
        push(&line, &mut stamp, &mut out);
        line.clear();
        if input.buffer().is_empty() {
            output.write_all(&out)?;
            output.flush()?;
            out.clear();
        }
    }
    output.write_all(&out)
}

/// Appends the line of a request; none for what is not Apache's.
fn push(line: &[u8], stamp: &mut Stamp, out: &mut Vec<u8>) {
    let fields: Vec<Vec<u8>> =
        line.trim_ascii_end().split(|byte| *byte == b'\t').map(plain).collect();
    let Ok(fields) = <[Vec<u8>; FIELDS]>::try_from(fields) else { return };
    let [second, micros, peer, user, host, request, referer, agent, status, sent, took, pid] =
        &fields;
    let given = |field: &[u8]| field != b"-";
    let record = Record {
        peer,
        user: Some(&user[..]).filter(|user| given(user)),
        status: number(status) as u16,
        sent: number(sent),
        referer: Some(&referer[..]).filter(|referer| given(referer)),
        agent: Some(&agent[..]).filter(|agent| given(agent)),
        host: Some(&host[..]).filter(|host| given(host)),
        micros: number(micros) as u32,
        duration: number(took),
        pid: number(pid) as u32,
        ..if given(request) { Record::of_line(request) } else { Record::default() }
    };
    LINES.push(&record, stamp.at(number(second), clock::zone_offset), out);
}

fn number(field: &[u8]) -> u64 {
    std::str::from_utf8(field).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// A field without Apache's escapes (`ap_escape_logitem`).
fn plain(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let (byte, used) = match (first, tail) {
            (b'\\', [b'x', high, low, ..]) => match hexadecimal(*high, *low) {
                Some(byte) => (byte, 4),
                None => (b'\\', 1),
            },
            (b'\\', [escaped, ..]) => (unescaped(*escaped), 2),
            _ => (*first, 1),
        };
        out.push(byte);
        rest = &rest[used..];
    }
    out
}

fn unescaped(byte: u8) -> u8 {
    match byte {
        b'b' => b'\x08',
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => b'\x0b',
        other => other,
    }
}

fn hexadecimal(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(line: &str) -> String {
        let mut out = Vec::new();
        relay(line.as_bytes(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_is_what_pinion_serve_itself_writes() {
        let line = r#"784111777	000007	192.0.2.1	-	h:1	GET /a?b=\"c HTTP/1.1	-	x\"y\\z\xc3\xa9\xff\t\v	200	13	1500	7"#;
        let record = Record {
            peer: b"192.0.2.1",
            method: b"GET",
            target: b"/a?b=\"c",
            protocol: b"HTTP/1.1",
            status: 200,
            sent: 13,
            agent: Some(b"x\"y\\z\xc3\xa9\xff\t\x0b"),
            host: Some(b"h:1"),
            micros: 7,
            duration: 1500,
            pid: 7,
            ..Record::default()
        };
        let mut expected = Vec::new();
        let stamp = Stamp::new(784_111_777, clock::zone_offset(784_111_777));
        LINES.push(&record, &stamp, &mut expected);
        assert_eq!(made(&format!("{line}\n")), String::from_utf8(expected).unwrap());
    }

    #[test]
    fn all_bytes_survive_apaches_escapes() {
        assert_eq!(plain(br#"a\x00\x7f\n\r\b\\\"z"#), b"a\0\x7f\n\r\x08\\\"z");
        // Nothing of Apache's, and nothing to stumble over.
        assert_eq!(plain(br"\x\xg0\"), br"\x\xg0\");
    }

    #[test]
    fn what_is_no_line_is_left_out_and_a_request_without_one_is_told() {
        assert_eq!(made("nonsense\n\n"), "");
        let line = made("0\t0\t::1\t-\t-\t-\t-\t-\t408\t0\t5\t7\n");
        assert!(
            line.contains(r#""method":null,"target":null"#) && line.contains(r#""status":408"#),
            "{line}"
        );
    }

    #[test]
    fn commands_are_quoted() {
        let program = Path::new("/a b/pinion");
        assert_eq!(to_file(program, Path::new("/c\"d")), r#"|"/a b/pinion" access-json "/c\"d""#);
        assert_eq!(to_descriptor(program, 3), r#"|$"exec '/a b/pinion' access-json >&3""#);
    }
}
