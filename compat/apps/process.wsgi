"""Tells about the process that answers, as JSON, and does to it what the path says."""
import json
import locale
import os
import signal
import sys
import threading
import time
from urllib.parse import parse_qs

LOADED = time.time_ns()
COUNT = 0
LOCK = threading.Lock()


def umask():
    old = os.umask(0)
    os.umask(old)
    return old


def mod_wsgi_names():
    import mod_wsgi
    return {"process_group": mod_wsgi.process_group, "application_group": mod_wsgi.application_group,
            "version": list(mod_wsgi.version)}


def about(environ):
    with open("/proc/self/cmdline", "rb") as file:
        cmdline = file.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    return {
        "pid": os.getpid(), "uid": os.geteuid(), "gid": os.getegid(), "groups": sorted(os.getgroups()),
        "umask": umask(), "cwd": os.getcwd(), "home": os.environ.get("HOME"),
        "user": os.environ.get("USER"), "logname": os.environ.get("LOGNAME"),
        "lang": os.environ.get("LANG"), "lc_all": os.environ.get("LC_ALL"),
        "locale": locale.setlocale(locale.LC_ALL), "argv": sys.argv, "prefix": sys.prefix,
        "executable": sys.executable, "path": sys.path, "version": list(sys.version_info[:2]),
        "filesystem_encoding": sys.getfilesystemencoding(), "flags": repr(sys.flags),
        "main_thread": threading.main_thread().name, "thread": threading.current_thread().name,
        "cmdline": cmdline, "count": COUNT, "loaded": LOADED, "name": __name__,
        "multithread": environ["wsgi.multithread"], "multiprocess": environ["wsgi.multiprocess"],
        "environ": dict(os.environ), "mod_wsgi": mod_wsgi_names(),
        "eggs": os.environ.get("PYTHON_EGG_CACHE"), "isatty": sys.stdout.isatty(),
        "own_name_importable": __name__ in sys.modules,
    }


def wait_for(path):
    end = time.monotonic() + 20
    while not os.path.exists(path):
        if time.monotonic() > end:
            raise RuntimeError("the test never made " + path)
        time.sleep(0.01)


def profile():
    import cProfile
    return cProfile.Profile().runcall(sum, [1, 2, 3])


def application(environ, start_response):
    global COUNT
    with LOCK:
        COUNT += 1
    query = {key: values[0] for key, values in parse_qs(environ["QUERY_STRING"]).items()}
    action = environ["PATH_INFO"].strip("/")
    if action == "exit":
        os._exit(3)
    elif action == "exit_once":
        if not os.path.exists(query["mark"]):
            open(query["mark"], "w").close()
            os._exit(3)
    elif action == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(10)
    elif action == "abort":
        os.abort()
    elif action == "wait":
        open("%s.%d.%d" % (query["started"], os.getpid(), threading.get_ident()), "w").close()
        wait_for(query["go"])
    elif action == "sleep":
        if "mark" in query:
            open(query["mark"], "w").close()
        time.sleep(float(query["seconds"]))
    elif action == "spin":
        end = time.monotonic() + float(query["seconds"])
        while time.monotonic() < end:
            pass
    elif action == "signal":
        signal.signal(signal.SIGUSR1, lambda *_: None)
    elif action == "import":
        result = __import__(query["module"])
        query["imported"] = repr(result)
    elif action == "profile":
        query["sum"] = profile()
    result = dict(about(environ), query=query)
    if action == "import":
        result["imported_value"] = getattr(sys.modules[query["module"]], "VALUE", None)
        result["imported_file"] = getattr(sys.modules[query["module"]], "__file__", None)
    body = json.dumps(result).encode("ascii")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body]
