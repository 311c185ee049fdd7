//! The steps of a deployment as the README has them: what a person types, and what is done already.

use pinion_config::Code;

use crate::deployment::Deployment;
use crate::finding::Finding;
use crate::project::Kind;
use crate::sight::Sight;
use crate::warnings::{
    baseline_command, copy_command, create_command, database_file, owner, quoted,
};

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it does, as a person says it.
    pub title: String,
    /// Whether it is done, as far as can be seen.
    pub done: bool,
    /// What a person types, one command each.
    pub commands: Vec<String>,
    /// What to know about it.
    pub notes: Vec<String>,
}

impl Step {
    fn new(title: impl Into<String>, done: bool, commands: Vec<String>) -> Self {
        Self { title: title.into(), done, commands, notes: Vec::new() }
    }

    fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }
}

/// The steps for a deployment, in their order; a step is done when nothing was found missing for it.
pub fn steps(deployment: &Deployment, sight: &Sight<'_>, findings: &[Finding]) -> Vec<Step> {
    let lacks = |codes: &[Code]| findings.iter().any(|finding| codes.contains(&finding.code));
    let mut steps = vec![server(deployment, findings)];
    if deployment.layout.baseline.is_some() {
        let missing = lacks(&[Code::BaselineMissing]);
        let command = baseline_command(deployment);
        steps.push(Step::new("The baseline: an empty virtualenv", !missing, vec![command]));
    }
    if deployment.layout.virtualenv.is_some() {
        let missing = lacks(&[
            Code::VirtualenvMissing,
            Code::VirtualenvBroken,
            Code::PackageMissing,
            Code::VersionsDiffer,
        ]);
        let command = create_command(deployment);
        let title = "The application's virtualenv, with the project and all it needs";
        steps.push(Step::new(title, !missing, vec![command]));
    }
    let copy = Step::new(
        "The project at its deployment location",
        !lacks(&[Code::NotDeployed]),
        vec![copy_command(deployment)],
    );
    steps.push(if deployment.layout.in_place() { copy.note("It is there already.") } else { copy });
    steps.extend(ini(deployment, findings));
    steps.push(folders(deployment, sight, findings));
    steps.extend(data(deployment, sight));
    steps.push(enable(deployment, sight));
    steps.push(look(deployment));
    steps
}

fn server(deployment: &Deployment, findings: &[Finding]) -> Step {
    let missing: Vec<_> = findings
        .iter()
        .filter(|finding| [Code::ApacheMissing, Code::ModuleMissing].contains(&finding.code))
        .collect();
    let step = Step::new(
        "Apache with its modules",
        missing.is_empty(),
        missing.iter().map(|finding| finding.hint.clone()).collect(),
    );
    match deployment.settings.host.as_ref().map(|host| host.port.get()) {
        Some(port) if ![80, 443].contains(&port) => {
            step.note(format!("Apache must listen on port {port}: on Debian, add `Listen {port}` to /etc/apache2/ports.conf."))
        }
        _ => step,
    }
}

fn ini(deployment: &Deployment, findings: &[Finding]) -> Option<Step> {
    deployment.project.kind.paste()?;
    let codes =
        [Code::IniMissing, Code::IniBroken, Code::IniDebug, Code::IniSecret, Code::IniExposed];
    let missing = findings.iter().any(|finding| codes.contains(&finding.code));
    let mut commands = vec!["pinion deploy --make-config".to_owned()];
    if !deployment.layout.in_place() {
        commands.push(crate::warnings::install_command(deployment));
    }
    let step = Step::new(
        "The ini file, out of development mode, with secrets of its own",
        !missing,
        commands,
    );
    Some(step.note("Look through it: the database, mail, and what else differs from development."))
}

/// What the application writes to.
fn folders(deployment: &Deployment, sight: &Sight<'_>, findings: &[Finding]) -> Step {
    let layout = &deployment.layout;
    let paths = [&layout.egg_cache, &layout.data, &layout.logs];
    let there = paths.iter().all(|path| sight.files.stat(path).is_ok());
    let refused = findings.iter().any(|finding| finding.code == Code::EggCacheRefused);
    let (user, group) = (
        crate::render::word(&deployment.settings.user_name()),
        crate::render::word(&deployment.settings.group_name()),
    );
    let paths = paths.map(|path| quoted(path)).join(" ");
    let command = format!("sudo install -d -o {user} -g {group} {paths}");
    Step::new("Folders for the egg cache, data and logs", there && !refused, vec![command])
}

/// The database, and what else a kind of project prepares.
fn data(deployment: &Deployment, sight: &Sight<'_>) -> Option<Step> {
    let layout = &deployment.layout;
    let virtualenv = layout.virtualenv.as_deref()?;
    let there =
        database_file(deployment, sight).is_some_and(|file| sight.files.stat(&file).is_ok());
    let user = crate::render::word(&deployment.settings.user_name());
    let deployed = quoted(&layout.deployed);
    match &deployment.project.kind {
        Kind::TurboGears(_) => {
            let gearbox = quoted(&virtualenv.join("bin/gearbox"));
            let command = format!(
                "cd {deployed} && sudo -u {user} {gearbox} setup-app --config {}",
                quoted(&layout.ini)
            );
            let step = Step::new("The database: tables and first users", there, vec![command]);
            Some(step.note("As Apache's user, or the database would belong to root and each change would be answered 500."))
        }
        Kind::Django { .. } => {
            let manage = format!("{} manage.py", quoted(&virtualenv.join("bin/python")));
            let mut commands = vec![format!("cd {deployed} && sudo -u {user} {manage} migrate")];
            if !crate::folder::Statics::find(deployment).served.is_empty() {
                commands.push(format!("cd {deployed} && sudo {manage} collectstatic --noinput"));
            }
            let step = Step::new("The database's tables and the static files", there, commands);
            Some(step.note(format!(
                "A database file and its folder belong to the user: sudo chown {} …",
                owner(deployment)
            )))
        }
        _ => None,
    }
}

fn enable(deployment: &Deployment, sight: &Sight<'_>) -> Step {
    let layout = &deployment.layout;
    let configuration = layout.output.join(&layout.files.configuration);
    let site = layout.site_file.trim_end_matches(".conf");
    let available = sight.apache.join("sites-available").join(&layout.site_file);
    let enabled = sight.apache.join("sites-enabled").join(&layout.site_file);
    let debian = sight.files.stat(&sight.apache.join("sites-available")).is_ok();
    let done = sight.files.stat(&enabled).is_ok();
    if !debian {
        let commands =
            vec!["sudo apachectl configtest".to_owned(), "sudo apachectl graceful".to_owned()];
        let step = Step::new("The site in Apache", done, commands);
        return step.note(format!("Let httpd.conf include it: Include {}", quoted(&configuration)));
    }
    let commands = vec![
        format!(
            "sudo install -m 0644 -o root -g root {} {}",
            quoted(&configuration),
            quoted(&available)
        ),
        format!("sudo a2ensite {site}"),
        "sudo apache2ctl configtest".to_owned(),
        "sudo systemctl reload apache2".to_owned(),
    ];
    Step::new("The site in Apache", done, commands)
}

fn look(deployment: &Deployment) -> Step {
    let address = deployment.address();
    let commands = vec![format!("curl -i {}", crate::render::word(&address))];
    let step = Step::new(format!("Look at {address}"), false, commands)
        .note("If it fails: /var/log/apache2/error.log has the reason, the traceback included.");
    match deployment.test_address() {
        Some(test) => step.note(format!(
            "If even that does not help: the configuration has a test page to enable, {test}"
        )),
        None => step,
    }
}
