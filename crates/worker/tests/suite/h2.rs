//! A client of HTTP/2.

use std::future::{Future, poll_fn};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::response::Parts;
use http::{HeaderMap, Request};
use pinion_testbed::tls::Settings;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::SOON;

/// A connection, and what runs it.
pub(crate) struct Client {
    runtime: Runtime,
    requests: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What came of a request.
pub(crate) type Answered = Result<Answer, h2::Error>;

/// A request for a path.
pub(crate) fn request(method: &str, path: &str, fields: &[(&str, &str)]) -> Request<()> {
    let uri = format!("https://h.example{path}");
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

impl Client {
    /// Connects to a port of 127.0.0.1.
    pub(crate) fn open(port: u16, settings: &Settings) -> Self {
        Self::open_with(port, settings, |_| {})
    }

    /// As [`Client::open`], with other settings of the protocol.
    pub(crate) fn open_with(
        port: u16,
        settings: &Settings,
        change: impl FnOnce(&mut Builder),
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut builder = Builder::new();
        // As browsers do until they have the server's settings.
        builder.initial_max_send_streams(100);
        change(&mut builder);
        let (requests, connection) = runtime.block_on(async {
            let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.set_nonblocking(true).unwrap();
            let stream = tokio::net::TcpStream::from_std(stream).unwrap();
            let name = ServerName::try_from("localhost").unwrap();
            let stream = TlsConnector::from(settings.clone()).connect(name, stream).await.unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            let (requests, connection) = builder.handshake(stream).await.unwrap();
            (requests, tokio::spawn(connection))
        });
        Self { runtime, requests, connection }
    }

    /// Lets everything go on until `future` is done.
    pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(async { tokio::time::timeout(SOON, future).await.expect("in time") })
    }

    /// Lets everything go on until `done` says so.
    pub(crate) fn run_until(&self, done: impl Fn() -> bool) {
        self.run(async {
            while !done() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
    }

    /// Sends a request without a body.
    pub(crate) fn send(&mut self, request: Request<()>) -> ResponseFuture {
        self.try_send(request).unwrap()
    }

    fn try_send(&mut self, request: Request<()>) -> Result<ResponseFuture, h2::Error> {
        self.be_ready()?;
        Ok(self.requests.send_request(request, true)?.0)
    }

    fn be_ready(&mut self) -> Result<(), h2::Error> {
        self.requests = self.runtime.block_on(self.requests.clone().ready())?;
        Ok(())
    }

    /// Sends the head of a request whose body follows.
    pub(crate) fn begin(&mut self, request: Request<()>) -> (ResponseFuture, SendStream<Bytes>) {
        self.be_ready().unwrap();
        self.requests.send_request(request, false).unwrap()
    }

    /// A GET.
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.ask(request("GET", path, &[])).unwrap()
    }

    /// A request without a body.
    pub(crate) fn ask(&mut self, request: Request<()>) -> Answered {
        let answer = self.try_send(request)?;
        self.run(whole(answer))
    }

    /// A request with a body.
    pub(crate) fn post(&mut self, path: &str, fields: &[(&str, &str)], body: &[u8]) -> Answered {
        let (answer, mut stream) = self.begin(request("POST", path, fields));
        self.run(async move {
            let sending = tokio::spawn({
                let body = Bytes::copy_from_slice(body);
                async move { upload(&mut stream, body).await }
            });
            let answer = whole(answer).await;
            sending.abort();
            answer
        })
    }

    /// Waits for the connection's end.
    pub(crate) fn end(self) -> Result<(), h2::Error> {
        let Self { runtime, requests, connection } = self;
        let ended = async { tokio::time::timeout(SOON, connection).await.expect("in time") };
        let ended = runtime.block_on(ended).unwrap();
        drop(requests);
        ended
    }
}

/// Sends a body as far as the server wants it.
pub(crate) async fn upload(
    stream: &mut SendStream<Bytes>,
    mut body: Bytes,
) -> Result<(), h2::Error> {
    while !body.is_empty() {
        stream.reserve_capacity(body.len());
        let Some(room) = poll_fn(|cx| stream.poll_capacity(cx)).await else { return Ok(()) };
        let part = body.split_to(room?.min(body.len()));
        stream.send_data(part, false)?;
    }
    stream.send_data(Bytes::new(), true)
}

/// Reads a whole answer.
pub(crate) async fn whole(answer: ResponseFuture) -> Answered {
    let (Parts { status, headers, .. }, mut stream) = answer.await?.into_parts();
    let mut body = Vec::new();
    while let Some(part) = piece(&mut stream).await {
        body.extend(part?);
    }
    Ok(Answer { status: status.as_u16(), headers, body })
}

/// The next piece of an answer's body, for which more may be sent.
pub(crate) async fn piece(stream: &mut RecvStream) -> Option<Result<Bytes, h2::Error>> {
    let part = stream.data().await?;
    if let Ok(part) = &part {
        let _ = stream.flow_control().release_capacity(part.len());
    }
    Some(part)
}
