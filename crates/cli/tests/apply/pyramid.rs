//! A Pyramid project: a package with an ini file for development.

use crate::world::{World, fine, project};

const INI: &str = "[app:main]\nuse = egg:hills\npyramid.reload_templates = true\n\n\
                   [server:main]\nuse = egg:waitress#main\nlisten = localhost:6543\n\n\
                   [loggers]\nkeys = root\n[handlers]\nkeys = console\n[formatters]\nkeys = generic\n\
                   [logger_root]\nlevel = INFO\nhandlers = console\n\
                   [handler_console]\nclass = StreamHandler\nargs = (sys.stderr,)\n\
                   formatter = generic\n[formatter_generic]\nformat = %(message)s\n";

const SETUP: &str = "from setuptools import setup, find_packages\n\
    setup(name='hills', version='1', packages=find_packages(), install_requires=['pyramid'],\n\
    \x20     entry_points={'paste.app_factory': ['main = hills:main']})\n";

const APPLICATION: &str = "from pyramid.config import Configurator\n\
    from pyramid.response import Response\n\n\n\
    def home(request):\n    return Response('hills at ' + request.application_url)\n\n\n\
    def main(global_config, **settings):\n\
    \x20   assert settings['pyramid.reload_templates'] == 'false', settings\n\
    \x20   with Configurator(settings=settings) as config:\n\
    \x20       config.add_route('home', '/')\n\
    \x20       config.add_view(home, route_name='home')\n\
    \x20       return config.make_wsgi_app()\n";

#[test]
fn a_pyramid_project_is_deployed_and_taken_away() {
    let files = [("development.ini", INI), ("setup.py", SETUP), ("hills/__init__.py", APPLICATION)];
    let folder = project(&files);
    let world = World::new();
    let before = world.picture();
    let said = fine(world.deploy(folder.path(), "hills", &[]));
    assert!(said.contains("found a Pyramid project: project hills, package hills"), "{said}");
    let answer = world.get("/hills/");
    let url = format!("http://127.0.0.1:{}/hills", world.apache.port());
    assert_eq!((answer.status, answer.text()), (200, format!("hills at {url}")));
    fine(world.undeploy(folder.path(), &["--purge"]));
    assert_eq!(world.picture(), before);
    assert_eq!(world.workers(), [""; 0]);
}
