"""A Pyramid application with routes, JSON, exceptions and signed cookies."""
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPForbidden, HTTPFound
from pyramid.response import Response
from pyramid.session import SignedCookieSessionFactory


def index(request):
    return Response("pyramid at %s" % request.route_path("index"))


def item(request):
    return {"name": request.matchdict["name"], "query": dict(request.params), "method": request.method}


def login(request):
    request.session["user"] = request.POST["user"]
    return HTTPFound(request.route_url("profile"))


def profile(request):
    if "user" not in request.session:
        raise HTTPForbidden("sign in first")
    return Response("hello " + request.session["user"])


with Configurator(session_factory=SignedCookieSessionFactory("only for the test")) as config:
    config.add_route("index", "/")
    config.add_view(index, route_name="index")
    config.add_route("item", "/item/{name}")
    config.add_view(item, route_name="item", renderer="json")
    config.add_route("login", "/login")
    config.add_view(login, route_name="login", request_method="POST")
    config.add_route("profile", "/profile")
    config.add_view(profile, route_name="profile")
    application = config.make_wsgi_app()
