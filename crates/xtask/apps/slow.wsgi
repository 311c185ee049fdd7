"""An application that takes a second to load and 20 milliseconds a request."""
import os
import time

time.sleep(float(os.environ.get("SLOW_LOAD", "1")))


def application(environ, start_response):
    time.sleep(0.02)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
    return [b"ok\n"]
