//! What is said of the Python interpreters: the directives about Python itself, and
//! `<WSGIInterpreterOptions>`.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::error::{ConfigError, Problem};
use crate::options;
use crate::words;

/// What all directives about interpreters have said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interpreters {
    /// `WSGIPythonWarnings`: filters as for Python's `-W`, in order.
    pub warnings: Vec<String>,
    /// `WSGIPythonOptimize`: 0 to 2.
    pub optimize: u8,
    /// `WSGIPythonHashSeed`; `None` for a random one.
    pub hash_seed: Option<u32>,
    /// `WSGIDontWriteBytecode`.
    pub dont_write_bytecode: bool,
    /// `WSGIDestroyInterpreter Off`: Python is not finalized when a process ends.
    pub keep_at_exit: bool,
    /// What holds for all interpreters, by directives outside of sections.
    pub base: Layer,
    /// The sections, in the order of the configuration.
    pub layers: Vec<Layer>,
}

/// What holds for the interpreters that it selects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Only those of this process group; empty for the embedded one.
    pub process_group: Option<String>,
    /// Only that of this application group; empty for `%{GLOBAL}`.
    pub application_group: Option<String>,
    /// `WSGIPythonPath`: folders before those of less specific layers.
    pub python_path: Vec<PathBuf>,
    /// `WSGISwitchInterval`.
    pub switch_interval: Option<Duration>,
    /// `WSGIRestrictStdin`.
    pub restrict_stdin: Option<bool>,
    /// `WSGIRestrictStdout`.
    pub restrict_stdout: Option<bool>,
    /// `WSGIRestrictSignal`.
    pub restrict_signal: Option<bool>,
    /// `WSGIFreeThreading`.
    pub free_threading: Option<bool>,
    /// `WSGIPerInterpreterGIL`: each application group has a process, and so a GIL, of its own anyway.
    pub own_gil: Option<bool>,
}

/// What one directive says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the field of Interpreters or Layer with the same name")]
pub enum InterpreterSetting {
    Warnings(String),
    Optimize(u8),
    HashSeed(Option<u32>),
    DontWriteBytecode(bool),
    /// Sets `keep_at_exit` to the opposite.
    Destroy(bool),
    Base(LayerSetting),
    Layer(Box<Layer>),
}

/// What a directive says that may stand in a section.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the field of Layer with the same name")]
pub enum LayerSetting {
    PythonPath(Vec<PathBuf>),
    SwitchInterval(Duration),
    RestrictStdin(bool),
    RestrictStdout(bool),
    RestrictSignal(bool),
    FreeThreading(bool),
    OwnGil(bool),
}

/// Why words about interpreters are refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InterpreterProblem {
    /// No positive number of seconds.
    #[error("not a positive number of seconds")]
    SwitchInterval,
    /// No seed.
    #[error("neither `random` nor a whole number from 0 to 4294967295")]
    HashSeed,
    /// A directive that may not stand in the section.
    #[error("{0} may not stand in <WSGIInterpreterOptions>")]
    NotInSection(String),
    /// `WSGIPassApacheRequest On`.
    #[error("applications run outside of Apache, where there is no request_rec to pass")]
    NoRequestRecord,
}

impl InterpreterProblem {
    /// What to do about it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::SwitchInterval => "such as 0.002; Python's own is 0.005",
            Self::HashSeed => "give a number for the same order in each process, or leave it out",
            Self::NotInSection(_) => {
                "WSGIPythonPath, WSGISwitchInterval, WSGIRestrictStdin, WSGIRestrictStdout, \
                 WSGIRestrictSignal, WSGIPerInterpreterGIL and WSGIFreeThreading may"
            }
            Self::NoRequestRecord => {
                "remove it: with a process group it never had an effect, and what an application may know of its request is in the environ"
            }
        }
    }
}

