"""Files through wsgi.file_wrapper, one way for each path; the file holds the digits 0 to 9, and more."""
import io
import os

FOLDER = os.path.dirname(os.path.abspath(__file__))
PLAIN = ("Content-Type", "application/octet-stream")


class Noisy:
    """A file-like object without a descriptor that logs its close()."""

    def __init__(self, environ, data):
        self.environ, self.data = environ, io.BytesIO(data)

    def read(self, size=-1):
        return self.data.read(size)

    def close(self):
        print("compat: closed the noisy file", file=self.environ["wsgi.errors"], flush=True)


class NoisyFile(io.FileIO):
    environ = None

    def close(self):
        if self.environ is not None and not self.closed:
            print("compat: closed the real file", file=self.environ["wsgi.errors"], flush=True)
        super().close()


def real(name="digits.txt"):
    return open(os.path.join(FOLDER, name), "rb")


def application(environ, start_response):
    wrap = environ["wsgi.file_wrapper"]
    action = environ["PATH_INFO"].strip("/")
    headers = [PLAIN]
    if action == "whole":
        result = wrap(real())
    elif action == "block":
        result = wrap(real(), 3)
    elif action == "offset":
        file = real()
        file.seek(4)
        result = wrap(file)
    elif action == "read_offset":
        file = real()
        file.read(4)
        result = wrap(file)
    elif action == "length":
        headers.append(("Content-Length", "5"))
        result = wrap(real())
    elif action == "length_offset":
        file = real()
        file.seek(2)
        headers.append(("Content-Length", "5"))
        result = wrap(file)
    elif action == "length_too_long":
        headers.append(("Content-Length", "50"))
        result = wrap(real())
    elif action == "empty":
        result = wrap(real("empty.txt"))
    elif action == "at_end":
        file = real()
        file.seek(0, 2)
        result = wrap(file)
    elif action == "large":
        result = wrap(real("large.bin"), 65536)
    elif action == "bytesio":
        result = wrap(io.BytesIO(b"from memory"))
    elif action == "noisy":
        result = wrap(Noisy(environ, b"noisy"))
    elif action == "noisy_file":
        file = NoisyFile(os.path.join(FOLDER, "digits.txt"))
        file.environ = environ
        result = wrap(file)
    elif action == "iterated":
        result = list(wrap(real(), 4))
    elif action == "generator":
        result = (item.upper() for item in wrap(io.BytesIO(b"shouted")))
    elif action == "pipe":
        reading, writing = os.pipe()
        os.write(writing, b"through a pipe")
        os.close(writing)
        result = wrap(os.fdopen(reading, "rb"))
    elif action == "text_file":
        result = wrap(open(os.path.join(FOLDER, "digits.txt"), "r"))
    elif action == "closed":
        file = real()
        file.close()
        result = wrap(file)
    elif action == "no_read":
        result = wrap(object())
    elif action == "after_write":
        start_response("200 OK", headers)(b"written,")
        return wrap(real())
    elif action == "attributes":
        wrapper = wrap(real())
        result = [repr(sorted(n for n in dir(wrapper) if not n.startswith("_"))).encode()]
    elif action == "not_modified":
        start_response("304 Not Modified", [])
        return wrap(real())
    elif action == "devnull":
        result = wrap(open("/dev/null", "rb"))
    elif action == "proc":
        result = wrap(open("/proc/self/comm", "rb"))
    start_response("200 OK", headers)
    return result
