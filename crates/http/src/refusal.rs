//! What is answered to what is no request that can be served.

/// An answer that ends the connection: a status and a line for whoever reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {text}")]
pub struct Refusal {
    /// The status code.
    pub status: u16,
    /// What is wrong.
    pub text: &'static str,
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $status:literal, $text:literal;)*) => {
        impl Refusal {
            $($(#[$doc])* pub const $name: Self = Self { status: $status, text: $text };)*
        }
    };
}

refusals! {
    /// The first line is none.
    BAD_LINE = 400, "This is no request line.";
    /// A lone CR or LF.
    BAD_LINE_END = 400, "Lines end with CR LF.";
    /// A field that is none: a blank in front of the colon, a folded line, a control character.
    BAD_FIELD = 400, "A header field is malformed.";
    /// None, several, or one that is no host.
    BAD_HOST = 400, "One Host field must name the host.";
    /// A target that is no path and no address.
    BAD_TARGET = 400, "The request target is malformed.";
    /// No number, or several.
    BAD_LENGTH = 400, "Content-Length must be one number.";
    /// Content-Length and Transfer-Encoding.
    TWO_LENGTHS = 400, "Content-Length and Transfer-Encoding exclude each other.";
    /// Transfer-Encoding twice, or in HTTP/1.0.
    BAD_CODING = 400, "Transfer-Encoding is malformed.";
    /// A chunk's size or end is not what it should be.
    BAD_CHUNK = 400, "The chunked body is malformed.";
    /// The client took too long.
    TIMEOUT = 408, "The request did not come in time.";
    /// The body is longer than it may be.
    LONG_BODY = 413, "The request body is too long.";
    /// The first line is longer than it may be.
    LONG_LINE = 414, "The request line is too long.";
    /// An expectation other than 100-continue.
    EXPECTATION = 417, "Only 100-continue can be expected.";
    /// The head is longer than it may be.
    LONG_HEAD = 431, "The header fields are too long.";
    /// More fields than there may be.
    MANY_FIELDS = 431, "There are too many header fields.";
    /// No proxy.
    CONNECT = 501, "This server is no proxy.";
    /// A coding other than chunked.
    OTHER_CODING = 501, "Only the chunked transfer coding is known.";
    /// Neither HTTP/1.0 nor HTTP/1.1.
    OTHER_VERSION = 505, "HTTP/1.0 and HTTP/1.1 are spoken here.";
}
