"""Leaves traces on `wsgi.errors`, and says what the next request finds of them."""
import io
import weakref

KEPT = []
LAST = [lambda: None]


class Other(io.RawIOBase):
    def writable(self):
        return True


def leave(errors, trace):
    if trace == "keep":
        KEPT.append(errors)
    elif trace == "method":
        KEPT.append(errors.write)
    elif trace == "buffer":
        KEPT.append(errors.buffer)
    elif trace == "detach":
        KEPT.append(errors.detach())
    elif trace == "attribute":
        errors.mode = "w"
    elif trace == "names":
        errors.__dict__["left"] = 1
    elif trace == "close":
        errors.close()
    elif trace == "buffer_close":
        errors.buffer.close()
    elif trace == "reconfigure":
        errors.reconfigure(encoding="ascii", errors="strict", line_buffering=False, write_through=False)
        errors.write("pending")
    elif trace == "partial":
        errors.write("partial")
    elif trace == "init":
        errors.__init__(errors.buffer, encoding="latin-1", write_through=False)
    elif trace == "init_other":
        errors.__init__(Other())
    elif trace == "cycle":
        cycle = [errors]
        cycle.append(cycle)
    elif trace == "raise":
        raise ValueError("left in a traceback")


def look(errors):
    errors.write("\u20ac one\ntwo")
    return repr((errors.encoding, errors.errors, errors.line_buffering, errors.closed, vars(errors), errors.name))


def use(write):
    try:
        return repr(write("late\n"))
    except Exception as error:
        return "%s: %s" % (type(error).__name__, error)


def application(environ, start_response):
    errors = environ["wsgi.errors"]
    path = environ["PATH_INFO"].strip("/")
    same = LAST[0]() is errors
    LAST[0] = weakref.ref(errors)
    result = repr(same)
    if path == "look":
        result = look(errors)
    elif path == "kept":
        kept = [one if callable(one) else one.write for one in KEPT]
        result = "\n".join(use(one) for one in kept)
    elif path != "same":
        leave(errors, path)
    start_response("200 OK", [])
    return [result.encode()]
