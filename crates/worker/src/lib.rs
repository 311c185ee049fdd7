//! The worker core that the virtualenv's Python imports.
