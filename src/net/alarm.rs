//! Precise timers: one thread that sleeps until the next is due. The runtime's own timers are a millisecond coarse,
//! which is much against a block time of ten.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::Notify;

/// Gives out bells and rings them. The thread ends with the last of its bells and clones.
#[derive(Clone, Debug)]
pub struct Alarm(Arc<Ringer>);

/// One timer.
#[derive(Debug)]
pub struct Bell {
    alarm: Alarm,
    number: u64,
    at: Option<Instant>,
    rung: Arc<Notify>,
}

#[derive(Debug)]
struct Ringer {
    board: Arc<Board>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Board {
    state: Mutex<State>,
    /// There is an earlier one to wait for, or nothing any more.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    due: BTreeMap<(Instant, u64), Arc<Notify>>,
    bells: u64,
    over: bool,
}

impl Alarm {
    pub fn start() -> std::io::Result<Alarm> {
        let board = Arc::new(Board::default());
        let ringing = board.clone();
        let thread = std::thread::Builder::new().name("alarm".into()).spawn(move || ringing.ring_all())?;
        Ok(Alarm(Arc::new(Ringer { board, thread: Some(thread) })))
    }

    /// A bell that is not set.
    pub fn bell(&self) -> Bell {
        let mut state = self.0.board.lock();
        state.bells += 1;
        Bell { alarm: self.clone(), number: state.bells, at: None, rung: Arc::new(Notify::new()) }
    }
}

impl Bell {
    /// Rings once at this time instead of any that was set before; `None`: not at all. A time that has passed rings
    /// now, even if it rang before.
    pub fn set(&mut self, at: Option<Instant>) {
        if self.at == at && at.is_none_or(|at| at > Instant::now()) {
            return;
        }
        let board = &self.alarm.0.board;
        let mut state = board.lock();
        if let Some(before) = self.at {
            state.due.remove(&(before, self.number));
        }
        self.at = at;
        if let Some(at) = at {
            let first = state.due.first_key_value().is_none_or(|((earliest, _), _)| at < *earliest);
            state.due.insert((at, self.number), self.rung.clone());
            if first {
                drop(state);
                board.changed.notify_one();
            }
        }
    }

    /// Returns when it has rung, or rang since the last time; it may be an earlier setting that rang.
    pub async fn rung(&self) {
        self.rung.notified().await;
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.set(None);
    }
}

impl Drop for Ringer {
    fn drop(&mut self) {
        self.board.lock().over = true;
        self.board.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // It holds nothing that could be lost if it panicked.
            let _ = thread.join();
        }
    }
}

impl Board {
    fn ring_all(&self) {
        let mut state = self.lock();
        while !state.over {
            let now = Instant::now();
            state = match state.due.first_entry() {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(first) if first.key().0 <= now => {
                    first.remove().notify_one();
                    state
                }
                Some(first) => {
                    let wait = first.key().0 - now;
                    self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is made in one step: a panic elsewhere leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn bells_ring_at_their_time_in_any_order_of_setting() {
        let alarm = Alarm::start().unwrap();
        let began = Instant::now();
        let (mut late, mut early) = (alarm.bell(), alarm.bell());
        late.set(Some(began + Duration::from_millis(12)));
        early.set(Some(began + Duration::from_millis(4)));
        early.rung().await;
        assert!(began.elapsed() >= Duration::from_millis(4));
        late.rung().await;
        assert!(began.elapsed() >= Duration::from_millis(12));
    }

    #[tokio::test]
    async fn a_bell_that_is_set_anew_does_not_ring_at_its_old_time() {
        let alarm = Alarm::start().unwrap();
        let began = Instant::now();
        let mut bell = alarm.bell();
        bell.set(Some(began + Duration::from_secs(3600)));
        bell.set(Some(began + Duration::from_millis(3)));
        bell.rung().await;
        bell.set(Some(Instant::now() + Duration::from_millis(3)));
        bell.set(None);
        assert!(tokio::time::timeout(Duration::from_millis(20), bell.rung()).await.is_err());
    }

    #[tokio::test]
    async fn a_time_that_has_passed_rings_as_often_as_it_is_set() {
        let alarm = Alarm::start().unwrap();
        let mut bell = alarm.bell();
        let past = Instant::now();
        for _ in 0..3 {
            bell.set(Some(past));
            bell.rung().await;
        }
    }

    #[test]
    fn the_thread_ends_with_the_last_bell() {
        let alarm = Alarm::start().unwrap();
        let board = Arc::downgrade(&alarm.0.board);
        let mut bell = alarm.bell();
        bell.set(Some(Instant::now() + Duration::from_secs(3600)));
        drop(alarm);
        assert!(board.upgrade().is_some());
        drop(bell);
        assert!(board.upgrade().is_none());
    }
}
