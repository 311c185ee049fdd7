"""What `pinion check` asks of an application's own Python.

    <venv>/bin/python <library>/pinion_check.py  < question.json  > answer.json

The question names the script, the source folders and the ini file; the answer says what was found. Only the script is
run, as a worker would run it; all else is looked at. Runs on Python 3.9 and newer with nothing but the standard library.
"""

import ast
import json
import os
import sys


def main():
    answer_to = keep_standard_output()
    question = json.load(sys.stdin)
    answer = {"version": "%d.%d.%d" % sys.version_info[:3], "ini": None, "package": None, "django": None}
    if question["discover"]:
        discover(question)
    answer["writes"] = writes(question["sources"])
    add_paths(question["python_path"])
    application = run_script(question["script"], question["callable"]) if question["script"] else None
    if question["replay"] and application is not None:
        answer["swallowed"] = replay(application, question["replay"])
    add_paths(question["paths"])
    if os.environ.get("DJANGO_SETTINGS_MODULE") and "django" in sys.modules:
        answer["django"] = look_at_django()
    if question["ini"]:
        answer["ini"] = look_at_ini(question)
    if question["package"]:
        answer["package"] = look_at_package(question)
    with os.fdopen(answer_to, "w") as out:
        json.dump(answer, out)
    sys.stderr.flush()
    # The application may have started threads that never end.
    os._exit(0)


def keep_standard_output():
    """Makes what the application prints go to standard error; returns the descriptor for the answer."""
    answer_to = os.dup(1)
    os.dup2(2, 1)
    sys.dont_write_bytecode = True
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if entry != here]
    return answer_to


def add_paths(folders):
    """As a worker does with `python-path`."""
    import site

    before = list(sys.path)
    for folder in folders:
        site.addsitedir(folder)
    new = [entry for entry in sys.path if entry not in before]
    sys.path[:] = new + [entry for entry in sys.path if entry in before]


# ---------------------------------------------------------------- writes to standard output

# `websetup` is run by setup-app alone, by a person at a terminal.
SKIPPED_FOLDERS = {"node_modules", "__pycache__", "tests", "test", "build", "dist", "websetup"}
SKIPPED_FILES = {"setup.py", "manage.py", "conftest.py"}


def writes(sources):
    """Where the code prints or writes to sys.stdout: `[file, line, what]`."""
    found = []
    for path in python_files(sources):
        try:
            with open(path, "rb") as file:
                tree = ast.parse(file.read(), path)
        except (OSError, SyntaxError, ValueError):
            # A file that is no Python for this interpreter is not run by it either.
            continue
        finder = WriteFinder()
        finder.visit(tree)
        found.extend([path, line, what] for line, what in finder.found)
    return found


def python_files(sources):
    seen = set()
    for source in sources:
        if os.path.isfile(source):
            candidates = [source]
        else:
            candidates = below(source)
        for path in candidates:
            real = os.path.realpath(path)
            if real not in seen:
                seen.add(real)
                yield path


def below(folder):
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in SKIPPED_FOLDERS
            and not name.endswith((".egg-info", ".dist-info"))
            and not os.path.exists(os.path.join(parent, name, "pyvenv.cfg"))
        )
        for name in sorted(files):
            if name.endswith(".py") and name not in SKIPPED_FILES:
                yield os.path.join(parent, name)


