//! `WSGIDispatchScript`: functions that choose a request's groups and callable.

use std::os::unix::ffi::OsStrExt;

use pinion_config::{CalledScript, Code, NameTemplate};
use pinion_httpd::Request;
use pinion_wire::call::{Call, Returned, Value};

use crate::{
    call::{Callee, NotCalled, Seen, call},
    names::{Namer, Names},
    say,
};

/// The functions, in the order of the names that they choose.
const FUNCTIONS: [&str; 3] = ["process_group", "application_group", "callable_object"];

/// Asks the script and puts what it says in the place of what the directives say.
///
/// # Errors
/// The status for the client; the log says why.
pub(crate) fn choose(
    request: Request<'_>,
    script: &CalledScript,
    namer: &Namer<'_>,
    names: &mut Names,
) -> Result<(), u16> {
    let callee = Callee {
        script: script.path.as_os_str().as_bytes(),
        process_group: "",
        application_group: &script.application_group,
        seen: Seen::Whole,
    };
    let functions = FUNCTIONS.map(str::to_owned).to_vec();
    let returned = match call(request, callee, &Call { functions, arguments: Vec::new() }) {
        Ok(returned) => returned,
        // As by mod_wsgi: what the directives say holds.
        Err(NotCalled::NotLoaded) => return Ok(()),
        Err(NotCalled::Unserved(status)) => return Err(status),
    };
    let mut chosen = returned.iter();
    let mut next = |function| match chosen.next().map(name) {
        Some(Ok(name)) => Ok(name.map(|name| namer.expand(&NameTemplate::parse(&name)))),
        // The worker has logged the exception.
        Some(Err(None)) | None => Err(500_u16),
        Some(Err(Some(kind))) => {
            let code = Code::DispatchValue;
            let script = script.path.display();
            say::error(request, code, &format!("{script}: {function}() returned {kind}"));
            Err(500)
        }
    };
    if let Some(name) = next(FUNCTIONS[0])? {
        names.process_group = name;
    }
    if let Some(name) = next(FUNCTIONS[1])? {
        names.application_group = name;
    }
    if let Some(name) = next(FUNCTIONS[2])? {
        names.callable = Some(name);
    }
    Ok(())
}

/// The name that a function gives, `None` where it leaves the directive's.
///
/// # Errors
/// What it gave instead of a name; `None` for an exception.
fn name(returned: &Returned) -> Result<Option<String>, Option<&str>> {
    let kind = match returned {
        Returned::Missing | Returned::One(Value::None) => return Ok(None),
        Returned::One(Value::Text(text)) if text.contains('\0') => "text with a NUL",
        Returned::One(Value::Bytes(bytes)) if bytes.contains(&0) => "bytes with a NUL",
        Returned::One(Value::Text(text)) if text.chars().all(|c| u32::from(c) < 256) => {
            return Ok(Some(text.clone()));
        }
        Returned::One(Value::Bytes(bytes)) => {
            return Ok(Some(bytes.iter().map(|byte| char::from(*byte)).collect()));
        }
        Returned::Raised => return Err(None),
        Returned::One(Value::Text(_)) => "text beyond Latin-1",
        Returned::One(Value::Bool(_)) => "bool",
        Returned::One(Value::Int(_)) => "int",
        Returned::One(Value::Other(kind)) => kind,
        Returned::Many(_) => "many values",
    };
    Err(Some(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_text_or_bytes_of_latin1() {
        let one = |value| name(&Returned::One(value)).map_err(|kind| kind.map(str::to_owned));
        assert_eq!(one(Value::Text("é".into())), Ok(Some("é".into())));
        assert_eq!(one(Value::Bytes(b"\xe9".to_vec())), Ok(Some("é".into())));
        assert_eq!(one(Value::Text("€".into())), Err(Some("text beyond Latin-1".into())));
        assert_eq!(one(Value::Text("a\0b".into())), Err(Some("text with a NUL".into())));
        assert_eq!(one(Value::Bytes(b"\0".to_vec())), Err(Some("bytes with a NUL".into())));
        assert_eq!(one(Value::None), Ok(None));
        assert_eq!(one(Value::Bool(true)), Err(Some("bool".into())));
        assert_eq!(one(Value::Other("set".into())), Err(Some("set".into())));
        assert_eq!(name(&Returned::Missing), Ok(None));
        assert_eq!(name(&Returned::Raised), Err(None));
    }
}
