//! The body of a request, before the application asks for it.

use pinion_config::Code;
use pinion_httpd::{Answer, Blocking, Brigade, Request, log::Level};
use pinion_wire::request::BodyLength;

use crate::say;

/// Bodies up to this length are read before the request is given to a worker, so that a slow client does not
/// keep a thread of the application waiting.
const SHORT: u64 = 16 * 1024;

/// How long a body the request announces.
///
/// # Errors
/// The answer for httpd: 400 for a length that is none, 411 for a chunked body that is not allowed, 413 for one
/// over `LimitRequestBody`, 501 for another transfer coding.
pub(crate) fn announced(request: Request<'_>, chunked: bool) -> Result<BodyLength, Answer> {
    request.prepare_body(chunked).inspect_err(|answer| say_refused(request, *answer))?;
    if request.is_chunked() {
        return Ok(BodyLength::Chunked);
    }
    let length = request.announced_length();
    match request.body_limit() {
        Some(limit) if length > limit => {
            let code = Code::BodyTooLarge;
            let text = format!("a body of {length} bytes is over LimitRequestBody {limit}");
            say::error(request, code, &text);
            Err(Answer::Http(413))
        }
        _ => Ok(BodyLength::Known(length)),
    }
}

/// Logs why httpd takes no body from this request.
fn say_refused(request: Request<'_>, answer: Answer) {
    let header = |name| {
        request
            .headers_in()
            .get(name)
            .map_or_else(String::new, |value| value.to_string_lossy().into())
    };
    match answer.status() {
        Some(411) => say::error(
            request,
            Code::ChunkedRefused,
            "Request requires chunked transfer encoding, but support for chunked transfer encoding has not been enabled.",
        ),
        Some(501) => {
            let value = header(c"Transfer-Encoding");
            let text = format!(
                "Unexpected value for Transfer-Encoding of '{value}' supplied. Only 'chunked' supported."
            );
            say::error(request, Code::TransferEncodingUnknown, &text);
        }
        Some(400) => {
            let value = header(c"Content-Length");
            let text = format!("Invalid Content-Length header value of '{value}' was supplied.");
            say::error(request, Code::LengthInvalid, &text);
        }
        _ => {}
    }
}

/// Reads a short body whole. A longer one, a chunked one, and one whose client waits for "100 Continue" are
/// left until the application asks.
///
/// # Errors
/// The answer for httpd, when the client does not send what it announced.
pub(crate) fn read_short(
    request: Request<'_>,
    length: BodyLength,
    into: &mut Vec<u8>,
) -> Result<(), Answer> {
    let BodyLength::Known(length @ 1..=SHORT) = length else { return Ok(()) };
    if request.expects_continue() {
        return Ok(());
    }
    let mut brigade = Brigade::new(request);
    loop {
        let room = length as usize - into.len();
        let read = request.read_body(&mut brigade, room, Blocking::Yes, |bytes| {
            into.extend_from_slice(bytes);
        });
        match read {
            Ok(filled) if filled.ended || into.len() as u64 >= length => return Ok(()),
            Ok(_) => {}
            Err(error) => {
                let code = Code::ClientGone;
                say::line(request, Level::Debug, &format!("{code}: {error}"));
                request.connection().close_after();
                return Err(error.answer);
            }
        }
    }
}
