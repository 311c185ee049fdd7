"""Says who has come in, and in which groups this runs."""
import json


def application(environ, start_response):
    keys = ("REMOTE_USER", "AUTH_TYPE", "PATH_INFO", "X_LEFT", "mod_wsgi.process_group")
    body = json.dumps({key: environ.get(key) for key in keys}).encode("ascii")
    start_response("200 OK", [("Content-Type", "application/json"),
                              ("Content-Length", str(len(body)))])
    return [body]
