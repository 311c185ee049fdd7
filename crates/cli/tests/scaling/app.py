"""The application of the hosts: says who answered what, notes what it runs, and waits where it is told to."""

import os
import time

HOST = os.environ["HOST_NAME"]
JOURNAL = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
GATE = os.environ["GATE"]


def note(word, request):
    # One write, so that lines of several threads and processes stay whole.
    os.write(JOURNAL, f"{word} {request}\n".encode())


def application(environ, start_response):
    request = environ["REQUEST_METHOD"] + " " + environ["QUERY_STRING"]
    note("begin", request)
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length)
    if environ["PATH_INFO"] == "/held":
        while not os.path.exists(GATE):
            time.sleep(0.01)
    else:
        time.sleep(0.01)
    note("end", request)
    names = ["REMOTE_ADDR", "wsgi.url_scheme", "HTTP_HOST", "HTTP_X_FORWARDED_HOST"]
    seen = [environ.get(name, "-") for name in names]
    text = " ".join([request, HOST, str(len(body)), *seen]).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text]
