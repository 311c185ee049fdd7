//! The sockets that systemd hands over (`sd_listen_fds(3)`): descriptors from 3 on, `LISTEN_FDS` of them, for the process
//! `LISTEN_PID`.

use std::os::fd::OwnedFd;

use super::SocketError;

/// The first descriptor that systemd hands over.
const FIRST: i32 = 3;
/// The variables by which it says so, which the application does not get.
pub const VARIABLES: [&str; 3] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];

/// What systemd has handed over, until it is taken.
#[derive(Debug, Default)]
pub struct Inherited(Vec<OwnedFd>);

impl Inherited {
    /// Takes over what the environment names for this process, before anything else is opened.
    pub fn of_process() -> Self {
        let number = |name: &str| std::env::var(name).ok()?.parse::<u32>().ok();
        if number("LISTEN_PID") != Some(std::process::id()) {
            return Self::default();
        }
        let count = number("LISTEN_FDS").and_then(|count| i32::try_from(count).ok()).unwrap_or(0);
        let descriptors = (FIRST..FIRST.saturating_add(count.min(1024)))
            .map_while(|fd| pinion_unix::inherited::take(fd).ok());
        Self(descriptors.collect())
    }

    pub(super) fn take(&mut self) -> Result<Vec<OwnedFd>, SocketError> {
        if self.0.is_empty() {
            let why = match std::env::var("LISTEN_PID") {
                Ok(pid) if pid != std::process::id().to_string() => {
                    format!("LISTEN_PID is {pid}, and this process is {}", std::process::id())
                }
                _ => "systemd has handed no socket over".to_owned(),
            };
            return Err(SocketError::NotInherited(why));
        }
        Ok(std::mem::take(&mut self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_systemd_there_is_nothing_to_take() {
        let error = Inherited::default().take().unwrap_err();
        assert_eq!(error.to_string(), "fd:systemd: systemd has handed no socket over");
    }
}
