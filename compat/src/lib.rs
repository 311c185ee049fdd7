//! The compatibility cases, run on mod_wsgi and on Pinion.
