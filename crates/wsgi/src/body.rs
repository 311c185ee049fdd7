//! Whether a request's body is taken, decided from its head (RFC 9112, section 6; mod_wsgi's
//! documentation of `WSGIChunkedRequest`).

use thiserror::Error;

use crate::headers::{parse_length, trim};

/// The body that a request announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestBody {
    /// None.
    None,
    /// So many bytes; `Content-Length: 0` is one of these.
    Length(u64),
    /// As many as come.
    Chunked,
}

/// Why a request is answered without the application seeing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The body is chunked, and that is not enabled.
    #[error("the request's body is chunked, and WSGIChunkedRequest is Off")]
    Chunked,
    /// The length is no number.
    #[error("the request's Content-Length is not valid")]
    BadLength,
    /// The body is longer than `LimitRequestBody`.
    #[error("the request's body is longer than LimitRequestBody allows")]
    TooLarge,
    /// Another transfer coding than `chunked`.
    #[error("the request's Transfer-Encoding is not chunked")]
    UnknownCoding,
}

impl Refusal {
    /// The status to answer with.
    pub fn status(self) -> u16 {
        match self {
            Self::BadLength => 400,
            Self::Chunked => 411,
            Self::TooLarge => 413,
            Self::UnknownCoding => 501,
        }
    }
}

/// What is configured for a request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyRules {
    /// Whether chunked bodies are taken (`WSGIChunkedRequest`).
    pub chunked: bool,
    /// `LimitRequestBody` in bytes; `None` for no limit.
    pub limit: Option<u64>,
}

/// Decides over a body by the values of the request's Transfer-Encoding and Content-Length.
///
/// A transfer coding makes the length void. A chunked body is held to the limit while it is
/// read, which is not decided here.
///
/// # Errors
/// The refusal says which status to answer.
pub fn decide(
    transfer_encoding: Option<&[u8]>,
    content_length: Option<&[u8]>,
    rules: BodyRules,
) -> Result<RequestBody, Refusal> {
    if let Some(coding) = transfer_encoding {
        return match () {
            () if !trim(coding).eq_ignore_ascii_case(b"chunked") => Err(Refusal::UnknownCoding),
            () if !rules.chunked => Err(Refusal::Chunked),
            () => Ok(RequestBody::Chunked),
        };
    }
    let Some(length) = content_length else { return Ok(RequestBody::None) };
    let length = parse_length(trim(length)).ok_or(Refusal::BadLength)?;
    if rules.limit.is_some_and(|limit| length > limit) {
        return Err(Refusal::TooLarge);
    }
    Ok(RequestBody::Length(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFF: BodyRules = BodyRules { chunked: false, limit: Some(100) };
    const ON: BodyRules = BodyRules { chunked: true, limit: Some(100) };

    fn verdict(
        coding: Option<&str>,
        length: Option<&str>,
        rules: BodyRules,
    ) -> Result<RequestBody, u16> {
        decide(coding.map(str::as_bytes), length.map(str::as_bytes), rules).map_err(Refusal::status)
    }

    #[test]
    fn lengths_are_taken_up_to_the_limit() {
        assert_eq!(verdict(None, None, OFF), Ok(RequestBody::None));
        assert_eq!(verdict(None, Some("0"), OFF), Ok(RequestBody::Length(0)));
        assert_eq!(verdict(None, Some("100"), OFF), Ok(RequestBody::Length(100)));
        assert_eq!(verdict(None, Some("101"), OFF), Err(413));
        let unlimited = BodyRules { limit: None, ..OFF };
        let most = u64::MAX.to_string();
        assert_eq!(verdict(None, Some(&most), unlimited), Ok(RequestBody::Length(u64::MAX)));
    }

    #[test]
    fn lengths_that_are_none_are_refused() {
        for length in ["", "x", "-1", "+5", "5 5", "5,5", "99999999999999999999"] {
            assert_eq!(verdict(None, Some(length), OFF), Err(400), "{length}");
        }
    }

    #[test]
    fn chunks_are_taken_where_that_is_enabled() {
        for coding in ["chunked", "Chunked", " chunked "] {
            assert_eq!(verdict(Some(coding), None, ON), Ok(RequestBody::Chunked));
            assert_eq!(verdict(Some(coding), None, OFF), Err(411));
        }
        assert_eq!(verdict(Some("chunked"), Some("3"), ON), Ok(RequestBody::Chunked));
        for coding in ["gzip", "gzip, chunked", "identity", ""] {
            assert_eq!(verdict(Some(coding), None, ON), Err(501), "{coding}");
        }
    }
}
