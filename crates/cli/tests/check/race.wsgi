"""A page with a widget. As in TurboGears, the controller is imported with the first request for it."""
import os
import sys

from tw2.core.middleware import make_middleware

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))


def page(environ, start_response):
    if environ["PATH_INFO"] not in ("", "/"):
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"no such page"]
    from shop.controller import Page

    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    return [("<html><head></head><body>%s</body></html>" % Page.display()).encode()]


toscawidgets = make_middleware(page)


def application(environ, start_response):
    def start(status, headers, exc_info=None):
        return start_response(status, headers + [("X-Worker", str(os.getpid()))], exc_info)

    return toscawidgets(environ, start)
