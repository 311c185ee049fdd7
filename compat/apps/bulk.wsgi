"""Long bodies in both directions, in which each byte shows where it belongs."""
from urllib.parse import parse_qs


def pattern(key, length):
    """Bytes that repeat only after a length that no block has."""
    return (b"%s:" % key + bytes(range(65, 90)) * 4)[:101] * (length // 101) + b"." * (length % 101)


KEPT = {}


def application(environ, start_response):
    query = {name: value[0] for name, value in parse_qs(environ["QUERY_STRING"]).items()}
    key, length = query["key"].encode(), int(query["length"])
    expected = pattern(key, length)
    what = environ["PATH_INFO"].strip("/")
    headers = [("Content-Type", "text/plain")]
    if what == "check":
        size = int(query.get("size", "-1"))
        got = environ["wsgi.input"].read(size)
        while size > 0:
            piece = environ["wsgi.input"].read(size)
            if not piece:
                break
            got += piece
        start_response("200 OK", headers)
        return [b"same" if got == expected else b"other: %d bytes" % len(got)]
    if what == "short":
        headers.append(("Content-Length", str(length + 1)))
    elif what == "over":
        headers.append(("Content-Length", str(length - 1)))
    start_response("500 Failed" if what == "error" else "200 OK", headers)
    if what == "kept":
        block = KEPT.setdefault((key, length), expected)
        return (block for _ in range(1)) if "yielded" in query else [block]
    if what == "pieces":
        return (expected[start:start + 100001] for start in range(0, length, 100001))
    return [expected]