class WriteFinder(ast.NodeVisitor):
    """Finds calls of `print` without another `file=`, and uses of `sys.stdout`'s writing methods."""

    METHODS = ("write", "writelines")

    def __init__(self):
        self.found = []
        self.stdout_names = set()
        self.own_print = False

    def visit_Module(self, node):
        for child in ast.walk(node):
            if isinstance(child, ast.ImportFrom) and child.module == "sys" and not child.level:
                for alias in child.names:
                    if alias.name == "stdout":
                        self.stdout_names.add(alias.asname or alias.name)
            elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)) and child.name == "print":
                self.own_print = True
        self.generic_visit(node)

    def visit_If(self, node):
        # What runs only as a program does not run in a server.
        if is_main_guard(node.test):
            for child in node.orelse:
                self.visit(child)
        else:
            self.generic_visit(node)

    def visit_Call(self, node):
        function = node.func
        if isinstance(function, ast.Name) and function.id == "print" and not self.own_print:
            target = next((word.value for word in node.keywords if word.arg == "file"), None)
            is_none = isinstance(target, ast.Constant) and target.value is None
            if target is None or is_none or self.is_stdout(target):
                self.found.append((node.lineno, "print()"))
        elif isinstance(function, ast.Attribute) and function.attr in self.METHODS:
            if self.is_stdout(function.value):
                self.found.append((node.lineno, "sys.stdout.%s()" % function.attr))
        self.generic_visit(node)

    def is_stdout(self, node):
        if isinstance(node, ast.Name):
            return node.id in self.stdout_names
        if not isinstance(node, ast.Attribute):
            return False
        if node.attr == "buffer":
            return self.is_stdout(node.value)
        return node.attr in ("stdout", "__stdout__") and isinstance(node.value, ast.Name) and node.value.id == "sys"


def is_main_guard(test):
    if not isinstance(test, ast.Compare) or len(test.ops) != 1 or not isinstance(test.ops[0], ast.Eq):
        return False
    sides = [test.left, test.comparators[0]]
    has_name = any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides)
    return has_name and any(isinstance(side, ast.Constant) and side.value == "__main__" for side in sides)


# ---------------------------------------------------------------- the script

def discover(question):
    """Adds the folders and the ini file that the script names by absolute paths."""
    texts = [text[len("config:"):] if text.startswith("config:") else text for text in constants(question["script"])]
    folders = [text for text in texts if os.path.isabs(text) and os.path.isdir(text) and text not in ("/", sys.prefix)]
    for folder in folders:
        if "site-packages" not in folder and not os.path.exists(os.path.join(folder, "pyvenv.cfg")):
            question["sources"].append(folder)
    named = [text for text in texts if text.endswith(".ini")]
    whole = [text for text in named if os.path.isabs(text)]
    whole += [os.path.join(folder, text.lstrip("/")) for folder in folders for text in named]
    question["ini"] = next((path for path in whole if os.path.isfile(path)), None)


def constants(path):
    try:
        with open(path, "rb") as file:
            tree = ast.parse(file.read(), path)
    except (OSError, SyntaxError, ValueError, TypeError):
        return []
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def run_script(path, name):
    """Runs the script as a worker does, for its application and what it does to the path. Why it fails is the worker's to
    say."""
    import types

    module = types.ModuleType("_mod_wsgi_check")
    module.__file__ = path
    try:
        with open(path, "rb") as file:
            code = compile(file.read(), path, "exec")
        sys.modules[module.__name__] = module
        exec(code, module.__dict__)
    except BaseException:
        return None
    return getattr(module, name, None)


def replay(application, given):
    """The traceback of an exception that the application keeps from its server, as TurboGears does without debug."""
    import traceback
    from wsgiref.util import setup_testing_defaults

    environ = {}
    setup_testing_defaults(environ)
    environ.update((name, value) for name, value in given if not name.startswith("mod_wsgi."))
    try:
        result = application(environ, lambda status, headers, exc_info=None: lambda data: None)
        for _ in result:
            pass
    except BaseException:
        return traceback.format_exc()
    # Where frameworks leave it for a debugger, even when there is none.
    kept = environ.get("backlash.exc_info")
    return "".join(traceback.format_exception(*kept)) if kept else None


# ---------------------------------------------------------------- the ini file

def look_at_ini(question):
    import configparser

    path = question["ini"]
    here = os.path.dirname(path)
    parser = configparser.ConfigParser(defaults={"here": here, "__file__": path}, interpolation=None, strict=False)
    parser.optionxform = str
    try:
        with open(path) as file:
            parser.read_file(file)
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        return {"path": path, "error": "%s" % error}
    answer = {"path": path, "error": None, "missing_sections": missing_sections(parser), "unknown_eggs": [], "proxy_prefix": proxy_prefix(parser)}
    for section, value in uses(parser):
        problem = egg_problem(value)
        if problem:
            answer["unknown_eggs"].append([section, value, problem])
    answer["database"] = database(parser, question["section"], here)
    if question["discover"]:
        answer.update(development(parser, question["section"]))
    answer["loadapp_error"] = load_in_own_process(path, question["section"]) if is_application(parser) else None
    if question["package"] is None:
        question["distribution"] = next((value[4:].partition("#")[0] for _, value in uses(parser)), None)
        question["package"] = (question["distribution"] or "").replace("-", "_") or None
    return answer


