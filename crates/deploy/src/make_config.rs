//! `production.ini` from `development.ini`, as a careful person would make it.
//!
//! Lines are changed one by one, so that comments and order stay.

use std::path::Path;

/// What the new file is made with.
#[derive(Debug, Clone, Copy)]
pub struct Production<'a> {
    /// The site's name, for the database's file.
    pub name: &'a str,
    /// Where data goes instead of the project's folder.
    pub data: &'a Path,
    /// Where logs go instead of the project's folder.
    pub logs: &'a Path,
    /// The section that is the application: `main` for `[app:main]`.
    pub section: &'a str,
    /// Whether TurboGears loads it, which has settings of its own.
    pub turbogears: bool,
}

/// Whether a key's value is a secret.
pub fn is_secret(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or(key).to_lowercase();
    ["secret", "validate_key", "encrypt_key", "cookie_secret", "secret_key"]
        .contains(&last.as_str())
        || last.ends_with("_secret")
}

impl Production<'_> {
    /// The text of the production file; `secret` makes a fresh secret for the key that it is given,
    /// or returns the one to keep.
    pub fn make(&self, development: &str, mut secret: impl FnMut(&str) -> String) -> String {
        let blocks = blocks(development);
        let mut text = String::new();
        for block in blocks.iter().filter(|block| !block.section.starts_with("server:")) {
            let app = block.section == format!("app:{}", self.section);
            let mut lines: Vec<String> = Vec::new();
            for line in &block.lines {
                lines.push(self.line(&block.section, line, &mut secret));
            }
            if app {
                self.complete(&mut lines, &mut secret);
            }
            text.extend(lines.iter().flat_map(|line| [line.as_str(), "\n"]));
        }
        text
    }

    fn line(&self, section: &str, line: &str, secret: &mut impl FnMut(&str) -> String) -> String {
        let Some((key, value)) = entry(line) else { return comment(line) };
        let app = section.starts_with("app:") || section == "DEFAULT";
        let set = |new: &str| format!("{key} = {new}");
        match key {
            "debug" | "set debug" => set("false"),
            _ if app && is_secret(key) => set(&secret(key)),
            "auto_reload_templates" | "pyramid.reload_templates" => set("false"),
            _ if key.starts_with("pyramid.debug_") => set("false"),
            "sqlalchemy.echo" => set("false"),
            "filter-with" if value.contains("proxy-prefix") => {
                format!("# Apache tells the mount point itself: {line}")
            }
            "pyramid.includes" if !value.is_empty() => set(&without_toolbar(value)),
            "level" if value == "DEBUG" => set("INFO"),
            _ if value.contains("%(here)s") || value.starts_with("sqlite:///") => {
                set(&self.moved(key, value))
            }
            _ => line.to_owned(),
        }
    }

    /// A value whose files are in the project's folder, with them outside of it.
    fn moved(&self, key: &str, value: &str) -> String {
        // A percent sign begins a reference in such files.
        let folder = |path: &Path| path.to_string_lossy().replace('%', "%%");
        if let Some(path) = value.strip_prefix("sqlite:///") {
            let relative =
                path.strip_prefix("%(here)s/").or(Some(path)
                    .filter(|path| !path.is_empty() && !path.starts_with(['/', ':', '%'])));
            return relative.map_or_else(
                || value.to_owned(),
                |path| format!("sqlite:///{}/{}", folder(self.data), self.database(path)),
            );
        }
        let written =
            ["dir", "cache", "lock", "path", "url", "file"].iter().any(|word| key.contains(word));
        if key == "args" || value.ends_with(".log") {
            value.replace("%(here)s", &folder(self.logs))
        } else if written && !key.contains("static") && !key.contains("template") {
            value.replace("%(here)s", &folder(self.data))
        } else {
            value.to_owned()
        }
    }

    /// `devdata.db` of development is the site's own.
    fn database(&self, path: &str) -> String {
        if path == "devdata.db" {
            format!("{}.db", self.name.replace('%', "%%"))
        } else {
            path.to_owned()
        }
    }

    /// What the application's section lacks and a careful person adds, below its `use`.
    fn complete(&self, lines: &mut Vec<String>, secret: &mut impl FnMut(&str) -> String) {
        let has = |key: &str| lines.iter().any(|line| entry(line).is_some_and(|(k, _)| k == key));
        let mut added = Vec::new();
        if self.turbogears {
            if !has("set debug") && !has("debug") {
                added.push("set debug = false".to_owned());
            }
            if !has("sa_auth.cookie_secret") {
                added.push(format!("sa_auth.cookie_secret = {}", secret("sa_auth.cookie_secret")));
            }
            if !has("auto_reload_templates") {
                added.push("auto_reload_templates = false".to_owned());
            }
        }
        let uses = lines.iter().position(|line| entry(line).is_some_and(|(key, _)| key == "use"));
        let at = uses.map_or(1, |line| line + 1).min(lines.len());
        lines.splice(at..at, added);
    }
}

