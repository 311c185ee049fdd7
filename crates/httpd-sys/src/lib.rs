//! Raw bindings to Apache 2.4 and APR.
