//! How many blocks to ask a remote for ahead of time.

use crate::peer::policy::Pipeline;
use crate::time::Span;

/// How many requests may be outstanding on a connection that delivered `bytes_in_window` within `window`: the blocks
/// of `pipeline.time` at that rate (rounded up), within `pipeline.min ..= pipeline.max` and the remote's own limit
/// `reqq` (BEP 10), but never none.
pub fn depth(pipeline: &Pipeline, bytes_in_window: u64, window: Span, block_size: u32, reqq: u32) -> u32 {
    let bytes_by_window = u128::from(bytes_in_window) * u128::from(pipeline.time.as_nanos());
    let block_by_window = u128::from(block_size.max(1)) * u128::from(window.as_nanos().max(1));
    let blocks = u32::try_from(bytes_by_window.div_ceil(block_by_window)).unwrap_or(u32::MAX);
    blocks.min(pipeline.max).max(pipeline.min).min(reqq).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Span = Span::from_secs(2);

    fn depth_at(bytes_per_second: u64, reqq: u32) -> u32 {
        depth(&Pipeline::default(), bytes_per_second * 2, WINDOW, 16_384, reqq)
    }

    #[test]
    fn three_seconds_worth_of_blocks_are_asked_for() {
        assert_eq!(depth_at(10 * 16_384, 250), 30);
        assert_eq!(depth_at(10 * 16_384 + 1, 250), 31);
    }

    #[test]
    fn a_new_connection_starts_at_two_and_a_fast_one_ends_at_250() {
        assert_eq!(depth_at(0, 250), 2);
        assert_eq!(depth_at(1 << 40, 2_000), 250);
        assert_eq!(depth(&Pipeline::default(), u64::MAX, Span::ZERO, 0, u32::MAX), 250);
    }

    #[test]
    fn the_remote_limit_is_obeyed_but_never_stops_the_connection() {
        assert_eq!(depth_at(1 << 40, 100), 100);
        assert_eq!(depth_at(1 << 40, 1), 1);
        assert_eq!(depth_at(0, 0), 1);
    }
}
