//! The front door's side of the protocol: choosing a worker, connections, replay.