WELL_KNOWN = {
    "", "changeme", "change_me", "secret", "seekrit", "itsaseekreet", "somesecret", "something", "sosecret",
}


def development(parser, section):
    """What in the application's section is for development: `debug`, and secrets that everybody knows."""
    name = application_section(parser, section)
    if name is None:
        return {}
    debug = next((parser.get(name, key) for key in ("set debug", "debug") if parser.has_option(name, key)), "false")
    known = [
        key
        for key, value in parser.items(name)
        if ("secret" in key or "validate_key" in key) and value.strip().lower() in WELL_KNOWN
    ]
    is_on = debug.strip().lower() in ("true", "yes", "on", "1", "t", "y")
    return {"debug": debug.strip() if is_on else None, "known_secrets": known}


def application_section(parser, section):
    names = (kind + ":" + section for kind in ("app", "application"))
    return next((name for name in names if parser.has_section(name)), None)


def is_application(parser):
    return any(section.partition(":")[0] in ("app", "application", "pipeline", "composite") for section in parser.sections())


LOADER = """
import json, sys, traceback
path, ini, name = json.load(sys.stdin)
sys.path[:] = path
sys.dont_write_bytecode = True
try:
    from paste.deploy import loadapp
    loadapp("config:" + ini, name=name)
except BaseException:
    sys.stderr.write("\\0" + traceback.format_exc())
    sys.stderr.flush()
import os
os._exit(0)
"""


