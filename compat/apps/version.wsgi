"""A script that tests rewrite: VERSION is what it answers."""
import os

VERSION = "one"


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Pid", str(os.getpid()))])
    return [VERSION.encode("ascii")]
