"""What applications do that mod_wsgi's documentation and own tests speak of, one for each path."""
import hashlib
import json
import sys

import mod_wsgi

PLAIN = [("Content-Type", "text/plain")]


def no_tuple(environ, start_response):
    """The third argument of start_response is no exc_info."""
    try:
        start_response("200 OK", PLAIN, "no tuple")
    except RuntimeError as error:
        said = str(error)
    start_response("200 OK", PLAIN)
    return [said.encode()]


def started_twice(environ, start_response):
    write = start_response("200 OK", PLAIN)
    write(b"sent,")
    try:
        start_response("201 Created", PLAIN)
    except RuntimeError as error:
        return [str(error).encode()]
    return [b"no error"]


def wrong_item(environ, start_response):
    start_response("200 OK", PLAIN)
    try:
        yield b"first"
        yield "text"
    finally:
        print("compat: the generator was closed", sys.exc_info()[0], file=sys.stderr)


def timed_out(environ, start_response):
    raise mod_wsgi.RequestTimeout("compat: raised by the application")


def digest(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", PLAIN)
    return [("%s %d %s" % (mod_wsgi.process_group, len(body), hashlib.sha256(body).hexdigest())).encode()]


def types(environ, start_response):
    shown = {}
    for name in ("wsgi.input", "wsgi.errors", "wsgi.multiprocess", "mod_wsgi.thread_id", "mod_wsgi.version",
                 "apache.version", "mod_wsgi.request_start", "mod_wsgi.application_start", "mod_wsgi.server_pid"):
        kind = type(environ[name])
        shown[name] = "%s.%s" % (kind.__module__, kind.__name__)
    wrapper = environ["wsgi.file_wrapper"]
    shown["wsgi.file_wrapper"] = "%s.%s" % (wrapper.__module__, wrapper.__name__)
    start_response("200 OK", PLAIN)
    return [json.dumps(shown).encode()]


def variables(environ, start_response):
    """The variables that the query names."""
    names = environ["QUERY_STRING"].split("&")
    start_response("200 OK", PLAIN)
    return [json.dumps([environ.get(name) for name in names]).encode()]


def handed_over(environ, start_response):
    """Has Apache send a file that clients cannot ask for."""
    start_response("200 OK", [("Location", "/private/report.txt")])
    return []


def refused(environ, start_response):
    start_response("401 Unauthorized", PLAIN + [("WWW-Authenticate", 'Basic realm="own"')])
    return [str("HTTP_AUTHORIZATION" in environ).encode()]


ACTIONS = {"/" + action.__name__: action for action in
           (no_tuple, started_twice, wrong_item, timed_out, digest, types, handed_over, refused)}


def application(environ, start_response):
    return ACTIONS.get(environ["PATH_INFO"], variables)(environ, start_response)


def other(environ, start_response):
    start_response("200 OK", PLAIN)
    return [b"another callable"]
