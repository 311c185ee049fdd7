//! The WSGI script, as each kind of project has it, and the test script.

use minijinja::context;

use super::{optional, text as path_text};
use crate::deployment::Deployment;
use crate::project::Kind;
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

/// The part that makes `application`.
fn application(deployment: &Deployment) -> Result<String, RenderError> {
    let ini = || {
        context! {
            ini => path_text(&deployment.layout.ini),
            section => deployment.settings.section.clone(),
            logging => deployment.settings.logging && deployment.project.configures_logging(),
        }
    };
    match &deployment.project.kind {
        Kind::TurboGears(_) | Kind::Paste(_) => {
            render(FILE, include_str!("../../templates/paste.j2"), ini())
        }
        Kind::Pyramid(_) => render(FILE, include_str!("../../templates/pyramid.j2"), ini()),
        Kind::Django { settings, application } => django(deployment, settings, application),
        Kind::Flask(callable) | Kind::Callable(callable) => {
            render(FILE, include_str!("../../templates/callable.j2"), import(callable))
        }
        Kind::Script(path) => {
            let values = context! { existing => path_text(&deployment.layout.deploy(path)) };
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
    deployment: &Deployment,
    settings: &str,
    application: &Callable,
) -> Result<String, RenderError> {
    // A project may have no WSGI module of its own; Django makes the same application then.
    let present = deployment.project.module_file(&application.module).is_some();
    let values = context! {
        settings,
        module => present.then(|| application.module.clone()),
        object => application.name.clone(),
    };
    render(FILE, include_str!("../../templates/django.j2"), values)
}
