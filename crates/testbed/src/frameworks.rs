//! Virtualenvs with the web frameworks that tests make projects of; made once for all suites.

use crate::venv::{self, Venv};
use crate::{Error, python};

/// Flask, Django and Pyramid.
const FRAMEWORKS: &[&str] =
    &["Flask>=3.1,<3.2", "Django>=5.2,<5.3", "pyramid>=2.0,<2.2", "setuptools<81"];
/// TurboGears, and what a quickstarted project needs and does not declare.
const TURBOGEARS: &[&str] = &[
    "tg.devtools>=2.5,<2.6",
    "TurboGears2>=2.5,<2.6",
    "PasteDeploy",
    "gearbox",
    "alembic",
    "SQLAlchemy<3",
    "Kajiki>=0.6.3",
    "Beaker",
    "zope.sqlalchemy",
    "repoze.who>=3.2.0rc1",
    "WebHelpers2",
    "Babel",
    "setuptools<81",
    "wheel",
];

/// A virtualenv with Flask, Django and Pyramid on the system's Python.
///
/// # Errors
/// As [`venv::ensure`].
pub fn frameworks() -> Result<Venv, Error> {
    venv::ensure("frameworks", &python::system()?, FRAMEWORKS)
}

/// A virtualenv with TurboGears and what a quickstarted project needs, on the system's Python.
///
/// # Errors
/// As [`venv::ensure`].
pub fn turbogears() -> Result<Venv, Error> {
    venv::ensure("turbogears-tools", &python::system()?, TURBOGEARS)
}
