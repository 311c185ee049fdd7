use super::*;
use proptest::prelude::*;
use std::{borrow::Cow, collections::BTreeMap};

/// Sun, 06 Nov 1994 08:49:37 GMT.
const CHANGED: i64 = 784_111_777;
const NOW: u64 = 800_000_000;
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// Files by name with size and time; the file is its name.
#[derive(Default)]
struct Memory(BTreeMap<String, (u64, i64)>);

impl Memory {
    fn new(files: &[(&str, u64)]) -> Self {
        Self(files.iter().map(|(name, size)| (name.to_string(), (*size, CHANGED))).collect())
    }
}

impl Folder for Memory {
    type File = String;

    fn open(&self, name: &[u8]) -> Result<Node<String>, OpenError> {
        let name = String::from_utf8(name.to_vec()).map_err(|_| OpenError::Missing)?;
        assert!(name.split('/').all(|part| !matches!(part, "" | "." | "..")), "{name:?}");
        if name.contains("secret") {
            return Err(OpenError::Forbidden);
        }
        if name.contains("broken") {
            return Err(OpenError::Failed(io::Error::from_raw_os_error(5)));
        }
        if let Some((size, changed)) = self.0.get(&name) {
            let (size, modified) = (*size, (*changed, 255));
            return Ok(Node::File(Opened { file: name, size, modified }));
        }
        let inside = format!("{name}/");
        let is_folder = self.0.keys().any(|other| other.starts_with(&inside));
        if is_folder { Ok(Node::Folder) } else { Err(OpenError::Missing) }
    }
}

fn statics(prefixes: &[&str]) -> Statics {
    let spec =
        |prefix: &&str| StaticSpec { prefix: (*prefix).into(), folder: "/srv".into(), file: None };
    Statics::new(&prefixes.iter().map(spec).collect::<Vec<_>>())
}

fn site() -> Memory {
    Memory::new(&[
        ("index.html", 11),
        ("app.js", 100),
        ("app.js.br", 30),
        ("app.js.gz", 40),
        ("logo.png", 70),
        ("logo.png.gz", 60),
        ("empty.txt", 0),
        ("docs/index.html", 22),
        ("bare/a.txt", 5),
        ("odd/index.html/x", 5),
        ("secret.txt", 5),
        ("broken.txt", 5),
        (".env", 5),
        (".well-known/security.txt", 9),
        ("%2e%2e", 5),
        ("a b.txt", 5),
    ])
}

/// `METHOD /path`, and header fields one a line.
fn ask_of(memory: &Memory, prefix: &str, request: &str) -> io::Result<Option<Plan<String>>> {
    let (line, lines) = request.split_once('\n').unwrap_or((request, ""));
    let (method, target) = line.split_once(' ').unwrap();
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.as_bytes())),
        None => (target, None),
    };
    let lines = lines.lines().map(|line| line.split_once(": ").unwrap());
    let fields = Fields::collect(lines.map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    let statics = statics(&[prefix]);
    let found = statics.find(path.as_bytes()).unwrap();
    answer(&found, &Asked { method: method.as_bytes(), query, fields }, memory, NOW)
}

fn ask(request: &str) -> Plan<String> {
    ask_of(&site(), "/static", request).unwrap().unwrap()
}

fn file(name: &str, from: u64, length: u64) -> Body<String> {
    Body::File { file: name.into(), from, length }
}

/// The body of an answer that says its status.
fn says(status: u16) -> Body<String> {
    Plan::status(status, false).body
}

