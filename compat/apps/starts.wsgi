"""Notes each process that loads it in the file `starts` beside its folder."""
import os

with open(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "go", "starts"), "a") as file:
    file.write("%d\n" % os.getpid())


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
