"""A worker: what Pinion's manager execs with the virtualenv's own Python.

    <venv>/bin/python <library>/pinion_worker.py

The manager gives descriptors 3 (the reins) and 4 (the status page); `ARCHITECTURE.md` says what they
are. The work is done by the extension module `_pinion` beside this file; here the interpreter is made
what applications expect of mod_wsgi.
"""


def main():
    import os
    import sys
    import time

    library = os.path.dirname(os.path.abspath(__file__))
    path = os.path.join(library, core_name())
    if not os.path.exists(path):
        sys.stderr.write("pinion worker: %s is free-threaded, and there is no %s\n" % (sys.executable, path))
        sys.stderr.write("hint: install Pinion with a core for it, or name a Python with a GIL\n")
        return 2
    core = load_core(path)
    modules = load_own(os.path.join(library, "pinion_module.py"))
    try:
        settings = core.start()
    except RuntimeError as error:
        sys.stderr.write("pinion worker: %s\n" % error)
        if "\nhint: " not in str(error):
            sys.stderr.write("hint: apache2 with mod_pinion starts workers; they are not for the command line\n")
        return 2
    watch_for_crashes(settings)
    core.listen()
    clean(library)
    prepare(core, settings)
    set_locale(core, settings)
    add_paths(core, settings, settings["python_path"])
    for folders in settings["more_paths"]:
        add_paths(core, settings, folders)
    replace_streams(settings)
    publisher = modules.install(core, settings)
    take_signals(core, settings, publisher)
    core.watch()
    if settings["threads"] == 0:
        core.run_scripts()
        publisher.stopping(core.stop_reason())
        return 0

    def tell():
        publisher.stopping(core.stop_reason() if settings["process_group"] else "")

    core.on_stop(tell)
    begun = time.time_ns()
    if not core.load():
        # The application's threads and hooks may be in any state: they are not waited for.
        os._exit(1)
    start_threads(core, settings)
    if settings["watch"] is not None:
        load_own(os.path.join(library, "pinion_reload.py")).start(core, settings["watch"], begun)
    if not core.wait():
        tell()
    if settings["keep_at_exit"]:
        # WSGIDestroyInterpreter Off: nothing of Python's end, which may hang, takes place.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    return 0


def core_name():
    """The core for this interpreter's kind: one for all with a GIL, one for each version without."""
    import sys

    if "t" not in getattr(sys, "abiflags", ""):
        return "_pinion.abi3.so"
    from importlib.machinery import EXTENSION_SUFFIXES

    return "_pinion" + EXTENSION_SUFFIXES[0]


def load_core(path):
    """Imports the extension module from its file, so that its folder need not be importable."""
    import sys
    from importlib.machinery import ExtensionFileLoader

    module, spec = new_module("_pinion", path, ExtensionFileLoader)
    sys.modules["_pinion"] = module
    spec.loader.exec_module(module)
    return module


def load_own(path):
    """Imports another of Pinion's files, of which `sys.modules` is to show nothing."""
    from importlib.machinery import SourceFileLoader

    module, spec = new_module(path.rpartition("/")[2][:-len(".py")], path, SourceFileLoader)
    spec.loader.exec_module(module)
    return module


def new_module(name, path, loader):
    """A module that is to be loaded from a file, and its spec. Without `importlib.util`, which brings a dozen modules that the
    application may have no use for."""
    from importlib._bootstrap import module_from_spec
    from importlib.machinery import ModuleSpec

    spec = ModuleSpec(name, loader(name, path), origin=path)
    spec.has_location = True
    return module_from_spec(spec), spec


def watch_for_crashes(settings):
    """Has the Python stack written to the manager's pipe by a crash, or when the manager asks."""
    import faulthandler

    faulthandler.enable(file=2, all_threads=True)
    faulthandler.register(settings["dump_signal"], file=2, all_threads=True)


def clean(library):
    """Leaves no trace of this file: applications find an empty `__main__` and no folder of Pinion's."""
    import sys
    import types

    own = sys.modules["__main__"]
    sys.modules["_pinion"].bootstrap = own
    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.path[:] = [entry for entry in sys.path if entry != library]
    sys.path_importer_cache.pop(library, None)
    sys.argv = ["mod_wsgi"]


def prepare(core, settings):
    """Applies what is said of the interpreter itself."""
    import os
    import sys

    if settings["hash_seed"]:
        # It has had its effect, and is not meant for the application's own children.
        os.environ.pop("PYTHONHASHSEED", None)
    interval = settings["switch_interval"]
    if interval is None:
        return
    if has_gil():
        sys.setswitchinterval(interval)
        core.log(6, "Setting Python switch interval to %s seconds." % interval)
    else:
        why = "free-threading is active in this process so there is no GIL switch interval to set."
        place = "daemon process '%s'" % settings["process_group"]
        code = "WSGI0204"
        if not settings["process_group"]:
            code, place = "WSGI0203", "Apache child process"
        core.log(4, "%s: Skipping WSGISwitchInterval %.6fs in %s: %s" % (code, interval, place, why))


def has_gil():
    import sys

    return getattr(sys, "_is_gil_enabled", lambda: True)()


def set_locale(core, settings):
    if settings["locale"] is not None:
        import locale

        try:
            locale.setlocale(locale.LC_ALL, settings["locale"])
        except locale.Error as error:
            text = "WSGI0079: Unsupported locale setting '%s' specified for daemon process group '%s'; daemon will run " \
                "with the inherited locale (%s). Consider 'C.UTF-8' as a fallback."
            core.log(4, text % (settings["locale"], settings["process_group"], error))


