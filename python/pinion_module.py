"""The modules `mod_wsgi` and `apache`, with the names that applications know from mod_wsgi 6.1.

`pinion_worker.py` calls `install`; what must be quick is in the extension module, `core`.
"""

import sys
import types


def install(core, settings):
    """Puts both modules into `sys.modules`; returns the publisher of events."""
    publisher = Publisher(core, settings["process_group"] != "")
    module = types.ModuleType("mod_wsgi")
    module.version = settings["version"]
    module.process_group = settings["process_group"]
    module.application_group = settings["application_group"]
    module.maximum_processes = settings["processes"]
    module.threads_per_process = settings["threads"]
    module.FileWrapper = core.FileWrapper
    module.RequestTimeout = core.request_timeout()
    module.event_callbacks = publisher.events
    module.shutdown_callbacks = publisher.shutdown
    module.signal_callbacks = publisher.signals
    for name, subscribe in publisher.subscriptions():
        setattr(module, name, as_function(name, subscribe))
    module.request_data = core.request_data
    module.start_recording_metrics = core.start_recording_metrics
    module.request_metrics = core.request_metrics
    module.process_metrics = core.process_metrics
    module.server_metrics = core.server_metrics
    add_lazy(module, {
        "LogHandler": lambda: make_log_handler(core),
        "active_requests": publisher.track,
    })
    add_package(module)
    sys.modules["mod_wsgi"] = module
    apache = types.ModuleType("apache")
    vars(apache).update(settings["apache"])
    sys.modules["apache"] = apache
    return publisher


def as_function(name, method):
    """A function of the module that hides how it is made."""

    def function(callback, /):
        return method(callback)

    function.__name__ = function.__qualname__ = name
    function.__module__ = "mod_wsgi"
    function.__doc__ = method.__doc__
    return function


def add_lazy(module, makers):
    """Gives a module names whose values cost something and are made when they are first asked for."""

    def lookup(name):
        if name not in makers:
            raise AttributeError("module %r has no attribute %r" % (module.__name__, name))
        value = makers[name]()
        return vars(module).setdefault(name, value)

    module.__getattr__ = lookup
    module.__dir__ = lambda: sorted(set(vars(module)) - {"__getattr__", "__dir__"} | set(makers))


def add_package(module):
    """Where the package from PyPI is there too, its submodules stay importable."""
    from importlib.machinery import PathFinder

    installed = PathFinder.find_spec("mod_wsgi")
    if installed is not None and installed.submodule_search_locations:
        module.__path__ = list(installed.submodule_search_locations)


class Publisher(object):
    """Who wants to know of events, and telling them."""

    def __init__(self, core, daemon):
        self.core = core
        self.daemon = daemon
        self.events = []
        self.shutdown = []
        self.signals = []
        # The requests that run, by id, once somebody has asked.
        self.active = None

    def subscriptions(self):
        """The functions of the module, by name."""
        return [
            ("subscribe_events", self.subscribe_events),
            ("subscribe_shutdown", self.subscribe_shutdown),
            ("subscribe_signals", self.subscribe_signals),
        ]

    def subscribe_events(self, callback):
        """Has every event told to `callback`."""
        self.events.append(callback)
        self.core.watch_requests(self.watch)
        return callback

    def subscribe_shutdown(self, callback):
        """Has the end of the process told to `callback`."""
        self.shutdown.append(callback)
        return callback

    def subscribe_signals(self, callback):
        """Has SIGHUP and SIGUSR2 told to `callback`, in processes of a process group."""
        if self.daemon:
            self.signals.append(callback)
        else:
            import traceback

            text = ("mod_wsgi.subscribe_signals() called outside daemon mode; the callback will not be invoked. "
                    "Signal callbacks are only delivered in daemon mode processes.\n")
            self.core.log(6, text + "".join(traceback.format_stack()[:-2]))
        return callback

    def track(self):
        """From now on keeps account of the requests that run."""
        self.active = {}
        self.core.watch_requests(self.watch)
        for environ, data in self.core.running():
            if "mod_wsgi.request_id" in environ:
                self.active[environ["mod_wsgi.request_id"]] = data
        return self.active

    def watch(self, environ, data):
        """What the core tells of a request goes to the object that this returns."""
        return Watched(self, environ, data)

    def publish(self, name, event, callbacks):
        """Calls each of `callbacks`; the dicts that they return change the event for the next."""
        for callback in list(callbacks):
            try:
                changes = callback(name, **event)
            except self.core.request_timeout():
                raise
            except BaseException as error:
                self.complain(name, error)
            else:
                if isinstance(changes, dict):
                    event.update(changes)
        return event

    def complain(self, name, error):
        import traceback

        kind = type(error).__name__
        text = "WSGI0112: %s exception raised by event callback for '%s'.\n"
        if isinstance(error, SystemExit):
            text = "WSGI0190: %s exception raised by event callback for '%s'; ignored.\n"
        text %= (kind, name)
        self.core.log(3, text + traceback.format_exc().rstrip("\n"))

    def stopping(self, reason):
        """The process is about to end."""
        for callbacks in (self.events, self.shutdown):
            self.publish("process_stopping", {"shutdown_reason": reason}, callbacks)

    def signalled(self, number):
        """A signal came that applications may want to know of."""
        import signal

        event = {"signame": signal.Signals(number).name, "signum": int(number)}
        for callbacks in (self.events, self.signals):
            self.publish("process_signal", dict(event), callbacks)