#[test]
fn the_longest_prefix_of_whole_segments_counts() {
    let statics = statics(&["/static", "/static/admin", "/b", "/b"]);
    for (path, expected) in [
        ("/static", Some((0, ""))),
        ("/static/", Some((0, "/"))),
        ("/static/x", Some((0, "/x"))),
        ("/staticx", None),
        ("/static/admin", Some((1, ""))),
        ("/static/admin/x", Some((1, "/x"))),
        ("/static/administrator", Some((0, "/administrator"))),
        ("/Static/x", None),
        ("//static/x", None),
        ("/", None),
        ("/x/static/y", None),
        ("/b/c", Some((2, "/c"))),
    ] {
        let found = statics.find(path.as_bytes());
        let found = found.map(|found| (found.folder, std::str::from_utf8(found.rest).unwrap()));
        assert_eq!(found, expected, "{path}");
    }
    assert_eq!(Statics::default().find(b"/"), None);
}

#[test]
fn a_prefix_may_stand_for_one_file_of_its_folder() {
    let one = |prefix: &str, file: Option<&str>| StaticSpec {
        prefix: prefix.into(),
        folder: "/srv".into(),
        file: file.map(Into::into),
    };
    let statics = Statics::new(&[one("/style.css", Some("app.css")), one("", None)]);
    for (path, expected) in [
        ("/style.css", (0, "/app.css")),
        ("/style.css/", (1, "/style.css/")),
        ("/style.css/app.js", (1, "/style.css/app.js")),
        ("/style.cssx", (1, "/style.cssx")),
    ] {
        let found = statics.find(path.as_bytes()).unwrap();
        assert_eq!((found.folder, std::str::from_utf8(found.rest).unwrap()), expected, "{path}");
    }
}

#[test]
fn a_file_is_sent_with_all_that_describes_it() {
    let plan = ask("GET /static/app.js");
    let expected: Vec<(&str, Cow<'_, str>)> = vec![
        ("Content-Length", "100".into()),
        ("Content-Type", "text/javascript; charset=utf-8".into()),
        ("Last-Modified", DATE.into()),
        ("Accept-Ranges", "bytes".into()),
        ("ETag", "\"2ebc98a1.ff-64\"".into()),
        ("Vary", "Accept-Encoding".into()),
    ];
    assert_eq!(plan, Plan { status: 200, headers: expected, body: file("app.js", 0, 100) });
}

#[test]
fn head_gets_what_get_gets_but_the_body() {
    for lines in [
        "/static/app.js",
        "/static/app.js\nAccept-Encoding: br",
        "/static/empty.txt",
        "/static/docs",
        "/static/docs/",
        "/static/missing",
        "/static/secret.txt",
        "/static/app.js\nIf-None-Match: *",
        "/static/app.js\nIf-Match: \"x\"",
    ] {
        let (head, get) = (ask(&format!("HEAD {lines}")), ask(&format!("GET {lines}")));
        assert_eq!((head.status, &head.headers), (get.status, &get.headers), "{lines}");
        assert_eq!(head.body, Body::Nothing, "{lines}");
    }
    // A range is a matter of GET alone.
    let plan = ask("HEAD /static/app.js\nRange: bytes=0-1");
    assert_eq!((plan.status, plan.value("content-length")), (200, Some("100")));
}

#[test]
fn other_methods() {
    let plan = ask("OPTIONS /static/app.js");
    assert_eq!((plan.status, plan.value("allow"), &plan.body), (204, Some(ALLOW), &Body::Nothing));
    assert_eq!(plan.value("content-length"), None);
    for method in ["POST", "PUT", "DELETE", "TRACE", "get", "PROPFIND"] {
        let plan = ask(&format!("{method} /static/missing"));
        assert_eq!((plan.status, plan.value("allow")), (405, Some(ALLOW)), "{method}");
        assert_eq!(plan.value("content-length"), Some("23"));
    }
}

