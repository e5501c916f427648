//! Ties are drawn with equal chances, whichever way they are found.

use std::collections::BTreeMap;

use super::super::*;
use crate::rng::{Entity, Purpose};

/// Asserts that `draw` is uniform over `expected`: chi-square within five standard deviations of its mean, which a fair
/// picker misses once in a million seeds, and this seed is fixed.
fn assert_uniform(expected: &[PieceIndex], mut draw: impl FnMut() -> PieceIndex) {
    const EACH: usize = 40;
    let mut hits: BTreeMap<PieceIndex, usize> = expected.iter().map(|&piece| (piece, 0)).collect();
    for _ in 0..EACH * expected.len() {
        *hits.get_mut(&draw()).expect("a piece that was no tie was drawn") += 1;
    }
    let squares: f64 = hits.values().map(|&hits| (hits as f64 - EACH as f64).powi(2) / EACH as f64).sum();
    let freedom = (expected.len() - 1) as f64;
    let deviation = (squares - freedom) / (2.0 * freedom).sqrt();
    assert!(deviation.abs() < 5.0, "chi-square {squares} at {freedom} degrees of freedom");
}

fn set_of(pieces: u32, members: impl IntoIterator<Item = u32>) -> Bitfield {
    let mut set = Bitfield::empty(pieces);
    for piece in members {
        set.insert(PieceIndex(piece));
    }
    set
}

/// Draws first picks for a remote with `theirs` while every piece in `common` has one more holder, and demands that they are
/// uniform over what the remote has of the others.
fn assert_ties_uniform(ordered: bool, pieces: u32, theirs: &Bitfield, common: &Bitfield, started: &[u32]) {
    let layout = Layout::new(u64::from(pieces) * 32, 32, 16).unwrap();
    let mut picker =
        Picker::flat(layout, PickerPolicy::RarestFirst, StartedFirst::Equal, 0, &Bitfield::empty(pieces));
    if ordered {
        picker.keep_an_order();
    }
    picker.join(theirs.as_set());
    picker.join(common.as_set());
    let mut rng = Stream::new(5, Entity::Scenario, Purpose::Picker);
    let mut out = Vec::new();
    for &piece in started {
        let only = set_of(pieces, [piece]);
        picker.pick(
            &Asker { conn: ConnId(1), pieces: only.as_set(), connections: 500 },
            1,
            &mut rng,
            &mut out,
        );
    }
    let rare = theirs.iter().filter(|&piece| !common.contains(piece));
    let expected: Vec<_> = rare.filter(|piece| started.is_empty() || started.contains(&piece.0)).collect();
    assert_uniform(&expected, || {
        out.clear();
        picker.preview(
            &Asker { conn: ConnId(0), pieces: theirs.as_set(), connections: 500 },
            1,
            &mut rng,
            &mut out,
        );
        out[0].piece
    });
}

#[test]
fn ties_are_uniform_with_and_without_an_order() {
    for ordered in [false, true] {
        // Found by trying, and among equals that the remote mostly lacks, in three groups of rows.
        for (pieces, one_in) in [(600, 2), (600, 100), (9000, 90)] {
            let theirs = set_of(pieces, (0..pieces).filter(|piece| piece % one_in == 1));
            assert_ties_uniform(ordered, pieces, &theirs, &set_of(pieces, []), &[]);
            assert_ties_uniform(ordered, pieces, &theirs, &set_of(pieces, 0..pieces / 3), &[]);
        }
        // So few that they lie in one window of the order, in two, or in more.
        for rare in [2, 3, 5, 8, 9, 20] {
            let theirs = set_of(600, (0..600).filter(|piece| piece % 3 != 1));
            assert_ties_uniform(ordered, 600, &theirs, &set_of(600, 3 * rare / 2..600), &[]);
        }
        let lower = set_of(600, 0..300);
        assert_ties_uniform(ordered, 600, &lower, &set_of(600, []), &[7, 64, 290]);
        assert_ties_uniform(ordered, 600, &lower, &set_of(600, []), &(100..140).collect::<Vec<_>>());
        assert_ties_uniform(ordered, 600, &lower, &set_of(600, []), &(90..290).collect::<Vec<_>>());
    }
}

#[test]
fn random_openings_are_uniform() {
    for (pieces, one_in) in [(300, 2), (3000, 100)] {
        let layout = Layout::new(u64::from(pieces) * 16, 16, 16).unwrap();
        let nothing = Bitfield::empty(pieces);
        let mut picker = Picker::new(layout, PickerPolicy::Random, StartedFirst::Equal, 0, &nothing);
        let theirs = set_of(pieces, (0..pieces).filter(|piece| piece % one_in == 0));
        picker.join(set_of(pieces, 0..pieces / 2).as_set());
        let mut rng = Stream::new(6, Entity::Scenario, Purpose::Picker);
        let mut out = Vec::new();
        assert_uniform(&theirs.iter().collect::<Vec<_>>(), || {
            out.clear();
            picker.preview(
                &Asker { conn: ConnId(0), pieces: theirs.as_set(), connections: 2 },
                1,
                &mut rng,
                &mut out,
            );
            out[0].piece
        });
    }
}

#[test]
fn second_requests_are_uniform() {
    for snubbed in [ConnId(0), ConnId(1)] {
        let pieces = 60;
        let layout = Layout::new(u64::from(pieces) * 16, 16, 16).unwrap();
        let nothing = Bitfield::empty(pieces);
        let mut picker = Picker::new(layout, PickerPolicy::RarestFirst, StartedFirst::Equal, 0, &nothing);
        let mut rng = Stream::new(7, Entity::Scenario, Purpose::Picker);
        // The first connection is asked for 57 blocks, the second for 3: found by trying, and by counting.
        for (conn, range) in [(0, 0..57), (1, 57..60)] {
            let theirs = set_of(pieces, range);
            let asker = Asker { conn: ConnId(conn), pieces: theirs.as_set(), connections: 3 };
            picker.pick(&asker, 60, &mut rng, &mut Vec::new());
        }
        let all = Bitfield::full(pieces);
        let asker = Asker { conn: ConnId(2), pieces: all.as_set(), connections: 3 };
        let first = |piece: &PieceIndex| if piece.0 < 57 { ConnId(0) } else { ConnId(1) };
        let expected: Vec<_> = all.iter().filter(|piece| first(piece) == snubbed).collect();
        assert_uniform(&expected, || {
            let block = picker.pick_second(&asker, &|conn| conn == snubbed, &mut rng).unwrap();
            picker.release(block, ConnId(2));
            block.piece
        });
    }
}
