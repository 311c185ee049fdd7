//! Reads a connection's bytes with hyper, without a socket.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::rt::{ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};

use crate::reader::Request as Seen;

/// Bytes that have come, and then the end; what is sent is lost.
struct Wire(Vec<u8>, usize);

impl hyper::rt::Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut room: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let count = (self.0.len() - self.1).min(room.remaining());
        room.put_slice(&self.0[self.1..self.1 + count]);
        self.1 += count;
        Poll::Ready(Ok(()))
    }
}

impl Write for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The requests that hyper sees, whole ones.
pub(crate) fn read(bytes: &[u8]) -> Vec<Seen> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let service = service_fn(|request: Request<Incoming>| serve(request, seen.clone()));
    let mut server = http1::Builder::new();
    let connection = server.half_close(true).serve_connection(Wire(bytes.to_vec(), 0), service);
    let mut connection = pin!(connection);
    let mut context = Context::from_waker(Waker::noop());
    // It never has to wait, but it may let others go first.
    for _ in 0..1000 {
        if connection.as_mut().poll(&mut context).is_ready() {
            break;
        }
    }
    let seen = seen.lock().unwrap();
    seen.clone()
}

async fn serve(
    request: Request<Incoming>,
    seen: Arc<Mutex<Vec<Seen>>>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    if let Ok(body) = body.collect().await {
        seen.lock().unwrap().push(Seen {
            method: head.method.to_string(),
            target: head.uri.to_string(),
            body: body.to_bytes().to_vec(),
        });
    }
    Ok(Response::new(Empty::new()))
}
