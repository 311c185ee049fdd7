//! The parameters of a deployment as options of the command line, from their one table.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use pinion_deploy::parameters::{Kind, PARAMETERS, Parameter};
use pinion_deploy::settings::{Given, Origin};

/// The parameters that were given.
#[derive(Debug, Clone)]
pub(crate) struct Parameters(pub(crate) Vec<Given>);

impl FromArgMatches for Parameters {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(PARAMETERS.iter().filter_map(|parameter| given(parameter, matches)).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Parameters {
    fn augment_args(command: Command) -> Command {
        command.args(PARAMETERS.iter().flat_map(arguments))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn arguments(parameter: &'static Parameter) -> Vec<Arg> {
    let help = format!("{} [default: {}]", parameter.help, parameter.default);
    let option = Arg::new(parameter.name).long(parameter.name).help_heading("Parameters");
    match parameter.kind {
        Kind::Switch(off, _) => vec![
            Arg::new(off)
                .long(off)
                .action(ArgAction::SetTrue)
                .overrides_with(parameter.name)
                .help(parameter.help)
                .help_heading("Parameters"),
            // Takes back what pinion.toml says; the forerunner knows --logging.
            option.action(ArgAction::SetTrue).hide(true),
        ],
        Kind::Many(_) => vec![value(parameter, option).action(ArgAction::Append).help(help)],
        // The last one counts.
        _ => vec![
            value(parameter, option)
                .action(ArgAction::Set)
                .overrides_with(parameter.name)
                .help(help),
        ],
    }
}

fn value(parameter: &Parameter, option: Arg) -> Arg {
    let option = option.value_name(parameter.placeholder).aliases(parameter.aliases);
    match parameter.short {
        Some(letter) => option.short(letter),
        None => option,
    }
}

fn given(parameter: &'static Parameter, matches: &ArgMatches) -> Option<Given> {
    let values = match parameter.kind {
        Kind::Switch(off, _) => {
            let (on, off) = (matches.get_flag(parameter.name), matches.get_flag(off));
            (on || off).then(|| vec![on.to_string()])
        }
        _ => matches.get_many::<String>(parameter.name).map(|values| values.cloned().collect()),
    }?;
    Some(Given { parameter, values, origin: Origin::CommandLine })
}
