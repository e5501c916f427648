//! Ctrl-C and its like: the first one ends the runs in good order, the second ends MiniBit.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::cli::Exit;
use crate::driver::Control;

const INTERRUPT: u8 = 2;
const TERMINATE: u8 = 15;

/// Remembers which signal came first.
pub(super) struct Signals(Arc<AtomicU8>);

impl Signals {
    pub(super) fn exit(&self) -> Exit {
        match self.0.load(Ordering::Relaxed) {
            0 => Exit::Done,
            number => Exit::Signal(number),
        }
    }
}

/// Listens on a thread of its own until the process ends.
pub(super) fn listen(control: Arc<Control>) -> io::Result<Signals> {
    let first = Arc::new(AtomicU8::new(0));
    let signals = Signals(Arc::clone(&first));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    // Before the first run begins: a signal from now on is not lost.
    let mut source = runtime.block_on(async { Source::new() })?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            let number = source.next().await;
            first.store(number, Ordering::Relaxed);
            control.interrupt();
            eprintln!("minibit: ending the runs and writing what there is; once more to stop at once");
            let number = source.next().await;
            std::process::exit(i32::from(Exit::Signal(number).code()));
        });
    })?;
    Ok(signals)
}

#[cfg(unix)]
struct Source {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Source {
    fn new() -> io::Result<Source> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Source {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => INTERRUPT,
            _ = self.terminate.recv() => TERMINATE,
        }
    }
}

#[cfg(windows)]
struct Source {
    interrupt: tokio::signal::windows::CtrlC,
    terminate: tokio::signal::windows::CtrlBreak,
}

#[cfg(windows)]
impl Source {
    fn new() -> io::Result<Source> {
        use tokio::signal::windows::{ctrl_break, ctrl_c};
        Ok(Source { interrupt: ctrl_c()?, terminate: ctrl_break()? })
    }

    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => INTERRUPT,
            _ = self.terminate.recv() => TERMINATE,
        }
    }
}
