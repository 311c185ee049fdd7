"""A dispatch script whose functions return what headers of the request say."""
import json

import mod_wsgi


def chosen(environ, name):
    value = environ.get("HTTP_X_" + name)
    return None if value is None else eval(value)


def process_group(environ):
    environ["compat.mark"] = "seen"
    if "HTTP_X_SHOW" in environ:
        values = {key: value for key, value in environ.items() if isinstance(value, str)}
        values["module"] = [mod_wsgi.process_group, mod_wsgi.application_group]
        values["keys"] = sorted(key for key in environ)
        print("compat:" + json.dumps(values), file=environ["wsgi.errors"])
    return chosen(environ, "PROCESS")


def application_group(environ):
    if "HTTP_X_MARK" in environ:
        return "mark-" + environ["compat.mark"]
    return chosen(environ, "APPLICATION")


def callable_object(environ):
    return chosen(environ, "CALLABLE")
