# tree.wsgi: makes the WSGI application of tree, for Apache with Pinion or mod_wsgi.
#
# Made by `pinion deploy` from the TurboGears project "tree", package "tree".
#   deployed application  /FOLDER/apps/tree
#   its virtualenv        /FOLDER/env/tree
# The commands that set both up are in README.txt beside it.

import os
import site
import sys

# The application's virtualenv comes first on the path. addsitedir also follows its .pth files, which
# editable installs and namespace packages need. --virtualenv
VIRTUALENV = "/FOLDER/env/tree"
packages = os.path.join(VIRTUALENV, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")
if not os.path.isdir(packages):
    raise RuntimeError(
        "the virtualenv %s has no packages for Python %d.%d, which this process runs from %s"
        % ((VIRTUALENV,) + sys.version_info[:2] + (sys.prefix,))
    )
before = [path for path in sys.path if path != packages]
site.addsitedir(packages)
sys.path[:] = [path for path in sys.path if path not in before] + before
first = len(sys.path) - len(before)

# Then the application's own folder. --deployment-location --name
for folder in ["/FOLDER/apps/tree"]:
    if folder in sys.path:
        sys.path.remove(folder)
    sys.path.insert(first, folder)

# Zipped eggs with compiled parts are unpacked here. --egg-cache
os.environ["PYTHON_EGG_CACHE"] = "/FOLDER/apps/tree/python-eggs"

# The configuration; opened first, so that an unreadable file is told by its name. --ini --ini-section
CONFIGURATION = "/FOLDER/apps/tree/production.ini"
open(CONFIGURATION).close()

from urllib.parse import quote

from paste.deploy import loadapp

application = loadapp("config:" + quote(CONFIGURATION), name="main")

# Unedited, this file 