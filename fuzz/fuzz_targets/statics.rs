//! Asks for static files in all ways: the first line is the path, still encoded, the second the method, each further one
//! a header field. No name may lead out of the folder, no part out of the file, and no byte of a header out of its line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pinion_http::{
    environ::decode_path,
    plan::Body,
    statics::{Asked, Fields, Folder, Node, OpenError, Opened, Statics, answer},
};
use pinion_wire::message::http::StaticSpec;

/// Knows a file for nearly every name, so that little is simply missing. A file is its own size.
struct Site;

impl Folder for Site {
    type File = u64;

    fn open(&self, name: &[u8]) -> Result<Node<u64>, OpenError> {
        let bad = |segment: &[u8]| matches!(segment, b"" | b"." | b"..");
        assert!(!name.split(|byte| *byte == b'/').any(bad), "{name:?}");
        assert!(!name.iter().any(|byte| *byte == 0 || *byte == b'\\'), "{name:?}");
        let size = name.len() as u64 % 40;
        match name.first() {
            Some(b'm') => Err(OpenError::Missing),
            Some(b'd') if !name.ends_with(b"index.html") => Ok(Node::Folder),
            _ => Ok(Node::File(Opened { file: size, size, modified: (1_000_000, 5) })),
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let mut lines = input.split(|byte| *byte == b'\n');
    let target = lines.next().and_then(|line| std::str::from_utf8(line).ok()).unwrap_or_default();
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let method = lines.next().unwrap_or(b"GET");
    let fields = lines.filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        Some((&line[..colon], line[colon + 1..].trim_ascii()))
    });
    let asked = Asked { method, query: query.map(str::as_bytes), fields: Fields::collect(fields) };
    let mut memory = Vec::new();
    let Ok(path) = decode_path(path, &mut memory) else { return };
    for prefixes in [&[("/s", None), ("/s/t", None), ("/f", Some("file"))][..], &[("", None)]] {
        let spec = |(prefix, file): &(&str, Option<&str>)| StaticSpec {
            prefix: (*prefix).into(),
            folder: "/srv".into(),
            file: file.map(str::to_owned),
        };
        let statics = Statics::new(&prefixes.iter().map(spec).collect::<Vec<_>>());
        let Some(found) = statics.find(path) else { continue };
        let Ok(Some(plan)) = answer(&found, &asked, &Site, 2_000_000) else { continue };
        if let Body::File { file, from, length } = plan.body {
            assert!(length > 0 && from + length <= file);
        }
        let length = plan.value("content-length").map(|length| length.parse::<u64>().unwrap());
        assert!(method == b"HEAD" || length.unwrap_or(0) == plan.length());
        for (name, value) in &plan.headers {
            assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{name}: {value}");
        }
        if let Some(location) = plan.value("location") {
            assert!(location.starts_with('/') && !location.starts_with("//"), "{location}");
        }
    }
});
