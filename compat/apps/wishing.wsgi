"""Says when it was loaded, and asks for being loaded anew: once for each flag that lies in `flags`."""
import os
import time

LOADED = str(time.time_ns())
FLAG = os.path.join(os.path.dirname(os.path.dirname(__file__)), "flags", os.path.basename(__file__)[:-5])
ASKED = []


def reload_required(path):
    ASKED.append(path)
    if path.endswith("raising.wsgi"):
        raise RuntimeError("compat: not to be asked")
    if os.path.exists(FLAG):
        os.unlink(FLAG)
        return True
    return False


def application(environ, start_response):
    said = LOADED
    if environ["PATH_INFO"] == "/asked":
        said = ASKED[-1]
    elif environ["PATH_INFO"] == "/mtime":
        said = str(__mtime__)
    elif environ["PATH_INFO"] == "/strip":
        del globals()["__mtime__"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [said.encode()]
