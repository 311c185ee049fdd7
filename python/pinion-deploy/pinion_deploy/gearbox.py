"""`gearbox modwsgi-deploy`."""

import argparse
import sys

from gearbox.command import Command

from pinion_deploy import deploy


class EverythingIsAnArgument(argparse.ArgumentParser):
    """Leaves all options to `pinion deploy`, its --help too."""

    def parse_args(self, args=None, namespace=None):
        return list(args or [])

    def print_help(self, file=None):
        deploy(["--help"])


class ModwsgiDeploy(Command):
    """Deploy this project under Apache with Pinion (pinion deploy)"""

    def get_parser(self, prog_name):
        return EverythingIsAnArgument(prog=prog_name, description=self.get_description(), add_help=False)

    def take_action(self, parsed_args):
        return deploy(as_typed(self.cmd_name, parsed_args))


def as_typed(command, left):
    """The arguments behind the command: gearbox takes some, such as -q and -v, for its own wherever they stand."""
    line = sys.argv[1:]
    return line[line.index(command) + 1 :] if command in line else left
