//! How many of a client's connections are not answered at all.

use std::process::Command;
use std::time::Duration;

use pinion_testbed::run;

use crate::failure::Result;

/// So long before the end of a measurement it is looked.
const BEFORE_END: Duration = Duration::from_millis(150);

/// Looks at the connections to `port` shortly before `seconds` are over; on how many nothing has come.
///
/// # Errors
/// `ss` cannot be run.
pub(super) fn unanswered(port: u16, seconds: u32) -> Result<u32> {
    std::thread::sleep(Duration::from_secs(seconds.into()).saturating_sub(BEFORE_END));
    let filter = format!("dport = :{port}");
    let said = run(Command::new("ss").args(["-tinHO", "state", "established", &filter]))?;
    Ok(parse(&said))
}

/// Reads what ss says: a line for each connection, with what has come where that is not nothing.
fn parse(said: &str) -> u32 {
    let unanswered = said.lines().filter(|line| !line.contains(" bytes_received:"));
    u32::try_from(unanswered.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_on_which_nothing_came_are_counted() {
        let said = "0 0 127.0.0.1:4000 127.0.0.1:80 bbr bytes_sent:46 bytes_received:130 rcv_rtt:1\n\
                    0 0 127.0.0.1:4001 127.0.0.1:80 bbr bytes_sent:46 rcv_space:65495\n";
        assert_eq!((parse(said), parse("")), (1, 0));
    }
}
