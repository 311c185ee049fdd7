"""Shows what `mod_wsgi.server_metrics` gives, in a request and in a thread of the application's own."""
import json
import threading

import mod_wsgi


def types(value):
    return {key: type(value[key]).__name__ for key in value}


def in_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(mod_wsgi.server_metrics()))
    thread.start()
    thread.join()
    return found[0]


def application(environ, start_response):
    action = environ["PATH_INFO"].strip("/")
    result = in_thread() if action == "thread" else mod_wsgi.server_metrics()
    if action == "types" and result is not None:
        process = result["processes"][0]
        result = [types(result), types(process), types(process["workers"][0])]
    elif action == "refused":
        try:
            mod_wsgi.server_metrics(1)
        except TypeError:
            result = "TypeError"
    body = json.dumps(result).encode("ascii")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body]
