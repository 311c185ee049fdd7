"""What `gearbox setup-app` does: the tables and the first user, where they are missing."""

import os

import transaction
from sqlalchemy.engine import make_url
from tg import config

from sightings import model
from sightings.application import configuration

NAME, PASSWORD = "manager", "managepass"


def setup_app(command, conf, variables):
    """Called with the ini file's settings."""
    database = make_url(conf["sqlalchemy.url"]).database
    if database and os.path.dirname(database):
        os.makedirs(os.path.dirname(database), exist_ok=True)
    settings = configuration.configure(conf.global_conf, conf.local_conf)
    configuration.setup(settings)
    model.metadata.create_all(config["tg.app_globals"].sa_engine)
    with transaction.manager:
        if model.user_called(NAME) is None:
            model.DBSession.add(model.User(NAME, PASSWORD))
            print(f"made the user {NAME} with the password {PASSWORD}")
