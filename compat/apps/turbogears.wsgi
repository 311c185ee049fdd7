"""The quickstarted TurboGears project, loaded by PasteDeploy as its documentation says."""
import os
from logging.config import fileConfig

from paste.deploy import loadapp

INI = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tg", "production.ini")
fileConfig(INI, defaults={"here": os.path.dirname(INI)}, disable_existing_loggers=False)
application = loadapp("config:" + INI)