class Watched(object):
    """One request that somebody wants to know of."""

    def __init__(self, publisher, environ, data):
        self.publisher = publisher
        self.environ = environ
        self.data = data
        self.id = {}
        if "mod_wsgi.request_id" in environ:
            self.id["request_id"] = environ["mod_wsgi.request_id"]
            if publisher.active is not None:
                publisher.active[self.id["request_id"]] = data
        self.times = {"thread_id": environ["mod_wsgi.thread_id"], "server_pid": int(environ.get("mod_wsgi.server_pid", 0))}
        for name in ("request_start", "queue_start", "daemon_start"):
            self.times[name] = environ.get("mod_wsgi." + name, 0.0)

    def tell(self, name, *parts):
        publisher = self.publisher
        event = dict(self.id)
        for part in parts:
            event.update(part)
        event["request_data"] = self.data
        return publisher.publish(name, event, publisher.events) if publisher.events else event

    def started(self, application, callable_name, connects):
        """The application is about to be called; returns what to call."""
        connected = {"daemon_connects": connects, "daemon_restarts": 0}
        about = {
            "application_object": application,
            "callable_object": callable_name,
            "request_environ": self.environ,
            "application_start": self.environ.get("mod_wsgi.application_start", 0.0),
        }
        return self.tell("request_started", connected, self.times, about)["application_object"]

    def responded(self, status, headers, exc_info=None):
        """`start_response` was called."""
        response = {"response_status": status, "response_headers": headers, "exception_info": exc_info}
        self.tell("response_started", response)

    def failed(self, *exc_info):
        """An exception came out of the application."""
        self.tell("request_exception", {"exception_info": exc_info})

    def finished(self, measured):
        """The answer was sent."""
        try:
            self.tell("request_finished", self.times, measured)
        finally:
            if self.publisher.active is not None:
                self.publisher.active.pop(self.id.get("request_id"), None)


def make_log_handler(core):
    """Makes the class `mod_wsgi.LogHandler`."""
    import logging

    class LogHandler(logging.Handler):
        """Writes records to Apache's error log at the level that is theirs."""

        def emit(self, record):
            try:
                number = record.levelno
                # Apache's numbers; levels between Python's own count as the next lower one.
                level = 2 if number >= 50 else 3 if number >= 40 else 4 if number >= 30 else 6 if number >= 20 else 7
                path, line = getattr(record, "pathname", ""), getattr(record, "lineno", 0)
                # Records can be made by hand, of anything.
                path = path if isinstance(path, str) else ""
                line = line if isinstance(line, int) and 0 <= line < 2**31 else 0
                core.log_record(level, path, line, self.format(record))
            except RecursionError:
                raise
            except Exception:
                self.handleError(record)

    LogHandler.__module__ = "mod_wsgi"
    LogHandler.__qualname__ = "LogHandler"
    return LogHandler
