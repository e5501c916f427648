//! Sizes and times as options take them, with their units.

use std::time::Duration;

use crate::units::{parse_size, parse_span};

/// A size in bytes that pieces and blocks can have.
pub(super) fn size(text: &str) -> Result<u32, String> {
    let bytes = parse_size(text).map_err(|error| error.to_string())?;
    match u32::try_from(bytes) {
        Ok(0) => Err("must be at least 1 B".to_owned()),
        Ok(bytes) => Ok(bytes),
        Err(_) => Err("must be less than 4 GiB".to_owned()),
    }
}

/// A time that is worth waiting for, on the wall.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let span = parse_span(text).map_err(|error| error.to_string())?;
    match span.as_nanos() {
        0 => Err("must be more than 0".to_owned()),
        nanos => Ok(Duration::from_nanos(nanos)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_and_what_is_beyond_bounds_is_refused() {
        assert_eq!(size("16 KiB"), Ok(16_384));
        assert!(size("0 B").is_err() && size("4 GiB").is_err() && size("16").is_err());
        assert_eq!(time("1500 ms"), Ok(Duration::from_millis(1_500)));
        assert!(time("0 s").is_err() && time("3").is_err());
    }
}
