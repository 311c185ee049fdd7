//! Where everything of a deployment is, computed from what was set; nothing is looked at.

use std::path::{Path, PathBuf};

use crate::project::Project;
use crate::settings::Settings;

/// The paths of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The project's folder.
    pub project: PathBuf,
    /// Where the generated files go.
    pub output: PathBuf,
    /// The application's folder at the deployment location.
    pub deployed: PathBuf,
    /// The generated files' folder as Apache sees it, below `deployed` unless it was given absolute.
    pub apache: PathBuf,
    /// The application's virtualenv.
    pub virtualenv: Option<PathBuf>,
    /// The clean virtualenv below it.
    pub baseline: Option<PathBuf>,
    /// The ini file that the WSGI script loads.
    pub ini: PathBuf,
    /// Where zipped eggs are unpacked.
    pub egg_cache: PathBuf,
    /// The application's data: sessions, cache, a database file.
    pub data: PathBuf,
    /// The application's own logs.
    pub logs: PathBuf,
    /// The generated files' names.
    pub files: FileNames,
    /// The configuration's name among Apache's sites, as in `sites-available/myapp.conf`.
    pub site_file: String,
}

/// The names of the generated files, in `Layout::output` and, deployed, in `Layout::apache`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileNames {
    /// What is left to do.
    pub readme: String,
    /// The Apache configuration.
    pub configuration: String,
    /// The WSGI script.
    pub script: String,
    /// The hello-world page; `None` when it is not wanted.
    pub test: Option<String>,
}

impl Layout {
    /// The layout of a project's deployment.
    pub fn new(project: &Project, settings: &Settings) -> Self {
        let name = settings.name.as_str();
        let deployed = settings.location.join(name);
        Self {
            project: project.root.clone(),
            output: project.root.join(&settings.output_dir),
            apache: deployed.join(&settings.output_dir),
            virtualenv: settings.virtualenv.clone(),
            baseline: settings.baseline.clone(),
            ini: deployed.join(&settings.ini),
            egg_cache: deployed.join(&settings.egg_cache),
            data: settings.data.clone(),
            logs: settings.logs.clone(),
            files: FileNames {
                readme: "README.txt".to_owned(),
                configuration: name.to_owned(),
                script: format!("{name}.wsgi"),
                test: settings.test.then(|| "test.wsgi".to_owned()),
            },
            site_file: format!("{}.conf", settings.name.plain()),
            deployed,
        }
    }

    /// The WSGI script as Apache sees it.
    pub fn script(&self) -> PathBuf {
        self.apache.join(&self.files.script)
    }

    /// The hello-world script as Apache sees it.
    pub fn test_script(&self) -> Option<PathBuf> {
        self.files.test.as_ref().map(|name| self.apache.join(name))
    }

    /// Where a path of the project is when it is deployed; paths outside stay.
    pub fn deploy(&self, path: &Path) -> PathBuf {
        let path = self.project.join(path);
        path.strip_prefix(&self.project).map_or(path.clone(), |below| self.deployed.join(below))
    }

    /// Whether the project stands at the deployment location already, so that nothing is copied.
    pub fn in_place(&self) -> bool {
        self.project == self.deployed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::{Kind, Metadata};
    use crate::settings::Choices;

    fn layout(choices: Choices) -> Layout {
        let project = Project {
            root: "/home/me/myapp".into(),
            name: "myapp".into(),
            package: None,
            kind: Kind::Script("/home/me/myapp/x.wsgi".into()),
            metadata: Metadata::default(),
        };
        let settings = Settings::complete(choices, &project.name).unwrap();
        Layout::new(&project, &settings)
    }

    #[test]
    fn the_patterns_paths() {
        let layout = layout(Choices::default());
        assert_eq!(layout.output, Path::new("/home/me/myapp/apache"));
        assert_eq!(layout.script(), Path::new("/usr/local/turbogears/myapp/apache/myapp.wsgi"));
        assert_eq!(layout.ini, Path::new("/usr/local/turbogears/myapp/production.ini"));
        assert_eq!(layout.egg_cache, Path::new("/usr/local/turbogears/myapp/python-eggs"));
        assert_eq!(layout.site_file, "myapp.conf");
        let public = Path::new("/home/me/myapp/myapp/public");
        assert_eq!(layout.deploy(public), Path::new("/usr/local/turbogears/myapp/myapp/public"));
        assert_eq!(layout.deploy(Path::new("/srv/media")), Path::new("/srv/media"));
        assert!(!layout.in_place());
    }

    #[test]
    fn absolute_paths_stay_where_they_are() {
        let layout = layout(Choices {
            output_dir: Some("/etc/site".into()),
            ini: Some("/etc/site/x.ini".into()),
            egg_cache: Some("/var/cache/eggs".into()),
            ..Choices::default()
        });
        assert_eq!(layout.output, layout.apache);
        assert_eq!(layout.ini, Path::new("/etc/site/x.ini"));
        assert_eq!(layout.egg_cache, Path::new("/var/cache/eggs"));
    }
}
