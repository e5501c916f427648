//! Metainfo that MiniBit makes: the same content and choices give the same bytes everywhere, since nothing about the
//! time, the machine or the version goes in.

use bendy::encoding::{Encoder, Error, SingleItemEncoder};

use super::{BLOCK_SIZE_KEY, Metainfo, MetainfoError};
use crate::torrent::hash::PieceHash;
use crate::torrent::layout::Layout;

/// What a new torrent is to say.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// Of the file, or of the folder of several.
    pub name: &'a str,
    /// Those of a torrent of several, in the order of their bytes; `None` for a torrent of one file.
    pub files: Option<&'a [DraftFile]>,
    /// Of all files together.
    pub layout: Layout,
    /// One for each piece of the layout.
    pub piece_hashes: &'a [PieceHash],
    /// Tracker URLs in tiers (BEP 12).
    pub announce: &'a [Vec<String>],
    /// Keeps other clients off DHT, peer exchange and local discovery (BEP 27), so that a swarm under test hears of
    /// nobody but through its tracker.
    pub private: bool,
}

/// A file below the torrent's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftFile {
    /// Names of folders and at last the file's own.
    pub path: Vec<String>,
    /// In bytes.
    pub length: u64,
}

impl Draft<'_> {
    /// The `.torrent` file's bytes and what they mean: only what [`Metainfo::parse`] accepts is ever made.
    pub fn build(&self) -> Result<(Vec<u8>, Metainfo), MetainfoError> {
        let mut encoder = Encoder::new();
        let bytes = encoder
            .emit_with(|encoder| self.encode(encoder))
            .and_then(|()| encoder.get_output())
            .expect("the keys are emitted in ascending order and nest four times");
        let metainfo = Metainfo::parse(&bytes)?;
        Ok((bytes, metainfo))
    }

    fn encode(&self, encoder: SingleItemEncoder<'_>) -> Result<(), Error> {
        let urls = || self.announce.iter().flatten();
        encoder.emit_dict(|mut top| {
            if let Some(first) = urls().next() {
                top.emit_pair(b"announce", first.as_str())?;
            }
            if urls().count() > 1 {
                top.emit_pair(b"announce-list", self.announce)?;
            }
            top.emit_pair_with(b"info", |encoder| self.encode_info(encoder))?;
            top.emit_pair(BLOCK_SIZE_KEY.as_bytes(), self.layout.block_size())
        })
    }

    fn encode_info(&self, encoder: SingleItemEncoder<'_>) -> Result<(), Error> {
        let hashes: Vec<u8> = self.piece_hashes.iter().flat_map(|hash| hash.0).collect();
        encoder.emit_dict(|mut info| {
            match self.files {
                Some(files) => info.emit_pair_with(b"files", |encoder| encode_files(files, encoder))?,
                None => info.emit_pair(b"length", self.layout.total())?,
            }
            info.emit_pair(b"name", self.name)?;
            info.emit_pair(b"piece length", self.layout.piece_size())?;
            info.emit_pair_with(b"pieces", |encoder| encoder.emit_bytes(&hashes))?;
            if self.private { info.emit_pair(b"private", 1u8) } else { Ok(()) }
        })
    }
}

fn encode_files(files: &[DraftFile], encoder: SingleItemEncoder<'_>) -> Result<(), Error> {
    encoder.emit_list(|list| {
        files.iter().try_for_each(|file| {
            list.emit_dict(|mut entry| {
                entry.emit_pair(b"length", file.length)?;
                entry.emit_pair(b"path", &file.path)
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torrent::hash::hash_pieces;

    fn draft_bytes(announce: &[Vec<String>], private: bool) -> Vec<u8> {
        let layout = Layout::new(5, 4, 2).unwrap();
        let piece_hashes = hash_pieces(&b"hello"[..], 4).unwrap();
        let draft = Draft {
            name: "ol\u{e1}.txt",
            files: None,
            layout,
            piece_hashes: &piece_hashes,
            announce,
            private,
        };
        draft.build().unwrap().0
    }

    #[test]
    fn the_bytes_are_those_of_bep_3_and_nothing_of_the_moment_is_in_them() {
        let bytes = draft_bytes(&[], true);
        let text = bytes.escape_ascii().to_string();
        assert!(text.starts_with(r"d4:infod6:lengthi5e4:name8:ol\xc3\xa1.txt12:piece lengthi4e6:pieces40:"));
        assert!(text.ends_with("7:privatei1ee18:minibit block sizei2ee"), "{text}");
        assert_eq!(bytes, draft_bytes(&[], true));
    }

    #[test]
    fn what_is_drafted_is_what_is_read() {
        let tiers =
            [vec!["http://127.0.0.1:1/announce".to_owned()], vec!["udp://b".to_owned(), "c".to_owned()]];
        for (announce, private) in [(&tiers[..], false), (&tiers[..1], true), (&[], false)] {
            let metainfo = Metainfo::parse(&draft_bytes(announce, private)).unwrap();
            assert_eq!(metainfo.announce, announce);
            assert_eq!(metainfo.private, private);
            assert_eq!(metainfo.name, "ol\u{e1}.txt");
            assert_eq!(metainfo.layout, Layout::new(5, 4, 2).unwrap());
            assert_eq!(metainfo.piece_hashes, hash_pieces(&b"hello"[..], 4).unwrap());
            assert!(metainfo.is_single_file());
        }
    }

    #[test]
    fn several_files_are_read_as_they_were_drafted() {
        let layout = Layout::new(5, 4, 2).unwrap();
        let piece_hashes = hash_pieces(&b"hello"[..], 4).unwrap();
        let file = |path: &[&str], length| DraftFile {
            path: path.iter().map(|name| (*name).to_owned()).collect(),
            length,
        };
        let files = [file(&["a"], 2), file(&["sub", "b"], 3), file(&["sub", "empty"], 0)];
        let draft = Draft {
            name: "all",
            files: Some(&files),
            layout,
            piece_hashes: &piece_hashes,
            announce: &[],
            private: false,
        };
        let (bytes, metainfo) = draft.build().unwrap();
        let text = bytes.escape_ascii().to_string();
        assert!(text.contains("5:filesld6:lengthi2e4:pathl1:aeed6:lengthi3e4:pathl3:sub1:beed"), "{text}");
        let read: Vec<(&str, u64)> =
            metainfo.files.iter().map(|file| (file.path.as_str(), file.length)).collect();
        assert_eq!(read, [("all/a", 2), ("all/sub/b", 3), ("all/sub/empty", 0)]);
        assert!(!metainfo.is_single_file());
        assert!(Draft { files: Some(&files[..1]), ..draft }.build().is_err(), "the lengths do not add up");
    }

    #[test]
    fn private_changes_the_info_hash_and_the_trackers_do_not() {
        let hash = |announce: &[Vec<String>], private| {
            Metainfo::parse(&draft_bytes(announce, private)).unwrap().info_hash
        };
        assert_ne!(hash(&[], true), hash(&[], false));
        assert_eq!(hash(&[vec!["http://a".to_owned()]], true), hash(&[], true));
    }

    #[test]
    fn a_draft_that_could_not_be_read_back_is_refused() {
        let layout = Layout::new(5, 4, 2).unwrap();
        let draft =
            Draft { name: "..", files: None, layout, piece_hashes: &[], announce: &[], private: true };
        assert!(matches!(draft.build(), Err(MetainfoError::Name(_))));
        let draft = Draft { name: "a", ..draft };
        assert_eq!(draft.build().unwrap_err(), MetainfoError::PieceCount { listed: 0, pieces: 2 });
    }
}
