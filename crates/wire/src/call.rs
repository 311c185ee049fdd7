//! Calls of functions in a script, which a front door makes before or instead of a request: routing
//! ([`Kind::Call`](crate::Kind::Call) and [`Kind::Returned`](crate::Kind::Returned)).
//!
//! The frame of a call is that of a request ([`crate::request`]) of another kind: its environ is what the functions
//! get first, and in the place of the body is a [`Call`], encoded as [`crate::message::encode`] does. The worker answers
//! with one `Returned` frame that carries a list of [`Returned`], one for each function up to the first that
//! raised, and with an `End` frame.

use serde::{Deserialize, Serialize};

/// Which functions to call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Their names in the script, in the order in which they are called. Those that the script does not
    /// define are passed over.
    pub functions: Vec<String>,
    /// What each of them gets behind the environ.
    pub arguments: Vec<Argument>,
}

/// An argument of a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Argument {
    /// `None`.
    None,
    /// A `str`, each byte a character, as in the environ (PEP 3333).
    Latin1(Vec<u8>),
    /// A `str` from UTF-8; what is none becomes lone surrogates (`surrogateescape`).
    Utf8(Vec<u8>),
    /// `bytes`.
    Bytes(Vec<u8>),
}

/// What became of one function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Returned {
    /// The script does not define it.
    Missing,
    /// It raised an exception, which the worker has logged.
    Raised,
    /// It returned this.
    One(Value),
    /// It returned something that can be iterated: these are its items.
    Many(Vec<Value>),
}

/// A value that a function returned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// `None`.
    None,
    /// A `bool`.
    Bool(bool),
    /// An `int`.
    Int(i64),
    /// A `str`.
    Text(String),
    /// `bytes`.
    Bytes(Vec<u8>),
    /// Anything else: the name of its type.
    Other(String),
}

/// The most items that an iterable may have: a function that gives more counts as one that raised.
pub const MOST_ITEMS: usize = 65_536;

impl Returned {
    /// Whether the function returned `None`, or there is none.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Missing | Self::One(Value::None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{decode, encode};
    use proptest::prelude::*;

    #[test]
    fn calls_and_what_they_return_survive_the_way() {
        let call = Call {
            functions: vec!["check_password".to_owned()],
            arguments: vec![
                Argument::None,
                Argument::Latin1(b"\xe9".to_vec()),
                Argument::Utf8("é".as_bytes().to_vec()),
                Argument::Bytes(b"\0".to_vec()),
            ],
        };
        assert_eq!(decode::<Call>(&encode(&call).unwrap()).unwrap(), call);
        let returned = vec![
            Returned::Missing,
            Returned::One(Value::Bool(true)),
            Returned::Many(vec![Value::Text("staff".to_owned()), Value::Int(-1)]),
            Returned::One(Value::Other("set".to_owned())),
            Returned::Raised,
        ];
        assert_eq!(decode::<Vec<Returned>>(&encode(&returned).unwrap()).unwrap(), returned);
    }

    #[test]
    fn nothing_is_none_or_no_function() {
        assert!(Returned::Missing.is_nothing() && Returned::One(Value::None).is_nothing());
        assert!(!Returned::Raised.is_nothing() && !Returned::Many(Vec::new()).is_nothing());
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in any::<Vec<u8>>()) {
            let mut framed = encode(&()).unwrap();
            framed.extend(bytes);
            let _ = (decode::<Call>(&framed), decode::<Vec<Returned>>(&framed));
        }
    }
}
