//! The ini file of a Paste Deploy application.

use std::path::Path;

use configparser::ini::Ini;
use pinion_config::Code;

use super::{quoted, shown, word};
use crate::deployment::Deployment;
use crate::finding::Finding;
use crate::ini::parse;
use crate::make_config::is_secret;
use crate::sight::Sight;

/// What documentation and templates write where a secret belongs.
const WELL_KNOWN: [&str; 8] = [
    "changeme",
    "change_me",
    "secret",
    "seekrit",
    "itsaseekreet",
    "somesecret",
    "something",
    "sosecret",
];

/// The ini file at the deployment location: there, out of development mode, with secrets of its own.
pub fn ini(deployment: &Deployment, sight: &Sight<'_>) -> Vec<Finding> {
    if deployment.project.kind.paste().is_none() {
        return Vec::new();
    }
    let file = &deployment.layout.ini;
    let text = match sight.files.read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return vec![missing(deployment, sight)];
        }
        // Its reader is root or the server; whether they can read it is another warning.
        Err(_) => return Vec::new(),
    };
    let parsed = match parse(&text) {
        Ok(parsed) => parsed,
        Err(problem) => {
            return vec![Finding::new(
                Code::IniBroken,
                format!("{}: {problem}", shown(file)),
                "the application cannot read its configuration",
                format!("correct the line: sudoedit {}", quoted(file)),
            )];
        }
    };
    let mut findings = Vec::new();
    findings.extend(debug(deployment, &parsed, file));
    findings.extend(secrets(deployment, sight, &parsed, file));
    findings.extend(proxy_prefix(deployment, &parsed, file));
    findings.extend(readable_by_all(deployment, sight, file));
    findings
}

fn missing(deployment: &Deployment, sight: &Sight<'_>) -> Finding {
    let layout = &deployment.layout;
    let here = layout.project.join(&deployment.settings.ini);
    let hint = if !layout.in_place() && sight.files.stat(&here).is_ok() {
        install_command(deployment)
    } else {
        "pinion deploy --make-config".to_owned()
    };
    Finding::new(
        Code::IniMissing,
        format!("there is no ini file at {}", shown(&layout.ini)),
        "the WSGI script loads the application from it",
        hint,
    )
}

/// What installs the project's ini file at the deployment location, for the server to read alone.
pub(crate) fn install_command(deployment: &Deployment) -> String {
    let layout = &deployment.layout;
    format!(
        "sudo install -m 0640 -o root -g {} {} {}",
        word(&deployment.settings.group_name()),
        quoted(&layout.project.join(&deployment.settings.ini)),
        quoted(&layout.ini)
    )
}

fn section(deployment: &Deployment) -> String {
    format!("app:{}", deployment.settings.section)
}

/// `set debug` of the application counts before what it inherits.
fn debug(deployment: &Deployment, ini: &Ini, file: &Path) -> Option<Finding> {
    let app = section(deployment);
    let set = ["set debug", "debug"].iter().find_map(|key| ini.get(&app, key));
    let value = set.or_else(|| ini.get("DEFAULT", "debug"))?;
    let on = ["true", "yes", "on", "1", "t", "y"].contains(&value.trim().to_lowercase().as_str());
    on.then(|| {
        Finding::new(
            Code::IniDebug,
            format!("{} is in development mode: debug = {}", shown(file), value.trim()),
            "an error shows a debugger to anyone who visits, with which they can run code",
            format!("sudo sed -i -E 's/^((set +)?debug *= *).*/\\1false/' {}", quoted(file)),
        )
    })
}

/// Secrets that others know: those of development.ini, and those that documentation shows.
fn secrets(deployment: &Deployment, sight: &Sight<'_>, ini: &Ini, file: &Path) -> Option<Finding> {
    let app = section(deployment);
    let development = deployment.layout.project.join("development.ini");
    let development = (development != file)
        .then(|| sight.files.read(&development).ok())
        .flatten()
        .and_then(|text| parse(&text).ok());
    let values = ini.get_map_ref().get(&app)?;
    let mut known: Vec<&str> = values
        .iter()
        .filter(|(key, _)| is_secret(key))
        .filter_map(|(key, value)| Some((key.as_str(), value.as_deref()?.trim())))
        .filter(|(key, value)| {
            let same = development.as_ref().and_then(|ini| ini.get(&app, key));
            same.is_some_and(|same| same.trim() == *value)
                || WELL_KNOWN.contains(&value.to_lowercase().as_str())
        })
        .map(|(key, _)| key)
        .collect();
    known.sort_unstable();
    (!known.is_empty()).then(|| {
        Finding::new(
            Code::IniSecret,
            format!("{} has a secret that others know: {}", shown(file), known.join(", ")),
            "who knows it can forge sessions and sign in as anyone",
            "pinion deploy --make-config",
        )
    })
}

fn proxy_prefix(deployment: &Deployment, ini: &Ini, file: &Path) -> Option<Finding> {
    let filter = ini.get(&section(deployment), "filter-with")?;
    filter.contains("proxy-prefix").then(|| {
        Finding::new(
            Code::ProxyPrefix,
            format!("{} has filter-with = {}", shown(file), filter.trim()),
            "it is for applications behind a proxy; Apache itself tells the mount point",
            format!("sudo sed -i 's/^filter-with/#filter-with/' {}", quoted(file)),
        )
    })
}

fn readable_by_all(deployment: &Deployment, sight: &Sight<'_>, file: &Path) -> Option<Finding> {
    let stat = sight.files.stat(file).ok().filter(|stat| stat.mode & 0o004 != 0)?;
    let (group, path) = (word(&deployment.settings.group_name()), quoted(file));
    Some(Finding::new(
        Code::IniExposed,
        format!("{} is readable by all users (mode {:04o})", shown(file), stat.mode),
        "it holds the application's secrets and perhaps the database's password",
        format!("sudo chown root:{group} {path} && sudo chmod 0640 {path}"),
    ))
}
