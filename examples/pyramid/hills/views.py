"""The pages."""

from html import escape

from pyramid.csrf import get_csrf_token, new_csrf_token
from pyramid.httpexceptions import HTTPBadRequest, HTTPFound
from pyramid.response import Response
from pyramid.security import forget, remember
from pyramid.view import forbidden_view_config, notfound_view_config, view_config

LARGEST = 1024 * 1024

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>Hills</title>
  <link rel="stylesheet" href="{style}">
</head>
<body>
  <h1>Hills</h1>
  {body}
</body>
</html>
"""

SIGN_IN = """<form action="{action}" method="post">
    <input type="hidden" name="csrf_token" value="{token}">
    <label>Your name <input name="name"></label> <button>Sign in</button>
  </form>"""

MEASURE = """<form action="{action}" method="post" enctype="multipart/form-data">
    <input type="hidden" name="csrf_token" value="{token}">
    Hello, {name}. <input type="file" name="track"> <button>Measure</button>
  </form>
  <p><a href="{away}">Sign out</a></p>"""


@view_config(route_name="index")
def index(request):
    name, token = request.authenticated_userid, get_csrf_token(request)
    if name is None:
        return page(request, SIGN_IN.format(action=request.route_path("sign_in"), token=token))
    action, away = request.route_path("measure"), request.route_path("sign_out")
    return page(request, MEASURE.format(action=action, token=token, name=escape(name), away=away))


@view_config(route_name="sign_in", request_method="POST")
def sign_in(request):
    name = request.POST.get("name", "").strip()
    if not name:
        raise HTTPBadRequest("no name")
    # A token of before is not the one of a signed-in user: this sets a cookie, as the ticket does.
    new_csrf_token(request)
    return HTTPFound(request.route_path("index"), headers=remember(request, name))


@view_config(route_name="sign_out")
def sign_out(request):
    return HTTPFound(request.route_path("index"), headers=forget(request))


@view_config(route_name="measure", request_method="POST", permission="measure")
def measure(request):
    track = request.POST.get("track")
    text = track.file.read(LARGEST + 1) if hasattr(track, "file") else b""
    if len(text) > LARGEST:
        raise HTTPBadRequest("too long a track")
    try:
        heights = [float(line) for line in text.split()]
    except ValueError as error:
        raise HTTPBadRequest("not a height on each line") from error
    climbed = sum(max(0, after - before) for before, after in zip(heights, heights[1:]))
    return page(request, f"<p>{len(heights)} points, {climbed:g} m climbed</p>")


@forbidden_view_config()
def forbidden(request):
    return page(request, "<p>Sign in first.</p>", 403)


@notfound_view_config()
def not_found(request):
    return page(request, "<p>There is no such page.</p>", 404)


def page(request, body, status=200):
    """The whole page around a body of HTML."""
    style = request.static_path("hills:static/style.css")
    return Response(PAGE.format(style=style, body=body), status=status)
