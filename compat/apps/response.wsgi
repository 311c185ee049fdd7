"""Responses of every kind, one for each path; `compat:` lines in the log tell what was called."""
import io
import os
import sys
import time
from urllib.parse import parse_qs

PLAIN = [("Content-Type", "text/plain")]


def log(environ, text):
    print("compat: " + text, file=environ["wsgi.errors"], flush=True)


class Closing:
    """An iterable that logs its close(), and may fail while it is iterated or closed."""

    def __init__(self, environ, items, label, fail_after=None, fail_close=False):
        self.environ, self.items, self.label = environ, iter(items), label
        self.left, self.fail_close = fail_after, fail_close

    def __iter__(self):
        return self

    def __next__(self):
        if self.left is not None:
            if self.left == 0:
                raise ValueError("failed in iteration of " + self.label)
            self.left -= 1
        return next(self.items)

    def close(self):
        log(self.environ, "closed " + self.label)
        if self.fail_close:
            raise ValueError("failed in close of " + self.label)


def plain(environ, start_response):
    start_response("200 OK", PLAIN)
    return [b"plain"]


def several(environ, start_response):
    start_response("200 OK", PLAIN)
    return [b"one,", b"", b"two,", b"three"]


def empty(environ, start_response):
    start_response("200 OK", [])
    return []


def generator(environ, start_response):
    start_response("200 OK", PLAIN)
    for item in (b"a", b"b", b"c"):
        yield item


def late_start(environ, start_response):
    """start_response only when the first item is asked for."""
    start_response("201 Created", PLAIN)
    yield b"late"


def status_of_query(environ, start_response):
    start_response(parse_qs(environ["QUERY_STRING"])["s"][0], PLAIN)
    return [b"body"]


def uses_write(environ, start_response):
    write = start_response("200 OK", PLAIN)
    write(b"written,")
    write(b"twice,")
    return [b"returned"]


def write_streams(environ, start_response):
    write = start_response("200 OK", PLAIN)
    write(b"first")
    wait_for_go(environ)
    write(b"second")
    return []


def write_text(environ, start_response):
    start_response("200 OK", PLAIN)("text")
    return []


def closes(environ, start_response):
    start_response("200 OK", PLAIN)
    return Closing(environ, [b"a", b"b"], "whole")


def closes_on_error(environ, start_response):
    start_response("200 OK", PLAIN)
    return Closing(environ, [b"first", b"second"], "failing", fail_after=1)


def closes_on_first_error(environ, start_response):
    start_response("200 OK", PLAIN)
    return Closing(environ, [b"first"], "failing first", fail_after=0)


def close_fails(environ, start_response):
    start_response("200 OK", PLAIN)
    return Closing(environ, [b"fine"], "failing close", fail_close=True)


def endless(environ, start_response):
    def items():
        while True:
            yield b"x" * 65536
    start_response("200 OK", PLAIN)
    return Closing(environ, items(), "endless")


def wait_for_go(environ):
    """Waits until the test makes the file that the query names; gives up after 20 s."""
    go = parse_qs(environ["QUERY_STRING"])["go"][0]
    end = time.monotonic() + 20
    while not os.path.exists(go):
        if time.monotonic() > end:
            raise RuntimeError("the test never made " + go)
        time.sleep(0.01)


