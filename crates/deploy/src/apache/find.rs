//! Finding an Apache and its configuration.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Apache, ApacheError, Sites};

/// Where distributions put the configuration's root, the main file in it, and the program.
const USUAL: &[(&str, &str, &str)] = &[
    ("/etc/apache2", "apache2.conf", "/usr/sbin/apache2"),
    ("/etc/httpd", "conf/httpd.conf", "/usr/sbin/httpd"),
    ("/etc/apache2", "httpd.conf", "/usr/sbin/httpd"),
    ("/usr/local/apache2", "conf/httpd.conf", "/usr/local/apache2/bin/httpd"),
    ("/usr/local/etc/apache24", "httpd.conf", "/usr/local/sbin/httpd"),
];

/// Main configuration files that a named folder may hold.
const MAIN_FILES: &[&str] = &["apache2.conf", "httpd.conf", "conf/httpd.conf"];

/// The Apache whose configuration is at `named` (a folder, or its main file), else the system's.
///
/// # Errors
/// There is none, or what was named holds no configuration.
pub fn find(named: Option<&Path>) -> Result<Apache, ApacheError> {
    match named {
        Some(path) => at(path),
        None => system(),
    }
}

fn system() -> Result<Apache, ApacheError> {
    let found = USUAL
        .iter()
        .find(|(root, file, program)| {
            Path::new(program).exists() && Path::new(root).join(file).exists()
        })
        .ok_or_else(missing)?;
    let (root, file, program) = *found;
    let config = Path::new(root).join(file);
    describe(PathBuf::from(program), PathBuf::from(root), config, true)
}

fn missing() -> ApacheError {
    let mut programs: Vec<&str> = USUAL.iter().map(|(_, _, program)| *program).collect();
    programs.dedup();
    ApacheError::Missing { looked: programs.join(", ") }
}

fn at(path: &Path) -> Result<Apache, ApacheError> {
    let no = |expected| ApacheError::NoConfiguration { path: path.to_owned(), expected };
    let path = path.canonicalize().map_err(|_absent| no("a folder or file that exists"))?;
    let (root, config) = if path.is_dir() {
        let files = MAIN_FILES.iter().map(|name| path.join(name));
        let config = files.into_iter().find(|file| file.exists());
        (
            path.clone(),
            config.ok_or_else(|| no("apache2.conf, httpd.conf or conf/httpd.conf in it"))?,
        )
    } else {
        let folder = path.parent().ok_or_else(|| no("a file in a folder"))?;
        let conf = folder.file_name().is_some_and(|name| name == "conf");
        let root = if conf { folder.parent().unwrap_or(folder) } else { folder };
        (root.to_owned(), path.clone())
    };
    let beside = [root.join("bin/httpd"), root.join("bin/apache2")];
    let usual = USUAL.iter().map(|(_, _, program)| PathBuf::from(program));
    let program = beside.into_iter().chain(usual).find(|p| p.exists()).ok_or_else(missing)?;
    let system = USUAL.iter().any(|(usual, file, _)| Path::new(usual).join(file) == config);
    describe(program, root, config, system)
}

fn describe(
    program: PathBuf,
    root: PathBuf,
    config: PathBuf,
    system: bool,
) -> Result<Apache, ApacheError> {
    let environment = environment(&root)?;
    let sites = sites(&root, &config);
    Ok(Apache { program, root, config, sites, system, environment })
}

/// How sites are added there.
fn sites(root: &Path, config: &Path) -> Sites {
    let debian = ["sites-available", "sites-enabled"].iter().all(|name| root.join(name).is_dir());
    if debian && super::control::debian_tool("a2ensite").is_some() {
        return Sites::Debian;
    }
    let text = std::fs::read_to_string(config).unwrap_or_default();
    included_folder(&text, root)
        .filter(|folder| folder.is_dir())
        .map_or(Sites::ByHand, Sites::Folder)
}

/// The last folder of which a configuration includes each `*.conf`; the last, since what stands
/// there may count on all that came before.
fn included_folder(text: &str, root: &Path) -> Option<PathBuf> {
    text.lines()
        .filter_map(|line| {
            let (directive, arguments) = pinion_config::words::next_word(line.trim())?;
            let include = ["include", "includeoptional"];
            include.contains(&directive.to_ascii_lowercase().as_str()).then_some(())?;
            let (pattern, _) = pinion_config::words::next_word(arguments)?;
            let folder = pattern.strip_suffix("/*.conf")?;
            (!folder.contains(['*', '?', '['])).then(|| root.join(folder))
        })
        .next_back()
}

/// What `envvars` sets: a shell reads it, as Debian's own tools let one.
fn environment(root: &Path) -> Result<Vec<(String, String)>, ApacheError> {
    let file = root.join("envvars");
    if !file.exists() {
        return Ok(Vec::new());
    }
    let failed = |reason: String| ApacheError::Environment { path: file.clone(), reason };
    let run = |script: &str| {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", script, "sh"]).arg(&file).env_clear();
        shell.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("APACHE_CONFDIR", root);
        shell.output().map_err(|error| failed(error.to_string()))
    };
    let output = run(". \"$1\" && env -0")?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    let shells = ["PATH", "PWD", "OLDPWD", "SHLVL", "_", "APACHE_CONFDIR"];
    Ok(String::from_utf8_lossy(&output.stdout)
        .split('\0')
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| !shells.contains(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_included_folder_is_for_sites() {
        let text =
            "# Include x/*.conf\nInclude conf.modules.d/*.conf\nIncludeOptional conf.d/*.conf\n";
        let found = included_folder(text, Path::new("/etc/httpd"));
        assert_eq!(found, Some(PathBuf::from("/etc/httpd/conf.d")));
        assert_eq!(included_folder("Include conf/extra/httpd-mpm.conf\n", Path::new("/x")), None);
    }

    #[test]
    fn a_named_folder_without_a_configuration_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = find(Some(folder.path())).unwrap_err().to_string();
        assert!(
            error.ends_with("expected apache2.conf, httpd.conf or conf/httpd.conf in it"),
            "{error}"
        );
        let error = find(Some(Path::new("/no/such"))).unwrap_err().to_string();
        assert_eq!(
            error,
            "/no/such is no Apache configuration: expected a folder or file that exists"
        );
    }

    #[test]
    fn a_private_configuration_is_found_with_its_variables() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("conf.d")).unwrap();
        std::fs::write(root.join("httpd.conf"), "IncludeOptional conf.d/*.conf\n").unwrap();
        std::fs::write(root.join("envvars"), "export APACHE_LOG_DIR=$APACHE_CONFDIR/logs\n")
            .unwrap();
        let apache = find(Some(&root)).unwrap();
        assert!(!apache.system);
        assert_eq!(apache.site_file("x"), Some(root.join("conf.d/x.conf")));
        let logs = root.join("logs").display().to_string();
        assert_eq!(apache.environment, [("APACHE_LOG_DIR".to_owned(), logs)]);
        assert_eq!(find(Some(&root.join("httpd.conf"))).unwrap(), apache);
    }
}
