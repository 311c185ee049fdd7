"""Shows what the modules `mod_wsgi` and `apache` give, and what events say."""
import json
import threading

import apache
import mod_wsgi

LOCK = threading.Lock()
HEARD = []
CALLS = []


def plain(value):
    try:
        json.dumps(value)
        return value
    except TypeError:
        return repr(value)


try:
    mod_wsgi.request_data()
    WHILE_LOADING = "no error"
except RuntimeError as error:
    WHILE_LOADING = "RuntimeError: %s" % error
BEFORE = [mod_wsgi.request_metrics(), mod_wsgi.process_metrics()]


def hear(name, **event):
    shown = {key: [type(value).__name__, plain(value)] for key, value in event.items()}
    if name == "request_started":
        event["request_data"]["heard"] = True
        shown["same"] = ["bool", event["request_data"] is mod_wsgi.request_data()]
        shown["listed"] = ["bool", mod_wsgi.active_requests.get(event["request_id"]) is event["request_data"]]
        event["request_environ"]["compat.added"] = "by a subscriber"
    if name == "request_finished":
        shown["heard"] = ["bool", event["request_data"].get("heard")]
        shown["at_end"] = ["bool", mod_wsgi.request_data() is event["request_data"]]
    if name == "request_exception":
        kind, value, traceback = event["exception_info"]
        shown["exception"] = ["str", "%s %s %s" % (kind.__name__, value, traceback is not None)]
    with LOCK:
        HEARD.append([name, shown])
    if name == "request_started" and event["request_environ"]["QUERY_STRING"] == "wrap":
        return {"application_object": wrap(event["application_object"])}
    return {"compat_merged": name}


def later(name, **event):
    with LOCK:
        HEARD.append(["later " + name, {"merged": ["str", event.get("compat_merged")]}])


def broken(name, **event):
    if name == "request_started" and event["request_environ"]["QUERY_STRING"] == "broken":
        raise ValueError("compat: a broken subscriber")


def wrap(inner):
    def wrapper(environ, start_response):
        environ["compat.wrapped"] = True
        return inner(environ, start_response)
    return wrapper


RETURNED = mod_wsgi.subscribe_events(hear) is hear
mod_wsgi.subscribe_events(later)
mod_wsgi.subscribe_events(broken)


def heard():
    with LOCK:
        result = list(HEARD)
        del HEARD[:]
    return result


def attributes(module):
    return {name: [type(getattr(module, name)).__name__, plain(getattr(module, name))]
            for name in dir(module) if not name.startswith("_")}


def application(environ, start_response):
    action = environ["PATH_INFO"].strip("/")
    status = "200 OK"
    result = action
    if action == "heard":
        result = heard()
    elif action == "modules":
        result = {"mod_wsgi": attributes(mod_wsgi), "apache": attributes(apache), "loading": WHILE_LOADING,
                  "returned": RETURNED, "before": BEFORE,
                  "timeout": [base.__name__ for base in mod_wsgi.RequestTimeout.__mro__],
                  "names": [mod_wsgi.RequestTimeout.__module__, mod_wsgi.FileWrapper.__module__],
                  "wrapper": environ["wsgi.file_wrapper"] is mod_wsgi.FileWrapper}
    elif action == "data":
        result = mod_wsgi.request_data()
    elif action == "seen":
        result = [environ.get("compat.added"), environ.get("compat.wrapped")]
    elif action == "thread_data":
        result = []
        thread = threading.Thread(target=lambda: result.append(attempt(mod_wsgi.request_data)))
        thread.start()
        thread.join()
    elif action == "read":
        result = environ["wsgi.input"].read().decode()
    elif action == "raise":
        raise ValueError("compat: raised")
    elif action == "raise_late":
        start_response("200 OK", [])
        raise ValueError("compat: raised late")
    elif action == "timeout":
        raise mod_wsgi.RequestTimeout("compat: of my own")
    elif action == "status":
        status = "404 Not Found"
    elif action == "pieces":
        write = start_response("201 Created", [("Content-Type", "application/json")])
        write(b'["one",')
        return iter([b'"two",', b'"three"]'])
    elif action == "record":
        result = [mod_wsgi.start_recording_metrics(), mod_wsgi.start_recording_metrics()]
    elif action == "requests":
        result = mod_wsgi.request_metrics()
    elif action == "process":
        result = mod_wsgi.process_metrics()
    elif action == "refused":
        result = [attempt(mod_wsgi.subscribe_events), attempt(lambda: mod_wsgi.subscribe_events(callback=hear))]
    body = json.dumps(result).encode("ascii")
    start_response(status, [("Content-Type", "application/json")])
    return [body]


def attempt(function):
    try:
        return repr(function())
    except BaseException as error:
        return type(error).__name__
