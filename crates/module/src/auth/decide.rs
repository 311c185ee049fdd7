//! What follows from what the functions of access control have returned: no I/O.
//!
//! The words of the messages are mod_wsgi's, whose codes they carry.

use pinion_config::{Code, words};
use pinion_wire::call::{Returned, Value};

/// Why the answer is no, to be logged.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) code: Code,
    pub(super) text: String,
}

impl Complaint {
    pub(super) fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

/// What a function said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said<T> {
    /// Something of the kind that it should.
    Well(T),
    /// Nothing that can be used.
    Wrong(Complaint),
    /// It raised an exception, which the worker has logged.
    Raised,
}

/// What `allow_access` said.
pub(super) fn access(returned: &Returned, script: &str) -> Said<bool> {
    Said::Well(match returned {
        Returned::One(Value::Bool(allowed)) => *allowed,
        Returned::One(Value::None) => true,
        Returned::Raised => return Said::Raised,
        Returned::Missing => {
            let text = format!(
                "Target WSGI host access script '{script}' does not provide 'allow_access' callable."
            );
            return Said::Wrong(Complaint::new(Code::AccessNoFunction, text));
        }
        Returned::One(_) | Returned::Many(_) => {
            let text = format!(
                "Result returned from 'allow_access' in '{script}' must be a boolean or None."
            );
            return Said::Wrong(Complaint::new(Code::AccessType, text));
        }
    })
}

/// What `check_password` said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Password {
    Right,
    /// Right, and this is the user's name.
    RightFor(Vec<u8>),
    Wrong,
    NoUser,
}

/// What `check_password` said.
pub(super) fn password(returned: &Returned, script: &str) -> Said<Password> {
    Said::Well(match returned {
        Returned::One(Value::Bool(true)) => Password::Right,
        Returned::One(Value::Bool(false)) => Password::Wrong,
        Returned::One(Value::None) => Password::NoUser,
        // httpd's strings end at a NUL: what stands before it would be another user.
        Returned::One(Value::Text(name)) if !name.is_empty() && !name.contains('\0') => {
            Password::RightFor(name.clone().into_bytes())
        }
        Returned::One(Value::Text(name)) if name.is_empty() => {
            let text = "Basic auth provider returned empty user name string.";
            return Said::Wrong(Complaint::new(Code::AuthBasicEmpty, text));
        }
        Returned::Raised => return Said::Raised,
        Returned::Missing => {
            return Said::Wrong(no_provider(Code::AuthBasicNoFunction, script, "Basic"));
        }
        Returned::One(_) | Returned::Many(_) => {
            let text = "Basic auth provider must return True, False, None or user name as string.";
            return Said::Wrong(Complaint::new(Code::AuthBasicType, text));
        }
    })
}

/// What `get_realm_hash` said; `None` where there is no such user.
pub(super) fn realm_hash(returned: &Returned, script: &str) -> Said<Option<Vec<u8>>> {
    let wrong = |code, text: &str| Said::Wrong(Complaint::new(code, text));
    let hash = match returned {
        Returned::One(Value::None) => return Said::Well(None),
        Returned::One(Value::Bytes(hash)) => hash.clone(),
        Returned::One(Value::Text(hash)) => match latin1(hash) {
            Some(hash) => hash,
            None => {
                let text = "Digest auth provider must return None or string object, value \
                            containing non 'latin-1' characters found";
                return wrong(Code::AuthDigestType, text);
            }
        },
        Returned::Raised => return Said::Raised,
        Returned::Missing => {
            return Said::Wrong(no_provider(Code::AuthDigestNoFunction, script, "Digest"));
        }
        Returned::One(_) | Returned::Many(_) => {
            let text = "Digest auth provider must return None or string object.";
            return wrong(Code::AuthDigestType, text);
        }
    };
    // httpd's strings end at a NUL.
    if hash.is_empty() || hash.contains(&0) {
        return wrong(Code::AuthDigestEmpty, "Digest auth provider returned empty realm hash.");
    }
    Said::Well(Some(hash))
}

fn no_provider(code: Code, script: &str, kind: &str) -> Complaint {
    let text = format!(
        "Target WSGI user authentication script '{script}' does not provide '{kind}' auth provider."
    );
    Complaint::new(code, text)
}

