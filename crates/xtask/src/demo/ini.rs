//! A production.ini made from the development.ini that gearbox writes.

use std::path::Path;

/// Settings that gearbox fills with a secret: who knows one can forge sessions.
const SECRETS: [&str; 2] = ["session.secret", "session.validate_key"];

/// A third one, which gearbox writes into the project's code; a setting here comes before it.
const COOKIE_SECRET: &str = "sa_auth.cookie_secret";

/// Turns debugging off, puts `secret` in place of the written ones, moves the database and the cache
/// below `data`, and leaves out the development server.
pub(super) fn production(development: &str, secret: &str, data: &Path) -> String {
    let data = data.display();
    let mut section = String::new();
    let mut lines = Vec::new();
    for line in development.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            name.clone_into(&mut section);
        }
        if section == "server:main" {
            continue;
        }
        lines.push(match key(line) {
            Some("debug") => "debug = false".to_owned(),
            Some("cache_dir") => format!("cache_dir = {data}/cache"),
            Some("sqlalchemy.url") => format!("sqlalchemy.url = sqlite:///{data}/myapp.db"),
            Some("auto_reload_templates") => "auto_reload_templates = false".to_owned(),
            Some(name) if SECRETS.contains(&name) => format!("{name} = {secret}"),
            _ => line.to_owned(),
        });
        if line.trim() == "[app:main]" {
            lines.push(format!("{COOKIE_SECRET} = {secret}"));
        }
    }
    lines.join("\n") + "\n"
}

/// The name that a line sets; none for comments, sections and blanks.
fn key(line: &str) -> Option<&str> {
    if line.starts_with(['#', ';', '[', ' ', '\t']) {
        return None;
    }
    line.split_once('=').map(|(name, _)| name.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debugging_secrets_database_and_server_are_changed_and_nothing_else() {
        let development = "[DEFAULT]\n# debug = x\ndebug = true\n[server:main]\nuse = egg:gearbox#wsgiref\n\
            debug = 1\n\n[app:main]\nuse = egg:myapp\ncache_dir = %(here)s/data\nsession.secret = old\n\
            session.validate_key = old\nsqlalchemy.url = sqlite:///%(here)s/devdata.db\n\
            sqlalchemy.echo = false\n[loggers]\nkeys = root\n";
        let expected = "[DEFAULT]\n# debug = x\ndebug = false\n[app:main]\nsa_auth.cookie_secret = new\nuse = egg:myapp\n\
            cache_dir = /d/cache\nsession.secret = new\nsession.validate_key = new\n\
            sqlalchemy.url = sqlite:////d/myapp.db\nsqlalchemy.echo = false\n[loggers]\nkeys = root\n";
        assert_eq!(production(development, "new", Path::new("/d")), expected);
    }
}
