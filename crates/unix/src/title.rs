//! The command line that `ps` shows of this process.

use std::io;

/// Replaces the command line that `ps` shows by `title`, cut to the room that the command line took at the start.
///
/// To be called before other threads run, and after the arguments were read: [`std::env::args`] reads
/// the same place.
///
/// # Errors
/// When `/proc` is not there, or says nothing about this process's arguments.
pub fn set_title(title: &str) -> io::Result<()> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let unknown = || io::Error::new(io::ErrorKind::NotFound, "no argument area in /proc/self/stat");
    let (start, end) = argument_area(&stat).ok_or_else(unknown)?;
    let room = end.saturating_sub(start);
    if start == 0 || room < 2 {
        return Err(unknown());
    }
    let mut bytes = vec![0_u8; room];
    let length = title.len().min(room - 1);
    bytes[..length].copy_from_slice(&title.as_bytes()[..length]);
    let area = std::ptr::with_exposed_provenance_mut::<u8>(start);
    // SAFETY: the kernel names these `room` bytes of this process's stack as its argument strings; they are
    // writable, no Rust value lives there, and the area stays ended by NUL.
    unsafe { area.copy_from_nonoverlapping(bytes.as_ptr(), room) };
    Ok(())
}

/// `arg_start` and `arg_end`, fields 48 and 49 of `/proc/PID/stat` (proc(5)).
fn argument_area(stat: &str) -> Option<(usize, usize)> {
    // The second field is the program's name in parentheses and may hold spaces.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(48 - 3);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_title_is_what_the_kernel_shows() {
        set_title("(wsgi:test)").unwrap();
        let shown = std::fs::read("/proc/self/cmdline").unwrap();
        let shown = String::from_utf8_lossy(&shown);
        assert_eq!(shown.trim_end_matches('\0'), "(wsgi:test)");
        let long = "x".repeat(1_000_000);
        set_title(&long).unwrap();
        let shown = std::fs::read("/proc/self/cmdline").unwrap();
        assert!(shown.starts_with(b"xxxx"));
        assert!(shown.len() < long.len());
    }

    #[test]
    fn the_area_is_found_behind_odd_names() {
        let fields: Vec<String> = (3..=52).map(|number| (number * 10).to_string()).collect();
        let stat = format!("12 (a ) b) {}", fields.join(" "));
        assert_eq!(argument_area(&stat), Some((480, 490)));
        assert_eq!(argument_area("12 (x) S 1"), None);
    }
}
