//! HTTP over a socket that tests control byte by byte: partial requests, pipelining, half-close,
//! reset, and responses read as they come.

use crate::Error;
use crate::http::Answer;
use crate::tls;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, setsockopt, socket, sockopt,
};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long a read or write may take before the exchange counts as failed.
const LIMIT: Duration = Duration::from_secs(60);

/// One connection to 127.0.0.1.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    /// Bytes received and not yet handed out.
    pending: Vec<u8>,
}

/// What carries the bytes.
#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<tls::Stream>),
}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &stream.sock,
        }
    }
}

/// A response's status and headers.
#[derive(Debug, Clone)]
pub struct Head {
    /// Status code.
    pub status: u16,
    /// Reason phrase.
    pub reason: String,
    /// Names and values, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// How the body ends.
    pub framing: Framing,
}

/// How a response's body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// After so many more bytes; none for a response without a body.
    Length(u64),
    /// With a chunk of size zero.
    Chunked,
    /// With the connection.
    Close,
}

impl Connection {
    /// Connects to a port of 127.0.0.1.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn open(port: u16) -> Result<Self, Error> {
        Ok(Self { stream: Stream::Plain(connect(port)?), pending: Vec::new() })
    }

    /// Connects to a port of 127.0.0.1 and speaks TLS.
    ///
    /// # Errors
    /// Nobody listens, or the handshake fails.
    pub fn open_tls(port: u16, settings: &tls::Settings) -> Result<Self, Error> {
        let stream = tls::shake(settings, connect(port)?)?;
        Ok(Self { stream: Stream::Tls(Box::new(stream)), pending: Vec::new() })
    }

    /// Connects to a Unix socket.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn open_unix(path: &Path) -> Result<Self, Error> {
        let connected = UnixStream::connect(path).and_then(|stream| {
            // All that is asked of it, sockets of either family do.
            let stream = TcpStream::from(OwnedFd::from(stream));
            limit(&stream)?;
            Ok(stream)
        });
        let stream = connected.map_err(Error::io(format!("connecting to {}", path.display())))?;
        Ok(Self { stream: Stream::Plain(stream), pending: Vec::new() })
    }

    /// The TLS connection, if it is one.
    #[must_use]
    pub fn tls(&self) -> Option<&tls::Stream> {
        match &self.stream {
            Stream::Plain(_) => None,
            Stream::Tls(stream) => Some(stream),
        }
    }

    /// Connects from an address of this machine, such as 127.0.0.5. For the answers there is little room, `window` bytes or what the
    /// system has at least, so that whoever answers finds out soon that nobody reads.
    ///
    /// # Errors
    /// Nobody listens, or the address is none of this machine.
    pub fn from(address: Ipv4Addr, window: Option<usize>, port: u16) -> Result<Self, Error> {
        let connect = || -> nix::Result<TcpStream> {
            let kind = SockType::Stream;
            let socket = socket(AddressFamily::Inet, kind, SockFlag::SOCK_CLOEXEC, None)?;
            if let Some(window) = window {
                setsockopt(&socket, sockopt::RcvBuf, &window)?;
            }
            bind(socket.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(address, 0)))?;
            let server = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
            nix::sys::socket::connect(socket.as_raw_fd(), &SockaddrIn::from(server))?;
            Ok(socket.into())
        };
        let tuned = connect().map_err(std::io::Error::from).and_then(tune);
        let stream = tuned.map_err(Error::io(format!("connecting to port {port}")))?;
        Ok(Self { stream: Stream::Plain(stream), pending: Vec::new() })
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The other side closed, or takes nothing for a minute.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), Error> {
        let bytes = bytes.as_ref();
        let sent = match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        };
        sent.map_err(Error::io("sending"))
    }

    /// The same connection for another thread, which then reads while this one sends.
    ///
    /// # Errors
    /// No descriptor is left, or it speaks TLS, whose state is one.
    pub fn try_clone(&self) -> Result<Self, Error> {
        let Stream::Plain(stream) = &self.stream else {
            return Err(Error::http("cloning a connection", "it speaks TLS"));
        };
        let stream = stream.try_clone().map_err(Error::io("cloning a socket"))?;
        Ok(Self { stream: Stream::Plain(stream), pending: self.pending.clone() })
    }

    /// Ends the sending direction and goes on reading.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn half_close(&self) -> Result<(), Error> {
        self.stream
            .socket()
            .shutdown(Shutdown::Write)
            .map_err(Error::io("closing the sending side"))
    }

    /// Tells the other side that nothing more is sent, by TLS if that is spoken, and goes on reading.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn end(&mut self) -> Result<(), Error> {
        match &mut self.stream {
            Stream::Plain(_) => self.half_close(),
            Stream::Tls(stream) => {
                stream.conn.send_close_notify();
                stream.flush().map_err(Error::io("closing the sending side"))
            }
        }
    }

    /// Ends the connection with a TCP reset, as a client that crashed does.
    ///
    /// # Errors
    /// The option cannot be set.
    pub fn reset(self) -> Result<(), Error> {
        let linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
        setsockopt(self.stream.socket(), sockopt::Linger, &linger)
            .map_err(|errno| Error::io("resetting")(errno.into()))
    }

    /// Changes how long one read may take.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn read_timeout(&self, limit: Duration) -> Result<(), Error> {
        self.stream.socket().set_read_timeout(Some(limit)).map_err(Error::io("setting a timeout"))
    }

    /// Reads the next response's head; `method` is the request's. `100 Continue` is skipped.
    ///
    /// # Errors
    /// The connection ended first, or what came is no HTTP.
    pub fn head(&mut self, method: &str) -> Result<Head, Error> {
        loop {
            if let Some(head) = self.parse_head(method)? {
                if head.status != 100 {
                    return Ok(head);
                }
            } else if self.fill()? == 0 {
                let got = String::from_utf8_lossy(&self.pending).into_owned();
                return Err(Error::http(
                    "response head",
                    format!("connection closed after {got:?}"),
                ));
            }
        }
    }

    /// The status of the next head, `100 Continue` included; what follows is left to be read.
    ///
    /// # Errors
    /// The connection ended first, or what came is no HTTP.
    pub fn interim(&mut self) -> Result<u16, Error> {
        loop {
            if let Some(head) = self.parse_head("POST")? {
                return Ok(head.status);
            }
            if self.fill()? == 0 {
                return Err(Error::http("response head", "connection closed"));
            }
        }
    }

    /// The next piece of the body as it came, none at its end.
    ///
    /// # Errors
    /// The connection ended before the body did.
    pub fn piece(&mut self, framing: &mut Framing) -> Result<Option<Vec<u8>>, Error> {
        match framing {
            Framing::Length(0) => Ok(None),
            Framing::Length(left) => {
                if self.pending.is_empty() && self.fill()? == 0 {
                    return Err(Error::http("response body", format!("{left} bytes missing")));
                }
                let take = self.pending.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= take as u64;
                Ok(Some(self.pending.drain(..take).collect()))
            }
            Framing::Close => {
                if self.pending.is_empty() && self.fill()? == 0 {
                    return Ok(None);
                }
                Ok(Some(std::mem::take(&mut self.pending)))
            }
            Framing::Chunked => {
                let chunk = self.chunk()?;
                if chunk.is_none() {
                    *framing = Framing::Length(0);
                }
                Ok(chunk)
            }
        }
    }

    /// Reads a whole response; `method` is the request's.
    ///
    /// # Errors
    /// The connection ended before the response did, or what came is no HTTP.
    pub fn answer(&mut self, method: &str) -> Result<Answer, Error> {
        let Head { status, reason, headers, mut framing } = self.head(method)?;
        let mut body = Vec::new();
        while let Some(piece) = self.piece(&mut framing)? {
            body.extend(piece);
        }
        Ok(Answer { status, reason, headers, body })
    }

    /// Everything until the connection's end, as bytes.
    ///
    /// # Errors
    /// The connection did not end as it should: it was reset, or TLS was cut off.
    pub fn whole_rest(&mut self) -> Result<Vec<u8>, Error> {
        while self.fill()? > 0 {}
        Ok(std::mem::take(&mut self.pending))
    }

    /// Everything until the connection's end, as bytes; a reset counts as the end.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.fill().is_ok_and(|count| count > 0) {}
        std::mem::take(&mut self.pending)
    }

    /// Whether bytes of an answer have come that nobody took yet.
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    fn fill(&mut self) -> Result<usize, Error> {
        let mut buffer = [0; 65536];
        let count = loop {
            let read = match &mut self.stream {
                Stream::Plain(stream) => stream.read(&mut buffer),
                Stream::Tls(stream) => stream.read(&mut buffer),
            };
            match read {
                // A socket with a timeout tells of a process that was paused and goes on.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                read => break read.map_err(Error::io("receiving"))?,
            }
        };
        self.pending.extend_from_slice(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn parse_head(&mut self, method: &str) -> Result<Option<Head>, Error> {
        let mut headers = [httparse::EMPTY_HEADER; 128];
        let mut response = httparse::Response::new(&mut headers);
        let parsed =
            response.parse(&self.pending).map_err(|error| Error::http("response head", error))?;
        let httparse::Status::Complete(length) = parsed else { return Ok(None) };
        let headers: Vec<(String, Vec<u8>)> =
            response.headers.iter().map(|h| (h.name.to_owned(), h.value.to_vec())).collect();
        let status = response.code.unwrap_or(0);
        let reason = response.reason.unwrap_or("").to_owned();
        let framing = framing(method, status, &headers);
        self.pending.drain(..length);
        Ok(Some(Head { status, reason, headers, framing }))
    }

    fn chunk(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let size = self.line()?;
        let digits = size.split(';').next().unwrap_or("").trim();
        let size = usize::from_str_radix(digits, 16)
            .map_err(|_invalid| Error::http("chunk", format!("bad size {digits:?}")))?;
        if size == 0 {
            while !self.line()?.is_empty() {}
            return Ok(None);
        }
        while self.pending.len() < size + 2 {
            if self.fill()? == 0 {
                return Err(Error::http("chunk", "connection closed inside it"));
            }
        }
        let chunk = self.pending.drain(..size).collect();
        self.pending.drain(..2);
        Ok(Some(chunk))
    }

    fn line(&mut self) -> Result<String, Error> {
        loop {
            if let Some(end) = self.pending.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.pending.drain(..end + 2).collect();
                return Ok(
                    String::from_utf8_lossy(line.get(..end).unwrap_or_default()).into_owned()
                );
            }
            if self.fill()? == 0 {
                return Err(Error::http("chunked body", "connection closed between chunks"));
            }
        }
    }
}

