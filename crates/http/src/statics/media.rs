//! Media types by a file's name.

/// The type of what has no known one.
const UNKNOWN: &str = "application/octet-stream";

/// Types that are registered by now under other names than `mime_guess` has. XML tells its encoding itself, which a
/// charset of `text/xml` would overrule.
const BETTER: &[(&str, &str)] = &[
    ("cjs", "text/javascript"),
    ("m4a", "audio/mp4"),
    ("map", "application/json"),
    ("mjs", "text/javascript"),
    ("otf", "font/otf"),
    ("toml", "application/toml"),
    ("ts", "video/mp2t"),
    ("woff", "font/woff"),
    ("xml", "application/xml"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
    ("zst", "application/zstd"),
];

/// The value of `Content-Type` for a file. Text is UTF-8, which is what editors write.
pub(super) fn content_type(name: &[u8]) -> String {
    let media = media_type(name);
    let charset = if media.starts_with("text/") { "; charset=utf-8" } else { "" };
    format!("{media}{charset}")
}

/// Whether a smaller copy of a file with this name is worth looking for: not of what is compressed by its nature.
pub(super) fn is_compressible(name: &[u8]) -> bool {
    const COMPRESSED: &[&str] = &[
        "application/gzip",
        "application/java-archive",
        "application/pdf",
        "application/vnd.rar",
        "application/x-7z-compressed",
        "application/x-bzip2",
        "application/x-rar-compressed",
        "application/x-xz",
        "application/zip",
        "application/zstd",
        "font/woff",
        "font/woff2",
    ];
    const LARGE: &[&str] =
        &["image/bmp", "image/svg+xml", "image/vnd.microsoft.icon", "image/x-icon"];
    let media = media_type(name);
    let class = media.split('/').next().unwrap_or_default();
    LARGE.contains(&media)
        || !(matches!(class, "audio" | "image" | "video")
            || COMPRESSED.contains(&media)
            || extension(name) == Some("br"))
}

fn media_type(name: &[u8]) -> &'static str {
    let Some(extension) = extension(name) else { return UNKNOWN };
    let better = BETTER.iter().find(|(known, _)| extension.eq_ignore_ascii_case(known));
    match better {
        Some((_, media)) => media,
        None => mime_guess::from_ext(extension).first_raw().unwrap_or(UNKNOWN),
    }
}

/// What follows the last dot of a path's last segment.
fn extension(name: &[u8]) -> Option<&str> {
    let file = name.rsplit(|byte| *byte == b'/').next()?;
    let dot = file.iter().rposition(|byte| *byte == b'.')?;
    std::str::from_utf8(&file[dot + 1..]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_the_type() {
        for (name, expected) in [
            ("a.html", "text/html; charset=utf-8"),
            ("A.HTM", "text/html; charset=utf-8"),
            ("a.css", "text/css; charset=utf-8"),
            ("a.js", "text/javascript; charset=utf-8"),
            ("a.mjs", "text/javascript; charset=utf-8"),
            ("a.XML", "application/xml"),
            ("a.md", "text/markdown; charset=utf-8"),
            ("a.woff", "font/woff"),
            ("a.txt", "text/plain; charset=utf-8"),
            ("a.json", "application/json"),
            ("a.svg", "image/svg+xml"),
            ("a.png", "image/png"),
            ("a.webp", "image/webp"),
            ("a.avif", "image/avif"),
            ("a.ico", "image/x-icon"),
            ("a.woff2", "font/woff2"),
            ("a.wasm", "application/wasm"),
            ("a.webmanifest", "application/manifest+json"),
            ("a.pdf", "application/pdf"),
            ("a.tar.gz", "application/gzip"),
            ("a.b.c/README", UNKNOWN),
            ("README", UNKNOWN),
            ("a.", UNKNOWN),
            ("html", UNKNOWN),
            ("a.no-such-type", UNKNOWN),
            ("", UNKNOWN),
        ] {
            assert_eq!(content_type(name.as_bytes()), expected, "{name}");
        }
        assert_eq!(content_type(b"a.\xff"), UNKNOWN);
    }

    #[test]
    fn each_better_type_differs_from_what_is_guessed() {
        for (extension, media) in BETTER {
            assert_ne!(mime_guess::from_ext(extension).first_raw(), Some(*media), "{extension}");
        }
    }

    #[test]
    fn what_is_compressed_has_no_smaller_copies() {
        for name in ["a.js", "a.css", "a.html", "a.json", "a.svg", "a.ico", "a.wasm", "a.ttf", "a"]
        {
            assert!(is_compressible(name.as_bytes()), "{name}");
        }
        for name in [
            "a.png", "a.jpeg", "a.webp", "a.mp4", "a.mp3", "a.woff2", "a.zip", "a.js.gz",
            "a.js.br", "a.js.zst",
        ] {
            assert!(!is_compressible(name.as_bytes()), "{name}");
        }
    }
}
