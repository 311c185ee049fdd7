//! `Define`d variables and those of Apache's environment.

use std::collections::BTreeMap;

/// Replaces each `${name}` that is known; others stay as they are, as in Apache.
pub(super) fn expand<'v>(text: &str, value: impl Fn(&str) -> Option<&'v str>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        let known = from.find('}').and_then(|end| Some((value(&from[2..end])?, end)));
        match known {
            Some((value, end)) => {
                out.push_str(value);
                rest = &from[end + 1..];
            }
            None => {
                out.push_str("${");
                rest = &from[2..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// The variables that a file such as Debian's `envvars` exports: its `export NAME=value` lines, with `$NAME` and `${NAME}`
/// of earlier lines filled in. What else the shell would do there is not followed.
pub fn exported(text: &str) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::<String, String>::new();
    for line in text.lines() {
        let assignment = line.trim().strip_prefix("export ").unwrap_or(line.trim());
        let Some((name, value)) = assignment.split_once('=') else { continue };
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if name.is_empty() || !is_name {
            continue;
        }
        let value = value.trim().trim_matches(['"', '\'']);
        let value = in_shell(value, &variables);
        variables.insert(name.to_owned(), value);
    }
    variables
}

/// A value with the shell's variables filled in; an unknown one is empty.
fn in_shell(value: &str, known: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let (name, left) = match after.strip_prefix('{').and_then(|inside| inside.split_once('}')) {
            Some(braced) => braced,
            None => {
                let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                after.split_at(end.unwrap_or(after.len()))
            }
        };
        out.push_str(known.get(name).map_or("", String::as_str));
        rest = left;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_variables_are_filled_in_and_others_left() {
        let value = |name: &str| (name == "A").then_some("b${A}");
        assert_eq!(expand("x${A}/${B}${", value), "xb${A}/${B}${");
    }

    #[test]
    fn debians_variables_are_understood() {
        let text = "# comment\nunset HOME\nif [ -n \"$X\" ]; then\n\tSUFFIX=\nfi\n\
                    export APACHE_RUN_USER=www-data\n\
                    export APACHE_RUN_DIR=/var/run/apache2$SUFFIX/x\nexport A=${APACHE_RUN_DIR}y\n";
        let variables = exported(text);
        assert_eq!(variables["APACHE_RUN_USER"], "www-data");
        assert_eq!(variables["APACHE_RUN_DIR"], "/var/run/apache2/x");
        assert_eq!(variables["A"], "/var/run/apache2/xy");
    }
}
