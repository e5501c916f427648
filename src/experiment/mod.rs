//! Axes → cases → runs: executes them in parallel, resumes, stores, and compares paired runs.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]
