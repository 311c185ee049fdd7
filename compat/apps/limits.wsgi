"""Uses up what a process has, as the path says, and tells what the system grants it."""
import ctypes
import json
import os
import resource
import time
from urllib.parse import parse_qs

import mod_wsgi


class Attributes(ctypes.Union):
    _fields_ = [("room", ctypes.c_char * 128), ("align", ctypes.c_long)]


def stack_size():
    libc = ctypes.CDLL(None)
    libc.pthread_self.restype = ctypes.c_void_p
    attributes, size = Attributes(), ctypes.c_size_t()
    libc.pthread_getattr_np(ctypes.c_void_p(libc.pthread_self()), ctypes.byref(attributes))
    libc.pthread_attr_getstacksize(ctypes.byref(attributes), ctypes.byref(size))
    return size.value


def about():
    limits = {name: resource.getrlimit(getattr(resource, "RLIMIT_" + name)) for name in ("CPU", "DATA", "AS")}
    return {"pid": os.getpid(), "limits": limits, "priority": os.getpriority(os.PRIO_PROCESS, 0), "stack": stack_size()}


def spin(seconds, query):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def sleep(seconds, query):
    time.sleep(seconds)


def catch(seconds, query):
    try:
        spin(seconds, query)
    except mod_wsgi.RequestTimeout:
        with open(query["mark"], "w") as file:
            file.write("caught")
        raise


def swallow(seconds, query):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            spin(0.2, query)
        except mod_wsgi.RequestTimeout:
            pass


def hold(seconds, query):
    """Keeps the interpreter's lock, as a bad extension module does."""
    ctypes.PyDLL(None).sleep(int(seconds))


ACTIONS = {"/spin": spin, "/sleep": sleep, "/catch": catch, "/swallow": swallow, "/hold": hold, "/": lambda *_: None}


def application(environ, start_response):
    query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    headers = [("Content-Type", "application/json"), ("X-Long", "x" * int(query.get("header", 0)))]
    path = environ["PATH_INFO"]
    if path == "/late":
        start_response("200 OK", headers)
        return late(float(query.get("seconds", 1)), query)
    if "started" in query:
        open(query["started"], "w").close()
    if path == "/upload":
        environ["wsgi.input"].read()
        start_response("200 OK", headers)
        return [b"x" * 1000000]
    ACTIONS[path](float(query.get("seconds", 1)), query)
    start_response("200 OK", headers)
    return [json.dumps(about()).encode()]


def late(seconds, query):
    yield b"begun "
    spin(seconds, query)
