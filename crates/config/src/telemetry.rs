//! What `WSGITelemetryService`, `WSGITelemetryOptions` and `WSGISlowRequests` say.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::error::{ConfigError, Problem};
use crate::words;

/// The shortest interval: a faster one would mostly measure itself.
const SHORTEST: Duration = Duration::from_millis(500);
/// The interval unless one is given.
const USUAL: Duration = Duration::from_secs(1);
/// `sun_path` has 108 bytes on Linux, the last of them NUL.
const LONGEST_PATH: usize = 107;
/// The flags of `WSGITelemetryOptions`.
const FLAGS: &[&str] = &["CaptureUserAgent"];

/// What all three directives have said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telemetry {
    /// Where samples go; without it there are none.
    pub service: Option<TelemetryService>,
    /// Whether records of slow requests name the browser.
    pub capture_user_agent: bool,
    /// Requests that run for longer are reported one by one; zero reports all.
    pub slow_requests: Option<Duration>,
}

/// `WSGITelemetryService`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelemetryService {
    /// The receiver's datagram socket.
    pub socket: PathBuf,
    /// How often each worker sends a sample.
    pub interval: Duration,
}

/// What one directive says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TelemetrySetting {
    /// `WSGITelemetryService`.
    Service(TelemetryService),
    /// `WSGITelemetryOptions`: the words, in order.
    Options(Vec<Toggle>),
    /// `WSGISlowRequests`.
    SlowRequests(Duration),
}

/// A word of `WSGITelemetryOptions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toggle {
    /// `All` or `None`: every flag at once.
    Everything(bool),
    /// `+CaptureUserAgent` or `-CaptureUserAgent`.
    CaptureUserAgent(bool),
}

/// Why words about telemetry are refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TelemetryProblem {
    /// The target is no local socket.
    #[error("the target is no unix:/path")]
    Target,
    /// The socket's path does not fit into an address.
    #[error("the socket's path is longer than {LONGEST_PATH} bytes")]
    PathTooLong,
    /// The interval is no number, or too short.
    #[error("the interval is no number of seconds from 0.5")]
    Interval,
    /// A time that is no number, or negative.
    #[error("not a number of seconds from 0")]
    Seconds,
    /// A word that is no flag.
    #[error("there is no such flag")]
    Flag,
    /// `All` or `None` beside other words.
    #[error("All and None stand alone on their line")]
    Mixed,
}

impl TelemetryProblem {
    /// What to do about it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Target => "such as unix:/run/telemetry.sock; nothing is sent to other machines",
            Self::PathTooLong => "choose a shorter folder",
            Self::Interval => "such as interval=1.0",
            Self::Seconds => "such as 2.5",
            Self::Flag => "write +CaptureUserAgent, -CaptureUserAgent, All or None",
            Self::Mixed => "write it as a line of its own",
        }
    }
}

impl Telemetry {
    /// Takes over what a directive says.
    pub fn set(&mut self, setting: TelemetrySetting) {
        match setting {
            TelemetrySetting::Service(service) => self.service = Some(service),
            TelemetrySetting::SlowRequests(after) => self.slow_requests = Some(after),
            TelemetrySetting::Options(toggles) => {
                for toggle in toggles {
                    let (Toggle::Everything(on) | Toggle::CaptureUserAgent(on)) = toggle;
                    self.capture_user_agent = on;
                }
            }
        }
    }
}

/// Reads the arguments of `WSGITelemetryService`.
pub(crate) fn service(args: &str) -> Result<TelemetrySetting, ConfigError> {
    let (target, mut rest) = words::next_word(args)
        .ok_or_else(|| ConfigError::new("", Problem::Missing("unix:/path")))?;
    let refuse = |problem: TelemetryProblem| ConfigError::new(&target, problem.into());
    let path = target.strip_prefix("unix:").filter(|path| Path::new(path).is_absolute());
    let path = path.ok_or_else(|| refuse(TelemetryProblem::Target))?;
    if path.len() > LONGEST_PATH {
        return Err(refuse(TelemetryProblem::PathTooLong));
    }
    let mut interval = USUAL;
    while let Some((raw, after)) = words::next_option(rest) {
        rest = after;
        let Some(value) = raw.value.as_deref().filter(|_| raw.name == "interval") else {
            return Err(ConfigError::new(raw.name, Problem::Unexpected));
        };
        interval = seconds(value).filter(|given| *given >= SHORTEST).ok_or_else(|| {
            ConfigError::new(format!("interval={value}"), TelemetryProblem::Interval.into())
        })?;
    }
    Ok(TelemetrySetting::Service(TelemetryService { socket: PathBuf::from(path), interval }))
}

