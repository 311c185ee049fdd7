import gc
import time


def application(environ, start_response):
    path = environ["PATH_INFO"]
    body = environ["wsgi.input"].read()
    status = "200 OK"
    if path == "/missing":
        status = "404 Not Found"
    elif path == "/broken":
        raise RuntimeError("broken on purpose")
    elif path == "/collect":
        ring = []
        ring.append(ring)
        del ring
        gc.collect()
    elif path == "/slow":
        time.sleep(2.5)
    answer = b"%d" % len(body) * 100
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return [answer]
