"""`paster modwsgi_deploy`."""

from paste.script.command import Command

from pinion_deploy import deploy


class ModwsgiDeploy(Command):
    summary = "Deploy this project under Apache with Pinion (pinion deploy)"
    usage = "[options of pinion deploy]"
    group_name = "pinion"
    parser = Command.standard_parser()

    def run(self, args):
        # Not parsed here: the options are those of `pinion deploy`, its --help too.
        return deploy(args)
