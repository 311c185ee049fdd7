//! SCRIPT_NAME and PATH_INFO.

use pinion_wsgi::environ;

/// A URL's path, divided where the script ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Split {
    /// The part that names the script.
    pub(crate) script_name: Vec<u8>,
    /// What follows.
    pub(crate) path_info: Vec<u8>,
}

impl Split {
    /// Divides the decoded path `uri`, at whose end httpd's directory walk has found `path_info` (perhaps with
    /// repeated slashes merged).
    pub(crate) fn of(uri: &[u8], path_info: &[u8]) -> Self {
        let (script_name, path_info) = environ::divide(uri, path_info);
        Self { script_name: script_name.into_owned(), path_info: path_info.into_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(uri: &str, path_info: &str) -> (String, String) {
        let Split { script_name, path_info } = Split::of(uri.as_bytes(), path_info.as_bytes());
        (String::from_utf8(script_name).unwrap(), String::from_utf8(path_info).unwrap())
    }

    fn pair(script_name: &str, path_info: &str) -> (String, String) {
        (script_name.to_owned(), path_info.to_owned())
    }

    #[test]
    fn the_path_is_divided_at_path_info() {
        assert_eq!(split("/app/x", "/x"), pair("/app", "/x"));
        assert_eq!(split("/app", ""), pair("/app", ""));
        assert_eq!(split("/", "/"), pair("", "/"));
        assert_eq!(split("/other", "/x"), pair("/other", "/x"));
    }

    #[test]
    fn repeated_slashes_are_one() {
        assert_eq!(split("//app//x", "//x"), pair("/app", "/x"));
        assert_eq!(split("/app//", "//"), pair("/app", "/"));
    }
}
