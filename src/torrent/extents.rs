//! Where the content's bytes lie among its files, which follow each other without a gap: the arithmetic of torrents of
//! several files. It knows lengths, and neither names nor disks.

/// The lengths of files in the order of their bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extents {
    /// Where each file begins in the content, and at last where the content ends. In bytes.
    begins: Vec<u64>,
}

/// Bytes that lie together in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Position of the file in the torrent.
    pub file: usize,
    /// From the file's own begin, in bytes.
    pub offset: u64,
    /// In bytes; never 0.
    pub length: u64,
}

impl Extents {
    /// `None` where the files are longer in all than can be counted.
    pub fn new(lengths: impl IntoIterator<Item = u64>) -> Option<Extents> {
        let mut begins = vec![0u64];
        let mut end = 0u64;
        for length in lengths {
            end = end.checked_add(length)?;
            begins.push(end);
        }
        Some(Extents { begins })
    }

    /// Bytes of all files together.
    pub fn total(&self) -> u64 {
        self.begins.last().copied().unwrap_or(0)
    }

    /// The files' parts of `length` bytes from `begin` on, in order. What lies beyond the content is in no file, and
    /// files without bytes have no part in anything.
    pub fn of(&self, begin: u64, length: u64) -> impl Iterator<Item = Extent> {
        let end = begin.saturating_add(length).min(self.total());
        // The last file that begins at or before the first byte; those of zero bytes lie before it.
        let first = self.begins.partition_point(|file| *file <= begin).saturating_sub(1);
        let files = self.begins[first..].windows(2).enumerate();
        files.take_while(move |(_, bounds)| bounds[0] < end).filter_map(move |(behind, bounds)| {
            let (from, to) = (bounds[0].max(begin), bounds[1].min(end));
            let extent =
                Extent { file: first + behind, offset: from - bounds[0], length: to.saturating_sub(from) };
            (extent.length > 0).then_some(extent)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(lengths: &[u64], begin: u64, length: u64) -> Vec<(usize, u64, u64)> {
        let extents = Extents::new(lengths.iter().copied()).unwrap();
        extents.of(begin, length).map(|extent| (extent.file, extent.offset, extent.length)).collect()
    }

    #[test]
    fn a_range_is_cut_where_files_meet_and_empty_files_have_no_part() {
        let files = [5, 0, 0, 3, 7, 0];
        assert_eq!(of(&files, 0, 15), [(0, 0, 5), (3, 0, 3), (4, 0, 7)]);
        assert_eq!(of(&files, 4, 5), [(0, 4, 1), (3, 0, 3), (4, 0, 1)]);
        assert_eq!(of(&files, 5, 3), [(3, 0, 3)], "from one border to the next");
        assert_eq!(of(&files, 14, 100), [(4, 6, 1)], "nothing lies beyond the end");
        assert_eq!(of(&files, 5, 0), []);
        assert_eq!(of(&files, 15, 1), []);
        assert_eq!(of(&files, u64::MAX, u64::MAX), []);
        assert_eq!(of(&[], 0, 1), []);
        assert_eq!(of(&[0, 0], 0, 1), []);
    }

    #[test]
    fn lengths_that_cannot_be_counted_are_refused() {
        assert_eq!(Extents::new([u64::MAX, 1]), None);
        assert_eq!(Extents::new([u64::MAX]).unwrap().total(), u64::MAX);
    }

    proptest! {
        #[test]
        fn every_byte_lies_where_counting_one_by_one_finds_it(
            lengths in prop::collection::vec(0u64..6, 0..12), begin in 0u64..40, length in 0u64..40,
        ) {
            let owners: Vec<(usize, u64)> = (0..).zip(&lengths)
                .flat_map(|(file, length)| (0..*length).map(move |offset| (file, offset)))
                .collect();
            let counted: Vec<(usize, u64)> =
                owners.into_iter().skip(begin as usize).take(length as usize).collect();
            let told: Vec<(usize, u64)> = of(&lengths, begin, length).into_iter()
                .flat_map(|(file, offset, length)| (offset..offset + length).map(move |offset| (file, offset)))
                .collect();
            prop_assert_eq!(told, counted);
        }
    }
}
