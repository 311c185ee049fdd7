"""Notes why its process stops, in a file of its group's name."""
import os
import signal
import time

import mod_wsgi

NOTES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "notes")


@mod_wsgi.subscribe_shutdown
def note(name, **event):
    with open(os.path.join(NOTES, mod_wsgi.process_group), "a") as file:
        print(os.getpid(), name, event["shutdown_reason"], file=file)


def hangs():
    """Whether this is the first process that loads the script."""
    try:
        with open(os.path.join(NOTES, "hung.pid"), "x") as file:
            print(os.getpid(), file=file)
    except FileExistsError:
        return False
    return True


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/sleep":
        time.sleep(30)
    elif path == "/spin":
        end = time.process_time() + 1.2
        while time.process_time() < end:
            pass
    elif path == "/interrupt":
        os.kill(os.getpid(), signal.SIGINT)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
