//! The same work on every piece, on several threads: pieces do not depend on one another. Which thread had which piece
//! shows in nothing. Knows neither files nor hashes.

use std::collections::BTreeMap;
use std::iter;
use std::num::NonZero;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;

use crate::id::PieceIndex;
use crate::torrent::layout::Layout;

/// Smaller pieces are taken together, up to so many bytes: a turn has to be worth being taken.
const TURN: u32 = 256 << 10;

/// As many as can run at a time.
pub fn all_cores() -> NonZero<u32> {
    thread::available_parallelism()
        .ok()
        .and_then(|cores| cores.try_into().ok())
        .unwrap_or(NonZero::<u32>::MIN)
}

/// What `work` makes of every piece, in the order of the pieces. It is given some pieces that follow each other, `abreast` of
/// them or more (fewer at the end), whatever the number of threads, and a scratch that its thread keeps from turn to turn.
/// `progress` is called by the calling thread, which works too, and hears how many bytes are done, and of how many.
///
/// # Errors
///
/// Those of the first pieces that have one, whatever happened at what time. What lies behind them may or may not be done.
pub fn every_piece<S, T: Send, E: Send>(
    threads: NonZero<u32>,
    layout: &Layout,
    abreast: u32,
    scratch: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, Range<u32>) -> Result<Vec<T>, E> + Sync,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<T>, E> {
    let pieces_a_turn = (TURN / layout.piece_size()).max(abreast).max(1);
    let turns = layout.pieces().div_ceil(pieces_a_turn);
    let pieces = |turn: u32| {
        let begin = turn * pieces_a_turn;
        begin..layout.pieces().min(begin + pieces_a_turn)
    };
    // Turns are taken in order: those before one that fails were taken before it, and will be done.
    let next = AtomicU32::new(0);
    let take_turns = |report: &mut dyn FnMut(u32, Result<Vec<T>, E>)| {
        let mut scratch = scratch();
        let taken = iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        for turn in taken.take_while(|turn| *turn < turns) {
            let results = work(&mut scratch, pieces(turn));
            if results.is_err() {
                next.store(turns, Ordering::Relaxed);
            }
            report(turn, results);
        }
    };

    let (mut done, mut bytes) = (BTreeMap::new(), 0);
    let mut note = |turn, results: Result<Vec<T>, E>| {
        if results.is_ok() {
            bytes += pieces(turn).map(|piece| u64::from(layout.piece_length(PieceIndex(piece)))).sum::<u64>();
            progress(bytes, layout.total());
        }
        done.insert(turn, results);
    };
    thread::scope(|scope| {
        let (report, reports) = mpsc::channel();
        for _ in 1..threads.get().min(turns) {
            let report = report.clone();
            let take_turns = &take_turns;
            let worker = thread::Builder::new().spawn_scoped(scope, move || {
                take_turns(&mut |turn, results| {
                    report.send((turn, results)).expect("reports are received until all threads have ended");
                });
            });
            if worker.is_err() {
                // The system gives no more: those that are there do it all.
                break;
            }
        }
        drop(report);
        take_turns(&mut |turn, results| {
            note(turn, results);
            reports.try_iter().for_each(|(turn, results)| note(turn, results));
        });
        reports.iter().for_each(|(turn, results)| note(turn, results));
    });
    let done: Result<Vec<Vec<T>>, E> = done.into_values().collect();
    Ok(done?.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::convert::Infallible;
    use std::sync::{Barrier, Mutex};

    fn threads(number: u32) -> NonZero<u32> {
        NonZero::new(number).unwrap()
    }

    #[test]
    fn results_are_in_the_order_of_the_pieces_and_progress_counts_every_byte_once() {
        for (total, piece_size) in
            [(0, 7), (5, 7), (10 * u64::from(TURN) + 1, 100_000), (3_000_001, 1_000_000)]
        {
            let layout = Layout::any_piece_size(total, piece_size, piece_size).unwrap();
            let expected: Vec<u32> = (0..layout.pieces()).collect();
            for number in [1, 2, 5] {
                let mut told = vec![0];
                let done = every_piece(
                    threads(number),
                    &layout,
                    number,
                    || (),
                    |(), pieces| Ok::<Vec<u32>, Infallible>(pieces.collect()),
                    &mut |bytes, of| {
                        assert_eq!(of, total);
                        told.push(bytes);
                    },
                );
                assert_eq!(done, Ok(expected.clone()));
                assert!(told.is_sorted_by(|before, after| before < after), "{told:?}");
                assert_eq!(told.last(), Some(&total));
            }
        }
    }

    #[test]
    fn all_threads_work_at_the_same_time_and_each_has_one_scratch() {
        let layout = Layout::new(4 * u64::from(TURN), TURN, TURN).unwrap();
        let (together, made) = (Barrier::new(4), Mutex::new(0));
        let scratch = || {
            *made.lock().unwrap() += 1;
            Vec::new()
        };
        let work = |scratch: &mut Vec<u32>, pieces| {
            together.wait();
            scratch.extend(pieces);
            Ok::<_, Infallible>(vec![thread::current().id()])
        };
        let workers = every_piece(threads(4), &layout, 1, scratch, work, &mut |_, _| {}).unwrap();
        assert_eq!(workers.iter().map(|id| format!("{id:?}")).collect::<BTreeSet<_>>().len(), 4);
        assert_eq!(*made.lock().unwrap(), 4);
    }

    #[test]
    fn the_first_pieces_error_wins_even_if_it_comes_last() {
        let layout = Layout::new(8 * u64::from(TURN), TURN, TURN).unwrap();
        let both_failed = Barrier::new(2);
        let work = |(): &mut (), pieces: Range<u32>| match pieces.start {
            piece @ (2 | 3) => {
                both_failed.wait();
                Err(piece)
            }
            _ => Ok(vec![()]),
        };
        for _ in 0..50 {
            let done = every_piece(threads(2), &layout, 1, || (), work, &mut |_, _| {});
            assert_eq!(done, Err(2));
        }
    }
}
