"""Keeps what a request was lent, and says what the next one finds of it."""
KEPT = []
LAST = []


def attempt(call, *arguments):
    try:
        return repr(call(*arguments))
    except Exception as error:
        return "%s: %s" % (type(error).__name__, error)


def application(environ, start_response):
    body = environ["wsgi.input"]
    if environ["PATH_INFO"] == "/unread":
        start_response("200 OK", [("Content-Length", "5")])
        return [b"short"]
    write = start_response("200 OK", [])
    lent = (start_response, write, body)
    if environ["PATH_INFO"] == "/use":
        found = [
            str(any(one is other for one in lent for other in KEPT)), repr(body.read()),
            attempt(KEPT[0], "500 No", []), attempt(KEPT[1], b"late"), attempt(KEPT[2].read),
        ]
        return ["\n".join(found).encode()]
    if environ["PATH_INFO"] == "/same":
        names = [id(one) for one in lent]
        same, LAST[:] = LAST == names, names
        return [b"%d" % same]
    # What is kept keeps one request each, so that each is alone the reason.
    KEPT.append(lent[len(KEPT)])
    return [b"kept"]
