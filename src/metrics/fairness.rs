//! Whether those who took gave alike.

use crate::metrics::{Millionths, PeerRow};

/// Jain's index (Jain, Chiu & Hawe 1984) over the share ratios, uploaded / downloaded, of the leechers that downloaded
/// something: 1 if all are equal, 1/n if one of n gave everything. `None` if nobody downloaded, or nobody uploaded, or
/// somebody's client does not tell.
pub(super) fn of_share_ratios<'a>(rows: impl Iterator<Item = &'a PeerRow>) -> Option<Millionths> {
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for row in rows.filter(|row| row.is_leecher()) {
        let (uploaded, downloaded) = (row.uploaded_bytes?, row.downloaded_bytes?);
        if downloaded == 0 {
            continue;
        }
        let ratio = uploaded as f64 / downloaded as f64;
        count += 1.0;
        sum += ratio;
        squares += ratio * ratio;
    }
    if squares == 0.0 {
        return None;
    }
    Millionths::nearest(sum * sum / (count * squares))
}
