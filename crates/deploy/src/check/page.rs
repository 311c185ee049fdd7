//! What a page refers to.

/// The paths of scripts, style sheets and images that a page of this host refers to, absolute, each once, in order.
///
/// `base` is the page's own path. Only what a browser would ask for by itself counts: links to other pages do not.
pub(super) fn resources(page: &str, base: &str, host: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for tag in page.split('<').skip(1) {
        let name_end = tag.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(tag.len());
        let attribute = match tag[..name_end].to_ascii_lowercase().as_str() {
            "script" | "img" | "input" | "source" => "src",
            "link" => "href",
            _ => continue,
        };
        let end = tag.find('>').unwrap_or(tag.len());
        let path = attribute_value(&tag[name_end..end], attribute)
            .and_then(|value| absolute(&value, base, host));
        if let Some(path) = path.filter(|path| !found.contains(path)) {
            found.push(path);
        }
    }
    found
}

/// The words of a page, one line for each run of them; not those of its head, scripts and styles.
pub(super) fn text(page: &str) -> String {
    let mut lines = Vec::new();
    let mut hidden: Option<String> = None;
    for part in page.split('<') {
        let (tag, words) = part.split_once('>').unwrap_or(("", part));
        let name = tag.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
        match &hidden {
            Some(until) if name == format!("/{until}") => hidden = None,
            None if ["head", "script", "style", "nav", "footer"].contains(&name.as_str()) => {
                hidden = Some(name);
            }
            _ => {}
        }
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        if hidden.is_none() && !words.is_empty() {
            lines.push(words);
        }
    }
    lines.truncate(MOST_LINES);
    lines.join("\n")
}

/// How much of a page is shown.
const MOST_LINES: usize = 40;

/// Where a redirect of this host leads; `None` when to another one.
pub(super) fn absolute(reference: &str, base: &str, host: &str) -> Option<String> {
    let reference = reference.split('#').next().unwrap_or_default().trim();
    let path = match reference.split_once("://") {
        Some(("http" | "https", rest)) => of_host(rest, host)?,
        Some(_) => return None,
        None => match reference.strip_prefix("//") {
            Some(rest) => of_host(rest, host)?,
            None => reference.to_owned(),
        },
    };
    match path.chars().next()? {
        '/' => Some(path),
        _ if path.split('/').next().is_some_and(|first| first.contains(':')) => None,
        '?' => Some(format!("{}{path}", base.split('?').next().unwrap_or_default())),
        _ => {
            let folder = base.split('?').next().unwrap_or_default().rsplit_once('/')?.0;
            Some(without_dots(&format!("{folder}/{path}")))
        }
    }
}

fn of_host(rest: &str, host: &str) -> Option<String> {
    let end = rest.find('/').unwrap_or(rest.len());
    let name = rest[..end].split(':').next().unwrap_or_default();
    name.eq_ignore_ascii_case(host).then(|| match &rest[end..] {
        "" => "/".to_owned(),
        path => path.to_owned(),
    })
}

fn without_dots(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." if parts.len() > 1 => {
                parts.pop();
            }
            ".." => {}
            other => parts.push(other),
        }
    }
    parts.join("/")
}

/// The value of an attribute in a tag's text, with the few entities that addresses hold.
fn attribute_value(tag: &str, name: &str) -> Option<String> {
    let lower = tag.to_ascii_lowercase();
    let at = lower.match_indices(name).map(|(at, _)| at).find(|at| {
        let before = lower[..*at].chars().next_back();
        let after = lower[at + name.len()..].trim_start();
        before.is_some_and(char::is_whitespace) && after.starts_with('=')
    })?;
    let value = tag[at + name.len()..].trim_start().strip_prefix('=')?.trim_start();
    let value = match value.chars().next()? {
        quote @ ('"' | '\'') => value[1..].split(quote).next()?,
        _ => value.split_whitespace().next()?.trim_end_matches('/'),
    };
    Some(value.replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_would_ask_for_is_found_once() {
        let page = r#"<html><head><LINK rel=stylesheet HREF='/shop/a.css'/>
            <script data-src="no" src = "/shop/b.js?x=1&amp;y=2"></script>
            <script src="/shop/b.js?x=1&amp;y=2"></script><script>x = "src=/no"</script>
            <img src=c.png><img src="http://shop.test:8080/d.png"><img src="//cdn.test/e.png">
            <img src="data:image/png;base64,AA"><a href="/page">p</a>"#;
        assert_eq!(
            resources(page, "/shop/page", "shop.test"),
            ["/shop/a.css", "/shop/b.js?x=1&y=2", "/shop/c.png", "/d.png"]
        );
    }

    #[test]
    fn the_words_of_a_page_are_those_that_a_person_reads() {
        let page = "<!DOCTYPE html><html><head><title>T</title><style>p {}</style></head>\
                    <body><nav><a>home</a></nav><h1>Error\n  500</h1><p>We are <b>sorry</b>.</p>\
                    <script>x < y</script></body>";
        assert_eq!(text(page), "Error 500\nWe are\nsorry\n.");
        assert_eq!(text("plain words"), "plain words");
    }

    #[test]
    fn references_are_resolved_against_the_page() {
        let to = |reference: &str| absolute(reference, "/a/b?q", "h.test");
        assert_eq!(to("c").as_deref(), Some("/a/c"));
        assert_eq!(to("../c/./d").as_deref(), Some("/c/d"));
        assert_eq!(to("../../../c").as_deref(), Some("/c"));
        assert_eq!(to("?x").as_deref(), Some("/a/b?x"));
        assert_eq!(to("http://H.test").as_deref(), Some("/"));
        assert_eq!(to("/x#y").as_deref(), Some("/x"));
        for other in ["", "#x", "mailto:a@b", "ftp://h.test/", "http://other.test/"] {
            assert_eq!(to(other), None, "{other}");
        }
    }
}
