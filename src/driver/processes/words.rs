//! What a run and a peer's process say to each other, a line of JSON each. What happens to the peer comes between the
//! process's words, as records in the form of `event::json`.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::event::Totals;
use crate::net::pace::LatenessCounts;

/// From the run, on the process's stdin. Its end is the last order: to end at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Listen there, if possible.
    Listen(SocketAddr),
    /// The stay begins now; the peer listens already.
    Begin(Begin),
    /// Leave in good order.
    Leave,
    /// Vanish, and tell nobody but the run.
    Stop,
}

/// What a peer cannot know from the scenario and the random seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// When the run's clock read zero, in nanoseconds since 1970.
    pub clock_start_unix_ns: u64,
    pub tracker: String,
    /// The pieces in its store, as a bitfield on the wire.
    pub have: Vec<u8>,
    /// Whom to dial in a fixed overlay; `None` leaves it to the tracker.
    pub dial: Option<Vec<SocketAddr>>,
    /// Where other clients listen, by their positions in the population: their ids tell nobody who they are.
    pub foreign: Vec<(SocketAddr, u32)>,
}

/// From the process, on its stdout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// Everything is there, but for the orders to listen and to begin.
    Ready,
    /// Nothing is accepted before the stay begins.
    Listening(SocketAddr),
    /// The last word of a process that ends in order.
    Over(Over),
}

/// What one stay came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Over {
    pub totals: Totals,
    pub lateness: LatenessCounts,
    /// Why the peer could not go on, if it ended by itself.
    pub failed: Option<Box<str>>,
}

/// One line, with its end.
pub(super) fn line(word: &impl Serialize) -> String {
    let line =
        serde_json::to_string(word).expect("it has no map whose keys are not text, and nothing that fails");
    line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_on_processes_shows_words_as_they_are() {
        let page = include_str!("../../../docs/processes.md");
        let addr = |text: &str| text.parse().unwrap();
        for word in [
            line(&Order::Listen(addr("127.0.0.1:0"))),
            line(&Order::Leave),
            line(&Order::Stop),
            line(&Word::Ready),
            line(&Word::Listening(addr("127.0.0.1:40123"))),
        ] {
            assert!(page.contains(&format!("`{}`", word.trim_end())), "{word}");
        }
        let begin = Begin {
            clock_start_unix_ns: 1,
            tracker: String::new(),
            have: vec![0x80],
            dial: None,
            foreign: Vec::new(),
        };
        let over = Over { totals: Totals::default(), lateness: LatenessCounts::default(), failed: None };
        let begin = serde_json::to_value(Order::Begin(begin)).unwrap();
        let over = serde_json::to_value(Word::Over(over)).unwrap();
        for (word, value) in [("begin", &begin), ("over", &over)] {
            assert!(page.contains(&format!("{{\"{word}\":")), "{word}");
            for field in value[word].as_object().unwrap().keys() {
                assert!(
                    page.contains(&format!("`{field}`")) || page.contains(&format!("\"{field}\":")),
                    "{field}"
                );
            }
        }
    }
}