def stream(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"first"
    wait_for_go(environ)
    yield b"second"


def head_only(environ, start_response):
    log(environ, "method " + environ["REQUEST_METHOD"])
    start_response("200 OK", PLAIN + [("Content-Length", "5"), ("X-Method", environ["REQUEST_METHOD"])])
    return [b"12345"]


def no_content(environ, start_response):
    start_response("204 No Content", [("X-Seen", "yes")])
    return [b"ignored"]


def not_modified(environ, start_response):
    start_response("304 Not Modified", [("ETag", '"abc"')])
    return []


def too_long(environ, start_response):
    start_response("200 OK", PLAIN + [("Content-Length", "5")])
    return [b"123", b"45678", b"9"]


def too_short(environ, start_response):
    start_response("200 OK", PLAIN + [("Content-Length", "10")])
    return [b"123"]


def length_zero(environ, start_response):
    start_response("200 OK", PLAIN + [("Content-Length", "0")])
    return [b"more"]


def bad_header(environ, start_response):
    """Each kind of header that must not leave the server."""
    headers = {
        "newline": [("X-Bad", "a\r\nX-Injected: yes")],
        "bare_newline": [("X-Bad", "a\nb")],
        "carriage_return": [("X-Bad", "a\rb")],
        "nul": [("X-Bad", "a\0b")],
        "name_newline": [("X-Bad\r\nX-Injected", "a")],
        "name_colon": [("X-Bad:", "a")],
        "name_space": [("X Bad", "a")],
        "name_empty": [("", "a")],
        "not_latin": [("X-Bad", "\u20ac")],
        "value_int": [("X-Bad", 5)],
        "value_bytes": [("X-Bad", b"bytes")],
        "value_none": [("X-Bad", None)],
        "name_bytes": [(b"X-Bad", "a")],
        "not_a_tuple": ["X-Bad: a"],
        "list_pair": [["X-Bad", "a"]],
        "triple": [("X-Bad", "a", "b")],
        "tuple_of_headers": (("X-Bad", "a"),),
        "none": None,
        "dict": {"X-Bad": "a"},
        "length_text": [("Content-Length", "abc")],
        "length_negative": [("Content-Length", "-5")],
        "length_plus": [("Content-Length", "+5")],
        "length_empty": [("Content-Length", "")],
        "tab": [("X-Bad", "a\tb")],
        "control": [("X-Bad", "a\x01b")],
    }[environ["QUERY_STRING"]]
    start_response("200 OK", headers)
    return [b"body"]


def bad_status(environ, start_response):
    """Each kind of status that is none."""
    status = {
        "no_reason": "200",
        "space_only": "200 ",
        "no_number": "OK",
        "text_number": "2OO OK",
        "short": "20 OK",
        "long": "2000 OK",
        "int": 200,
        "bytes": b"200 OK",
        "none": None,
        "newline": "200 OK\r\nX-Injected: yes",
        "not_latin": "200 \u20ac",
        "empty": "",
        "unknown": "299 Odd Reason",
        "high": "999 Far Out",
        "double_space": "200  OK",
        "continue": "100 Continue",
        "latin": "200 caf\xe9",
    }[environ["QUERY_STRING"]]
    start_response(status, PLAIN)
    return [b"body"]


def no_start(environ, start_response):
    return [b"body"]


def start_twice(environ, start_response):
    start_response("200 OK", PLAIN)
    start_response("201 Created", PLAIN)
    return [b"body"]


def exc_info_before(environ, start_response):
    """Replaces the headers after an error, before anything was sent."""
    start_response("200 OK", PLAIN + [("X-First", "yes")])
    try:
        raise ValueError("early")
    except ValueError:
        start_response("503 Replaced", PLAIN + [("X-Second", "yes")], sys.exc_info())
    return [b"replaced"]


def exc_info_after(environ, start_response):
    """start_response with exc_info after the headers are gone raises that exception."""
    start_response("200 OK", PLAIN)
    yield b"sent"
    try:
        raise KeyError("late")
    except KeyError:
        try:
            start_response("500 Replaced", PLAIN, sys.exc_info())
        except KeyError as error:
            log(environ, "raised again %r" % error)
            raise


def raises_before(environ, start_response):
    raise ValueError("raised before start_response")


def raises_between(environ, start_response):
    start_response("200 OK", PLAIN)
    raise ValueError("raised after start_response")


def raises_in_generator(environ, start_response):
    start_response("200 OK", PLAIN)
    raise ValueError("raised before the first chunk")
    yield b""


def raises_after_chunk(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"chunk"
    raise ValueError("raised after a chunk")


def raises_after_length(environ, start_response):
    start_response("200 OK", PLAIN + [("Content-Length", "10")])
    yield b"chunk"
    raise ValueError("raised after a chunk with length")


def raises_with_chain(environ, start_response):
    try:
        raise ValueError("the cause")
    except ValueError as error:
        raise RuntimeError("the effect \u20ac") from error


def returns(environ, start_response):
    start_response("200 OK", PLAIN)
    return {
        "none": None, "int": 5, "text": "text", "list_of_text": ["text"], "bytes": b"bytes",
        "list_of_none": [None], "bytearray": [bytearray(b"array")], "memoryview": [memoryview(b"view")],
        "empty_text": [""], "tuple": (b"a", b"b"), "set": {b"a"}, "list_of_int": [1],
    }[environ["QUERY_STRING"]]


def sys_exit(environ, start_response):
    sys.exit(3)


def sys_exit_later(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"before"
    sys.exit(3)


def keyboard_interrupt(environ, start_response):
    raise KeyboardInterrupt


def cookies(environ, start_response):
    start_response("200 OK", [
        ("Set-Cookie", "a=1; Path=/"), ("X-Between", "yes"), ("Set-Cookie", "b=2; HttpOnly"),
        ("Set-Cookie", "c=3"), ("Vary", "Cookie"), ("Vary", "Accept"),
    ])
    return [b"cookies"]


def www_authenticate(environ, start_response):
    start_response("401 Unauthorized", PLAIN + [
        ("WWW-Authenticate", 'Basic realm="one"'), ("WWW-Authenticate", 'Digest realm="two"'),
        ("X-Plain", "yes"),
    ])
    return [b"own 401"]


def redirect(environ, start_response):
    start_response("302 Found", [("Location", parse_qs(environ["QUERY_STRING"])["to"][0])])
    return [b"moved"]


def special_headers(environ, start_response):
    start_response("200 OK", [
        ("content-type", "text/x-compat; charset=koi8-r"), ("Server", "mine"),
        ("Date", "Thu, 01 Jan 1970 00:00:00 GMT"), ("Last-Modified", "Thu, 01 Jan 2015 00:00:00 GMT"),
        ("X-Latin", "caf\xe9"), ("X-Empty", ""), ("ETag", '"x"'), ("Cache-Control", "no-store"),
        ("X-MiXeD", "Case"),
    ])
    return [b"special"]


def hop_by_hop(environ, start_response):
    name, value = environ["QUERY_STRING"].split("=")
    start_response("200 OK", PLAIN + [(name, value)])
    return [b"hop"]


def big_header(environ, start_response):
    start_response("200 OK", [("X-Big", "v" * 30000)] + [("X-%d" % n, "v" * 100) for n in range(60)])
    return [b"big header"]


def no_type(environ, start_response):
    start_response("200 OK", [])
    return [b"<html>no type</html>"]


def megabyte(environ, start_response):
    start_response("200 OK", PLAIN)
    return [b"m" * 1048576]


def slow_pieces(environ, start_response):
    start_response("200 OK", PLAIN)
    for _ in range(2000):
        yield b"0123456789"


def error_status(environ, start_response):
    start_response("404 Not Here", PLAIN + [("X-Own", "yes")])
    return [b"own 404 page"]


def server_error_status(environ, start_response):
    start_response("500 Own Failure", PLAIN)
    return [b"own 500 page"]


def same_thread(environ, start_response):
    """The response's headers list may be changed by the application until the first item."""
    headers = list(PLAIN)
    start_response("200 OK", headers)
    headers.append(("X-Late", "yes"))
    return [b"body"]


def start_by_keyword(environ, start_response):
    try:
        start_response(status="200 OK", headers=PLAIN)
    except TypeError:
        start_response("200 OK", PLAIN + [("X-Keyword", "refused")])
    return [b"keyword"]


def uses_write_after_return(environ, start_response):
    write = start_response("200 OK", PLAIN)

    class Late:
        def __iter__(self):
            write(b"from iter,")
            return iter([b"item"])
    return Late()


def iterator_protocol(environ, start_response):
    """An object with only __getitem__ is iterable too."""
    class Sequence:
        def __getitem__(self, index):
            return [b"zero,", b"one"][index]
    start_response("200 OK", PLAIN)
    return Sequence()


def nested_io(environ, start_response):
    start_response("200 OK", PLAIN)
    return io.BytesIO(b"line one\nline two\n")


def location_200(environ, start_response):
    start_response("200 OK", PLAIN + [("Location", "/plain")])
    return [b"not moved"]


def with_etag(environ, start_response):
    start_response("200 OK", PLAIN + [("ETag", '"same"'), ("Content-Length", "10")])
    return [b"0123456789"]


def length_twice(environ, start_response):
    start_response("200 OK", PLAIN + [("Content-Length", "4"), ("Content-Length", "4")])
    return [b"body"]


def type_twice(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/first"), ("Content-Type", "text/second")])
    return [b"body"]


def pid(environ, start_response):
    start_response("200 OK", PLAIN)
    return [str(os.getpid()).encode("ascii")]


def application(environ, start_response):
    return globals()[environ["PATH_INFO"].strip("/")](environ, start_response)
