//! mod_wsgi's codes for conditions that Pinion does not have.

/// Conditions of mod_wsgi that never occur, or are told of otherwise, for one reason.
#[derive(Debug)]
pub struct Never {
    /// The numbers of mod_wsgi's codes.
    pub numbers: &'static [u16],
    /// What they are about.
    pub about: &'static str,
    /// Why no message has them.
    pub why: &'static str,
}

/// All of them. With the registry, these are all codes of mod_wsgi 6.1; it has no 37, 39, 66, 92, 93, 180, 193 and 197.
pub const NEVER: &[Never] = &[
    Never {
        numbers: &[1, 2, 142, 210],
        about: "Python inside Apache's children",
        why: "There is none. What keeps a worker's Python from starting is told as PIN0202 or PIN0203, with what it wrote.",
    },
    Never {
        numbers: &[28, 29, 35, 36, 38, 99, 103],
        about: "an interpreter that cannot be initialised, or of another version than mod_wsgi was compiled for",
        why: "A worker is the virtualenv's own interpreter. When it does not come up, that is PIN0202 or PIN0203, with what it wrote; the worker core serves all versions.",
    },
    Never {
        numbers: &[40, 42, 45, 48, 54, 86, 87, 111, 181, 182, 191, 192, 196, 198, 199, 202, 205],
        about: "sub-interpreters: making, entering and destroying them, a GIL and a switch interval for each",
        why: "Each application group is a process in its main interpreter.",
    },
    Never {
        numbers: &[90, 94, 95, 96, 113, 114, 183, 184, 185, 186, 187],
        about: "parts of Python's library that are missing when an interpreter is prepared",
        why: "Pinion prepares it with Python code of its own. What that raises ends the worker, with its traceback in PIN0202.",
    },
    Never {
        numbers: &[97, 98, 130, 131],
        about: "exceptions of atexit functions",
        why: "Python itself writes them, with their traceback, and the log has them without a code.",
    },
    Never {
        numbers: &[104, 209],
        about: "events that cannot be published because the event itself cannot be made",
        why: "It is made before anything can fail; subscribers that raise are WSGI0112 and WSGI0190.",
    },
    Never {
        numbers: &[195],
        about: "a script's file that cannot be closed after it was read",
        why: "It is read as a whole; what goes wrong is WSGI0105.",
    },
    Never {
        numbers: &[12, 13, 14, 15, 33, 34, 64, 65, 72, 73, 115, 117],
        about: "sockets with a path, their owner, their age and who may connect",
        why: "All channels are inherited or passed descriptors; there is no address to connect to, so nobody else can.",
    },
    Never {
        numbers: &[62, 63],
        about: "buffer sizes that the system refuses",
        why: "Linux takes any size and cuts it to its maximum.",
    },
    Never {
        numbers: &[17, 19, 26, 30, 31, 32],
        about: "the mutex that daemon processes accept connections under",
        why: "Apache's children choose the process; nothing is accepted.",
    },
    Never {
        numbers: &[16, 18, 20, 21, 22, 23, 27, 68, 69, 70, 71, 74, 206, 207, 208],
        about: "threads, condition variables and pipes inside a daemon process that cannot be made or fail",
        why: "A worker that cannot make what it needs ends, and is told of and replaced as PIN0202; limits and timeouts are the manager's, outside of it.",
    },
    Never {
        numbers: &[6, 8, 11, 24, 25],
        about: "a daemon process that cannot be forked, or is left in an unspecified state",
        why: "Groups and home folders are looked up when the configuration is read. A worker that could not take its user, groups or folders never becomes a Python: WSGI0003 to WSGI0010 and PIN0203 say so once.",
    },
    Never {
        numbers: &[61],
        about: "core dumps of Apache's children after they have changed their user",
        why: "Pinion leaves that to Apache; workers are processes of their own and dump as the system is set.",
    },
    Never {
        numbers: &[67],
        about: "stacks that cannot be had",
        why: "faulthandler writes them; where it cannot, the message about the worker is followed by nothing.",
    },
    Never {
        numbers: &[80, 121, 122, 123, 125, 147, 148],
        about: "what travels between Apache and a daemon: requests that cannot be sent or read, unexpected statuses, malformed headers",
        why: "Frames have lengths and kinds. A request that its worker has not begun goes to another one; else the condition is WSGI0146, or PIN0404 for a worker that breaks the protocol.",
    },
    Never {
        numbers: &[124],
        about: "too many restarts of a process during one request",
        why: "After five attempts the script runs as it is loaded.",
    },
    Never {
        numbers: &[127, 128, 129],
        about: "a daemon that stops reading the request's body",
        why: "A worker is sent what its application asks for, no more.",
    },
    Never {
        numbers: &[82, 83],
        about: "a script that has vanished before the daemon looks at it",
        why: "Apache looks (WSGI0135); the worker that cannot read it says WSGI0105.",
    },
    Never {
        numbers: &[47, 53, 85, 88],
        about: "access and dispatch without a script, handlers by a module's name",
        why: "The original cannot come there either.",
    },
    Never {
        numbers: &[140],
        about: "a length beside a chunked body",
        why: "Apache drops the length before, for the original too.",
    },
    Never {
        numbers: &[153, 154, 156, 158, 159, 162, 163, 165, 167, 169, 170],
        about: "owners and permissions of a script that cannot be had, or that have no name",
        why: "They are compared as numbers; a script or folder that cannot be looked at is WSGI0155, WSGI0160, WSGI0164 or WSGI0171.",
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::codes::REGISTRY;

    #[test]
    fn each_code_of_mod_wsgi_is_either_used_or_said_to_be_of_no_use() {
        let not_given = [37, 39, 66, 92, 93, 180, 193, 197];
        let all: BTreeSet<u16> = (1..=210).filter(|number| !not_given.contains(number)).collect();
        let mut told = BTreeSet::new();
        let used = REGISTRY.iter().filter_map(|entry| entry.id.strip_prefix("WSGI")?.parse().ok());
        for number in used.chain(NEVER.iter().flat_map(|never| never.numbers.iter().copied())) {
            assert!(told.insert(number), "WSGI{number:04} twice");
        }
        assert_eq!(told, all);
    }

    #[test]
    fn every_reason_is_a_sentence() {
        for never in NEVER {
            assert!(never.why.ends_with('.') && !never.about.ends_with('.'), "{}", never.about);
            assert!(never.numbers.is_sorted(), "{}", never.about);
        }
    }
}
