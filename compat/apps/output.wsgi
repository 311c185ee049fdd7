"""Writes to the places where an application may write, as the path says."""
import logging
import os
import pickle
import sys
import threading
import warnings

print("compat: printed while loading")


class Pickled(object):
    def __init__(self, mark):
        self.mark = mark


def handled():
    import mod_wsgi
    logger = logging.getLogger("compat.handled")
    if not logger.handlers:
        logger.addHandler(mod_wsgi.LogHandler())
        logger.handlers[0].setFormatter(logging.Formatter("compat: %(message)s"))
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
    return logger


def application(environ, start_response):
    mark = environ["QUERY_STRING"]
    errors = environ["wsgi.errors"]
    action = environ["PATH_INFO"].strip("/")
    said = "done"
    try:
        if action == "print":
            print("compat: print", mark)
        elif action == "stderr":
            print("compat: stderr", mark, file=sys.stderr)
        elif action == "handler":
            logger = handled()
            for level in ("debug", "info", "warning", "error", "critical"):
                getattr(logger, level)("handled %s %s", level, mark)
            logger.log(35, "handled between %s", mark)
        elif action == "pickle":
            said = type(pickle.loads(pickle.dumps(Pickled(mark)))).__name__
        elif action == "pickle_function":
            said = repr(pickle.loads(pickle.dumps(application)) is application)
        elif action == "errors":
            errors.write("compat: errors %s\n" % mark)
        elif action == "writelines":
            errors.writelines(["compat: first ", mark, "\ncompat: second ", mark, "\n"])
        elif action == "partial":
            errors.write("compat: partial " + mark)
        elif action == "partial_print":
            print("compat: partial", mark, end="")
        elif action == "lines":
            print("compat: line one %s\ncompat: line two %s" % (mark, mark))
        elif action == "unicode":
            print("compat: unicode \u20ac\xe9 " + mark)
        elif action == "surrogate":
            print("compat: surrogate \udcff " + mark)
        elif action == "nul":
            errors.write("compat: nul \0 after " + mark + "\n")
        elif action == "long":
            errors.write("compat: long " + "x" * 20000 + " " + mark + "\n")
        elif action == "percent":
            errors.write("compat: percent %s %n %d " + mark + "\n")
        elif action == "flush":
            errors.write("compat: flushed " + mark)
            errors.flush()
        elif action == "bytes":
            errors.write(b"bytes")
        elif action == "logging":
            logging.getLogger("compat").warning("compat: logged %s", mark)
        elif action == "warning":
            warnings.warn("compat: warned " + mark)
        elif action == "thread":
            thread = threading.Thread(target=lambda: print("compat: from a thread", mark))
            thread.start()
            thread.join()
        elif action == "keep":
            application.kept = errors
        elif action == "use_kept":
            application.kept.write("compat: kept " + mark + "\n")
        elif action == "stdin":
            said = repr(sys.stdin.read())
        elif action == "attributes":
            said = "%s %s %s %s" % (errors.encoding, sys.stdout.isatty(), errors.closed, sys.stdout.encoding)
        elif action == "close":
            errors.close()
        elif action == "stdout_close":
            sys.stdout.close()
            print("compat: after close", mark)
        elif action == "buffer":
            sys.stdout.buffer.write(b"compat: buffer " + mark.encode() + b"\n")
        elif action == "types":
            streams = [sys.stdin, sys.stdout, sys.stderr, errors, errors.buffer, environ["wsgi.input"]]
            said = " ".join("%s.%s" % (type(one).__module__, type(one).__name__) for one in streams)
        elif action == "names":
            streams = [sys.stdout, sys.stderr, errors, errors.buffer]
            said = repr([(one.name, one.encoding, one.errors, one.closed) for one in streams])
        elif action == "abilities":
            streams = [sys.stdout, errors, errors.buffer]
            said = repr([(one.readable(), one.writable(), one.seekable(), one.isatty()) for one in streams])
        elif action == "returns":
            said = repr([errors.write("compat: returns\n"), errors.buffer.write(b"compat: returns\n"), errors.flush()])
        elif action == "buffers":
            errors.buffer.writelines([b"compat: bytes\n", bytearray(b"compat: bytearray\n"),
                                      memoryview(b"compat: memoryview\n")])
            errors.buffer.write(memoryview(b"compat: view " + mark.encode() + b"\n"))
        elif action == "halves":
            errors.write("compat: whole\ncompat: half " + mark)
            errors.write(" compat: other half\n")
        elif action == "fileno":
            sys.stdout.fileno()
        elif action == "after_close":
            errors.close()
            errors.write("compat: after close\n")
        elif action == "fd":
            os.write(2, b"compat: descriptor " + mark.encode() + b"\n")
    except BaseException as error:
        said = "!%s: %s" % (type(error).__name__, error)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [said.encode("utf-8", "backslashreplace")]
