//! The kinds of values that options have.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use pinion_config::{EnvPair, Principal};
use pinion_deploy::values::{Expected, dotted, unquotable};

fn expected<T>(what: &str) -> Result<T, Expected> {
    Err(Expected(what.to_owned()))
}

/// A path without `.` and what `..` takes away.
pub(super) fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                clean.pop();
            }
            std::path::Component::CurDir => {}
            other => clean.push(other),
        }
    }
    clean
}

/// Nothing but digits.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

pub(super) fn count(text: &str) -> Result<NonZeroU32, Expected> {
    digits(text)
        .filter(|number| *number <= 4096)
        .and_then(|number| NonZeroU32::new(u32::try_from(number).ok()?))
        .ok_or_else(|| Expected("a whole number from 1 to 4096".to_owned()))
}

pub(super) fn number(text: &str) -> Result<u32, Expected> {
    let number = digits(text).and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| Expected("a whole number".to_owned()))
}

pub(super) fn connections(text: &str) -> Result<u32, Expected> {
    let number = digits(text).and_then(|number| u32::try_from(number).ok());
    let number = number.filter(|number| (1..=1_000_000).contains(number));
    number.ok_or_else(|| Expected("a whole number from 1 to 1000000".to_owned()))
}

/// A number of bytes: `1000`, `64K`, `10M`, `2G`.
pub(super) fn bytes(text: &str) -> Result<u64, Expected> {
    let (number, unit) = match text.chars().last() {
        Some('k' | 'K') => (&text[..text.len() - 1], 1 << 10),
        Some('m' | 'M') => (&text[..text.len() - 1], 1 << 20),
        Some('g' | 'G') => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    let bytes = digits(number).and_then(|number| number.checked_mul(unit));
    bytes.ok_or_else(|| Expected("a number of bytes, such as 1048576 or 1M".to_owned()))
}

/// A number of bytes that a request line or a head may have.
pub(super) fn size(text: &str) -> Result<u32, Expected> {
    let size = bytes(text)?;
    let fits = u32::try_from(size).ok().filter(|size| (256..=16 << 20).contains(size));
    fits.ok_or_else(|| Expected("a number of bytes from 256 to 16M".to_owned()))
}

/// Seconds as milliseconds: `2`, `0.5`. Ten years at most.
pub(super) fn seconds(text: &str) -> Result<u64, Expected> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let seconds = plain.then(|| text.parse::<f64>().ok()).flatten();
    match seconds.filter(|seconds| *seconds <= 315_360_000.0) {
        // What is not nothing must not become "no limit".
        Some(seconds) if seconds > 0.0 => Ok(((seconds * 1_000.0).round() as u64).max(1)),
        Some(_) => Ok(0),
        None => expected("a number of seconds, such as 30 or 0.5"),
    }
}

pub(super) fn longer_than_none(text: &str) -> Result<u64, Expected> {
    match seconds(text)? {
        0 => expected("a number of seconds more than 0"),
        time => Ok(time),
    }
}

pub(super) fn octal(text: &str) -> Result<u32, Expected> {
    let number = digits(text).and_then(|_| u32::from_str_radix(text, 8).ok());
    let number = number.filter(|mode| *mode <= 0o777);
    number.ok_or_else(|| Expected("permission bits in octal, such as 022".to_owned()))
}

pub(super) fn account(text: &str) -> Result<Principal, Expected> {
    Principal::parse(text)
        .ok_or_else(|| Expected("the name of an account, or # and its number".to_owned()))
}

pub(super) fn variable(text: &str) -> Result<EnvPair, Expected> {
    let is_name = |name: &str| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    match text.split_once('=') {
        Some((name, value)) if is_name(name) && !value.contains('\0') => {
            Ok(EnvPair { name: name.to_owned(), value: value.to_owned() })
        }
        _ => expected("NAME=VALUE with a valid variable name"),
    }
}

/// A name of Python's.
pub(super) fn name(text: &str) -> Result<String, Expected> {
    if dotted(text) && !text.contains('.') {
        return Ok(text.to_owned());
    }
    expected("a name of Python's, such as application")
}

/// Something on one line.
pub(super) fn line(text: &str) -> Result<String, Expected> {
    if text.trim().is_empty() || unquotable(text) {
        return expected("some text on one line");
    }
    Ok(text.to_owned())
}
