"""Says which way a request has come; its query may ask for a status or a header."""
import json

SHOWN = ("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REQUEST_URI", "CONTENT_LENGTH",
         "REDIRECT_STATUS", "REDIRECT_URL", "REDIRECT_REQUEST_METHOD", "REDIRECT_PATH", "HTTP_AUTHORIZATION",
         "COMPAT", "REDIRECT_COMPAT",
         "mod_wsgi.process_group", "mod_wsgi.application_group", "mod_wsgi.callable_object",
         "mod_wsgi.request_handler", "mod_wsgi.handler_script", "mod_wsgi.script_name", "mod_wsgi.path_info")


def answer(environ, start_response, by):
    told = {key: environ[key] for key in SHOWN if key in environ}
    told["file"] = environ["SCRIPT_FILENAME"].rsplit("/", 1)[1]
    told["by"] = by
    told["module"] = __name__
    told["read"] = len(environ["wsgi.input"].read())
    status, headers = "200 OK", [("Content-Type", "application/json")]
    what, _, value = environ.get("QUERY_STRING", "").partition("=")
    if what == "status":
        status = value + " Own"
    elif what == "location":
        headers.append(("Location", value))
    elif what == "sendfile":
        headers.append(("X-Sendfile", value))
    start_response(status, headers)
    return [json.dumps(told).encode()]


def application(environ, start_response):
    return answer(environ, start_response, "application")


def handle_request(environ, start_response):
    return answer(environ, start_response, "handle_request")