/// The lines of a section, its header first; the comments right above a header belong to it.
struct Block {
    section: String,
    lines: Vec<String>,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = vec![Block { section: String::new(), lines: Vec::new() }];
    for line in text.lines() {
        let header = line.strip_prefix('[').and_then(|rest| rest.split(']').next());
        if let (Some(section), Some(last)) = (header, blocks.last_mut()) {
            let above =
                last.lines.iter().rev().take_while(|line| line.starts_with(['#', ';'])).count();
            let lines = last.lines.split_off(last.lines.len() - above);
            blocks.push(Block { section: section.to_owned(), lines });
        }
        if let Some(last) = blocks.last_mut() {
            last.lines.push(line.to_owned());
        }
    }
    blocks
}

/// Key and value of a line that sets something; continued lines set nothing of their own.
fn entry(line: &str) -> Option<(&str, &str)> {
    if line.starts_with(['#', ';', '[', ' ', '\t']) {
        return None;
    }
    let (key, value) = line.split_once(['=', ':'])?;
    Some((key.trim(), value.trim()))
}

/// The head of the file says what it is for.
fn comment(line: &str) -> String {
    if line.starts_with('#') && line.contains("development environment configuration") {
        return line.replace("development", "production");
    }
    if line.trim() == "pyramid_debugtoolbar" {
        return String::new();
    }
    line.to_owned()
}

fn without_toolbar(value: &str) -> String {
    let kept: Vec<_> =
        value.split_whitespace().filter(|name| *name != "pyramid_debugtoolbar").collect();
    kept.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(development: &str) -> String {
        let production = Production {
            name: "my%app",
            data: Path::new("/var/local/my%app"),
            logs: Path::new("/var/log/my%app"),
            section: "main",
            turbogears: true,
        };
        production.make(development, |key| format!("fresh {key}"))
    }

    #[test]
    fn a_quickstarted_file_becomes_one_for_production_and_keeps_its_comments() {
        let development = "# myapp - TurboGears 2 development environment configuration\n\n[DEFAULT]\n\
            # stays\ndebug = true\n\n# goes with its section\n[server:main]\nuse = egg:gearbox#wsgiref\n\
            debug = 1\n\n# the application\n[app:main]\nuse = egg:myapp\ncache_dir = %(here)s/data\n\
            session.secret = old\n#session.secret = no\nsession.validate_key=old\n\
            beaker.session.data_dir = %(here)s/data/sessions\nstatic_files = %(here)s/public\n\
            sqlalchemy.url = sqlite:///%(here)s/devdata.db\nsqlalchemy.echo = true\n\
            filter-with = proxy-prefix\n[logger_myapp]\nlevel = DEBUG\nhandlers =\n\
            [handler_file]\nargs = ('%(here)s/myapp.log',)\n";
        let production = "# myapp - TurboGears 2 production environment configuration\n\n[DEFAULT]\n\
            # stays\ndebug = false\n\n# the application\n[app:main]\nuse = egg:myapp\n\
            set debug = false\nsa_auth.cookie_secret = fresh sa_auth.cookie_secret\n\
            auto_reload_templates = false\ncache_dir = /var/local/my%%app/data\n\
            session.secret = fresh session.secret\n#session.secret = no\n\
            session.validate_key = fresh session.validate_key\n\
            beaker.session.data_dir = /var/local/my%%app/data/sessions\nstatic_files = %(here)s/public\n\
            sqlalchemy.url = sqlite:////var/local/my%%app/my%%app.db\nsqlalchemy.echo = false\n\
            # Apache tells the mount point itself: filter-with = proxy-prefix\n[logger_myapp]\n\
            level = INFO\nhandlers =\n[handler_file]\nargs = ('/var/log/my%%app/myapp.log',)\n";
        assert_eq!(made(development), production);
    }

    #[test]
    fn databases_elsewhere_stay() {
        for url in ["postgresql://u@h/db", "sqlite:////srv/x.db", "sqlite:///:memory:", "sqlite://"]
        {
            let line = format!("sqlalchemy.url = {url}\n");
            assert!(made(&format!("[app:main]\nuse = egg:a\n{line}")).ends_with(&line), "{url}");
        }
        let relative = made("[app:main]\nsqlalchemy.url = sqlite:///app.sqlite\n");
        assert!(relative.contains("sqlite:////var/local/my%%app/app.sqlite"), "{relative}");
    }

    #[test]
    fn secrets_are_told_by_their_keys() {
        for key in [
            "session.secret",
            "session.validate_key",
            "sa_auth.cookie_secret",
            "auth.secret",
            "beaker.session.encrypt_key",
        ] {
            assert!(is_secret(key), "{key}");
        }
        for key in ["session.key", "secretary", "session.type"] {
            assert!(!is_secret(key), "{key}");
        }
    }
}
