//! Files that are served without the application: which file a request names, and what it gets of it.
//!
//! - A path belongs to the longest prefix that it has as whole segments. What is below a prefix is never the
//!   application's, whether it exists or not; only an empty prefix shares its paths with the application, which gets what is no file.
//! - A folder is served by its `index.html`, at the path with a slash at its end; there are no listings.
//! - A compressed copy beside a file (`app.js.br`, `.zst`, `.gz`) is sent to who takes it, unless it is older than the
//!   file; there has to be the file itself. Each has a tag of its own.
//! - Conditions and ranges are those of RFC 9110, sections 13 and 14; of several ranges all of the file is made.
//!
//! Files are opened by a [`Folder`], so that nothing here touches one.

mod coding;
mod conditions;
mod fields;
mod media;
mod path;
mod range;

pub use fields::Fields;

use std::io;

use pinion_wire::message::http::StaticSpec;

use self::{
    coding::Coding,
    conditions::{Validators, Verdict},
    path::Name,
    range::Wanted,
};
use crate::{
    date,
    plan::{Body, Plan},
};

/// Methods that files have.
const ALLOW: &str = "GET, HEAD, OPTIONS";

/// The prefixes of all folders.
#[derive(Debug, Clone, Default)]
pub struct Statics {
    /// The longest first.
    prefixes: Vec<Prefix>,
}

#[derive(Debug, Clone)]
struct Prefix {
    path: Vec<u8>,
    folder: usize,
    /// The only file that it stands for, with a slash in front.
    file: Option<Vec<u8>>,
}

/// Where a path leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found<'p> {
    /// Which of the folders.
    pub folder: usize,
    /// The prefix.
    prefix: &'p [u8],
    /// What follows it, or the file that it stands for.
    rest: &'p [u8],
}

/// A request.
#[derive(Debug, Clone, Default)]
pub struct Asked<'r> {
    /// The method.
    pub method: &'r [u8],
    /// What follows the question mark, if there is one.
    pub query: Option<&'r [u8]>,
    /// Its header fields.
    pub fields: Fields<'r>,
}

/// A folder whose files can be opened.
pub trait Folder {
    /// An open file.
    type File;

    /// Opens what has this name below the folder: segments with slashes between, none of them empty, `.` or `..`.
    ///
    /// # Errors
    /// Why it cannot be served.
    fn open(&self, name: &[u8]) -> Result<Node<Self::File>, OpenError>;
}

/// What a name names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node<F> {
    /// A regular file.
    File(Opened<F>),
    /// A folder.
    Folder,
}

/// An open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened<F> {
    /// The file.
    pub file: F,
    /// Its length in bytes.
    pub size: u64,
    /// When it was changed: seconds since 1970 and nanoseconds in that second.
    pub modified: (i64, u32),
}

/// Why a name cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is none, or something that is neither a file nor a folder, or it lies elsewhere.
    #[error("there is no such file")]
    Missing,
    /// It may not be read.
    #[error("the file may not be read")]
    Forbidden,
    /// Something else, which the operator should know.
    #[error(transparent)]
    Failed(#[from] io::Error),
}

impl Statics {
    /// Takes the prefixes; of two that are the same the first counts.
    #[must_use]
    pub fn new(specs: &[StaticSpec]) -> Self {
        let prefix = |(folder, spec): (usize, &StaticSpec)| Prefix {
            path: spec.prefix.clone().into_bytes(),
            folder,
            file: spec.file.as_ref().map(|name| format!("/{name}").into_bytes()),
        };
        let mut prefixes: Vec<_> = specs.iter().enumerate().map(prefix).collect();
        prefixes.sort_by_key(|prefix| std::cmp::Reverse(prefix.path.len()));
        Self { prefixes }
    }

    /// Finds the folder of a path, which has been decoded once and begins with a slash.
    #[must_use]
    pub fn find<'p>(&'p self, path: &'p [u8]) -> Option<Found<'p>> {
        self.prefixes.iter().find_map(|Prefix { path: prefix, folder, file }| {
            let rest = path.strip_prefix(&prefix[..])?;
            let found = |rest| Found { folder: *folder, prefix: &path[..prefix.len()], rest };
            match file {
                Some(file) => rest.is_empty().then(|| found(file)),
                None => rest.first().is_none_or(|byte| *byte == b'/').then(|| found(rest)),
            }
        })
    }
}

impl Found<'_> {
    /// Whether what is no file here belongs to the application.
    fn is_shared(&self) -> bool {
        self.prefix.is_empty()
    }
}

/// Answers a request; `now` is in seconds since 1970. `None`: it is the application's.
///
/// # Errors
/// What the system said where a file could not be opened for a reason that lies in neither the request nor the file:
/// the operator should know, and the client gets 500.
pub fn answer<F: Folder>(
    found: &Found<'_>,
    asked: &Asked<'_>,
    folder: &F,
    now: u64,
) -> io::Result<Option<Plan<F::File>>> {
    let head = asked.method == b"HEAD";
    if !head && asked.method != b"GET" {
        let plan = match asked.method {
            b"OPTIONS" => Plan::empty(204),
            _ => Plan::status(405, false),
        };
        return Ok((!found.is_shared()).then(|| plan.with("Allow", ALLOW)));
    }
    match open(found, asked, folder, now) {
        Ok(plan) => Ok(Some(plan)),
        Err(OpenError::Missing) if found.is_shared() => Ok(None),
        Err(OpenError::Missing) => Ok(Some(Plan::status(404, head))),
        Err(OpenError::Forbidden) => Ok(Some(Plan::status(403, head))),
        Err(OpenError::Failed(error)) => Err(error),
    }
}

