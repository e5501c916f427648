//! The content that a run distributes: read once, hashed, and put into the stores of those who start with some of it.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use sha1::{Digest, Sha1};

use crate::driver::DriverError;
use crate::driver::real_time::io_error;
use crate::id::{InfoHash, PieceIndex};
use crate::net::store::{PieceHashes, Store};
use crate::scenario::{Content, Scenario};
use crate::torrent::bitfield::Bitfield;
use crate::torrent::hash::hash_pieces;
use crate::torrent::metainfo::Draft;

#[derive(Clone, Debug)]
pub(in crate::driver) struct Original {
    content: Content,
    random_seed: u64,
    pub(in crate::driver) name: String,
    pub(in crate::driver) hashes: PieceHashes,
    pub(in crate::driver) info_hash: InfoHash,
    /// Of the whole content.
    sha1: [u8; 20],
    /// The .torrent file of it.
    pub(in crate::driver) torrent: Bytes,
    /// All of it, where the stores share it.
    bytes: Option<Bytes>,
    private: bool,
}

impl Original {
    pub(in crate::driver) fn read(
        scenario: &Scenario,
        random_seed: u64,
        in_memory: bool,
    ) -> Result<Original, DriverError> {
        let (content, layout) = (scenario.content.clone(), scenario.content.layout);
        let name = content.name();
        let failed = || io_error(format!("cannot read the content {name}"));
        let bytes = in_memory.then(|| content.load(random_seed)).transpose().map_err(failed())?;
        let (mut sha1, piece_size) = (Sha1::new(), layout.piece_size());
        let hashes = match &bytes {
            Some(bytes) => hash_pieces(Tee { from: &bytes[..], sha1: &mut sha1 }, piece_size),
            None => content
                .open(random_seed)
                .and_then(|reader| hash_pieces(Tee { from: reader, sha1: &mut sha1 }, piece_size)),
        }
        .map_err(failed())?;
        // BEP 27: peers hear of one another through their tracker alone, unless peer exchange is what is asked for.
        let private = !scenario.policy.peer_exchange;
        let draft = Draft { name: &name, files: None, layout, piece_hashes: &hashes, announce: &[], private };
        let (torrent, metainfo) = draft.build().map_err(|error| {
            DriverError::Unsupported(format!("no torrent can be made of the content {name}: {error}"))
        })?;
        let info_hash = metainfo.info_hash;
        let hashes = hashes.into();
        let (sha1, torrent) = (sha1.finalize().into(), torrent.into());
        Ok(Original { content, random_seed, name, hashes, info_hash, sha1, torrent, bytes, private })
    }

    /// The .torrent file with a tracker in it: the same torrent, because only its info counts.
    pub(in crate::driver) fn torrent_under(&self, tracker: &str) -> Result<Vec<u8>, DriverError> {
        let announce = &[vec![tracker.to_owned()]];
        let draft = Draft {
            name: &self.name,
            files: None,
            layout: self.content.layout,
            piece_hashes: &self.hashes,
            announce,
            private: self.private,
        };
        let (torrent, _) = draft.build().map_err(|error| {
            DriverError::Unsupported(format!("no torrent can be made of the content {}: {error}", self.name))
        })?;
        Ok(torrent)
    }

    /// Puts these pieces into a store.
    pub(in crate::driver) fn fill(&self, store: &Store, pieces: &Bitfield) -> Result<(), DriverError> {
        let reading = || io_error(format!("cannot read the content {}", self.name));
        let mut reader = self.content.open(self.random_seed).map_err(reading())?;
        for piece in pieces.iter() {
            let data = match &self.bytes {
                Some(bytes) => self.slice(bytes, piece),
                None => {
                    let mut data = vec![0; self.content.layout.piece_length(piece) as usize];
                    let offset = self.content.layout.piece_offset(piece);
                    reader.read_exact_at(offset, &mut data).map_err(reading())?;
                    Bytes::from(data)
                }
            };
            store.write(piece, data).map_err(|error| store_error(error.to_string()))?;
        }
        Ok(())
    }

    /// Whether the store holds the whole content, byte for byte.
    pub(in crate::driver) fn is_in(&self, store: &Arc<Store>) -> Result<bool, DriverError> {
        let stored = store.content_hash().map_err(|error| store_error(error.to_string()))?;
        Ok(stored == self.sha1)
    }

    fn slice(&self, bytes: &Bytes, piece: PieceIndex) -> Bytes {
        let layout = self.content.layout;
        let begin = layout.piece_offset(piece) as usize;
        bytes.slice(begin..begin + layout.piece_length(piece) as usize)
    }
}

pub(in crate::driver) fn store_error(reason: String) -> DriverError {
    DriverError::Io { context: "the store of a peer failed".into(), source: io::Error::other(reason) }
}

/// Hashes as a whole what is read through it.
struct Tee<'a, R> {
    from: R,
    sha1: &'a mut Sha1,
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.from.read(buffer)?;
        self.sha1.update(&buffer[..length]);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::testing::{cohort, scenario};
    use crate::torrent::metainfo::Metainfo;

    #[test]
    fn a_runs_torrent_is_private_unless_peer_exchange_is_asked_for() {
        for peer_exchange in [false, true] {
            let mut scenario = scenario(vec![cohort("a", 2)]);
            scenario.policy.peer_exchange = peer_exchange;
            let original = Original::read(&scenario, 1, true).unwrap();
            for torrent in
                [original.torrent.to_vec(), original.torrent_under("http://10.77.1.1:6969/announce").unwrap()]
            {
                let metainfo = Metainfo::parse(&torrent).unwrap();
                assert_eq!((metainfo.private, metainfo.info_hash), (!peer_exchange, original.info_hash));
            }
        }
    }
}
