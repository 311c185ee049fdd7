# A hello-world page: when it shows, Apache, the process group and its Python work, and what is still wrong
# is in the application. It needs nothing but Python.
#
# Made by `pinion deploy` for tree .

import os
import sys


def application(environ, start_response):
    lines = [
        "It works.",
        "",
        "Python          " + sys.version.split()[0],
        "sys.prefix      " + sys.prefix,
        "process group   " + environ.get("mod_wsgi.process_group", ""),
        "user            uid %d, gid %d" % (os.getuid(), os.getgid()),
        "mount point     " + environ.get("SCRIPT_NAME", ""),
    ]
    body = ("\n".join(lines) + "\n").encode("utf-8")
    start_response(
        "200 OK",
        [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))],
    )
    return [body]

# Unedited, this file 