//! README.txt: the steps for this very project.

use minijinja::context;

use super::{optional, text as path_text};
use crate::deployment::Deployment;
use crate::finding::Finding;
use crate::render::{RenderError, render};
use crate::steps::Step;

/// The README of a deployment.
pub(super) fn text(
    deployment: &Deployment,
    steps: &[Step],
    findings: &[Finding],
) -> Result<String, RenderError> {
    let title = format!("Deploying {}", deployment.settings.name);
    let steps: Vec<_> = steps
        .iter()
        .map(|step| {
            context! { title => step.title.clone(), done => step.done, notes => step.notes.clone(), commands => step.commands.clone() }
        })
        .collect();
    let findings: Vec<_> = findings
        .iter()
        .map(|finding| {
            context! {
                what => finding.what.clone(), why => finding.why.clone(), hint => finding.hint.clone(),
                code => finding.code.as_str(),
            }
        })
        .collect();
    let values = context! {
        rule => "=".repeat(title.chars().count()),
        title,
        rows => rows(deployment),
        steps,
        findings,
    };
    render("README.txt", include_str!("../../templates/readme.j2"), values)
}

/// Names and values of what is easily confused: project and package, virtualenv and folder.
fn rows(deployment: &Deployment) -> Vec<minijinja::Value> {
    let (project, layout) = (&deployment.project, &deployment.layout);
    let none = || "none".to_owned();
    let rows = [
        ("project", format!("{} ({})", project.name, project.kind.title())),
        ("package", project.package.clone().unwrap_or_else(none)),
        ("project's folder", path_text(&project.root)),
        ("deployed application", path_text(&layout.deployed)),
        ("its virtualenv", optional(layout.virtualenv.as_ref()).unwrap_or_else(none)),
        ("baseline below it", optional(layout.baseline.as_ref()).unwrap_or_else(none)),
        ("Apache configuration", format!("sites-available/{}", layout.site_file)),
        ("WSGI script", path_text(&layout.script())),
        ("address", deployment.address()),
    ];
    let padded = |name: &str| format!("{name:<21}");
    rows.into_iter().map(|(name, value)| context! { name => padded(name), value }).collect()
}