fn open<F: Folder>(
    found: &Found<'_>,
    asked: &Asked<'_>,
    folder: &F,
    now: u64,
) -> Result<Plan<F::File>, OpenError> {
    let name = Name::of(found.rest).ok_or(OpenError::Missing)?;
    if name.is_folder && !found.rest.is_empty() {
        return open_file(&name.index(), folder).and_then(|file| file.plan(asked, folder, now));
    }
    if !name.bytes().is_empty()
        && let Node::File(opened) = folder.open(name.bytes())?
    {
        return Candidate { name: name.bytes(), opened }.plan(asked, folder, now);
    }
    // The slash is worth adding only where something is behind it.
    open_file(&name.index(), folder)?;
    let location = path::with_slash(found.prefix, &name, asked.query);
    let plan = Plan::status(301, asked.method == b"HEAD");
    Ok(plan.with("Location", location))
}

fn open_file<'n, F: Folder>(
    name: &'n [u8],
    folder: &F,
) -> Result<Candidate<'n, F::File>, OpenError> {
    match folder.open(name)? {
        Node::File(opened) => Ok(Candidate { name, opened }),
        Node::Folder => Err(OpenError::Missing),
    }
}

/// A file that may be the answer, or a compressed copy of it instead.
struct Candidate<'n, F> {
    name: &'n [u8],
    opened: Opened<F>,
}

impl<F> Candidate<'_, F> {
    fn plan(
        self,
        asked: &Asked<'_>,
        folder: &impl Folder<File = F>,
        now: u64,
    ) -> Result<Plan<F>, OpenError> {
        let varies = media::is_compressible(self.name);
        let copy = if varies { self.copy(asked, folder)? } else { None };
        let (coding, opened) = match copy {
            Some((coding, opened)) => (Some(coding), opened),
            None => (None, self.opened),
        };
        let tag = tag(opened.size, opened.modified, coding);
        // Never a date of the future (section 8.8.2.1), nor one that may come to name two states.
        let seconds = u64::try_from(opened.modified.0).ok();
        let modified = seconds.filter(|seconds| *seconds < now);
        let validators = Validators { tag: &tag, modified };
        let head = asked.method == b"HEAD";
        let mut plan = match conditions::judge(&asked.fields, validators) {
            Verdict::Failed => return Ok(Plan::status(412, head)),
            Verdict::NotModified => Plan::empty(304),
            Verdict::Proceed => {
                let range = asked.fields.range.as_deref().filter(|_| !head);
                let range = range.filter(|_| conditions::range_counts(&asked.fields, validators));
                let wanted = range.map_or(Wanted::Whole, |range| range::wanted(range, opened.size));
                let mut plan = send(opened, wanted, head);
                if plan.status == 416 {
                    return Ok(plan);
                }
                describe(&mut plan, self.name, coding, modified);
                plan
            }
        };
        plan.header("ETag", tag);
        if varies {
            plan.header("Vary", "Accept-Encoding");
        }
        Ok(plan)
    }

    /// The copy that the client likes best of those there are.
    fn copy(
        &self,
        asked: &Asked<'_>,
        folder: &impl Folder<File = F>,
    ) -> Result<Option<(Coding, Opened<F>)>, OpenError> {
        for coding in coding::accepted(asked.fields.accept_encoding.as_deref()) {
            let name = [self.name, coding.suffix().as_bytes()].concat();
            match folder.open(&name) {
                // One that is older was made from another file.
                Ok(Node::File(copy)) if copy.modified.0 >= self.opened.modified.0 => {
                    return Ok(Some((coding, copy)));
                }
                Ok(_) | Err(OpenError::Missing | OpenError::Forbidden) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

/// A strong tag: time and size of a file, and how it is compressed.
fn tag(size: u64, (seconds, nanos): (i64, u32), coding: Option<Coding>) -> String {
    match coding {
        Some(coding) => format!("\"{seconds:x}.{nanos:x}-{size:x}-{}\"", coding.token()),
        None => format!("\"{seconds:x}.{nanos:x}-{size:x}\""),
    }
}

/// 200, 206 or 416, with what is sent and how long it is.
fn send<F>(opened: Opened<F>, wanted: Wanted, head: bool) -> Plan<F> {
    let Opened { file, size, .. } = opened;
    let (from, length) = match wanted {
        Wanted::Whole => (0, size),
        Wanted::Part { from, length } => (from, length),
        Wanted::Beyond => {
            let plan = Plan::status(416, head);
            return plan.with("Content-Range", format!("bytes */{size}"));
        }
    };
    let mut plan = Plan::empty(if wanted == Wanted::Whole { 200 } else { 206 });
    if wanted != Wanted::Whole {
        plan.header("Content-Range", format!("bytes {from}-{}/{size}", from + length - 1));
    }
    plan.header("Content-Length", length.to_string());
    if !head && length > 0 {
        plan.body = Body::File { file, from, length };
    }
    plan
}

/// What the client should know of the file.
fn describe<F>(plan: &mut Plan<F>, name: &[u8], coding: Option<Coding>, modified: Option<u64>) {
    plan.header("Content-Type", media::content_type(name));
    if let Some(coding) = coding {
        plan.header("Content-Encoding", coding.token());
    }
    if let Some(modified) = modified {
        plan.header("Last-Modified", date::format(modified));
    }
    plan.header("Accept-Ranges", "bytes");
}

#[cfg(test)]
mod tests;
