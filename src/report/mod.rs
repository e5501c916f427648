//! Results as CSV files and terminal tables.