def add_paths(core, settings, folders):
    """Adds folders as site packages, `.pth` files included, and moves what is new to the front."""
    import site
    import sys

    before = list(sys.path)
    for folder in folders:
        try:
            site.addsitedir(folder)
        except BaseException as error:
            # A `.pth` file may run anything.
            tell_failed_folder(core, settings, folder, error)
            break
    new = [entry for entry in sys.path if entry not in before]
    sys.path[:] = new + [entry for entry in sys.path if entry in before]


def tell_failed_folder(core, settings, folder, error):
    """Says so in mod_wsgi's words."""
    import traceback

    place = settings["interpreter"].split(" of ")[-1] if settings["process_group"] else "Apache child process"
    text = "WSGI0091: Call to 'site.addsitedir()' failed for '%s' in %s; remaining python-path entries will not be added."
    core.log(3, text % (folder, place))
    ignored = isinstance(error, SystemExit)
    text = "%s: %s exception raised during Python interpreter initialisation for %s%s"
    words = ("WSGI0189" if ignored else "WSGI0188", type(error).__name__, settings["interpreter"])
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    core.log(3, text % (words + ("; ignored." if ignored else ".",)) + "\n" + "".join(lines).rstrip())


def replace_streams(settings):
    import sys

    sys.stdout = Restricted("sys.stdout") if settings["restrict_stdout"] else settings["stdout"]
    sys.stderr = settings["stderr"]
    if settings["restrict_stdin"]:
        sys.stdin = Restricted("sys.stdin")


class Restricted(object):
    """A stream under WSGIRestrictStdin or WSGIRestrictStdout: each use raises."""

    def __init__(self, name):
        object.__setattr__(self, "__name__", name)

    def __getattribute__(self, name):
        if name.startswith("__"):
            return object.__getattribute__(self, name)
        raise OSError("%s access restricted by mod_wsgi" % object.__getattribute__(self, "__name__"))


Restricted.__module__ = "mod_wsgi"


def take_signals(core, settings, publisher):
    """SIGTERM and SIGINT stop, SIGUSR1 asks for a replacement, SIGXCPU says that cpu-time-limit is used up; SIGHUP and
    SIGUSR2 are for the application's subscribers. Applications may not change that. The module is the one that `signal` is made
    of, which itself brings others that the application may have no use for."""
    import _signal as signal
    import os
    import sys

    register = signal.signal
    register(signal.SIGXCPU, lambda *_: core.exhaust())
    if settings["threads"] == 0:
        # The main thread runs a script that may take the signals over, as mod_wsgi documents it.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            register(number, end_script)
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        register(number, lambda *_: core.stop())
    register(signal.SIGUSR1, lambda *_: core.retire())
    if settings["process_group"]:
        dispatcher = Dispatcher(publisher)
        for number in (signal.SIGHUP, signal.SIGUSR2):
            register(number, dispatcher.signalled)
    signal.set_wakeup_fd(settings["waker"], warn_on_full_buffer=False)

    def forked():
        # Otherwise multiprocessing's terminate() would have no effect: the child is not the one to be stopped.
        signal.set_wakeup_fd(-1)
        taken = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP, signal.SIGUSR2, signal.SIGXCPU)
        for number in taken:
            register(number, signal.SIG_DFL)

    os.register_at_fork(after_in_child=forked)

    def refuse(number, handler):
        import traceback

        caller = sys._getframe(1)
        if caller.f_globals.get("__name__") == "signal":
            caller = caller.f_back
        text = "Ignoring Python signal handler registration for signal %d in WSGI process; mod_wsgi manages signals.\n"
        core.log(6, text % number + "".join(traceback.format_stack(caller)))
        return handler

    if not settings["restrict_signal"]:
        return
    refuse.__name__ = refuse.__qualname__ = "signal"
    refuse.__doc__ = register.__doc__
    # `signal`, whether it is loaded already or will be, ends up at one of the two.
    signal.signal = refuse
    if "signal" in sys.modules:
        sys.modules["signal"].signal = refuse


class Dispatcher(object):
    """Tells subscribers of signals, in a thread of its own: a slow subscriber keeps nobody from stopping the process."""

    def __init__(self, publisher):
        self.publisher = publisher
        self.numbers = None

    def signalled(self, number, frame):
        if not (self.publisher.events or self.publisher.signals):
            return
        if self.numbers is None:
            import queue
            import threading

            self.numbers = queue.SimpleQueue()
            threading.Thread(target=self.run, name="mod_wsgi-signals", daemon=True).start()
        self.numbers.put(number)

    def run(self):
        while True:
            self.publisher.signalled(self.numbers.get())


def end_script(*_):
    raise SystemExit


def start_threads(core, settings):
    import threading

    # Python takes no smaller stack.
    size = max(settings["stack_size"], 32768) if settings["stack_size"] else 0
    before = threading.stack_size(size) if size else 0
    for number in range(settings["threads"]):
        name = "mod_wsgi-%d" % (number + 1)
        threading.Thread(target=serve, args=(core, number), name=name, daemon=True).start()
    if size:
        threading.stack_size(before)


def serve(core, number):
    """The life of a serving thread. One that ends would take its request with it, unseen: then the process ends too,
    which the manager sees."""
    try:
        core.serve(number)
    except BaseException:
        import faulthandler
        import os
        import traceback

        os.write(2, traceback.format_exc().encode("utf-8", "backslashreplace"))
        faulthandler.dump_traceback(file=2, all_threads=True)
        os._exit(70)


if __name__ == "__main__":
    import sys

    sys.exit(main())
