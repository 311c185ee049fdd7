"""What the application is made of, and the factory that Paste Deploy calls."""

import logging
from urllib.parse import urlencode

from tg import FullStackApplicationConfigurator
from tg.configuration.auth import TGAuthMetadata
from tg.exceptions import HTTPFound

import sightings
from sightings import helpers, model
from sightings.controllers import RootController

log = logging.getLogger(__name__)


class Members(TGAuthMetadata):
    """Who may sign in: the users of the database."""

    def authenticate(self, environ, identity):
        user = model.user_called(identity["login"])
        if user is not None and user.knows(identity["password"]):
            return user.name
        log.info("a wrong name or password for %r", identity["login"])
        # The form says what was wrong, and keeps the name that was typed.
        query = urlencode({"failure": "wrong", "login": identity["login"]})
        environ["repoze.who.application"] = HTTPFound(
            location=environ["SCRIPT_NAME"] + "/login?" + query
        )
        return None

    def get_user(self, identity, userid):
        return model.user_called(userid)

    def get_groups(self, identity, userid):
        return ["members"]


class Globals:
    """What templates and controllers share as `tg.app_globals`: here only TurboGears' own things."""


configuration = FullStackApplicationConfigurator()
configuration.update_blueprint(
    {
        "package": sightings,
        "root_controller": RootController(),
        "app_globals": Globals,
        "helpers": helpers,
        "renderers": ["kajiki", "json"],
        "default_renderer": "kajiki",
        "use_sqlalchemy": True,
        "model": model,
        "DBSession": model.DBSession,
        "session.enabled": True,
        "session.data_serializer": "json",
        "sa_auth.enabled": True,
        "sa_auth.authmetadata": Members(),
        "sa_auth.post_login_url": "/signed_in",
        "sa_auth.post_logout_url": "/signed_out",
        "sa_auth.authtkt.samesite": "Lax",
        "identity.allow_missing_user": False,
        "errorpage.status_codes": [403, 404],
        # Nobody is written to when something breaks; the traceback goes to the log.
        "trace_errors.enable": False,
        "errorpage.handle_exceptions": False,
    }
)


def make_app(global_conf, **app_conf):
    """The application, from the settings of an ini file."""
    return configuration.make_wsgi_app(global_conf, app_conf)
