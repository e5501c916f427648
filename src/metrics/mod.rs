//! Metrics: folds over records. Every column of the results is computed here and defined in `docs/metrics.md`.
