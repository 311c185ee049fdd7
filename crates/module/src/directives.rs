//! The directives: the configuration model's table in the form that httpd takes.

use std::ffi::CStr;

use pinion_config::{
    Place,
    directives::{self as model, Args, Context as Where, DIRECTIVES, Value},
};
use pinion_httpd::{Arguments, Command, Context, Directive};

use crate::{
    module::Pinion,
    server::{Alias, Said},
};

/// The directives as httpd takes them, in the model's order.
pub(crate) const fn table() -> [Directive<Pinion>; DIRECTIVES.len()] {
    let mut table = [entry(&DIRECTIVES[0]); DIRECTIVES.len()];
    let mut index = 1;
    while index < table.len() {
        table[index] = entry(&DIRECTIVES[index]);
        index += 1;
    }
    table
}

const fn entry(directive: &model::Directive) -> Directive<Pinion> {
    Directive {
        name: directive.name,
        arguments: match directive.args {
            Args::One => Arguments::One,
            Args::Raw => Arguments::Raw,
        },
        context: context(directive.contexts),
        usage: directive.syntax,
        handler: apply,
    }
}

/// httpd's word for where a directive may stand. What stands in `.htaccess` may stand everywhere.
const fn context(places: &[Where]) -> Context {
    let mut context = Context::SERVER;
    let mut index = 0;
    while index < places.len() {
        match places[index] {
            Where::Server | Where::VirtualHost => {}
            Where::Directory => context = context.or(Context::PLACE),
            Where::Htaccess => return Context::FILE_INFO,
            Where::HtaccessAuth => return Context::AUTH_CONFIG,
        }
        index += 1;
    }
    context
}

/// Takes a directive's words over into the configuration of its server and place.
fn apply(command: &mut Command<'_, Pinion>, words: &[&str]) -> Result<(), String> {
    let directive = model::find(command.directive().name)
        .ok_or_else(|| format!("{} is not in the table", command.directive().name))?;
    let mut arguments = words.first().copied().unwrap_or_default().to_owned();
    for line in command.section() {
        arguments.push('\n');
        arguments.push_str(&line);
    }
    let value = directive
        .parse(&arguments, command.in_virtual_host())
        .map_err(|finding| finding.to_string())?;
    if let Value::Dir(setting) = &value {
        command.dir_config().settings.set(setting.clone());
    }
    let place = Place::new(text(command.file()), command.line());
    let in_section = command.place().is_some();
    // In .htaccess there is nothing to collect: such settings hold for a request alone.
    let Some(host) = command.server_config() else { return Ok(()) };
    if let Value::ScriptAlias(alias) = &value {
        host.add_alias(Alias::new(alias).map_err(|error| error.to_string())?);
    }
    host.add(Said { directive: directive.name, value, place, in_section });
    Ok(())
}

fn text(string: Option<&CStr>) -> String {
    string.map(|string| string.to_string_lossy().into_owned()).unwrap_or_default()
}
