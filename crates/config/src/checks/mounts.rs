//! Checks of aliases, imported scripts, and the groups that they name.

use std::path::Path;

use super::{Checker, Subject, denied_for};
use crate::access::{Denied, Want};
use crate::codes::Code;
use crate::files::FileKind;
use crate::finding::Place;
use crate::model::{AliasSource, ImportScript, Placed, ScriptAlias, VhostId};
use crate::names::NameTemplate;

impl Checker<'_> {
    pub(super) fn mounts(&mut self) {
        for alias in &self.config.aliases {
            self.alias(alias);
        }
        for import in &self.config.imports {
            self.import(import);
        }
        for named in &self.config.named_scripts {
            let script = &named.value.script;
            let subject = subject(&named.value.directive, &script.display(), &named.place);
            self.script(script, false, named.value.process_group.clone(), &subject);
        }
        for used in &self.config.group_uses {
            let subject = subject("WSGIProcessGroup", &used.value.group, &used.place);
            self.names_group(&used.value.group, used.vhost, &subject);
        }
    }

    fn alias(&mut self, alias: &Placed<ScriptAlias>) {
        let directive = match alias.value.source {
            AliasSource::Path(_) => "WSGIScriptAlias",
            AliasSource::Regex(_) => "WSGIScriptAliasMatch",
        };
        if let Some(group) = &alias.value.options.process_group {
            let value = format!("process-group={group}");
            let subject = Subject { directive, value, place: Some(&alias.place) };
            self.names_group(group, alias.vhost, &subject);
        }
        let subject = subject(directive, &alias.value.target, &alias.place);
        let group = self.certain_group(alias);
        if self.config.server.restrict_embedded && group.as_deref() == Some("") {
            let problem = "it has no process group, and WSGIRestrictEmbedded is On";
            let hint = "add process-group= or WSGIProcessGroup";
            self.find(Code::EmbeddedRestricted, &subject, problem, hint);
        }
        // What a pattern puts together is only known at a request.
        if matches!(alias.value.source, AliasSource::Regex(_)) && alias.value.target.contains('$') {
            return;
        }
        self.script(Path::new(&alias.value.target), alias.value.is_folder(), group, &subject);
    }

    fn import(&mut self, import: &Placed<ImportScript>) {
        let ImportScript { script, process_group, .. } = &import.value;
        let directive = "WSGIImportScript";
        let value = format!("process-group={process_group}");
        let group_subject = Subject { directive, value, place: Some(&import.place) };
        self.names_group(process_group, import.vhost, &group_subject);
        let group = self.config.known(process_group, import.vhost, None);
        self.script(script, false, group, &subject(directive, &script.display(), &import.place));
    }

    /// The process group of an alias, where no section can say otherwise.
    fn certain_group(&self, alias: &Placed<ScriptAlias>) -> Option<String> {
        let elsewhere = || {
            self.config.group_uses.iter().any(|used| {
                used.value.in_section && [alias.vhost, VhostId::MAIN].contains(&used.vhost)
            })
        };
        if alias.value.options.process_group.is_none() && elsewhere() {
            return None;
        }
        let settings = self.config.alias_settings(alias);
        self.config.known(settings.process_group(), alias.vhost, None)
    }

    /// The script must be there, and readable for who runs it, where that is known.
    fn script(
        &mut self,
        target: &Path,
        is_folder: bool,
        group: Option<String>,
        subject: &Subject<'_>,
    ) {
        let Some(found) = self.existing(target) else {
            let kind = if is_folder { "folder" } else { "file" };
            let problem = match self.missing_component(target) {
                Some(component) => format!("there is no such {kind}: {component} does not exist"),
                None => format!("there is no such {kind}"),
            };
            return self.find(Code::ScriptMissing, subject, problem, "correct the path");
        };
        let Some(group) = group else { return };
        let who = match self.config.group(&group) {
            Some(definition) => self.identity(&definition.value),
            None if group.is_empty() => self.identity(&self.config.embedded_group()),
            None => return,
        };
        // An account that does not exist is found with its group.
        let Ok(who) = who else { return };
        if let Err(denied) = self.reach(&who, found, Want::Read) {
            let problem = denied_for(&who, &denied);
            self.find(Code::ScriptUnreadable, subject, problem, denied.remedy());
        }
    }

    /// The script itself, which may have further path behind it, as in
    /// `WSGIScriptAlias /api /srv/app.wsgi/api` or `WSGIScriptAlias /api/ /srv/app.wsgi/`.
    fn existing<'p>(&self, target: &'p Path) -> Option<&'p Path> {
        if self.files.stat(target).is_ok() {
            return Some(target);
        }
        let slashless = target.to_str().map(|text| Path::new(text.trim_end_matches('/')));
        let mut candidates = slashless.into_iter().chain(target.ancestors().skip(1));
        let found = candidates.find(|path| self.files.stat(path).is_ok())?;
        self.files.stat(found).is_ok_and(|stat| stat.kind == FileKind::File).then_some(found)
    }

    fn missing_component(&self, target: &Path) -> Option<String> {
        let root = crate::access::Credentials { uid: 0, gids: Vec::new() };
        match crate::access::reach(self.files, &root, target, Want::Read) {
            Err(Denied::Missing(component)) if component != target => {
                Some(component.display().to_string())
            }
            _ => None,
        }
    }

    /// A group that is named must be declared, and usable from the virtual host.
    fn names_group(&mut self, name: &NameTemplate, vhost: VhostId, subject: &Subject<'_>) {
        let Some(known) = self.config.known(name, vhost, None) else { return };
        if known.is_empty() {
            return;
        }
        let Some(definition) = self.config.group(&known) else {
            let problem = format!("no WSGIDaemonProcess declares a group {known}");
            let hint = self.declared();
            return self.find(Code::GroupUnknown, subject, problem, hint);
        };
        if definition.vhost == VhostId::MAIN || definition.vhost == vhost {
            return;
        }
        let hosts = &self.config.vhosts;
        let (Some(there), Some(here)) = (hosts.get(&definition.vhost), hosts.get(&vhost)) else {
            return;
        };
        if !there.name.eq_ignore_ascii_case(&here.name) {
            let problem = format!(
                "group {known} belongs to the virtual host {} ({}), and this is {}",
                there.name, definition.place, here.name
            );
            let hint = "declare the group outside of <VirtualHost>";
            self.find(Code::GroupElsewhere, subject, problem, hint);
        }
    }

    fn declared(&self) -> String {
        let mut names: Vec<_> =
            self.config.groups.iter().map(|group| group.value.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            "declare it with WSGIDaemonProcess".to_owned()
        } else {
            format!("declared are: {}", names.join(", "))
        }
    }
}

fn subject<'a>(directive: &'a str, value: &dyn std::fmt::Display, place: &'a Place) -> Subject<'a> {
    Subject { directive, value: value.to_string(), place: Some(place) }
}
