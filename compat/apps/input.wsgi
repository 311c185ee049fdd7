"""Reads its body as the query says and answers with what it got, as JSON.

`?ops=read:5,readline,iter` calls `wsgi.input.read(5)`, `.readline()`, then iterates. Bytes are shown
as Latin-1; an exception as `!TypeName`.
"""
import hashlib
import json
from urllib.parse import parse_qs


def text(value):
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, list):
        return [text(item) for item in value]
    return repr(value)


def perform(stream, op):
    name, _, argument = op.partition(":")
    try:
        if name == "iter":
            return text(list(stream))
        if name == "next":
            return text(next(iter(stream)))
        if argument == "none":
            return text(getattr(stream, name)(None))
        return text(getattr(stream, name)(*([int(argument)] if argument else [])))
    except BaseException as error:
        return "!" + type(error).__name__


def digest(environ):
    stream, total, sha1 = environ["wsgi.input"], 0, hashlib.sha1()
    while True:
        piece = stream.read(65536)
        if not piece:
            break
        total += len(piece)
        sha1.update(piece)
    return {"total": total, "sha1": sha1.hexdigest()}


def echo(stream):
    while True:
        piece = stream.read(8192)
        if not piece:
            return
        yield piece


def interrupted(environ):
    """Reads to the end of a body that the client cuts off, and logs how it learns of that."""
    try:
        got = len(environ["wsgi.input"].read())
        print("compat: read ended after %d bytes" % got, file=environ["wsgi.errors"])
    except BaseException as error:
        print("compat: read raised %s, an OSError: %s" % (
            type(error).__name__, isinstance(error, OSError)), file=environ["wsgi.errors"])
    return {}


def application(environ, start_response):
    path = environ["PATH_INFO"]
    stream = environ["wsgi.input"]
    if path == "/echo":
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return echo(stream)
    if path == "/digest":
        result = digest(environ)
    elif path == "/interrupted":
        result = interrupted(environ)
    elif path == "/unread":
        result = "unread"
    else:
        ops = parse_qs(environ["QUERY_STRING"])["ops"][0].split(",")
        result = [perform(stream, op) for op in ops]
        result.append(environ.get("CONTENT_LENGTH", "absent"))
    body = json.dumps(result).encode("ascii")
    start_response("200 OK", [("Content-Type", "application/json"),
                              ("Content-Length", str(len(body)))])
    return [body]