/// Reads the arguments of `WSGITelemetryOptions`.
pub(crate) fn options(args: &str) -> Result<TelemetrySetting, ConfigError> {
    let words = words::words(args);
    if words.is_empty() {
        return Err(ConfigError::new("", Problem::Missing("a flag")));
    }
    let toggles = words.iter().map(|word| {
        let toggle = toggle(word).map_err(|problem| ConfigError::new(word, problem.into()))?;
        if matches!(toggle, Toggle::Everything(_)) && words.len() > 1 {
            return Err(ConfigError::new(args.trim(), TelemetryProblem::Mixed.into()));
        }
        Ok(toggle)
    });
    Ok(TelemetrySetting::Options(toggles.collect::<Result<_, _>>()?))
}

fn toggle(word: &str) -> Result<Toggle, TelemetryProblem> {
    let is = |name: &str, word: &str| name.eq_ignore_ascii_case(word);
    match word.split_at_checked(1) {
        Some((sign @ ("+" | "-"), flag)) if is(FLAGS[0], flag) => {
            Ok(Toggle::CaptureUserAgent(sign == "+"))
        }
        _ if is("All", word) => Ok(Toggle::Everything(true)),
        _ if is("None", word) => Ok(Toggle::Everything(false)),
        // mod_wsgi takes a flag without its sign too.
        _ if is(FLAGS[0], word) => Ok(Toggle::CaptureUserAgent(true)),
        _ => Err(TelemetryProblem::Flag),
    }
}

/// Reads the argument of `WSGISlowRequests`.
pub(crate) fn slow_requests(arg: &str) -> Result<TelemetrySetting, ConfigError> {
    let after = seconds(arg);
    after
        .map(TelemetrySetting::SlowRequests)
        .ok_or_else(|| ConfigError::new(arg, TelemetryProblem::Seconds.into()))
}

/// A time of seconds with or without a fraction: digits and a point, no sign and no exponent.
fn seconds(text: &str) -> Option<Duration> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number: f64 = text.parse().ok().filter(|_| plain)?;
    Duration::try_from_secs_f64(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal<T: std::fmt::Debug>(result: Result<T, ConfigError>) -> (String, Problem) {
        let error = result.unwrap_err();
        (error.value, error.problem)
    }

    #[test]
    fn a_service_is_a_socket_and_an_interval() {
        let read = |args| service(args).unwrap();
        let sends = |path: &str, millis| {
            TelemetrySetting::Service(TelemetryService {
                socket: path.into(),
                interval: Duration::from_millis(millis),
            })
        };
        assert_eq!(read("unix:/run/a.sock"), sends("/run/a.sock", 1000));
        assert_eq!(read("unix:/run/a.sock interval=0.5"), sends("/run/a.sock", 500));
        assert_eq!(read("'unix:/run/a b' interval=10"), sends("/run/a b", 10_000));
    }

    #[test]
    fn other_targets_and_intervals_are_refused() {
        for target in ["udp:localhost:1", "unix:", "unix:run.sock", "/run/a.sock"] {
            let expected = (target.to_owned(), TelemetryProblem::Target.into());
            assert_eq!(refusal(service(target)), expected);
        }
        for interval in ["0.4", "0", "-1", "1e3", "nan", "x", ""] {
            let (value, problem) = refusal(service(&format!("unix:/a interval='{interval}'")));
            assert_eq!(value, format!("interval={interval}"));
            assert_eq!(problem, TelemetryProblem::Interval.into());
        }
        assert_eq!(refusal(service("unix:/a often")).1, Problem::Unexpected);
        assert_eq!(refusal(service("")).1, Problem::Missing("unix:/path"));
        let long = format!("unix:/{}", "a".repeat(LONGEST_PATH));
        assert_eq!(refusal(service(&long)).1, TelemetryProblem::PathTooLong.into());
    }

    #[test]
    fn flags_add_up_over_lines() {
        let mut telemetry = Telemetry::default();
        for (line, on) in [
            ("+CaptureUserAgent", true),
            ("-captureuseragent", false),
            ("All", true),
            ("none", false),
            ("CaptureUserAgent", true),
            ("-CaptureUserAgent +CaptureUserAgent", true),
        ] {
            telemetry.set(options(line).unwrap());
            assert_eq!(telemetry.capture_user_agent, on, "{line}");
        }
        for (line, problem) in [
            ("+", TelemetryProblem::Flag),
            ("+Everything", TelemetryProblem::Flag),
            ("All +CaptureUserAgent", TelemetryProblem::Mixed),
        ] {
            assert_eq!(refusal(options(line)).1, problem.into(), "{line}");
        }
        assert_eq!(refusal(options(" ")).1, Problem::Missing("a flag"));
    }

    #[test]
    fn a_threshold_is_a_time() {
        let after = |millis| TelemetrySetting::SlowRequests(Duration::from_millis(millis));
        assert_eq!(slow_requests("2.5"), Ok(after(2500)));
        assert_eq!(slow_requests("0"), Ok(after(0)));
        for wrong in ["-1", "", ".", "1s", "99999999999999999999999"] {
            assert_eq!(refusal(slow_requests(wrong)).1, TelemetryProblem::Seconds.into());
        }
    }
}
