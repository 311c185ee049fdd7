"""What the worker's tests ask of an application, one function for each path."""
import atexit
import contextlib
import io
import os
import signal
import sys
import threading
import time
from urllib.parse import parse_qs

PLAIN = [("Content-Type", "text/plain")]
atexit.register(lambda: print("atexit ran"))
KEPT = {}
LOCAL = threading.local()


def answer(start_response, text, headers=()):
    start_response("200 OK", PLAIN + list(headers))
    return [text.encode("utf-8", "backslashreplace")]


def attempt(function, *arguments):
    try:
        return repr(function(*arguments))
    except BaseException as error:
        return "%s: %s" % (type(error).__name__, error)


def hello(environ, start_response):
    start_response("200 OK", PLAIN + [("Content-Length", "13")])
    return [b"Hello, world!"]


def environ(environ, start_response):
    return answer(start_response, "\n".join("%s=%r" % item for item in sorted(environ.items())))


def echo(environ, start_response):
    return answer(start_response, environ["wsgi.input"].read().decode("latin-1"))


def pieces(environ, start_response):
    stream = environ["wsgi.input"]
    parts = [stream.read(3), stream.readline(), stream.readline(2), stream.readlines(4), list(stream)]
    return answer(start_response, repr(parts + [stream.read(), stream.read(5), stream.readline()]))


def count(environ, start_response):
    stream, total = environ["wsgi.input"], 0
    while True:
        block = stream.read(1 << 20)
        if not block:
            return answer(start_response, str(total))
        total += len(block)


def failing_read(environ, start_response):
    return answer(start_response, attempt(environ["wsgi.input"].read))


def keep(environ, start_response):
    KEPT["input"], KEPT["errors"], KEPT["start"] = environ["wsgi.input"], environ["wsgi.errors"], start_response
    KEPT["write"] = start_response("200 OK", PLAIN)
    return [b"kept"]


def use_kept(environ, start_response):
    return answer(start_response, "\n".join([
        attempt(KEPT["input"].read), attempt(KEPT["input"].readline), attempt(KEPT["input"].readlines),
        attempt(next, KEPT["input"]), attempt(KEPT["errors"].write, "x"), attempt(KEPT["errors"].flush),
        attempt(KEPT["write"], b"x"), attempt(KEPT["start"], "200 OK", []),
    ]))


def start_errors(environ, start_response):
    calls = [
        (200, []), (b"200 OK", []), ("200 \u20ac", []), ("20 OK", []), ("200 O\nK", []), ("200OK", []),
        ("200 OK", ()), ("200 OK", None), ("200 OK", [["A", "b"]]), ("200 OK", [("A", "b", "c")]),
        ("200 OK", [(1, "b")]), ("200 OK", [("A", None)]), ("200 OK", [("A\n", "x")]), ("200 OK", [("A b", "x")]),
        ("200 OK", [("", "x")]), ("200 OK", [("A", "x\ny")]), ("200 OK", [], 5), ("200 OK",), ("200 OK", [], None, 1),
    ]
    text = "\n".join(attempt(start_response, *call) for call in calls)
    return answer(start_response, text)


def generator(environ, start_response):
    start_response("200 OK", PLAIN)
    for block in (b"one", b"", b"two"):
        yield block


def write(environ, start_response):
    put = start_response("200 OK", PLAIN)
    put(b"written")
    again = attempt(start_response, "200 OK", [])
    return [again.encode(), attempt(put, "text").encode()]


def replaced(environ, start_response):
    start_response("200 OK", PLAIN)
    try:
        raise ValueError("early")
    except ValueError:
        start_response("503 Replaced", PLAIN, sys.exc_info())
    return [b"replaced"]


def reraised(environ, start_response):
    start_response("200 OK", PLAIN)(b"sent")
    try:
        raise KeyError("late")
    except KeyError:
        start_response("500 Late", PLAIN, sys.exc_info())