impl Interpreters {
    /// Takes over what a directive says.
    pub fn set(&mut self, setting: InterpreterSetting) {
        match setting {
            InterpreterSetting::Warnings(filter) => self.warnings.push(filter),
            InterpreterSetting::Optimize(level) => self.optimize = level,
            InterpreterSetting::HashSeed(seed) => self.hash_seed = seed,
            InterpreterSetting::DontWriteBytecode(on) => self.dont_write_bytecode = on,
            InterpreterSetting::Destroy(on) => self.keep_at_exit = !on,
            InterpreterSetting::Base(setting) => self.base.set(setting),
            InterpreterSetting::Layer(layer) => self.layers.push(*layer),
        }
    }

    /// The layers that may hold for interpreters of a process group (empty for the embedded one), the least
    /// specific first; of two that are as specific, the later one counts more.
    pub fn layers_of(&self, process_group: &str) -> Vec<&Layer> {
        let selects = |layer: &&Layer| {
            layer.process_group.as_ref().is_none_or(|wanted| wanted == process_group)
        };
        let mut layers: Vec<&Layer> = self.layers.iter().filter(selects).collect();
        layers.sort_by_key(|layer| layer.specificity());
        layers
    }

    /// Whether an interpreter of a process group shall run without a GIL.
    pub fn wants_free_threading(&self, process_group: &str) -> bool {
        // A process has a GIL or has none, whatever is said of an application group.
        let of_process = |one: &&Layer| one.application_group.is_none();
        let layers = self.layers_of(process_group).into_iter().filter(of_process);
        let mut said = layers.filter_map(|one| one.free_threading);
        said.next_back().or(self.base.free_threading).unwrap_or(false)
    }
}

impl Layer {
    fn set(&mut self, setting: LayerSetting) {
        match setting {
            LayerSetting::PythonPath(paths) => self.python_path = paths,
            LayerSetting::SwitchInterval(time) => self.switch_interval = Some(time),
            LayerSetting::RestrictStdin(on) => self.restrict_stdin = Some(on),
            LayerSetting::RestrictStdout(on) => self.restrict_stdout = Some(on),
            LayerSetting::RestrictSignal(on) => self.restrict_signal = Some(on),
            LayerSetting::FreeThreading(on) => self.free_threading = Some(on),
            LayerSetting::OwnGil(on) => self.own_gil = Some(on),
        }
    }

    fn specificity(&self) -> usize {
        usize::from(self.process_group.is_some()) + usize::from(self.application_group.is_some())
    }
}

/// Reads a number of seconds as `sys.setswitchinterval` takes it.
pub(crate) fn switch_interval(arg: &str) -> Result<Duration, ConfigError> {
    let seconds = arg.trim().parse::<f64>().ok().filter(|seconds| *seconds > 0.0);
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.filter(|time| !time.is_zero())
        .ok_or_else(|| ConfigError::new(arg, InterpreterProblem::SwitchInterval.into()))
}

/// Reads `random` or a seed.
pub(crate) fn hash_seed(arg: &str) -> Result<InterpreterSetting, ConfigError> {
    if arg == "random" {
        return Ok(InterpreterSetting::HashSeed(None));
    }
    let digits = !arg.is_empty() && arg.bytes().all(|byte| byte.is_ascii_digit());
    let seed = digits.then(|| arg.parse().ok()).flatten();
    seed.map(|seed| InterpreterSetting::HashSeed(Some(seed)))
        .ok_or_else(|| ConfigError::new(arg, InterpreterProblem::HashSeed.into()))
}

/// Reads a section: its opening line's arguments up to `>`, then a line for each directive in it.
pub(crate) fn section(text: &str) -> Result<InterpreterSetting, ConfigError> {
    let mut lines = text.lines();
    let mut rest = lines.next().unwrap_or_default().trim().trim_end_matches('>');
    let mut layer = Layer::default();
    while let Some((raw, after)) = words::next_option(rest) {
        let value = raw.value.ok_or_else(|| ConfigError::new(raw.name, Problem::NoValue))?;
        let name = if value == "%{GLOBAL}" { String::new() } else { value };
        match raw.name {
            "process-group" => layer.process_group = Some(name),
            "application-group" => layer.application_group = Some(name),
            _ => {
                let known = ["process-group", "application-group"].into_iter();
                let nearest = options::nearest(raw.name, known);
                return Err(ConfigError::new(raw.name, Problem::UnknownOption { nearest }));
            }
        }
        rest = after;
    }
    for line in lines {
        layer.set(inner(line)?);
    }
    Ok(InterpreterSetting::Layer(Box::new(layer)))
}

