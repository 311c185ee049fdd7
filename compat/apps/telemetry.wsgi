import gc
import time

import mod_wsgi


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
    elif path == "/metrics":
        mod_wsgi.start_recording_metrics()
        start_response(status, [("Content-Type", "text/plain")])
        return [("%s %s" % (mod_wsgi.request_metrics(), mod_wsgi.process_metrics())).encode()]
    elif path == "/slow":
        time.sleep(2.5)
    answer = b"%d" % len(body) * 100
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return [answer]
