//! The tracker as a pure state machine.