#[test]
fn folders_have_an_index_and_a_slash() {
    for (path, status, location, body) in [
        ("/static", 301, Some("/static/"), says(301)),
        ("/static?a=b", 301, Some("/static/?a=b"), says(301)),
        ("/static/", 200, None, file("index.html", 0, 11)),
        ("/static/docs", 301, Some("/static/docs/"), says(301)),
        ("/static//docs", 301, Some("/static/docs/"), says(301)),
        ("/static/docs/", 200, None, file("docs/index.html", 0, 22)),
        ("/static/docs//", 200, None, file("docs/index.html", 0, 22)),
        ("/static/docs/index.html", 200, None, file("docs/index.html", 0, 22)),
        ("/static/bare", 404, None, says(404)),
        ("/static/bare/", 404, None, says(404)),
        ("/static/odd", 404, None, says(404)),
        ("/static/odd/", 404, None, says(404)),
        ("/static/app.js/", 404, None, says(404)),
        ("/static/index.html/", 404, None, says(404)),
    ] {
        let plan = ask(&format!("GET {path}"));
        assert_eq!(
            (plan.status, plan.value("location"), plan.body.clone()),
            (status, location, body),
            "{path}"
        );
        assert_eq!(plan.value("vary").is_some(), status == 200);
    }
    assert_eq!(ask("GET /static/").value("content-type"), Some("text/html; charset=utf-8"));
}

#[test]
fn what_may_not_be_served_is_not_there() {
    for path in [
        "/static/missing",
        "/static/..",
        "/static/../etc/passwd",
        "/static/docs/../app.js",
        "/static/./app.js",
        "/static/.env",
        "/static/app.js\0",
        "/static/docs\\index.html",
        "/static/%2e%2e/app.js",
    ] {
        let plan = ask(&format!("GET {path}"));
        assert_eq!((plan.status, plan.value("content-length")), (404, Some("14")), "{path:?}");
    }
    assert_eq!(ask("GET /static/.well-known/security.txt").status, 200);
    // Decoded once: this is the name of a file.
    assert_eq!(ask("GET /static/%2e%2e").body, file("%2e%2e", 0, 5));
    assert_eq!(ask("GET /static/secret.txt").status, 403);
    let error = ask_of(&site(), "/static", "GET /static/broken.txt").unwrap_err();
    assert_eq!(error.raw_os_error(), Some(5));
}

#[test]
fn an_empty_prefix_leaves_the_application_what_is_no_file() {
    let ask = |request: &str| ask_of(&site(), "", request).unwrap();
    assert_eq!(ask("GET /app.js").unwrap().body, file("app.js", 0, 100));
    assert_eq!(ask("GET /").unwrap().body, file("index.html", 0, 11));
    assert_eq!(ask("GET /docs").unwrap().value("location"), Some("/docs/"));
    assert_eq!(ask("GET //docs").unwrap().value("location"), Some("/docs/"));
    assert_eq!(ask("GET /secret.txt").unwrap().status, 403);
    for request in
        ["GET /missing", "GET /bare/", "GET /.env", "GET /../x", "POST /app.js", "OPTIONS /app.js"]
    {
        assert_eq!(ask(request), None, "{request}");
    }
}

#[test]
fn a_copy_is_sent_to_who_takes_it() {
    for (accepts, name, length, coding) in [
        ("gzip, br", "app.js.br", 30, Some("br")),
        ("gzip", "app.js.gz", 40, Some("gzip")),
        ("gzip, br;q=0.9", "app.js.gz", 40, Some("gzip")),
        // There is no copy of the one that is liked best.
        ("zstd, gzip;q=0.5", "app.js.gz", 40, Some("gzip")),
        ("zstd", "app.js", 100, None),
        ("deflate", "app.js", 100, None),
        ("identity, br;q=0.5", "app.js", 100, None),
        ("*;q=0", "app.js", 100, None),
    ] {
        let plan = ask(&format!("GET /static/app.js\nAccept-Encoding: {accepts}"));
        assert_eq!(plan.body, file(name, 0, length), "{accepts}");
        assert_eq!(plan.value("content-encoding"), coding, "{accepts}");
        assert_eq!(plan.value("vary"), Some("Accept-Encoding"), "{accepts}");
        assert_eq!(plan.value("content-type"), Some("text/javascript; charset=utf-8"));
        assert_eq!(plan.value("content-length"), Some(&*length.to_string()));
        let suffix = coding.map(|coding| format!("-{coding}")).unwrap_or_default();
        assert_eq!(plan.value("etag"), Some(&*format!("\"2ebc98a1.ff-{length:x}{suffix}\"")));
    }
}

