//! Whether the user that the application runs as may do what it has to.

use std::path::{Path, PathBuf};

use pinion_config::Code;
use pinion_config::access::{Credentials, Denied, Want, reach};

use super::{owner, quoted, shown, word};
use crate::deployment::Deployment;
use crate::finding::Finding;
use crate::project::Kind;
use crate::sight::Sight;

/// The paths that the user passes and reads, and the egg cache that it writes.
pub fn access(deployment: &Deployment, sight: &Sight<'_>) -> Vec<Finding> {
    let user = deployment.settings.user_name();
    let Some(runner) = sight.runner(&deployment.settings) else {
        return vec![Finding::new(
            Code::UserUnknown,
            format!("the user {user} or the group {} is unknown", deployment.settings.group_name()),
            "the application cannot run as somebody who does not exist",
            format!("sudo adduser --system --group {}", word(&user)),
        )];
    };
    let mut findings: Vec<Finding> = Vec::new();
    for path in read(deployment) {
        let denied = reach(sight.files, &runner, &path, Want::Read);
        let finding = denied.err().and_then(|denied| refused(&user, &path, &denied));
        findings.extend(finding.filter(|finding| !findings.contains(finding)));
    }
    findings.extend(egg_cache(deployment, sight, &runner));
    findings
}

/// What the application's processes read.
fn read(deployment: &Deployment) -> Vec<PathBuf> {
    let layout = &deployment.layout;
    let mut paths = vec![layout.deployed.clone(), layout.script()];
    if deployment.project.kind.paste().is_some() {
        paths.push(layout.ini.clone());
    }
    paths.extend(layout.baseline.as_ref().map(|home| home.join("bin/python")));
    paths.extend(layout.virtualenv.as_ref().map(|home| home.join("lib")));
    paths
}

/// A missing path is another warning's.
fn refused(user: &str, path: &Path, denied: &Denied) -> Option<Finding> {
    if let Denied::Missing(_) = denied {
        return None;
    }
    let remedy = denied.remedy();
    Some(Finding::new(
        Code::PathRefused,
        format!("{user} cannot reach {}: {denied}", shown(path)),
        "the application's processes run as that user",
        if remedy.is_empty() {
            format!("sudo namei -l {}", quoted(path))
        } else {
            format!("sudo {remedy}")
        },
    ))
}

fn egg_cache(deployment: &Deployment, sight: &Sight<'_>, runner: &Credentials) -> Option<Finding> {
    let (user, path) = (deployment.settings.user_name(), &deployment.layout.egg_cache);
    let denied = reach(sight.files, runner, path, Want::Write).err()?;
    let (what, hint) = match &denied {
        // Its warning is that the project is not deployed, or that the way there is closed.
        Denied::Missing(missing) if missing != path => return None,
        Denied::NoPassage { .. } => return None,
        Denied::Missing(_) => {
            let (user, group) = (word(&user), word(&deployment.settings.group_name()));
            let hint = format!("sudo install -d -o {user} -g {group} {}", quoted(path));
            (format!("there is no egg cache at {}", shown(path)), hint)
        }
        _ => {
            let hint = format!("sudo chown {} {}", owner(deployment), quoted(path));
            (format!("the egg cache {} cannot be written by {user}", shown(path)), hint)
        }
    };
    Some(Finding::new(
        Code::EggCacheRefused,
        what,
        "packages in zipped eggs with compiled parts are unpacked there",
        hint,
    ))
}

/// A SQLite database: its file and its folder, which holds the journal.
pub fn database(deployment: &Deployment, sight: &Sight<'_>) -> Option<Finding> {
    let file = database_file(deployment, sight)?;
    let folder = file.parent()?;
    let runner = sight.runner(&deployment.settings)?;
    sight.files.stat(&file).ok()?;
    let denied = [file.as_path(), folder]
        .into_iter()
        .find(|path| reach(sight.files, &runner, path, Want::Write).is_err())?;
    let user = deployment.settings.user_name();
    Some(Finding::new(
        Code::DatabaseRefused,
        format!(
            "the database {} cannot be written by {user}: {} is not its to write",
            shown(&file),
            shown(denied)
        ),
        "pages show, but each change is answered 500",
        format!("sudo chown {} {} {}", owner(deployment), quoted(folder), quoted(&file)),
    ))
}

/// The SQLite file that the ini file's `sqlalchemy.url` or Django's settings name.
pub fn database_file(deployment: &Deployment, sight: &Sight<'_>) -> Option<PathBuf> {
    let layout = &deployment.layout;
    match &deployment.project.kind {
        Kind::Django { settings, .. } => {
            let file = deployment.project.module_file(settings)?;
            let source = std::fs::read_to_string(file).ok()?;
            // As startproject writes it: 'NAME': BASE_DIR / 'db.sqlite3'.
            let (_, name) = source.split_once("'NAME': BASE_DIR / ")?;
            let name = name.split(['\'', '"']).nth(1)?;
            Some(layout.deployed.join(name))
        }
        kind => {
            kind.paste()?;
            let ini = crate::ini::parse(&sight.files.read(&layout.ini).ok()?).ok()?;
            let app = format!("app:{}", deployment.settings.section);
            let url = ini.get(&app, "sqlalchemy.url")?;
            let path = url.trim().strip_prefix("sqlite:///")?.split('?').next()?;
            let here = layout.ini.parent()?;
            let path = path.replace("%(here)s", &here.to_string_lossy()).replace("%%", "%");
            (!path.is_empty()).then(|| layout.deployed.join(path))
        }
    }
}
