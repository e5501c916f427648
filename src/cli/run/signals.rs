//! What signals do to `minibit run`: the first one ends the runs in good order, the second ends MiniBit.

use std::io;
use std::sync::{Arc, OnceLock};

use crate::cli::Exit;
use crate::cli::signals::Signals;
use crate::driver::Control;

/// Remembers which signal came first.
pub(super) struct FirstSignal(Arc<OnceLock<Exit>>);

impl FirstSignal {
    /// How the command ends because of it; `Done` where there was none.
    pub(super) fn exit(&self) -> Exit {
        self.0.get().copied().unwrap_or(Exit::Done)
    }
}

/// Listens on a thread of its own until the process ends.
pub(super) fn listen(control: Arc<Control>) -> io::Result<FirstSignal> {
    let first = Arc::new(OnceLock::new());
    let remembered = FirstSignal(Arc::clone(&first));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    // Before the first run begins: a signal from now on is not lost.
    let mut signals = runtime.block_on(async { Signals::listen() })?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            let exit = signals.next().await;
            first.get_or_init(|| exit);
            control.interrupt();
            eprintln!("minibit: ending the runs and writing what there is; once more to stop at once");
            let exit = signals.next().await;
            std::process::exit(i32::from(exit.code()));
        });
    })?;
    Ok(remembered)
}