/// A directive of a section.
fn inner(line: &str) -> Result<LayerSetting, ConfigError> {
    let (name, args) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
    let arg = words::next_word(args).map(|(word, _)| word).unwrap_or_default();
    let flag = |setting: fn(bool) -> LayerSetting| crate::directives::flag(&arg).map(setting);
    match name.to_ascii_lowercase().as_str() {
        "wsgipythonpath" => Ok(LayerSetting::PythonPath(options::paths(&arg))),
        "wsgiswitchinterval" => switch_interval(&arg).map(LayerSetting::SwitchInterval),
        "wsgirestrictstdin" => flag(LayerSetting::RestrictStdin),
        "wsgirestrictstdout" => flag(LayerSetting::RestrictStdout),
        "wsgirestrictsignal" => flag(LayerSetting::RestrictSignal),
        "wsgifreethreading" => flag(LayerSetting::FreeThreading),
        "wsgiperinterpretergil" => flag(LayerSetting::OwnGil),
        _ => {
            let problem = InterpreterProblem::NotInSection(name.to_owned());
            Err(ConfigError::new(line.trim(), problem.into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(text: &str) -> Layer {
        match section(text).unwrap() {
            InterpreterSetting::Layer(layer) => *layer,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_section_selects_and_sets() {
        let text = "process-group=shop application-group=%{GLOBAL}>\n\
                    WSGISwitchInterval 0.002\nwsgiRestrictStdout On\nWSGIPythonPath /a:/b";
        let layer = layer(text);
        assert_eq!(layer.process_group.as_deref(), Some("shop"));
        assert_eq!(layer.application_group.as_deref(), Some(""));
        assert_eq!(layer.switch_interval, Some(Duration::from_millis(2)));
        assert_eq!((layer.restrict_stdout, layer.restrict_stdin), (Some(true), None));
        assert_eq!(layer.python_path.len(), 2);
    }

    #[test]
    fn what_a_section_does_not_know_is_refused() {
        for text in [
            "group=x>",
            "process-group>",
            ">\nWSGIPythonHome /x",
            ">\nWSGISwitchInterval 0",
            ">\nWSGIRestrictStdin maybe",
        ] {
            assert!(section(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_most_specific_layer_comes_last_and_others_groups_not_at_all() {
        let mut all = Interpreters::default();
        for text in
            ["process-group=a application-group=x>", ">", "process-group=b>", "process-group=a>"]
        {
            all.set(InterpreterSetting::Layer(Box::new(layer(text))));
        }
        let chosen: Vec<_> = all.layers_of("a").iter().map(|layer| layer.specificity()).collect();
        assert_eq!(chosen, [0, 1, 2]);
        all.set(InterpreterSetting::Base(LayerSetting::FreeThreading(true)));
        assert!(all.wants_free_threading("a"));
        all.layers[3].free_threading = Some(false);
        assert!(!all.wants_free_threading("a") && all.wants_free_threading("b"));
    }

    #[test]
    fn seeds_and_intervals_are_numbers() {
        assert_eq!(hash_seed("random").unwrap(), InterpreterSetting::HashSeed(None));
        assert_eq!(hash_seed("4294967295").unwrap(), InterpreterSetting::HashSeed(Some(u32::MAX)));
        for arg in ["", "-1", "4294967296", "1x", "Random "] {
            assert!(hash_seed(arg).is_err(), "{arg}");
        }
        for arg in ["", "0", "-1", "x", "nan", "inf"] {
            assert!(switch_interval(arg).is_err(), "{arg}");
        }
    }
}
