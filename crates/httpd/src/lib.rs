//! Safe access to Apache 2.4: pools, requests, brigades, tables, logging, hooks.
