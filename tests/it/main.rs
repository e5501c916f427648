//! Integration tests: what only shows when the parts stand together.
