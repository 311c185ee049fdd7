"""Says in which groups it was imported, when it is and when it is asked."""
import os

import mod_wsgi

print("compat: imported in group %r application %r" % (
    mod_wsgi.process_group, mod_wsgi.application_group), flush=True)


def application(environ, start_response):
    said = "%s %s %s %s" % (environ["mod_wsgi.process_group"] or "-",
                            environ["mod_wsgi.application_group"] or "-",
                            mod_wsgi.process_group == environ["mod_wsgi.process_group"],
                            mod_wsgi.application_group == environ["mod_wsgi.application_group"])
    start_response("200 OK", [("X-Pid", str(os.getpid()))])
    return [said.encode("latin-1")]
