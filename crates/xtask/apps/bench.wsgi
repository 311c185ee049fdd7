"""The applications that `cargo xtask bench` measures, one a path.

Beside it lies loops.txt: the rounds of `compute` that take 133 microseconds on this machine.
"""
import json
import os
import time

with open(os.path.join(os.path.dirname(__file__), "loops.txt")) as file:
    LOOPS = int(file.read())

MEGABYTE = b"x" * 1048576
LINES = ["x" * 1024] * 1024
CHUNK = b"y" * 1024
RECORDS = [
    {"id": number, "name": "record %d" % number, "tags": ["one", "two"], "price": number * 1.5}
    for number in range(150)
]
TEXT = [("Content-Type", "text/plain")]


def compute(rounds):
    total = 0
    for number in range(rounds):
        total += number % 7
    return total


def answer(start_response, body, kind="text/plain"):
    start_response("200 OK", [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]


def hello(environ, start_response):
    return answer(start_response, b"Hello world!\n")


def python(environ, start_response):
    return answer(start_response, b"%d\n" % compute(LOOPS))


def sleep(environ, start_response):
    time.sleep(0.002)
    return answer(start_response, b"slept\n")


def records(environ, start_response):
    return answer(start_response, json.dumps(RECORDS).encode(), "application/json")


def download(environ, start_response):
    return answer(start_response, MEGABYTE)


def anew(environ, start_response):
    return answer(start_response, "".join(LINES).encode())


def upload(environ, start_response):
    return answer(start_response, b"%d\n" % len(environ["wsgi.input"].read()))


def stream(environ, start_response):
    start_response("200 OK", TEXT)
    return (CHUNK for _ in range(16))


ROUTES = {
    "/hello": hello,
    "/python": python,
    "/sleep": sleep,
    "/json": records,
    "/download": download,
    "/anew": anew,
    "/upload": upload,
    "/stream": stream,
}


def application(environ, start_response):
    return ROUTES[environ["PATH_INFO"]](environ, start_response)
