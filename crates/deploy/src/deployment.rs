//! A project with its settings and paths: what every command begins with.

use std::path::Path;

use crate::error::Result;
use crate::layout::Layout;
use crate::project::Project;
use crate::settings::{Choices, Given, Settings};
use crate::store::Store;

/// A project, how it is to be deployed, and where everything is.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// What is deployed.
    pub project: Project,
    /// How.
    pub settings: Settings,
    /// Where everything is.
    pub layout: Layout,
    /// The project's `pinion.toml`, with what was given now; not written yet.
    pub store: Store,
}

impl Deployment {
    /// Recognises the project in `root` and completes its settings: from `given`, what the command
    /// line says, else from `pinion.toml`, else the defaults. Nothing is written.
    ///
    /// # Errors
    /// There is no project, or a value is not what its parameter takes.
    pub fn load(root: &Path, given: &[Given]) -> Result<Self> {
        let mut store = Store::read(root)?;
        let all: Vec<Given> = given.iter().chain(store.given()).cloned().collect();
        let choices = Choices::read(&all)?;
        let project = Project::find(root, &choices)?;
        let settings = Settings::complete(choices, &project.name)?;
        let layout = Layout::new(&project, &settings);
        store.keep(given);
        Ok(Self { project, settings, layout, store })
    }
    /// The path of the test page on the server: beside the application, never below it.
    pub fn test_url(&self) -> String {
        let mount = &self.settings.mount_point;
        if mount.is_root() { "/wsgi-test".to_owned() } else { format!("{mount}-test") }
    }

    /// Where a browser finds the application.
    pub fn address(&self) -> String {
        format!("{}{}", self.server(), self.settings.mount_point)
    }

    /// Where a browser finds the test page, once it is enabled.
    pub fn test_address(&self) -> Option<String> {
        self.settings.test.then(|| format!("{}{}", self.server(), self.test_url()))
    }

    fn server(&self) -> String {
        let Some(host) = &self.settings.host else { return "http://localhost".to_owned() };
        let (scheme, usual) = if host.tls.is_some() { ("https", 443) } else { ("http", 80) };
        let port = host.port.get();
        if port == usual {
            format!("{scheme}://{}", host.name)
        } else {
            format!("{scheme}://{}:{port}", host.name)
        }
    }
}