def load_in_own_process(ini, section):
    """The traceback of loading the application from the ini file with nothing else loaded; None where it succeeds."""
    import subprocess

    name = None if section == "main" else section
    done = subprocess.run(
        [sys.executable, "-c", LOADER],
        input=json.dumps([sys.path, ini, name]).encode(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    text = done.stderr.decode("utf-8", "replace")
    if "\0" in text:
        return text.rpartition("\0")[2].strip()
    return None if done.returncode == 0 else "it ended with status %d\n%s" % (done.returncode, text)


def missing_sections(parser):
    """The sections that logging.config.fileConfig would look for in vain."""
    if not parser.has_section("loggers") and not parser.has_section("handlers") and not parser.has_section("formatters"):
        return []
    missing = []
    for kind in ("loggers", "handlers", "formatters"):
        if not parser.has_option(kind, "keys"):
            missing.append(kind)
            continue
        keys = [key.strip() for key in parser.get(kind, "keys").split(",") if key.strip()]
        missing += ["%s_%s" % (kind[:-1], key) for key in keys if not parser.has_section("%s_%s" % (kind[:-1], key))]
    return missing


def uses(parser):
    for section in parser.sections():
        kind = section.partition(":")[0]
        if kind in ("app", "application", "composite", "composit", "pipeline", "filter", "filter-app"):
            if parser.has_option(section, "use"):
                value = parser.get(section, "use").strip()
                if value.startswith("egg:"):
                    yield section, value


GROUPS = ("paste.app_factory", "paste.app_install", "paste.composite_factory", "paste.composit_factory",
          "paste.filter_factory", "paste.filter_app_factory", "paste.server_factory", "paste.server_runner")


def egg_problem(value):
    """What keeps Paste Deploy from loading `egg:NAME#ENTRY`; None where nothing does."""
    from importlib import metadata

    name, _, entry = value[len("egg:"):].partition("#")
    name, entry = name.strip(), entry.strip() or "main"
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return "no installed package is called %s" % name
    entries = [point for point in distribution.entry_points if point.group in GROUPS]
    if any(point.name == entry for point in entries):
        return None
    return "%s has no entry point called %s" % (name, entry)


def proxy_prefix(parser):
    """The section that puts an application behind PasteDeploy's proxy-prefix, which is for proxies."""
    filters = {
        section.partition(":")[2]
        for section in parser.sections()
        if section.startswith("filter:") and "prefix" in parser.get(section, "use", fallback="").partition("#")[2]
    } | {"proxy-prefix"}
    for section in parser.sections():
        used = parser.get(section, "filter-with", fallback="").split()
        if section.startswith("pipeline:"):
            used += parser.get(section, "pipeline", fallback="").split()
        if filters.intersection(used):
            return section
    return None


def database(parser, section, here):
    """The application's database, and the tables for users that are empty in it."""
    name = application_section(parser, section)
    url = parser.get(name, "sqlalchemy.url", fallback=None) if name else None
    if not url:
        return None
    url = url.strip().replace("%(here)s", here)
    kind = url.partition(":")[0].partition("+")[0]
    answer = {"kind": kind, "file": None, "empty": [], "error": None}
    try:
        if kind == "sqlite":
            answer["file"] = url.partition(":///")[2].partition("?")[0]
            if answer["file"]:
                answer["empty"] = empty_in_sqlite(answer["file"])
        else:
            answer["empty"] = empty_elsewhere(url)
    except Exception as error:
        answer["error"] = "%s" % error
    return answer


USER_TABLES = ("tg_user", "auth_user")


def empty_in_sqlite(path):
    import sqlite3
    from urllib.parse import quote

    if not os.path.exists(path):
        raise OSError("%s does not exist" % path)
    connection = sqlite3.connect("file:%s?mode=ro" % quote(os.path.abspath(path)), uri=True)
    try:
        tables = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
        return [name for name in USER_TABLES if name in tables and is_empty(connection.execute, name)]
    finally:
        connection.close()


def empty_elsewhere(url):
    import sqlalchemy

    with sqlalchemy.create_engine(url).connect() as connection:
        tables = sqlalchemy.inspect(connection).get_table_names()
        execute = lambda text: connection.execute(sqlalchemy.text(text))
        return [name for name in USER_TABLES if name in tables and is_empty(execute, name)]


def is_empty(execute, table):
    return execute("select 1 from %s limit 1" % table).fetchone() is None


# ---------------------------------------------------------------- Django's settings

def look_at_django():
    from django.conf import settings

    answer = {"module": os.environ["DJANGO_SETTINGS_MODULE"], "debug": bool(settings.DEBUG), "database": None}
    key = str(settings.SECRET_KEY)
    answer["known_key"] = key.startswith("django-insecure-") or key.lower() in WELL_KNOWN
    default = settings.DATABASES.get("default", {})
    if default.get("ENGINE", "").endswith("sqlite3"):
        path = str(default.get("NAME") or "")
        answer["database"] = {"kind": "sqlite", "file": path, "empty": [], "error": None}
        try:
            # A site without users is a usual one; that the database is there counts.
            empty_in_sqlite(path)
        except Exception as error:
            answer["database"]["error"] = "%s" % error
    return answer


# ---------------------------------------------------------------- the project's package

def look_at_package(question):
    from importlib import machinery, metadata

    answer = {"name": question["package"], "editable": None, "shadowed_by": None}
    spec = machinery.PathFinder.find_spec(question["package"])
    if spec is not None and spec.origin is None:
        # A folder without __init__.py: the project's own folder, found before what is installed.
        folders = [str(folder) for folder in spec.submodule_search_locations or []]
        others = [folder for folder in folders if os.path.isfile(os.path.join(folder, question["package"], "__init__.py"))]
        answer["shadowed_by"] = others[0] if others else None
    try:
        distribution = metadata.distribution(question["distribution"] or question["package"])
    except metadata.PackageNotFoundError:
        return answer
    text = distribution.read_text("direct_url.json")
    if text:
        record = json.loads(text)
        if record.get("dir_info", {}).get("editable"):
            answer["editable"] = record.get("url", "").replace("file://", "", 1)
    return answer


if __name__ == "__main__":
    main()
