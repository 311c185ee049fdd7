//! The Apache that serves the project, and the script that loads it.

use std::path::Path;

use pinion_testbed::{Server, Site};

use super::project::Project;
use crate::failure::Result;

/// Where the project is served besides `/`.
pub(super) const MOUNT_POINT: &str = "/myapp";

/// A site that serves the project twice: at `/` by a group that runs the project's virtualenv, and
/// at a mount point by one that runs an empty baseline with the project's packages on top.
pub(super) fn site(server: &Server, project: &Project) -> Result<Site> {
    let mut site = Site::new(server)?;
    let folder = project.folder.display();
    let packages = project.site_packages()?;
    let packages = packages.display();
    site.config(format!(
        "WSGIDaemonProcess myapp processes=2 threads=15 display-name=%{{GROUP}} home={folder}/data \
         python-home={folder}/venv python-eggs={folder}/data/eggs
WSGIDaemonProcess myapp-mounted processes=2 threads=15 display-name=%{{GROUP}} home={folder}/data \
         python-home={folder}/baseline python-path={packages} python-eggs={folder}/data/eggs
<Directory {folder}>
    AllowOverride None
    Require all granted
</Directory>
"
    ));
    // The longer prefix first: Apache takes the first that matches.
    for (prefix, group) in [(MOUNT_POINT, "myapp-mounted"), ("", "myapp")] {
        site.config(mount(&project.folder, prefix, group));
    }
    Ok(site)
}

fn mount(folder: &Path, prefix: &str, group: &str) -> String {
    let public = folder.join("myapp/myapp/public");
    let mut text = String::new();
    for name in ["css", "img", "favicon.ico"] {
        text.push_str(&format!("Alias {prefix}/{name} {}/{name}\n", public.display()));
    }
    let url = if prefix.is_empty() { "/" } else { prefix };
    let script = folder.join("apache/myapp.wsgi");
    text.push_str(&format!(
        "WSGIScriptAlias {url} {} process-group={group} application-group=%{{GLOBAL}}\n",
        script.display()
    ));
    text
}

/// The script: the configuration's loggers, then its application.
pub(super) fn script(folder: &Path) -> String {
    format!(
        r#""""The demo project, for Apache.

It is written anew by each demo."""
import os
from logging.config import fileConfig

folder = {folder:?}
os.environ["PYTHON_EGG_CACHE"] = folder + "/data/eggs"
configuration = folder + "/production.ini"
fileConfig(configuration, defaults={{"here": folder}}, disable_existing_loggers=False)

from paste.deploy import loadapp

application = loadapp("config:" + configuration)
"#,
        folder = folder.display().to_string()
    )
}
