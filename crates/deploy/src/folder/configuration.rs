//! The Apache configuration.

use minijinja::context;

use super::{Statics, optional, text as path_text};
use crate::deployment::Deployment;
use crate::render::{RenderError, render};
use crate::settings::VirtualHost;

const FILE: &str = "the Apache configuration";

/// The configuration of a deployment.
pub(super) fn text(deployment: &Deployment, statics: &Statics) -> Result<String, RenderError> {
    let head = head(deployment)?;
    let body = body(deployment, statics)?;
    let Some(host) = &deployment.settings.host else { return Ok(head + &body) };
    let indented = body
        .lines()
        .map(|line| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") });
    Ok(format!("{head}{}\n{}</VirtualHost>\n", self::host(host)?, indented.collect::<String>()))
}

fn head(deployment: &Deployment) -> Result<String, RenderError> {
    let values = context! {
        site_file => deployment.layout.site_file.clone(),
        name => deployment.settings.name.as_str(),
        kind => deployment.project.kind.title(),
        project => deployment.project.name.clone(),
        package => deployment.project.package.clone(),
        host => deployment.settings.host.is_some(),
    };
    render(FILE, include_str!("../../templates/configuration.j2"), values)
}

fn host(host: &VirtualHost) -> Result<String, RenderError> {
    let aliases: Vec<String> = host.aliases.iter().map(|alias| alias.to_string()).collect();
    let values = context! {
        server_name => host.name.as_str(),
        aliases,
        port => host.port.get(),
        unusual_port => ![80, 443].contains(&host.port.get()),
        certificate => host.tls.as_ref().map(|tls| path_text(&tls.certificate)),
        key => host.tls.as_ref().and_then(|tls| optional(tls.key.as_ref())),
    };
    render(FILE, include_str!("../../templates/host.j2"), values)
}

fn body(deployment: &Deployment, statics: &Statics) -> Result<String, RenderError> {
    let (settings, layout) = (&deployment.settings, &deployment.layout);
    let group = settings.name.plain();
    let aliases: Vec<_> = statics
        .served
        .iter()
        .map(|served| context! { url => served.url.clone(), path => path_text(&served.path) })
        .collect();
    let values = context! {
        group => group.clone(),
        warmup => settings.warmup.as_ref().map(|path| path.as_str()),
        warmup_variable => format!("${{{group}_warmup}}"),
        baseline => layout.baseline.is_some(),
        virtualenv => layout.virtualenv.is_some(),
        python_home => optional(layout.baseline.as_ref().or(layout.virtualenv.as_ref())),
        processes => settings.processes.get(),
        threads => settings.threads.get(),
        user => settings.user.as_ref().map(ToString::to_string),
        group_account => settings.group.as_ref().map(ToString::to_string),
        deployed => path_text(&layout.deployed),
        apache => path_text(&layout.apache),
        statics => aliases,
        grants => statics.grants.iter().map(|folder| path_text(folder)).collect::<Vec<_>>(),
        mount => settings.mount_point.as_str(),
        script => path_text(&layout.script()),
        test_url => deployment.test_url(),
        test_script => optional(layout.test_script().as_ref()),
    };
    render(FILE, include_str!("../../templates/body.j2"), values)
}
