//! What clients send to have two servers see two different requests, and what becomes of it. Tests of the rules and tests over
//! sockets both go through all of it.

/// What has to become of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// They are refused with this status, and nothing behind them is a request.
    Refused(u16),
    /// They are one request with this body, and what stands behind it is the next one.
    Served(&'static [u8]),
}

use Fate::{Refused, Served};

/// Bytes and what has to become of them.
pub(crate) type Attack = (&'static str, &'static [u8], Fate);

/// A request that stands behind each attack, which must be seen only behind a whole request.
pub(crate) const NEXT: &[u8] = b"GET /hello?next HTTP/1.1\r\nHost: h.example\r\n\r\n";

/// Two ways to say how long the body is.
pub(crate) const LENGTHS: &[Attack] = &[
    ("both lengths", b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Refused(400)),
    ("both lengths, the other way round", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", Refused(400)),
    ("both lengths, one of them nothing", b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Refused(400)),
    ("two different lengths", b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", Refused(400)),
    ("the same length twice", b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", Refused(400)),
    ("a list of lengths", b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\nabc", Refused(400)),
    ("a length with a sign", b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc", Refused(400)),
    ("a negative length", b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: -3\r\n\r\nabc", Refused(400)),
    ("no length at all", b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: \r\n\r\nabc", Refused(400)),
    ("a hexadecimal length", b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0x3\r\n\r\nabc", Refused(400)),
    ("a length with a blank in it", b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1 3\r\n\r\nabc", Refused(400)),
    ("a length in quotes", b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: \"3\"\r\n\r\nabc", Refused(400)),
    ("a length with a fraction", b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3.0\r\n\r\nabc", Refused(400)),
    ("a length beyond 64 bits", b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551619\r\n\r\nabc", Refused(400)),
    ("a length beyond 63 bits", b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9223372036854775808\r\n\r\nabc", Refused(400)),
    ("a length with blanks around it", b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: \t 3 \r\n\r\nabc", Served(b"abc")),
    ("a length with zeros before it", b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0003\r\n\r\nabc", Served(b"abc")),
    ("a body for GET", b"GET /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", Served(b"abc")),
    ("a name that only looks like it", b"POST /echo HTTP/1.1\r\nHost: h\r\nContent_Length: 3\r\nContent-Length: 0\r\n\r\n", Served(b"")),
];

/// Codings.
pub(crate) const CODINGS: &[Attack] = &[
    ("chunked", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", Served(b"abc")),
    ("chunked, in other letters", b"POST /echo HTTP/1.1\r\nHost: h\r\nTRANSFER-ENCODING: ChunKed\r\n\r\n3\r\nabc\r\n0\r\n\r\n", Served(b"abc")),
    ("chunked, with a blank before the colon", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", Refused(400)),
    ("chunked, with a tab before the colon", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", Refused(400)),
    ("chunked behind a vertical tab", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", Refused(400)),
    ("chunked behind a form feed", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \x0cchunked\r\n\r\n0\r\n\r\n", Refused(400)),
    ("chunked and a zero byte", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n", Refused(400)),
    ("chunked twice", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Refused(400)),
    ("chunked and identity in two fields", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", Refused(400)),
    ("chunked twice in a list", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", Refused(501)),
    ("chunked, not at last", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", Refused(501)),
    ("identity", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", Refused(501)),
    ("gzip and chunked", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", Refused(501)),
    ("chunked with a parameter", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", Refused(501)),
    ("chunked in quotes", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", Refused(501)),
    ("a coding that ends like it", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", Refused(501)),
    ("no coding", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \r\n\r\n0\r\n\r\n", Refused(501)),
    ("a comma and a coding", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: , chunked\r\n\r\n0\r\n\r\n", Refused(501)),
    ("chunked in HTTP/1.0", b"POST /echo HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Refused(400)),
    ("a coding and a length in HTTP/1.0", b"POST /echo HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", Refused(400)),
    ("a name that only looks like it", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer_Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc", Served(b"abc")),
    ("TE, which is for answers", b"POST /echo HTTP/1.1\r\nHost: h\r\nTE: chunked\r\nContent-Length: 3\r\n\r\nabc", Served(b"abc")),
];

/// Chunks.
pub(crate) const CHUNKS: &[Attack] = &[
    ("extensions", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b;c=\"d\"\r\nabc\r\n0;e\r\n\r\n", Served(b"abc")),
    ("trailer fields", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nContent-Length: 99\r\nHost: other\r\n\r\n", Served(b"abc")),
    ("sizes with zeros before them", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n003\r\nabc\r\n000\r\n\r\n", Served(b"abc")),
    ("a size with a sign", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n", Refused(400)),
    ("a negative size", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n", Refused(400)),
    ("a size in C's words", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n", Refused(400)),
    ("a size with an underscore", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0_3\r\nabc\r\n0\r\n\r\n", Refused(400)),
    ("no size", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n", Refused(400)),
    ("an extension without a size", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n;a=b\r\nabc\r\n0\r\n\r\n", Refused(400)),
    ("a blank before a size", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n 3\r\nabc\r\n0\r\n\r\n", Refused(400)),
    ("a blank behind a size", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n", Refused(400)),
    ("a size of more than 64 bits", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000003\r\nabc\r\n0\r\n\r\n", Refused(400)),
    ("sizes that add up to more", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nfffffffffffffffd\r\n", Refused(400)),
    ("a chunk that is longer than it says", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", Refused(400)),
    ("a chunk that is shorter than it says", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabc\r\n0\r\n\r\n", Refused(400)),
    ("a lone line feed behind a size", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", Refused(400)),
    ("a lone return behind a size", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\rabc\r\n0\r\n\r\n", Refused(400)),
    ("a lone line feed behind a chunk", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\n0\r\n\r\n", Refused(400)),
    ("no line end behind a chunk", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc0\r\n\r\n", Refused(400)),
    ("a lone line feed in an extension", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;\nabc\r\n0\r\n\r\n", Refused(400)),
    ("a lone return in an extension", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;\rx\r\nabc\r\n0\r\n\r\n", Refused(400)),
    ("a form feed before an extension", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\x0c;x\r\nabc\r\n0\r\n\r\n", Refused(400)),
    ("a zero byte in an extension", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;\0\r\nabc\r\n0\r\n\r\n", Refused(400)),
    ("a list of sizes", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3,3\r\nabc\r\n0\r\n\r\n", Refused(400)),
    ("a request as trailer", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nGET / HTTP/1.1\r\n\r\n", Refused(400)),
    ("a folded trailer field", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n z\r\n\r\n", Refused(400)),
    ("a trailer field with a lone line feed", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\r\n", Refused(400)),
    ("a trailer field with a blank before the colon", b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX : y\r\n\r\n", Refused(400)),
];

/// Lines, names and bytes that are none.
pub(crate) const LINES: &[Attack] = &[
    (
        "a lone line feed behind the request line",
        b"GET /hello HTTP/1.1\nHost: h\r\n\r\n",
        Refused(400),
    ),
    (
        "a lone line feed behind a field",
        b"GET /hello HTTP/1.1\r\nHost: h\nX: y\r\n\r\n",
        Refused(400),
    ),
    ("a lone line feed as the empty line", b"GET /hello HTTP/1.1\r\nHost: h\r\n\n", Refused(400)),
    ("only lone line feeds", b"GET /hello HTTP/1.1\nHost: h\n\n", Refused(400)),
    (
        "a lone return behind the request line",
        b"GET /hello HTTP/1.1\rHost: h\r\n\r\n",
        Refused(400),
    ),
    (
        "a lone return in a value",
        b"GET /hello HTTP/1.1\r\nHost: h\r\nX: y\rZ: w\r\n\r\n",
        Refused(400),
    ),
    (
        "a lone return before the empty line",
        b"GET /hello HTTP/1.1\r\nHost: h\r\n\r\r\n",
        Refused(400),
    ),
    (
        "two returns before a line feed",
        b"GET /hello HTTP/1.1\r\nHost: h\r\r\nX: y\r\n\r\n",
        Refused(400),
    ),
    ("a folded field", b"GET /hello HTTP/1.1\r\nHost: h\r\nX: y\r\n z\r\n\r\n", Refused(400)),
    (
        "a field folded by a tab",
        b"GET /hello HTTP/1.1\r\nHost: h\r\nX: y\r\n\tz\r\n\r\n",
        Refused(400),
    ),
    (
        "a folded length",
        b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n 3\r\n\r\nabc",
        Refused(400),
    ),
    ("a blank before the first field", b"GET /hello HTTP/1.1\r\n Host: h\r\n\r\n", Refused(400)),
    ("a blank before the colon", b"GET /hello HTTP/1.1\r\nHost : h\r\n\r\n", Refused(400)),
    ("a field without a colon", b"GET /hello HTTP/1.1\r\nHost: h\r\nX\r\n\r\n", Refused(400)),
    ("a field without a name", b"GET /hello HTTP/1.1\r\nHost: h\r\n: y\r\n\r\n", Refused(400)),
    ("a name with a blank", b"GET /hello HTTP/1.1\r\nHost: h\r\nX Y: z\r\n\r\n", Refused(400)),
    ("a name with a zero byte", b"GET /hello HTTP/1.1\r\nHost: h\r\nX\0: z\r\n\r\n", Refused(400)),
    ("a name with a delimiter", b"GET /hello HTTP/1.1\r\nHost: h\r\nX(: z\r\n\r\n", Refused(400)),
    ("a value with a zero byte", b"GET /hello HTTP/1.1\r\nHost: h\r\nX: y\0\r\n\r\n", Refused(400)),
    (
        "a value with a control character",
        b"GET /hello HTTP/1.1\r\nHost: h\r\nX: y\x01\r\n\r\n",
        Refused(400),
    ),
    (
        "a value with a delete character",
        b"GET /hello HTTP/1.1\r\nHost: h\r\nX: y\x7f\r\n\r\n",
        Refused(400),
    ),
    ("a target with a zero byte", b"GET /hello\0 HTTP/1.1\r\nHost: h\r\n\r\n", Refused(400)),
    (
        "a target with an escaped zero byte",
        b"GET /hello%00 HTTP/1.1\r\nHost: h\r\n\r\n",
        Refused(400),
    ),
    ("a target with half an escape", b"GET /hello%4 HTTP/1.1\r\nHost: h\r\n\r\n", Refused(400)),
    ("a target with a tab", b"GET /hel\tlo HTTP/1.1\r\nHost: h\r\n\r\n", Refused(400)),
    ("a target beyond ASCII", b"GET /hell\xc3\xb6 HTTP/1.1\r\nHost: h\r\n\r\n", Refused(400)),
    ("a target that is no text", b"GET /hell\xff HTTP/1.1\r\nHost: h\r\n\r\n", Refused(400)),
    ("a target with a fragment", b"GET /hello#x HTTP/1.1\r\nHost: h\r\n\r\n", Refused(400)),
    ("a target that is no path", b"GET hello HTTP/1.1\r\nHost: h\r\n\r\n", Refused(400)),
    ("two blanks in the request line", b"GET  /hello HTTP/1.1\r\nHost: h\r\n\r\n", Refused(400)),
    ("a tab in the request line", b"GET\t/hello HTTP/1.1\r\nHost: h\r\n\r\n", Refused(400)),
    ("a blank behind the version", b"GET /hello HTTP/1.1 \r\nHost: h\r\n\r\n", Refused(400)),
    ("a blank before the method", b" GET /hello HTTP/1.1\r\nHost: h\r\n\r\n", Refused(400)),
    ("a method with a delimiter", b"GE(T /hello HTTP/1.1\r\nHost: h\r\n\r\n", Refused(400)),
    ("no version", b"GET /hello\r\nHost: h\r\n\r\n", Refused(400)),
    ("a version in small letters", b"GET /hello http/1.1\r\nHost: h\r\n\r\n", Refused(400)),
    ("a version with two digits", b"GET /hello HTTP/1.10\r\nHost: h\r\n\r\n", Refused(400)),
    ("a version that is none", b"GET /hello HTTP/1\r\nHost: h\r\n\r\n", Refused(400)),
    ("another version", b"GET /hello HTTP/1.2\r\nHost: h\r\n\r\n", Refused(505)),
    ("the version before", b"GET /hello HTTP/0.9\r\nHost: h\r\n\r\n", Refused(505)),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refused(505)),
    ("another protocol", b"SSH-2.0-OpenSSH_9.9\r\n\r\n", Refused(400)),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", Refused(400)),
    ("a proxy's greeting", b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n\r\n", Refused(400)),
    (
        "empty lines before the request",
        b"\r\n\r\nGET /echo HTTP/1.1\r\nHost: h\r\n\r\n",
        Served(b""),
    ),
    ("nothing but empty lines", b"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n", Refused(400)),
    (
        "a lone line feed before the request",
        b"\nGET /echo HTTP/1.1\r\nHost: h\r\n\r\n",
        Refused(400),
    ),
];

/// Hosts and targets that name one.
pub(crate) const HOSTS: &[Attack] = &[
    ("no host", b"GET /hello HTTP/1.1\r\n\r\n", Refused(400)),
    ("two hosts", b"GET /hello HTTP/1.1\r\nHost: h\r\nHost: other\r\n\r\n", Refused(400)),
    ("the same host twice", b"GET /hello HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", Refused(400)),
    (
        "two hosts in HTTP/1.0",
        b"GET /hello HTTP/1.0\r\nHost: h\r\nHost: other\r\n\r\n",
        Refused(400),
    ),
    ("a list of hosts", b"GET /hello HTTP/1.1\r\nHost: h, other\r\n\r\n", Refused(400)),
    ("a host with a path", b"GET /hello HTTP/1.1\r\nHost: h/other\r\n\r\n", Refused(400)),
    ("a host with a user", b"GET /hello HTTP/1.1\r\nHost: me@h\r\n\r\n", Refused(400)),
    ("a host with a blank", b"GET /hello HTTP/1.1\r\nHost: h other\r\n\r\n", Refused(400)),
    ("a host with a query", b"GET /hello HTTP/1.1\r\nHost: h?x\r\n\r\n", Refused(400)),
    ("a host in brackets that are none", b"GET /hello HTTP/1.1\r\nHost: <h>\r\n\r\n", Refused(400)),
    ("a host beyond ASCII", b"GET /hello HTTP/1.1\r\nHost: h\xe9\r\n\r\n", Refused(400)),
    ("a port that is no number", b"GET /hello HTTP/1.1\r\nHost: h:http\r\n\r\n", Refused(400)),
    ("a host with its port", b"GET /echo HTTP/1.1\r\nHost: h:80\r\n\r\n", Served(b"")),
    ("an address with its port", b"GET /echo HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", Served(b"")),
    ("an empty host", b"GET /echo HTTP/1.1\r\nHost:\r\n\r\n", Served(b"")),
    (
        "a target with another host",
        b"GET http://other.example/echo HTTP/1.1\r\nHost: h\r\n\r\n",
        Served(b""),
    ),
    ("a target with a host alone", b"GET http://other.example HTTP/1.1\r\n\r\n", Refused(400)),
    (
        "a target with a user",
        b"GET http://me@other.example/ HTTP/1.1\r\nHost: h\r\n\r\n",
        Refused(400),
    ),
    ("a target with an empty host", b"GET http:///hello HTTP/1.1\r\nHost: h\r\n\r\n", Refused(400)),
    ("a target of another scheme", b"GET ftp://h/hello HTTP/1.1\r\nHost: h\r\n\r\n", Refused(400)),
    ("a target of a tunnel", b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", Refused(501)),
    ("an asterisk for what is no OPTIONS", b"GET * HTTP/1.1\r\nHost: h\r\n\r\n", Refused(400)),
];

/// Expectations and upgrades.
pub(crate) const WISHES: &[Attack] = &[
    ("an expectation that nobody knows", b"POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 200-ok\r\nContent-Length: 3\r\n\r\nabc", Refused(417)),
    ("two expectations", b"POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue, more\r\nContent-Length: 3\r\n\r\nabc", Refused(417)),
    ("an expectation without a body", b"GET /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n", Served(b"")),
    ("an upgrade to a WebSocket", b"GET /echo HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", Served(b"")),
    ("an upgrade to HTTP/2", b"GET /echo HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n", Served(b"")),
    ("an upgrade to TLS", b"OPTIONS /echo HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: TLS/1.3\r\n\r\n", Served(b"")),
];

/// All of them.
pub(crate) const ALL: &[&[Attack]] = &[LENGTHS, CODINGS, CHUNKS, LINES, HOSTS, WISHES];