fn connect(port: u16) -> Result<TcpStream, Error> {
    let stream = TcpStream::connect(("127.0.0.1", port)).and_then(tune);
    stream.map_err(Error::io(format!("connecting to port {port}")))
}

fn tune(stream: TcpStream) -> std::io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    limit(&stream)?;
    Ok(stream)
}

fn limit(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))
}

/// Sends one request on a connection of its own, and reads the answer.
///
/// `head` is the request line and headers without the closing empty line, lines parted by `\r\n`.
///
/// # Errors
/// No whole response came.
pub fn exchange(port: u16, head: &str, body: &[u8]) -> Result<Answer, Error> {
    let mut connection = Connection::open(port)?;
    connection.send([head.as_bytes(), b"\r\n\r\n", body].concat())?;
    connection.answer(head.split(' ').next().unwrap_or("GET"))
}

/// How a response's body ends, by RFC 9112 section 6.3.
fn framing(method: &str, status: u16, headers: &[(String, Vec<u8>)]) -> Framing {
    if method == "HEAD" || status < 200 || status == 204 || status == 304 {
        return Framing::Length(0);
    }
    let find = |name: &str| {
        let found = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    };
    if find("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        return Framing::Chunked;
    }
    match find("content-length").map(|value| value.trim().parse()) {
        Some(Ok(length)) => Framing::Length(length),
        _ => Framing::Close,
    }
}
