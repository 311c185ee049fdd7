"""Watches what an application has loaded, for `pinion serve --reload`.

A thread looks at the files of all loaded modules, and at the sources in the folders that are named, twice a second. What
has changed is told to the manager, which starts workers that load it; this one serves until they are ready, and goes on if
they do not load.
"""
import os
import sys
import threading
import time

# How often it looks, in seconds.
INTERVAL = 0.5
# A file's time is that of the system's last tick, which may be so long before the file was written, in nanoseconds.
TICK = 10000000
# What a project's folder is watched for beside modules: what applications read when they start.
ENDINGS = (".py", ".wsgi", ".ini", ".cfg", ".toml", ".env", ".yaml", ".yml", ".json")
# The most files that are looked at in a folder; a folder with more has something else in it than sources.
MOST = 20000


def start(core, folders, begun):
    """Begins to watch; `begun` is when the application began to load, in nanoseconds since 1970. The interpreter ends without
    waiting for the thread."""
    threading.Thread(target=Watch(core, folders, begun).run, name="pinion-reload", daemon=True).start()


class Watch(object):
    def __init__(self, core, folders, begun):
        self.core = core
        self.folders = folders
        self.begun = begun
        self.known = {}
        self.pause = threading.Event()

    def run(self):
        self.known = self.look()
        self.tell_late()
        threading.current_thread().name = "pinion-reload watching"
        while not self.pause.wait(INTERVAL):
            found = self.look()
            for path, mtime in found.items():
                # A file that is new was loaded late, or has just been written: only one in a watched folder counts.
                if self.known.get(path, None if self.is_watched(path) else mtime) != mtime:
                    self.core.changed(path, mtime // 1000)
                    break
            else:
                gone = next((path for path in self.known if path not in found and not os.path.exists(path)), None)
                if gone is not None:
                    self.core.changed(gone, 0)
            self.known = found

    def tell_late(self):
        """Tells of a module that was changed while the application loaded: what was loaded may be what it was before. A time that
        is yet to come says nothing. The manager does not take the change for another one that this load is for."""
        now = time.time_ns()
        for path in self.modules():
            mtime = self.known.get(path, 0)
            if self.begun - TICK <= mtime <= now:
                self.core.changed(path, mtime // 1000)
                return

    def look(self):
        """The modification time of each file, in nanoseconds."""
        found = {}
        for path in self.modules():
            try:
                found[path] = os.stat(path).st_mtime_ns
            except OSError:
                pass
        for folder in self.folders:
            for entry in sources(folder):
                try:
                    found[entry.path] = entry.stat().st_mtime_ns
                except OSError:
                    pass
        return found

    def modules(self):
        for module in list(sys.modules.values()):
            # Some modules answer anything when they are asked for an attribute.
            path = getattr(module, "__dict__", {}).get("__file__")
            if isinstance(path, str) and path.endswith((".py", ".so", ".wsgi")):
                yield path

    def is_watched(self, path):
        return any(path.startswith(folder.rstrip("/") + "/") for folder in self.folders)


def sources(folder):
    """The files in a folder and those below it that an application may read at its start."""
    waiting, count = [folder], 0
    while waiting and count < MOST:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue
        if any(entry.name == "pyvenv.cfg" for entry in entries):
            continue
        count += len(entries)
        for entry in entries:
            if entry.name.startswith(".") or entry.name in ("node_modules", "__pycache__"):
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            elif entry.name.endswith(ENDINGS):
                yield entry
