"""Runs `pinion deploy` under the names that Paste and gearbox give it."""

import os
import shutil
import sys

__version__ = "0.1.0"

VARIABLE = "PINION"


class NotFound(Exception):
    """There is no `pinion` to run; the text says where it was looked for and what to do."""


def find():
    """The path of the `pinion` program.

    Raises NotFound where the one that `PINION` names cannot be run, or there is none anywhere.
    """
    named = os.environ.get(VARIABLE)
    if named:
        if is_program(named):
            return named
        raise NotFound(
            "%s names %s, which is not a program\n"
            "hint: set it to the path of the pinion program, or unset it" % (VARIABLE, named)
        )
    for candidate in [beside_this_package(), os.path.join(os.path.dirname(sys.executable), "pinion")]:
        if is_program(candidate):
            return candidate
    found = shutil.which("pinion")
    if found:
        return found
    raise NotFound(
        "the pinion program was not found: not with this package, not in %s, not in PATH\n"
        "hint: install Pinion, or set %s to the path of its program, such as /opt/pinion/bin/pinion"
        % (os.path.dirname(sys.executable), VARIABLE)
    )


def beside_this_package():
    """Where the program is when this package is used from within an installation: PREFIX/lib/pinion/pinion-deploy."""
    prefix = os.path.abspath(__file__)
    for _ in range(5):
        prefix = os.path.dirname(prefix)
    return os.path.join(prefix, "bin", "pinion")


def is_program(path):
    return os.path.isfile(path) and os.access(path, os.X_OK)


def deploy(arguments):
    """Becomes `pinion deploy` with these arguments; returns an exit status only when that fails."""
    try:
        program = find()
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(program, [program, "deploy"] + list(arguments))
    except NotFound as error:
        sys.stderr.write("pinion-deploy: %s\n" % error)
    except OSError as error:
        sys.stderr.write("pinion-deploy: %s cannot be run: %s\n" % (program, error.strerror))
    return 2
