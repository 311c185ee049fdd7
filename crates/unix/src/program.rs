//! The memory that this process's own program takes.

use std::ffi::c_void;
use std::fs;
use std::ops::Range;

use nix::libc;

/// Gives back the pages of the program that are in memory: what of them is needed again is found in the page cache. For a process
/// that has done most of its work when it starts and then mostly waits; the kernel maps sixteen pages where one is asked for.
pub fn rest() {
    if let Ok(program) = std::env::current_exe() {
        rest_of(&program.to_string_lossy());
    }
}

/// As [`rest`], for the mapped file whose path ends so.
pub fn rest_of(path: &str) {
    let Ok(text) = fs::read_to_string("/proc/self/smaps") else { return };
    for range in clean_ranges(&text, path) {
        let start = std::ptr::with_exposed_provenance_mut::<c_void>(range.start);
        // SAFETY: a private mapping of a file that cannot be written to through it and has no page of its own, as the kernel has
        // just said: whatever is read there next comes from the file again, and is the same.
        unsafe { libc::madvise(start, range.len(), libc::MADV_DONTNEED) };
    }
}

/// The mappings of `program` in the text of `/proc/PID/smaps` that are just the file's pages.
fn clean_ranges(text: &str, program: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut current = None;
    for line in text.lines() {
        if let Some(range) = mapping_of(line, program) {
            current = range;
        } else if let (Some("0 kB"), Some(range)) =
            (line.strip_prefix("Anonymous:").map(str::trim), &current)
        {
            found.push(range.clone());
        }
    }
    found
}

/// Of a line that begins a mapping: its addresses, if it is one of `program` that cannot be written to.
fn mapping_of(line: &str, program: &str) -> Option<Option<Range<usize>>> {
    let mut words = line.split_ascii_whitespace();
    let (addresses, rights) = (words.next()?, words.next()?);
    let (start, end) = addresses.split_once('-')?;
    let start = usize::from_str_radix(start, 16).ok()?;
    let end = usize::from_str_radix(end, 16).ok()?;
    let is_clean = matches!(rights, "r-xp" | "r--p") && line.ends_with(program);
    Some((is_clean && end > start).then_some(start..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_that_are_the_files_own_are_given_back() {
        let text = "\
5000-6000 r--p 00000000 fe:00 1  /bin/pinion
Rss: 4 kB
Anonymous:             0 kB
6000-9000 r-xp 00001000 fe:00 1  /bin/pinion
Anonymous:             0 kB
9000-a000 r--p 00004000 fe:00 1  /bin/pinion
Anonymous:             4 kB
a000-b000 rw-p 00005000 fe:00 1  /bin/pinion
Anonymous:             0 kB
c000-d000 r-xp 00000000 fe:00 2  /lib/libc.so.6
Anonymous:             0 kB
";
        assert_eq!(clean_ranges(text, "/bin/pinion"), [0x5000..0x6000, 0x6000..0x9000]);
    }

    #[test]
    fn the_program_goes_on() {
        rest();
        assert_eq!(clean_ranges("", "x"), []);
    }
}
