//! The scoreboard of Apache, as its children tell it to workers that may look at it.
//!
//! A worker sends [`ASK`] with one end of a stream; a child writes the encoded [`Scoreboard`] there and closes it.

use serde::{Deserialize, Serialize};

/// The message with which a worker asks.
pub const ASK: &[u8] = b"scoreboard";

/// The letters of a thread's states, from `SERVER_DEAD` to `SERVER_IDLE_KILL`: those of mod_status.
const STATES: &[u8] = b".S_RWKLDCGI";

/// All of the scoreboard. Times are in microseconds since 1970, 0 for never.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scoreboard {
    /// How many processes it has room for.
    pub server_limit: u32,
    /// How many threads of each.
    pub thread_limit: u32,
    /// Counts graceful restarts.
    pub generation: i32,
    /// When the server was started or restarted.
    pub restart_time: i64,
    /// The processes, in the scoreboard's order.
    pub processes: Vec<Process>,
}

/// A process of Apache.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its id; 0 where there is none.
    pub pid: i32,
    /// The generation that it belongs to.
    pub generation: i32,
    /// Whether it takes no more requests.
    pub quiescing: bool,
    /// Its threads, in the scoreboard's order.
    pub threads: Vec<Thread>,
}

/// A thread of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// Its number in its process; 0 while it has not been used.
    pub number: i32,
    /// The generation that it belongs to, where the MPM says so.
    pub generation: i32,
    /// The number of its state.
    pub state: u8,
    /// Requests that it has served.
    pub requests: u64,
    /// Bytes that it has sent.
    pub bytes: i64,
    /// When its last request began.
    pub started: i64,
    /// When its last request ended.
    pub stopped: i64,
    /// When it did something last.
    pub last_used: i64,
    /// The last client's address.
    pub client: Vec<u8>,
    /// The beginning of the last request's first line.
    pub request: Vec<u8>,
    /// The beginning of the virtual host's name.
    pub vhost: Vec<u8>,
}

impl Thread {
    /// The letter that mod_status shows for the thread's state; `?` for one that it does not know.
    #[must_use]
    pub fn letter(&self) -> char {
        STATES.get(usize::from(self.state)).map_or('?', |letter| char::from(*letter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{decode, encode};

    #[test]
    fn states_have_the_letters_of_mod_status() {
        let letter = |state| Thread { state, ..Thread::default() }.letter();
        assert_eq!((0..=11).map(letter).collect::<String>(), ".S_RWKLDCGI?");
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let thread = Thread { requests: 7, client: b"::1".to_vec(), ..Thread::default() };
        let process = Process { pid: 9, threads: vec![thread], ..Process::default() };
        let board = Scoreboard { processes: vec![process], ..Scoreboard::default() };
        assert_eq!(decode::<Scoreboard>(&encode(&board).unwrap()).unwrap(), board);
    }
}
