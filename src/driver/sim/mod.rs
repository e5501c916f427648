//! Virtual time: a discrete-event simulator that runs the peers and the tracker without sockets or clock.
