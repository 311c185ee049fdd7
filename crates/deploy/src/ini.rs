//! Ini files as Python's configparser reads them, told where they are broken.

use std::collections::HashSet;

use configparser::ini::{Ini, IniDefault};

/// Parses an ini file; names of keys keep their case.
///
/// # Errors
/// The line, what is wrong there, and what was expected.
pub fn parse(text: &str) -> Result<Ini, String> {
    check(text)?;
    let mut rules = IniDefault::default();
    rules.case_sensitive = true;
    rules.multiline = true;
    // `;` and `#` begin comments only at the start of a line, as for Paste Deploy.
    rules.enable_inline_comments = false;
    let mut ini = Ini::new_from_defaults(rules);
    ini.read(text.to_owned())?;
    Ok(ini)
}

/// What configparser refuses and a lenient parser lets through: keys before the first section, keys
/// without a value, and what is there twice.
fn check(text: &str) -> Result<(), String> {
    let mut section: Option<&str> = None;
    let mut seen: HashSet<(Option<&str>, &str)> = HashSet::new();
    let mut key_indent = None;
    for (number, line) in (1..).zip(text.lines()) {
        let trimmed = line.trim();
        let indent = line.len() - line.trim_start().len();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if key_indent.is_some_and(|key| indent > key) {
            continue;
        }
        if let Some(rest) = trimmed.strip_prefix('[') {
            let Some((name, _)) = rest.rsplit_once(']') else {
                return Err(format!(
                    "line {number}: `{trimmed}` has no closing bracket; expected [section]"
                ));
            };
            if !seen.insert((Some(name), "")) {
                return Err(format!("line {number}: section [{name}] is there twice"));
            }
            (section, key_indent) = (Some(name), None);
            continue;
        }
        let Some((key, _)) = trimmed.split_once(['=', ':']).filter(|(key, _)| !key.is_empty())
        else {
            return Err(format!("line {number}: `{trimmed}` is neither [section] nor key = value"));
        };
        let Some(name) = section else {
            return Err(format!(
                "line {number}: `{}` stands before the first [section]",
                key.trim()
            ));
        };
        if !seen.insert((section, key.trim())) {
            return Err(format!("line {number}: `{}` is there twice in [{name}]", key.trim()));
        }
        key_indent = Some(indent);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_percent_signs_and_continue_on_indented_lines() {
        let ini = parse("[DEFAULT]\ndebug = true\n[app:main]\nuse = egg:a\n# x\nlist =\n  a\n  b=c\nformat = %(x)s ; y\n").unwrap();
        assert_eq!(ini.get("app:main", "use").unwrap(), "egg:a");
        assert_eq!(ini.get("app:main", "format").unwrap(), "%(x)s ; y");
        assert_eq!(ini.get("app:main", "list").unwrap().trim(), "a\nb=c");
    }

    #[test]
    fn broken_files_are_told_by_line() {
        for (text, problem) in [
            ("a = 1\n", "line 1: `a` stands before the first [section]"),
            ("[a]\nx\n", "line 2: `x` is neither [section] nor key = value"),
            ("[a\n", "line 1: `[a` has no closing bracket; expected [section]"),
            ("[a]\nx=1\nx=2\n", "line 3: `x` is there twice in [a]"),
            ("[a]\n[a]\n", "line 2: section [a] is there twice"),
            ("[a]\n= 2\n", "line 2: `= 2` is neither [section] nor key = value"),
        ] {
            assert_eq!(parse(text).unwrap_err(), problem);
        }
    }
}
