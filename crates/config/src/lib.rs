//! The model of directives and daemon options.
