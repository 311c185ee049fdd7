//! Sections whose lines count or do not, decided while the configuration is read.

use std::collections::BTreeSet;

use crate::directives;

/// Modules that are part of the server itself wherever it is packaged.
const BUILT_IN: &[&str] =
    &["core", "so", "http", "log_config", "logio", "version", "unixd", "watchdog"];

/// What conditions are decided by.
pub(super) struct Circumstances<'a> {
    pub(super) modules: &'a BTreeSet<String>,
    pub(super) every_module: bool,
    pub(super) is_defined: &'a dyn Fn(&str) -> bool,
    pub(super) exists: &'a dyn Fn(&str) -> bool,
}

/// Whether the lines in a section count; `None` where the section is no condition of this kind.
pub(super) fn holds(section: &str, argument: &str, known: &Circumstances<'_>) -> Option<bool> {
    let (negated, argument) = match argument.strip_prefix('!') {
        Some(rest) => (true, rest.trim()),
        None => (false, argument),
    };
    let argument = argument.trim_matches(['"', '\'']);
    let held = match section.to_ascii_lowercase().as_str() {
        "ifmodule" => known.every_module || is_loaded(argument, known.modules),
        "ifdefine" => (known.is_defined)(argument),
        "iffile" => (known.exists)(argument),
        "ifversion" => return Some(version_holds(argument, negated)),
        "ifdirective" => is_directive(argument),
        // Which sections other modules bring is not known here.
        "ifsection" => true,
        _ => return None,
    };
    Some(held != negated)
}

/// A module by its symbol (`wsgi_module`) or its file (`mod_wsgi.c`).
fn is_loaded(name: &str, modules: &BTreeSet<String>) -> bool {
    let bare = name.strip_suffix(".c").map(|file| file.strip_prefix("mod_").unwrap_or(file));
    match bare {
        None => modules.contains(name),
        // An MPM is `mpm_event_module` in event.c; the core's http_core.c is `http_module`.
        Some(file) => {
            let short = file.strip_suffix("_core").unwrap_or(file);
            BUILT_IN.contains(&short)
                || ["", "mpm_"].iter().any(|kind| modules.contains(&format!("{kind}{file}_module")))
        }
    }
}

/// Pinion's own are known; those of other modules are taken for there.
fn is_directive(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let own = lower.starts_with("wsgi") || lower.starts_with("pinion");
    !own || directives::find(name).is_some()
}

/// Any Apache 2.4 is as good as another here.
fn version_holds(argument: &str, negated: bool) -> bool {
    let (operator, version) = match argument.split_once(char::is_whitespace) {
        Some((operator, version)) => (operator, version.trim()),
        None => ("=", argument),
    };
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let wanted = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    let order = (2, 4).cmp(&wanted);
    let held = match operator {
        ">" => order.is_gt() || (order.is_eq() && parts.next().is_some()),
        ">=" => order.is_ge(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        _ => order.is_eq(),
    };
    held != negated
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(section: &str, argument: &str) -> Option<bool> {
        let modules = ["wsgi_module", "mpm_event_module"].map(String::from).into();
        holds(
            section,
            argument,
            &Circumstances {
                modules: &modules,
                every_module: false,
                is_defined: &|name| name == "HERE",
                exists: &|path| path == "/there",
            },
        )
    }

    #[test]
    fn conditions_hold_as_in_apache() {
        for (section, argument) in [
            ("IfModule", "wsgi_module"),
            ("ifmodule", "mod_wsgi.c"),
            ("IfModule", "event.c"),
            ("IfModule", "mod_log_config.c"),
            ("IfModule", "!mod_php.c"),
            ("IfDefine", "HERE"),
            ("IfDefine", "!ELSEWHERE"),
            ("IfFile", "\"/there\""),
            ("IfVersion", ">= 2.4"),
            ("IfVersion", "< 2.5"),
            ("IfDirective", "PinionPrefix"),
            ("IfDirective", "!WSGINothing"),
            ("IfDirective", "SSLEngine"),
        ] {
            assert_eq!(decide(section, argument), Some(true), "{section} {argument}");
        }
        for (section, argument) in [
            ("IfModule", "mod_php.c"),
            ("IfModule", "!wsgi_module"),
            ("IfDefine", "ELSEWHERE"),
            ("IfFile", "/gone"),
            ("IfVersion", "< 2.4"),
            ("IfVersion", "2.2"),
            ("IfDirective", "!pinionprefix"),
        ] {
            assert_eq!(decide(section, argument), Some(false), "{section} {argument}");
        }
        assert_eq!(decide("Directory", "/srv"), None);
    }
}
