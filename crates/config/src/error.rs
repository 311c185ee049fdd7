//! Why the arguments of a directive are refused.

use thiserror::Error;

use crate::codes::Code;
use crate::interpreter::InterpreterProblem;
use crate::names::NameError;
use crate::proxies::NetworkError;
use crate::telemetry::TelemetryProblem;

/// A refused argument: what was written and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{value}: {problem}")]
pub struct ConfigError {
    /// The argument as it was written, such as `processes=3x`.
    pub value: String,
    /// What is wrong with it.
    pub problem: Problem,
}

impl ConfigError {
    /// The refusal of `value`.
    pub fn new(value: impl Into<String>, problem: Problem) -> Self {
        Self { value: value.into(), problem }
    }
}

/// What is wrong with an argument.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    /// An argument that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// More was written than the directive takes.
    #[error("this is more than the directive takes")]
    Unexpected,
    /// Not one of the words that are understood.
    #[error("must be one of {}", .0.join(", "))]
    NotOneOf(&'static [&'static str]),
    /// An option without `=value`.
    #[error("the option has no value")]
    NoValue,
    /// No whole number was written.
    #[error("not a whole number")]
    NotANumber(Bounds),
    /// A number that is too small or too large.
    #[error("outside the range that is valid")]
    OutOfRange(Bounds),
    /// A number of bytes that is none, or too small.
    #[error("not a number of bytes that is valid")]
    NotASize(Size),
    /// A priority that is none.
    #[error("not a whole number from -20 to 20")]
    NotAPriority,
    /// Two options of which one may be given.
    #[error("only one of {0} and {1} may be given")]
    NotTogether(&'static str, &'static str),
    /// `umask` is not octal.
    #[error("not an octal number from 0 to 0777")]
    NotOctal,
    /// A path that would depend on the folder that Apache was started in.
    #[error("not an absolute path")]
    NotAbsolute,
    /// Neither a name nor `#number`.
    #[error("neither a name nor #number")]
    NotAPrincipal,
    /// `env=` without a variable's name.
    #[error("not NAME=VALUE with a valid variable name")]
    NotAVariable,
    /// A request that does not begin with `/`.
    #[error("not a path of this server: it does not begin with / or holds blanks")]
    NotAUrlPath,
    /// An option that does not exist.
    #[error("there is no such option")]
    UnknownOption {
        /// The option whose name is nearest to what was written, when one is near.
        nearest: Option<&'static str>,
    },
    /// Words about Python interpreters.
    #[error(transparent)]
    Interpreter(#[from] InterpreterProblem),
    /// Words about telemetry.
    #[error(transparent)]
    Telemetry(#[from] TelemetryProblem),
    /// Not the address of a proxy.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The name of a process group is none.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// The numbers that an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The smallest.
    pub least: u32,
    /// The largest.
    pub most: u32,
}

/// The numbers of bytes that an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// The smallest.
    pub least: u64,
    /// Whether 0 stands for the default.
    pub or_zero: bool,
}

impl Size {
    /// Any number; 0 is no limit.
    pub const ANY: Self = Self { least: 1, or_zero: true };
}

impl Problem {
    /// The code under which the problem is documented.
    pub fn code(&self) -> Code {
        match self {
            Self::Missing(_) => Code::ArgumentMissing,
            Self::Unexpected => Code::ArgumentUnexpected,
            Self::NotOneOf(_) => Code::NotOneOf,
            Self::UnknownOption { .. } => Code::OptionUnknown,
            Self::Name(_) => Code::GroupName,
            Self::Network(_) => Code::NetworkInvalid,
            _ => Code::OptionValue,
        }
    }

    /// What to do about it; empty when the problem says it all.
    pub fn hint(&self) -> String {
        match self {
            Self::Missing(_) | Self::NotOneOf(_) => String::new(),
            Self::Unexpected => "put a value that holds blanks in quotes".into(),
            Self::NoValue => "write it as name=value".into(),
            Self::NotANumber(Bounds { least, most }) | Self::OutOfRange(Bounds { least, most }) => {
                format!("give a whole number from {least} to {most}")
            }
            Self::NotASize(Size { least, or_zero: true }) => {
                format!("give a number of bytes from {least} on, or 0 for the default")
            }
            Self::NotASize(Size { least, or_zero: false }) => {
                format!("give a number of bytes from {least} on")
            }
            Self::NotAPriority => "the lower, the more favourable".into(),
            Self::NotTogether(..) => "remove one of them".into(),
            Self::NotOctal => "give the bits to remove, such as 0022".into(),
            Self::NotAbsolute => "begin it with /".into(),
            Self::NotAPrincipal => "such as www-data or #33".into(),
            Self::NotAVariable => "such as env=DJANGO_SETTINGS_MODULE=shop.settings".into(),
            Self::NotAUrlPath => "such as warmup=/login".into(),
            Self::UnknownOption { nearest: Some(name) } => format!("did you mean {name}?"),
            Self::UnknownOption { nearest: None } => {
                "the options are listed in docs/directives.md".into()
            }
            Self::Interpreter(problem) => problem.hint().into(),
            Self::Telemetry(problem) => problem.hint().into(),
            Self::Network(NetworkError::Malformed) => {
                "such as 10.0.0.5, 10.0.0.0/8 or 2001:db8::/32, one after the other, without commas"
                    .into()
            }
            Self::Network(NetworkError::Everything) => {
                "name the proxies; without WSGITrustedProxies every peer is trusted".into()
            }
            Self::Name(_) => "use letters, digits, dots, dashes and underscores".into(),
        }
    }
}
