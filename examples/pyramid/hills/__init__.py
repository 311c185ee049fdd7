"""Hills: who has signed in may measure a track, a text file with a height in metres on each line."""

from pyramid.config import Configurator
from pyramid.csrf import CookieCSRFStoragePolicy

from hills.security import Tickets


def main(global_config, **settings):
    """The application, from the settings of an ini file."""
    with Configurator(settings=settings) as config:
        config.set_security_policy(Tickets(settings["hills.secret"]))
        config.set_csrf_storage_policy(CookieCSRFStoragePolicy(samesite="Lax"))
        config.set_default_csrf_options(require_csrf=True)
        config.add_static_view("static", "static")
        config.add_route("index", "/")
        config.add_route("sign_in", "/sign-in")
        config.add_route("sign_out", "/sign-out")
        config.add_route("measure", "/measure")
        config.scan("hills.views")
        return config.make_wsgi_app()
