"""An application behind wsgiref's validator, which raises where the server breaks PEP 3333."""
from wsgiref.validate import validator


def checked(environ, start_response):
    stream, errors = environ["wsgi.input"], environ["wsgi.errors"]
    said = [stream.read(4), stream.readline(), b"".join(stream.readlines()), b"".join(stream)]
    errors.write("compat: validated\n")
    errors.writelines(["compat: validated\n"])
    errors.flush()
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"written,")
    return [b"|".join(said)]


application = validator(checked)
