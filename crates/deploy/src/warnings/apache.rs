//! What the web server lacks.

use std::collections::BTreeSet;
use std::path::Path;

use pinion_config::Code;

use super::{quoted, shown};
use crate::deployment::Deployment;
use crate::finding::Finding;
use crate::sight::Sight;

/// Where distributions have Apache's program.
const PROGRAMS: [&str; 3] =
    ["/usr/sbin/apache2", "/usr/sbin/httpd", "/usr/local/apache2/bin/httpd"];

/// Apache itself and the modules that the generated configuration uses; where a distribution does not
/// have Debian's `mods-enabled`, modules are left to `apachectl configtest`.
pub fn apache(deployment: &Deployment, sight: &Sight<'_>) -> Vec<Finding> {
    if !PROGRAMS.iter().any(|program| sight.files.stat(Path::new(program)).is_ok()) {
        return vec![Finding::new(
            Code::ApacheMissing,
            "Apache is not installed",
            format!("none of {} is there", PROGRAMS.join(", ")),
            "sudo apt install apache2",
        )];
    }
    let Some(loaded) = loaded(sight) else { return Vec::new() };
    let missing = needed(deployment).into_iter().filter(|(name, _)| !loaded.contains(*name));
    missing.map(|(name, why)| lacking(sight, name, why)).collect()
}

fn needed(deployment: &Deployment) -> Vec<(&'static str, &'static str)> {
    let mut needed = vec![
        ("wsgi", "it runs the application; Pinion's module and mod_wsgi both have this name"),
        ("authz_core", "`Require all granted` is its directive"),
        ("alias", "`Alias` for the static files is its directive"),
    ];
    if deployment.settings.host.as_ref().is_some_and(|host| host.tls.is_some()) {
        needed.push(("ssl", "the virtual host has a certificate"));
    }
    needed
}

/// The modules that the files in `mods-enabled` load; `None` where there is no such folder.
fn loaded(sight: &Sight<'_>) -> Option<BTreeSet<String>> {
    let folder = sight.apache.join("mods-enabled");
    let names = sight.files.list(&folder).ok()?;
    let texts = names
        .iter()
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "load"))
        .filter_map(|name| sight.files.read(&folder.join(name)).ok());
    let module = |line: &str| {
        let mut words = line.split_whitespace();
        let directive = words.next()?.eq_ignore_ascii_case("LoadModule");
        directive.then(|| words.next()?.strip_suffix("_module").map(str::to_owned))?
    };
    Some(texts.flat_map(|text| text.lines().filter_map(module).collect::<Vec<_>>()).collect())
}

fn lacking(sight: &Sight<'_>, name: &str, why: &str) -> Finding {
    let available = sight.apache.join(format!("mods-available/{name}.load"));
    let mut hint = format!("sudo a2enmod {name}");
    if name == "wsgi" && sight.files.stat(&available).is_err() {
        let module = sight.module.as_deref().unwrap_or(Path::new("/path/to/mod_pinion.so"));
        let line = super::word(&format!("LoadModule wsgi_module \"{}\"", shown(module)));
        hint = format!("echo {line} | sudo tee {} && {hint}", quoted(&available));
    }
    Finding::new(Code::ModuleMissing, format!("Apache does not load the module {name}"), why, hint)
}