/// The groups that `groups_for_user` said, as Latin-1.
pub(super) fn groups(returned: &Returned, script: &str) -> Said<Vec<Vec<u8>>> {
    let result = |what| format!("Result returned from 'groups_for_user' in '{script}' {what}");
    let items = match returned {
        Returned::Many(items) => items,
        // Text is iterated too, character by character.
        Returned::One(Value::Text(text)) => {
            let characters: Vec<_> = text.chars().map(|c| Value::Text(c.into())).collect();
            return each_group(&characters, script);
        }
        Returned::One(Value::Bytes(bytes)) => {
            let numbers: Vec<_> = bytes.iter().map(|byte| Value::Int((*byte).into())).collect();
            return each_group(&numbers, script);
        }
        Returned::Raised => return Said::Raised,
        Returned::Missing => {
            let text = format!(
                "Target WSGI group authentication script '{script}' does not provide \
                 'groups_for_user' callable."
            );
            return Said::Wrong(Complaint::new(Code::GroupsNoFunction, text));
        }
        Returned::One(_) => {
            let text = result("is not iterable; expected an iterable sequence of byte strings.");
            return Said::Wrong(Complaint::new(Code::GroupsType, text));
        }
    };
    each_group(items, script)
}

fn each_group(items: &[Value], script: &str) -> Said<Vec<Vec<u8>>> {
    let mut groups = Vec::with_capacity(items.len());
    for item in items {
        let (code, what) = match item {
            Value::Bytes(group) => {
                groups.push(group.clone());
                continue;
            }
            Value::Text(group) => match latin1(group) {
                Some(group) => {
                    groups.push(group);
                    continue;
                }
                None => (
                    Code::GroupText,
                    "is a string containing characters that cannot be encoded as latin-1; \
                     expected a byte string.",
                ),
            },
            _ => (Code::GroupType, "is not a byte string."),
        };
        let text = format!("Item returned from 'groups_for_user' in '{script}' {what}");
        return Said::Wrong(Complaint::new(code, text));
    }
    Said::Well(groups)
}

/// Whether one of a user's groups is one of those that a `Require wsgi-group` line names.
///
/// # Errors
/// Why not. `user` and `uri` are for the message.
pub(super) fn is_member(
    groups: &[Vec<u8>],
    line: &[u8],
    user: &str,
    uri: &str,
) -> Result<(), Complaint> {
    let line: String = line.iter().map(|byte| char::from(*byte)).collect();
    let named = words::words(&line);
    let is_named = |group: &Vec<u8>| {
        named.iter().filter_map(|name| latin1(name)).any(|name| name.eq_ignore_ascii_case(group))
    };
    if groups.iter().any(is_named) {
        return Ok(());
    }
    let (code, what) = if groups.is_empty() {
        (Code::GroupNone, "any groups")
    } else {
        (Code::GroupOther, "designated groups")
    };
    let text = format!(
        "Authorization of user '{user}' to access '{uri}' failed. User is not a member of {what}."
    );
    Err(Complaint::new(code, text))
}

