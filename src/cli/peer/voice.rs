//! What a peer says and writes, on a thread of its own: whoever reads it slowly, or not at all, does not hold up the peer.
//! Knows nothing of what is said.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// So much may wait before what can be missed is left out.
const UNSAID: usize = 64;

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

/// One way out, and what it writes with.
pub(in crate::cli) struct Voice<S> {
    jobs: Sender<Job<S>>,
    /// One for every job that is done.
    done: Receiver<()>,
    /// Jobs that were not done when last looked at.
    waiting: usize,
    thread: JoinHandle<S>,
}

impl<S: Send + 'static> Voice<S> {
    pub(in crate::cli) fn start(mut with: S) -> io::Result<Voice<S>> {
        let (jobs, to_do) = channel::<Job<S>>();
        let (did, done) = channel();
        let work = move || {
            for job in to_do {
                job(&mut with);
                // Nobody counts any more when the command ends.
                let _ = did.send(());
            }
            with
        };
        let thread = std::thread::Builder::new().name("voice".to_owned()).spawn(work)?;
        Ok(Voice { jobs, done, waiting: 0, thread })
    }

    /// In its turn, however much waits before it.
    pub(in crate::cli) fn say(&mut self, job: impl FnOnce(&mut S) + Send + 'static) {
        // Refused only where the thread has panicked, which `end` passes on.
        if self.jobs.send(Box::new(job)).is_ok() {
            self.waiting += 1;
        }
    }

    /// The same, but not at all where much waits already.
    pub(in crate::cli) fn mention(&mut self, job: impl FnOnce(&mut S) + Send + 'static) {
        if self.unsaid() < UNSAID {
            self.say(job);
        }
    }

    /// How much has been begun at most, and is not done.
    pub(in crate::cli) fn unsaid(&mut self) -> usize {
        self.waiting -= self.done.try_iter().count();
        if self.thread.is_finished() { 0 } else { self.waiting }
    }

    /// What it wrote with, if everything is said; otherwise the rest is left unsaid.
    pub(in crate::cli) fn end(mut self) -> Option<S> {
        if self.unsaid() > 0 {
            return None;
        }
        drop(self.jobs);
        match self.thread.join() {
            Ok(with) => Some(with),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_speaks_never_waits_and_what_must_be_said_is_said_in_its_turn() {
        let mut voice = Voice::start(Vec::new()).unwrap();
        let (go_on, stuck) = channel::<()>();
        voice.say(move |_| stuck.recv().unwrap());
        (0..200).for_each(|number| voice.mention(move |said: &mut Vec<u32>| said.push(number)));
        assert_eq!(voice.unsaid(), UNSAID);
        let (told, heard) = channel();
        voice.say(move |said| {
            said.push(1_000);
            told.send(said.clone()).unwrap();
        });
        go_on.send(()).unwrap();
        let expected: Vec<u32> = (0..UNSAID as u32 - 1).chain([1_000]).collect();
        assert_eq!(heard.recv().unwrap(), expected);
    }

    #[test]
    fn what_is_stuck_is_not_waited_for() {
        let mut voice = Voice::start(7).unwrap();
        let (_go_on, stuck) = channel::<()>();
        voice.say(move |_| stuck.recv().unwrap_or(()));
        assert!(voice.end().is_none());
        assert_eq!(Voice::start(7).unwrap().end(), Some(7));
    }
}