def big(environ, start_response):
    start_response("200 OK", PLAIN)
    return [b"a" * 3000000, b"b" * 10, b"c" * 50000]


def long_cut(environ, start_response):
    """A block that is longer than the answer may be."""
    start_response("200 OK", PLAIN + [("Content-Length", "65537")])
    return [b"x" * 100000]


def long_short(environ, start_response):
    """A block that is shorter than the answer should be."""
    start_response("200 OK", PLAIN + [("Content-Length", "65538")])
    return [b"x" * 65537]


def fork_long(environ, start_response):
    """A child writes a long block in its parent's place."""
    write = start_response("200 OK", PLAIN)
    write(b"p" * 65537)
    child = os.fork()
    if child == 0:
        attempt(write, b"c" * 65537)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    write(b"p" * 65537)
    return [b"%d" % status]


def read_after_failing(environ, start_response):
    stream = environ["wsgi.input"]
    attempt(stream.read)
    left = stream.read(100000)
    return answer(start_response, "%d %s" % (len(left), left.startswith(b"abc")))


def talk(environ, start_response):
    """Answers each line as it comes."""
    start_response("200 OK", PLAIN)
    for line in environ["wsgi.input"]:
        yield line.upper()


def own_fields(environ, start_response):
    start_response("200 OK", PLAIN + [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Content-Length", "2")])
    return [b"ok"]


def megabyte(environ, start_response):
    start_response("200 OK", PLAIN)
    return [b"m" * 1000000]


def too_long(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [b"123", b"45678", b"9"]


def too_short(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [b"123"]


def no_content(environ, start_response):
    start_response("204 No Content", [])
    return [b"dropped"]


def raises(environ, start_response):
    raise ValueError("oops \u20ac")


def raises_between(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"first"
    raise ValueError("later")


def exits(environ, start_response):
    sys.exit(3)


def never_started(environ, start_response):
    return []


def text(environ, start_response):
    start_response("200 OK", PLAIN)
    return ["text"]


class Closing:
    def __init__(self, environ, blocks):
        self.environ, self.blocks = environ, iter(blocks)

    def __iter__(self):
        return self.blocks

    def close(self):
        print("closed", file=self.environ["wsgi.errors"])


def closing(environ, start_response):
    start_response("200 OK", PLAIN)
    return Closing(environ, [b"body"])


def closing_text(environ, start_response):
    start_response("200 OK", PLAIN)
    return Closing(environ, ["text"])


def endless(environ, start_response):
    start_response("200 OK", PLAIN)
    return Closing(environ, iter(lambda: b"x" * 65536, None))


def prints(environ, start_response):
    print("to stdout", end="")
    print("to stderr", "\u20ac", "\udc80", file=sys.stderr)
    environ["wsgi.errors"].write("one\ntwo")
    environ["wsgi.errors"].writelines([" more\n", "rest"])
    sys.stdout.buffer.write(b"\nbytes\n")
    return answer(start_response, attempt(sys.stderr.write, b"x") + attempt(environ["wsgi.errors"].fileno))


def thread_prints(environ, start_response):
    thread = threading.Thread(target=print, args=("from a thread",))
    thread.start()
    thread.join()
    return answer(start_response, "done")


def file(environ, start_response):
    opened = open(__file__, "rb")
    opened.read(10)
    start_response("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](opened, 100)


def file_part(environ, start_response):
    start_response("200 OK", PLAIN + [("Content-Length", "7")])
    return environ["wsgi.file_wrapper"](open(__file__, "rb"))


def written_and_file(environ, start_response):
    write = start_response('200 OK', [])
    write(b'before')
    return environ['wsgi.file_wrapper'](open(__file__, 'rb'))


def no_file(environ, start_response):
    start_response("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](io.BytesIO(b"in memory"), 4)


def profile(environ, start_response):
    import cProfile
    return answer(start_response, str(cProfile.Profile().runcall(sum, [1, 2, 3])))


def fork(environ, start_response):
    child = os.fork()
    if child == 0:
        return answer(start_response, "the child answers")
    return answer(start_response, "status %d" % os.waitpid(child, 0)[1])


def fork_terminate(environ, start_response):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, b"x")
        time.sleep(60)
        os._exit(0)
    os.read(reader, 1)
    os.kill(child, signal.SIGTERM)
    return answer(start_response, "signal %d" % os.WTERMSIG(os.waitpid(child, 0)[1]))


def fork_exit(environ, start_response):
    child = os.fork()
    if child == 0:
        print("the child prints")
        sys.exit(7)
    return answer(start_response, "status %d" % (os.waitpid(child, 0)[1] >> 8))


def signals(environ, start_response):
    return answer(start_response, attempt(signal.signal, signal.SIGUSR1, print))


def per_thread(environ, start_response):
    LOCAL.count = getattr(LOCAL, "count", 0) + 1
    return answer(start_response, "%s %d" % (threading.current_thread().name, LOCAL.count))


def process(environ, start_response):
    import mod_wsgi
    return answer(start_response, "\n".join([
        repr(sys.argv), repr(vars(sys.modules["__main__"]).get("__file__")), repr(sys.path), __name__,
        repr(__name__ in sys.modules), repr(mod_wsgi.version), repr(mod_wsgi.process_group),
        repr(mod_wsgi.application_group), attempt(__import__, "pinion_worker")[:19],
    ]))


def lock(environ, start_response):
    return answer(start_response, repr(getattr(sys, "_is_gil_enabled", lambda: True)()))


def busy(environ, start_response):
    """Makes and drops all that a request has, and leaves the rest to other threads."""
    kept = [environ["wsgi.errors"], environ["wsgi.input"], start_response, dict(environ)]
    kept.append(kept)
    print("busy", environ["QUERY_STRING"])
    threading.Thread(target=kept.clear).start()
    return answer(start_response, environ["QUERY_STRING"] * 50)


def middling(environ, start_response):
    """Takes long enough for its answer to wait for that of the next request."""
    return answer(start_response, str(sum(range(4000))))


def vanish(environ, start_response):
    os._exit(9)


class Ghost:
    def __del__(self):
        import mod_wsgi
        mod_wsgi.request_data()["ghost"] = True


def haunt(environ, start_response):
    """Leaves something that asks for the request's data when that is over."""
    environ["ghost"] = Ghost()
    return answer(start_response, "haunted")


def own_data(environ, start_response):
    import mod_wsgi
    return answer(start_response, repr(mod_wsgi.request_data()))


def wait(environ, start_response):
    """Waits until the file in the query is there."""
    path = parse_qs(environ["QUERY_STRING"])["path"][0]
    print("waiting")
    while not os.path.exists(path):
        time.sleep(0.005)
    return answer(start_response, "waited")


def threads(environ, start_response):
    return answer(start_response, repr([thread.name for thread in threading.enumerate()]))


def deep(depth):
    return sum(deep(depth - 1) for _ in range(2)) if depth else 1


def churn(environ, start_response):
    """Makes and leaves many frames, and code, until the file in the query is there."""
    path = parse_qs(environ["QUERY_STRING"])["path"][0]
    print("churning")
    while not os.path.exists(path):
        code = deep.__code__.replace(co_name="made")
        type(deep)(code, globals())(6)
    return answer(start_response, "churned")


def keeps_the_lock(environ, start_response):
    """Never returns, and lets no other thread run Python."""
    import ctypes
    pause = ctypes.PyDLL(None).pause
    print("keeping it")
    pause()


def raises_timeout(environ, start_response):
    import mod_wsgi
    assert not issubclass(mod_wsgi.RequestTimeout, Exception)
    raise mod_wsgi.RequestTimeout("of my own")


def late_read(environ, start_response):
    """Leaves a thread behind that reads the body."""
    threading.Thread(target=environ["wsgi.input"].read, args=(1,), daemon=True).start()
    return wait(environ, start_response)


def stubborn(environ, start_response):
    """Never gives up the GIL for long."""
    print("stubborn")
    while True:
        with contextlib.suppress(BaseException):
            sum(range(1000000))


def write_and_read(environ, start_response):
    """Begins to answer before it reads."""
    start_response("200 OK", PLAIN)(b"begun ")
    return [environ["wsgi.input"].read()]


def write_and_file(environ, start_response):
    """Begins to answer before it returns a file."""
    start_response("200 OK", PLAIN)(b"begun\n")
    return environ["wsgi.file_wrapper"](open(__file__, "rb"))


def blocks(environ, start_response):
    """As many blocks of 64 KiB as the query says; then, if it names a file, waits until it is there."""
    query = parse_qs(environ["QUERY_STRING"])
    start_response("200 OK", PLAIN)
    for _ in range(int(query["count"][0])):
        yield b"x" * 65536
    while not os.path.exists(query.get("path", ["/"])[0]):
        time.sleep(0.005)
    yield b"end"


def keep_all(environ, start_response):
    """Keeps everything that belongs to a request, as caches and cycles do."""
    KEPT.setdefault("all", []).append((environ, start_response("200 OK", PLAIN)))
    return [b"kept"]


def kept(environ, start_response):
    return answer(start_response, str(len(KEPT.get("all", []))))


STANDING = [bytes([97 + number]) * 600000 for number in range(12)]


def standing(environ, start_response):
    """A block that the application keeps in memory, in the way that the query says."""
    query = parse_qs(environ["QUERY_STRING"])
    block, way = STANDING[int(query["which"][0])], query["way"][0]
    start_response("200 OK", PLAIN + [("Content-Length", "300000")] * (way == "cut"))
    if way == "yielded":
        return (block for _ in range(2))
    return {"alone": [block], "cut": [block], "before": [block, b"end"]}[way]


class Writes(bytes):
    """Sends a long block when it is dropped and the file is there."""

    def __del__(self):
        if hasattr(self, "write"):
            while not os.path.exists(self.path):
                time.sleep(0.005)
            self.write(b"z" * 1000000)


def standing_and_late_write(environ, start_response):
    first = Writes(b"x")
    first.path = parse_qs(environ["QUERY_STRING"])["path"][0]
    first.write = start_response("200 OK", PLAIN)
    return [first, STANDING[1]]


def standing_for_nobody(environ, start_response):
    """Answers on although the client has gone, which the file tells."""
    query = parse_qs(environ["QUERY_STRING"])
    write = start_response("200 OK", PLAIN)
    write(b"begun")
    while not os.path.exists(query["path"][0]):
        time.sleep(0.005)
    with contextlib.suppress(OSError):
        while True:
            write(b"z" * 1000000)
    return [STANDING[int(query["which"][0])]]


def standing_references(environ, start_response):
    return answer(start_response, str(sys.getrefcount(STANDING[0])))


def fork_and_hold(environ, start_response):
    """Leaves a child behind that holds what it has got, until the file in the query is there, or its folder is not."""
    path = parse_qs(environ["QUERY_STRING"])["path"][0]
    child = os.fork()
    if child == 0:
        while not os.path.exists(path) and os.path.exists(os.path.dirname(path)):
            time.sleep(0.005)
        os._exit(0)
    return answer(start_response, str(child))


def descriptors(environ, start_response):
    """Opens as many files as it can, and holds them until the file in the query is there."""
    path, held = parse_qs(environ["QUERY_STRING"])["path"][0], []
    with contextlib.suppress(OSError):
        while True:
            held.append(open("/dev/null"))
    print("holding %d" % len(held))
    while not os.path.exists(path):
        time.sleep(0.005)
    del held
    return answer(start_response, "let go")


def application(environ, start_response):
    return globals()[environ["PATH_INFO"].strip("/")](environ, start_response)