fn latin1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn one(value: Value) -> Returned {
        Returned::One(value)
    }

    fn code<T: std::fmt::Debug>(said: Said<T>) -> Code {
        match said {
            Said::Wrong(complaint) => complaint.code,
            said => panic!("{said:?}"),
        }
    }

    /// What no function may return.
    fn nonsense() -> Vec<Returned> {
        let other = Value::Other("object".to_owned());
        vec![
            one(Value::Int(1)),
            one(other),
            Returned::Many(vec![]),
            Returned::Many(vec![Value::None]),
        ]
    }

    #[test]
    fn a_host_is_let_in_by_true_or_none() {
        assert_eq!(access(&one(Value::Bool(true)), ""), Said::Well(true));
        assert_eq!(access(&one(Value::None), ""), Said::Well(true));
        assert_eq!(access(&one(Value::Bool(false)), ""), Said::Well(false));
        assert_eq!(access(&Returned::Raised, ""), Said::Raised);
        assert_eq!(code(access(&Returned::Missing, "")), Code::AccessNoFunction);
        for wrong in nonsense().iter().chain([&one(text("yes")), &one(Value::Bytes(vec![]))]) {
            assert_eq!(code(access(wrong, "")), Code::AccessType, "{wrong:?}");
        }
    }

    #[test]
    fn a_password_is_right_or_names_the_user() {
        assert_eq!(password(&one(Value::Bool(true)), ""), Said::Well(Password::Right));
        assert_eq!(password(&one(Value::Bool(false)), ""), Said::Well(Password::Wrong));
        assert_eq!(password(&one(Value::None), ""), Said::Well(Password::NoUser));
        let named = |name: &str| Said::Well(Password::RightFor(name.as_bytes().to_vec()));
        assert_eq!(password(&one(text("é€")), ""), named("é€"));
        assert_eq!(code(password(&one(text("")), "")), Code::AuthBasicEmpty);
        assert_eq!(code(password(&one(text("root\0x")), "")), Code::AuthBasicType);
        assert_eq!(password(&Returned::Raised, ""), Said::Raised);
        assert_eq!(code(password(&Returned::Missing, "")), Code::AuthBasicNoFunction);
        for wrong in nonsense().iter().chain([&one(Value::Bytes(b"x".to_vec()))]) {
            assert_eq!(code(password(wrong, "")), Code::AuthBasicType, "{wrong:?}");
        }
    }

    #[test]
    fn a_hash_is_text_or_bytes() {
        let found = |hash: &[u8]| Said::Well(Some(hash.to_vec()));
        assert_eq!(realm_hash(&one(text("abé")), ""), found(b"ab\xe9"));
        assert_eq!(realm_hash(&one(Value::Bytes(b"ab".to_vec())), ""), found(b"ab"));
        assert_eq!(realm_hash(&one(Value::None), ""), Said::Well(None));
        for empty in [one(text("")), one(Value::Bytes(vec![])), one(text("a\0"))] {
            assert_eq!(code(realm_hash(&empty, "")), Code::AuthDigestEmpty);
        }
        assert_eq!(realm_hash(&Returned::Raised, ""), Said::Raised);
        assert_eq!(code(realm_hash(&Returned::Missing, "")), Code::AuthDigestNoFunction);
        for wrong in nonsense().iter().chain([&one(text("€")), &one(Value::Bool(true))]) {
            assert_eq!(code(realm_hash(wrong, "")), Code::AuthDigestType, "{wrong:?}");
        }
    }

    #[test]
    fn groups_are_text_or_bytes() {
        let all = Returned::Many(vec![text("é"), Value::Bytes(b"x".to_vec())]);
        assert_eq!(groups(&all, ""), Said::Well(vec![b"\xe9".to_vec(), b"x".to_vec()]));
        assert_eq!(groups(&one(text("ab")), ""), Said::Well(vec![b"a".to_vec(), b"b".to_vec()]));
        assert_eq!(groups(&Returned::Many(vec![]), ""), Said::Well(vec![]));
        assert_eq!(groups(&one(Value::Bytes(vec![])), ""), Said::Well(vec![]));
        assert_eq!(groups(&Returned::Raised, ""), Said::Raised);
        for (wrong, expected) in [
            (Returned::Missing, Code::GroupsNoFunction),
            (one(Value::None), Code::GroupsType),
            (one(Value::Bool(true)), Code::GroupsType),
            (Returned::Many(vec![text("a"), text("€")]), Code::GroupText),
            (Returned::Many(vec![text("a"), Value::Int(1)]), Code::GroupType),
            (one(Value::Bytes(b"a".to_vec())), Code::GroupType),
        ] {
            assert_eq!(code(groups(&wrong, "")), expected, "{wrong:?}");
        }
    }

    #[test]
    fn a_member_is_in_one_of_the_groups_of_the_line() {
        let of = |groups: &[&str], line: &str| {
            let groups: Vec<_> = groups.iter().map(|group| latin1(group).unwrap()).collect();
            is_member(&groups, &latin1(line).unwrap(), "u", "/").map_err(|error| error.code)
        };
        assert_eq!(of(&["staff"], "agents staff"), Ok(()));
        assert_eq!(of(&["two words"], "x \"Two Words\""), Ok(()));
        assert_eq!(of(&["é"], "é"), Ok(()));
        assert_eq!(of(&[], "staff"), Err(Code::GroupNone));
        assert_eq!(of(&["staff"], "staff2 sta"), Err(Code::GroupOther));
        assert_eq!(of(&["staff"], ""), Err(Code::GroupOther));
        assert_eq!(of(&[""], ""), Err(Code::GroupOther));
    }
}
