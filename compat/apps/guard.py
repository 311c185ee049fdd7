"""Functions of access control that do what the query string, or the user's name, says."""
import hashlib
import json
import os
import sys
import time
from urllib.parse import unquote

MARK = "first"
print("guard loaded")


def told(environ, name):
    """What the query string says about a function: an expression, or None."""
    for pair in environ["QUERY_STRING"].split("&"):
        key, _, value = pair.partition("=")
        if key == name:
            return unquote(value)
    return None


def answer(environ, name, otherwise):
    text = told(environ, name)
    return otherwise if text is None else eval(text, globals(), {"environ": environ})


def note(environ, name, *arguments):
    shown = {key: [type(value).__name__, value if isinstance(value, (str, int, float, tuple)) else ""]
             for key, value in environ.items()}
    shown["called"] = [name, list(arguments), os.getpid(), MARK]
    print("compat:" + json.dumps(shown), file=environ["wsgi.errors"])
    environ["X_LEFT"] = "left behind"


def fail(kind):
    if kind == "kill":
        os.kill(os.getpid(), 9)
    if kind == "exit":
        sys.exit(3)
    raise ValueError("compat guard raised")


def allow_access(environ, host):
    note(environ, "allow_access", host)
    return answer(environ, "access", True)


def check_password(environ, user, password):
    note(environ, "check_password", user, password)
    if user == "alias":
        return "canonical"
    known = {"spy": "secret", "citizen": "secret", "sp\xe9": "s\xe9:x"}
    return answer(environ, "basic", password == known[user] if user in known else None)


def get_realm_hash(environ, user, realm):
    note(environ, "get_realm_hash", user, realm)
    text = "%s:%s:%s" % (user, realm, "secret")
    hashed = hashlib.md5(text.encode("utf-8")).hexdigest()
    return answer(environ, "digest", hashed if user == "spy" else None)


def groups_for_user(environ, user):
    note(environ, "groups_for_user", user)
    known = {"spy": ["secret-agents", "two words"], "canonical": ["secret-agents"]}
    return answer(environ, "groups", known.get(user, []))
