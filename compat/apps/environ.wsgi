"""Answers with its environ as JSON: {key: [type's name, value]}, and a little of what is beside it."""
import json


def describe(value):
    if isinstance(value, tuple):
        value = list(value)
    try:
        json.dumps(value)
    except TypeError:
        value = repr(value)
    return value


def application(environ, start_response):
    fresh = "compat.seen" not in environ
    environ["compat.seen"] = True
    shown = {key: [type(value).__name__, describe(value)] for key, value in environ.items()}
    shown["compat"] = ["dict", {
        "fresh": fresh,
        "environ_type": type(environ).__name__,
        "module_name": __name__,
        "file": __file__,
    }]
    body = json.dumps(shown).encode("ascii")
    start_response("200 OK", [("Content-Type", "application/json"),
                              ("Content-Length", str(len(body)))])
    return [body]
