//! The WSGI script, as each kind of project has it, and the test script.

use std::path::{Path, PathBuf};

use minijinja::context;

use super::{optional, text as path_text};
use crate::deployment::Deployment;
use crate::project::{Kind, Project};
use crate::render::{RenderError, render};
use crate::values::Callable;

const FILE: &str = "the WSGI script";

/// The WSGI script of a deployment.
pub(super) fn text(deployment: &Deployment) -> Result<String, RenderError> {
    Ok(head(deployment)? + &application(deployment)?)
}

/// The hello-world script.
pub(super) fn test(deployment: &Deployment) -> Result<String, RenderError> {
    let values = context! { name => deployment.settings.name.as_str() };
    render("test.wsgi", include_str!("../../templates/test.j2"), values)
}

fn head(deployment: &Deployment) -> Result<String, RenderError> {
    let (project, layout) = (&deployment.project, &deployment.layout);
    let mut sources = vec![path_text(&layout.deployed)];
    if project.root.join("src").is_dir() {
        sources.insert(0, path_text(&layout.deployed.join("src")));
    }
    // Each is put before the one that was put before it.
    sources.reverse();
    let values = context! {
        script_name => layout.files.script.clone(),
        name => deployment.settings.name.as_str(),
        kind => project.kind.title(),
        project => project.name.clone(),
        package => project.package.clone(),
        deployed => path_text(&layout.deployed),
        virtualenv => optional(layout.virtualenv.as_ref()),
        sources,
        egg_cache => path_text(&layout.egg_cache),
    };
    render(FILE, include_str!("../../templates/script.j2"), values)
}

fn application(deployment: &Deployment) -> Result<String, RenderError> {
    let layout = &deployment.layout;
    let project = &deployment.project;
    let source = Source {
        ini: &layout.ini,
        section: &deployment.settings.section,
        logging: deployment.settings.logging && project.configures_logging(),
    };
    application_of(project, &source, |script| layout.deploy(script))
}

/// How Paste Deploy loads an application.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The ini file.
    pub ini: &'a Path,
    /// The section of it that is the application.
    pub section: &'a str,
    /// Whether it sets logging up.
    pub logging: bool,
}

/// The part of a WSGI script that makes `application`; `place` tells where a script of the project's own is.
///
/// # Errors
/// A name or path that the script cannot hold.
pub fn application_of(
    project: &Project,
    source: &Source<'_>,
    place: impl Fn(&Path) -> PathBuf,
) -> Result<String, RenderError> {
    let ini = || {
        context! {
            ini => path_text(source.ini),
            section => source.section,
            logging => source.logging,
        }
    };
    match &project.kind {
        Kind::TurboGears(_) | Kind::Paste(_) => {
            render(FILE, include_str!("../../templates/paste.j2"), ini())
        }
        Kind::Pyramid(_) => render(FILE, include_str!("../../templates/pyramid.j2"), ini()),
        Kind::Django { settings, application } => django(project, settings, application),
        Kind::Flask(callable) | Kind::Callable(callable) => {
            render(FILE, include_str!("../../templates/callable.j2"), import(callable))
        }
        Kind::Script(path) => {
            let values = context! { existing => path_text(&place(path)) };
            render(FILE, include_str!("../../templates/existing.j2"), values)
        }
    }
}

/// What to import for a callable: of `module:name.attribute`, the name.
fn import(callable: &Callable) -> minijinja::Value {
    context! {
        module => callable.module.clone(),
        object => callable.name.split('.').next(),
        name_in_module => callable.name.clone(),
        factory => callable.factory,
    }
}

fn django(
    project: &Project,
    settings: &str,
    application: &Callable,
) -> Result<String, RenderError> {
    // A project may have no WSGI module of its own; Django makes the same application then.
    let present = project.module_file(&application.module).is_some();
    let values = context! {
        settings,
        module => present.then(|| application.module.clone()),
        object => application.name.clone(),
    };
    render(FILE, include_str!("../../templates/django.j2"), values)
}
