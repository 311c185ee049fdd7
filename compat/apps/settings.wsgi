"""Tells how its interpreter is set up, and notes how it ends."""
import atexit
import json
import os
import signal
import sys
import threading
import warnings

import mod_wsgi

NOTES = "where to note"


def note(text):
    with open("%s.%d" % (NOTES, os.getpid()), "a") as file:
        file.write(text + "\n")


def caught(function):
    try:
        return repr(function())
    except BaseException as error:
        return "!%s: %s" % (type(error).__name__, error)


@mod_wsgi.subscribe_events
def hear(name, **event):
    if name in ("process_signal", "process_stopping"):
        note("event %s %s" % (name, sorted(event.items())))


@mod_wsgi.subscribe_shutdown
def stopping(name, **event):
    note("shutdown %s %s" % (name, sorted(event.items())))
    DONE.set()


SUBSCRIBED = mod_wsgi.subscribe_signals(lambda name, **event: note("signal %s" % sorted(event.items())))
atexit.register(note, "atexit")

DONE = threading.Event()


def background():
    DONE.wait()
    note("thread")


threading.Thread(target=background).start()
AT_LOAD = threading.current_thread() is threading.main_thread()


def application(environ, start_response):
    action = environ["PATH_INFO"].strip("/")
    result = None
    if action == "":
        result = {
            "pid": os.getpid(), "optimize": sys.flags.optimize, "warnings": sys.warnoptions,
            "filters": repr(warnings.filters[:2]), "hash": hash("compat"), "seed": os.environ.get("PYTHONHASHSEED"),
            "dont_write_bytecode": sys.dont_write_bytecode, "switch_interval": sys.getswitchinterval(),
            "path": sys.path[:4], "group": environ["mod_wsgi.application_group"], "main": AT_LOAD,
            "stdout": type(sys.stdout).__name__, "argv": sys.argv, "callable": callable(SUBSCRIBED),
            "name": __name__, "file": __file__, "package": __package__ or None, "spec": __spec__.name,
            "main_names": sorted(vars(sys.modules["__main__"])),
        }
    elif action == "warn":
        result = caught(lambda: warnings.warn("compat: warned", DeprecationWarning))
    elif action == "signal":
        handler = lambda *_: None
        before = signal.getsignal(signal.SIGALRM)
        result = [caught(lambda: signal.signal(signal.SIGALRM, handler) is handler),
                  signal.getsignal(signal.SIGALRM) == before]
    body = json.dumps(result).encode("ascii")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body]
