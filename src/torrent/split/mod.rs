//! Split-and-distribute: who holds which pieces before anybody exchanges anything.

mod distribution;

pub use distribution::{Distribution, DistributionError, distribute};
