//! The Apache module: hook table, directive table, request relay.
