//! Metrics: folds over records. Every column of the results is computed here and defined in `docs/metrics.md`.
//!
//! A fold sees each record once and keeps a bit for every piece of every peer, never a record. It must not know
//! which driver it listens to, how results are written, or what they are compared with. Times stay integers to the
//! end, so that virtual time gives the same bytes on every machine.

mod availability;
pub mod bound;
mod cohorts;
mod fairness;
mod fold;
mod millionths;
mod participant;
mod peers;
pub mod quantile;
mod summary;
mod timeline;
mod trace;
mod uplinks;

pub use availability::RunAvailability;
pub use cohorts::{COHORT_METRICS, CohortRow};
pub use fold::{RunFold, RunMetrics};
pub use millionths::Millionths;
pub use participant::{Participant, sole_bytes};
pub use peers::{End, PeerRow};
pub use summary::{METRICS, Summary};
pub use timeline::{Counts, Sample};
pub use trace::TraceDigest;