#[test]
fn copies_that_are_none() {
    // What is compressed by its nature.
    let plan = ask("GET /static/logo.png\nAccept-Encoding: gzip");
    assert_eq!((plan.body.clone(), plan.value("vary")), (file("logo.png", 0, 70), None));
    // One of an earlier state of the file, one in whose place there is a folder, one that may not be read.
    let mut memory = site();
    memory.0.insert("app.js.br".into(), (30, CHANGED - 1));
    memory.0.insert("empty.txt.gz/x".into(), (30, CHANGED));
    memory.0.insert("no.css".into(), (3, CHANGED));
    let ask = |path: &str, accepts: &str| {
        let request = format!("GET /static/{path}\nAccept-Encoding: {accepts}");
        ask_of(&memory, "/static", &request).unwrap().unwrap()
    };
    assert_eq!(ask("app.js", "br, gzip").body, file("app.js.gz", 0, 40));
    assert_eq!(ask("app.js", "br").body, file("app.js", 0, 100));
    assert_eq!(ask("empty.txt", "gzip").status, 200);
    // A copy alone is not the file.
    memory.0.remove("app.js");
    let plan = ask_of(&memory, "/static", "GET /static/app.js\nAccept-Encoding: br").unwrap();
    assert_eq!(plan.unwrap().status, 404);
    // But it is a file.
    let plan = self::ask("GET /static/app.js.gz\nAccept-Encoding: gzip");
    assert_eq!(plan.value("content-type"), Some("application/gzip"));
    assert_eq!((plan.value("content-encoding"), plan.value("vary")), (None, None));
}

#[test]
fn what_the_client_has_is_not_sent_again() {
    let tag = "\"2ebc98a1.ff-64\"";
    for condition in [
        format!("If-None-Match: {tag}"),
        format!("If-None-Match: \"x\", W/{tag}"),
        format!("If-Modified-Since: {DATE}"),
        format!("If-None-Match: {tag}\nRange: bytes=0-1"),
    ] {
        let plan = ask(&format!("GET /static/app.js\n{condition}"));
        let headers: Vec<_> = plan.headers.iter().map(|(name, value)| (*name, &**value)).collect();
        assert_eq!(headers, [("ETag", tag), ("Vary", "Accept-Encoding")], "{condition}");
        assert_eq!((plan.status, &plan.body), (304, &Body::Nothing), "{condition}");
    }
    // A copy is another representation.
    let plan = ask(&format!("GET /static/app.js\nAccept-Encoding: br\nIf-None-Match: {tag}"));
    assert_eq!(plan.status, 200);
    let again = plan.value("etag").unwrap().to_owned();
    let plan = ask(&format!("GET /static/app.js\nAccept-Encoding: br\nIf-None-Match: {again}"));
    assert_eq!(plan.status, 304);
    let plan = ask("GET /static/app.js\nIf-Match: \"x\"");
    assert_eq!((plan.status, plan.value("etag")), (412, None));
    // Conditions are about files that are there (section 13.2.1).
    for (path, status) in [("missing", 404), ("docs", 301)] {
        assert_eq!(ask(&format!("GET /static/{path}\nIf-Match: \"x\"")).status, status);
        assert_eq!(ask(&format!("GET /static/{path}\nIf-None-Match: *")).status, status);
    }
}

