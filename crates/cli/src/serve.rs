//! `pinion serve`: its options as those of the command line, from their one table.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use pinion_server::options::{Kind, OPTIONS, ServeOption};
use pinion_server::plan::Request;
use pinion_server::{Exit, Given, Origin};

/// Options of `pinion serve`.
#[derive(Debug, Args)]
#[command(
    after_help = "Each option is also a key in [serve] of the project's pinion.toml, and an environment variable: \
    PINION_ and its name in upper case with _, several values as words of a shell. \
    The command line counts before the environment, the environment before the file."
)]
pub(crate) struct Arguments {
    /// What to serve: a project's folder, a .wsgi script, module:callable, or config:production.ini [default: this folder]
    #[arg(value_name = "WHAT")]
    target: Option<String>,
    #[command(flatten)]
    options: Options,
}

/// Serves until it is told to end.
pub(crate) fn run(arguments: &Arguments) -> Exit {
    let current = match std::env::current_dir() {
        Ok(current) => current,
        Err(error) => {
            crate::say::error(format_args!("the current folder is gone: {error}"));
            return Exit::Refused;
        }
    };
    let given = arguments.options.0.clone();
    pinion_server::serve(&Request { target: arguments.target.clone(), given, current })
}

/// The options that were given.
#[derive(Debug, Clone)]
struct Options(Vec<Given>);

impl FromArgMatches for Options {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(OPTIONS.iter().filter_map(|option| given(option, matches)).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Options {
    fn augment_args(command: Command) -> Command {
        command.args(OPTIONS.iter().flat_map(arguments))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn arguments(option: &'static ServeOption) -> Vec<Arg> {
    let help = format!("{} [default: {}]", option.help, option.default);
    let mut arg = Arg::new(option.name).long(option.name).help_heading(option.group.title());
    if let Some(letter) = option.short {
        arg = arg.short(letter);
    }
    if let Some(alias) = option.alias {
        arg = arg.alias(alias);
    }
    match option.kind {
        Kind::Switch(off, _) => vec![
            arg.action(ArgAction::SetTrue).overrides_with(off).help(option.help),
            // Takes back what the environment or pinion.toml says.
            Arg::new(off)
                .long(off)
                .action(ArgAction::SetTrue)
                .overrides_with(option.name)
                .hide(true),
        ],
        Kind::Many(_) => {
            vec![arg.value_name(option.placeholder).action(ArgAction::Append).help(help)]
        }
        // The last one counts.
        _ => vec![
            arg.value_name(option.placeholder)
                .action(ArgAction::Set)
                .overrides_with(option.name)
                .help(help),
        ],
    }
}

fn given(option: &'static ServeOption, matches: &ArgMatches) -> Option<Given> {
    let values = match option.kind {
        Kind::Switch(off, _) => {
            let (on, off) = (matches.get_flag(option.name), matches.get_flag(off));
            (on || off).then(|| vec![on.to_string()])
        }
        _ => matches.get_many::<String>(option.name).map(|values| values.cloned().collect()),
    }?;
    Some(Given { option, values, origin: Origin::CommandLine })
}