#[test]
fn ranges_cut_the_representation_that_is_sent() {
    for (lines, status, range, body) in [
        ("Range: bytes=0-9", 206, Some("bytes 0-9/100"), file("app.js", 0, 10)),
        ("Range: bytes=90-", 206, Some("bytes 90-99/100"), file("app.js", 90, 10)),
        ("Range: bytes=-1", 206, Some("bytes 99-99/100"), file("app.js", 99, 1)),
        (
            "Range: bytes=0-9\nAccept-Encoding: br",
            206,
            Some("bytes 0-9/30"),
            file("app.js.br", 0, 10),
        ),
        ("Range: bytes=100-", 416, Some("bytes */100"), says(416)),
        ("Range: bytes=30-\nAccept-Encoding: br", 416, Some("bytes */30"), says(416)),
        ("Range: bytes=0-1,5-6", 200, None, file("app.js", 0, 100)),
        ("Range: bytes=0-1\nRange: bytes=5-6", 200, None, file("app.js", 0, 100)),
        (
            "Range: bytes=0-1\nIf-Range: \"2ebc98a1.ff-64\"",
            206,
            Some("bytes 0-1/100"),
            file("app.js", 0, 2),
        ),
        (
            "Range: bytes=0-1\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT",
            206,
            Some("bytes 0-1/100"),
            file("app.js", 0, 2),
        ),
        ("Range: bytes=0-1\nIf-Range: W/\"2ebc98a1.ff-64\"", 200, None, file("app.js", 0, 100)),
        (
            "Range: bytes=0-1\nIf-Range: Sun, 06 Nov 1994 08:49:38 GMT",
            200,
            None,
            file("app.js", 0, 100),
        ),
        ("Range: bytes=100-\nIf-Range: \"x\"", 200, None, file("app.js", 0, 100)),
        ("If-Range: \"2ebc98a1.ff-64\"", 200, None, file("app.js", 0, 100)),
    ] {
        let plan = ask(&format!("GET /static/app.js\n{lines}"));
        let found = (plan.status, plan.value("content-range"), plan.body.clone());
        assert_eq!(found, (status, range, body), "{lines}");
        assert_eq!(plan.value("content-length"), Some(&*plan.length().to_string()), "{lines}");
        assert_eq!(plan.value("etag").is_some(), status != 416, "{lines}");
    }
    let plan = ask("GET /static/empty.txt\nRange: bytes=0-");
    let found = (plan.status, plan.value("content-length"), plan.body.clone());
    assert_eq!(found, (200, Some("0"), Body::Nothing));
}

#[test]
fn a_second_that_is_not_over_gives_no_date() {
    for (changed, is_shown) in
        [(-5, false), (NOW as i64 - 1, true), (NOW as i64, false), (NOW as i64 + 9, false)]
    {
        let mut memory = site();
        memory.0.insert("app.js".into(), (100, changed));
        let plan = ask_of(&memory, "/static", "GET /static/app.js").unwrap().unwrap();
        assert_eq!(
            (plan.status, plan.value("last-modified").is_some()),
            (200, is_shown),
            "{changed}"
        );
        assert!(plan.value("etag").is_some_and(|tag| tag.starts_with('"')));
    }
}

proptest! {
    #[test]
    fn whatever_is_asked_the_answer_is_whole(
        method in "GET|HEAD|OPTIONS|POST",
        path in "(/(/|\\.|app\\.js|docs|%2e|\\\\|a b|\u{0}|\\.\\.|\\?){0,6})?",
        lines in prop::collection::vec(
            "(Range: bytes=[0-9]{0,3}-[0-9]{0,3})|(If-(None-)?Match: (W/)?(\\*|\"[a-f0-9.-]{0,16}\"))|(Accept-Encoding: [a-z*;=0-9., ]{0,12})|(If-Range: [ -~]{0,12})",
            0..4,
        ),
    ) {
        let plan = ask(&format!("{method} /static{path}\n{}", lines.join("\n")));
        let length = plan.value("content-length").map(|length| length.parse::<u64>().unwrap());
        match plan.status {
            204 | 304 => prop_assert_eq!((length, plan.length()), (None, 0)),
            _ if method == "HEAD" => prop_assert_eq!((length.is_some(), plan.length()), (true, 0)),
            _ => prop_assert_eq!(length, Some(plan.length())),
        }
        for (name, value) in &plan.headers {
            prop_assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{} {:?}", name, value);
        }
    }
}
