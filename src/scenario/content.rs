//! The bytes that a scenario distributes: a file, or reproducible bytes drawn from the random seed.
//!
//! Only drivers on real disks and sockets ask for them; in virtual time content is counted, never read. It knows
//! nothing of pieces: `torrent` cuts and hashes what is read here.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha1::{Digest, Sha1};

use crate::rng::{Entity, Purpose, Stream};
use crate::torrent::layout::Layout;

/// What is distributed, and how it is cut.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    pub source: ContentSource,
    pub layout: Layout,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ContentSource {
    File(ContentFile),
    /// Reproducible bytes drawn from the random seed; never generated in virtual time.
    Synthetic,
}

/// A file as it was when the scenario was loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct ContentFile {
    /// As the scenario writes it: from the scenario's folder. This is what results speak of.
    pub named: String,
    /// Where to open it.
    pub path: PathBuf,
    /// Of all its bytes: tells a changed file apart.
    pub sha1: [u8; 20],
}

impl ContentFile {
    /// Reads the file once, for its size in bytes and its digest.
    pub fn inspect(named: &str, folder: &Path) -> io::Result<(ContentFile, u64)> {
        let path = folder.join(named);
        let mut file = File::open(&path)?;
        // Neither a folder nor a device that never ends.
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        let mut sha1 = Sha1::new();
        let mut buffer = vec![0; 64 << 10];
        let mut size = 0;
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => {
                    sha1.update(&buffer[..length]);
                    size += length as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok((ContentFile { named: named.to_owned(), path, sha1: sha1.finalize().into() }, size))
    }
}

impl Content {
    /// The name of the rebuilt file.
    pub fn name(&self) -> String {
        let file_name = match &self.source {
            ContentSource::File(file) => file.path.file_name(),
            ContentSource::Synthetic => None,
        };
        file_name.map_or_else(|| "synthetic.bin".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    /// Opens the content of the run with `random_seed`, at its first byte.
    pub fn open(&self, random_seed: u64) -> io::Result<ContentReader> {
        let bytes = match &self.source {
            ContentSource::File(file) => Source::File(File::open(&file.path)?),
            ContentSource::Synthetic => Source::Synthetic { random_seed },
        };
        Ok(ContentReader { bytes, position: 0, total: self.layout.total() })
    }

    /// All of it in memory.
    pub fn load(&self, random_seed: u64) -> io::Result<Bytes> {
        let mut bytes = Vec::new();
        self.open(random_seed)?.read_to_end(&mut bytes)?;
        if bytes.len() as u64 != self.layout.total() {
            return Err(changed());
        }
        Ok(bytes.into())
    }
}

/// Reads content in order, or any range of it.
#[derive(Debug)]
pub struct ContentReader {
    bytes: Source,
    position: u64,
    total: u64,
}

#[derive(Debug)]
enum Source {
    File(File),
    Synthetic { random_seed: u64 },
}

impl ContentReader {
    /// Fills `buffer` with the bytes from `offset` on. A range beyond the end is an error, as is a file that has
    /// become shorter.
    pub fn read_exact_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        match offset.checked_add(buffer.len() as u64) {
            Some(end) if end <= self.total => {}
            _ => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "beyond the end of the content")),
        }
        match &mut self.bytes {
            Source::File(file) => {
                file.seek(SeekFrom::Start(offset))?;
                file.read_exact(buffer).map_err(|error| match error.kind() {
                    io::ErrorKind::UnexpectedEof => changed(),
                    _ => error,
                })
            }
            Source::Synthetic { random_seed } => {
                synthetic(*random_seed, offset, buffer);
                Ok(())
            }
        }
    }
}

impl Read for ContentReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.total - self.position;
        let length = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.read_exact_at(self.position, &mut buffer[..length])?;
        self.position += length as u64;
        Ok(length)
    }
}

fn changed() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the content file has changed since the scenario was loaded")
}

/// One endless stream per random seed, of which any range can be generated alone.
fn synthetic(random_seed: u64, offset: u64, buffer: &mut [u8]) {
    const BLOCK: u64 = Stream::BLOCK_BYTES;
    let mut stream = Stream::new(random_seed, Entity::Scenario, Purpose::Content);
    stream.skip_to_block(offset / BLOCK);
    let before = (offset % BLOCK) as usize;
    let first = buffer.len().min(BLOCK as usize - before);
    let (head, tail) = buffer.split_at_mut(if before == 0 { 0 } else { first });
    if !head.is_empty() {
        let mut block = [0; BLOCK as usize];
        stream.fill(&mut block);
        head.copy_from_slice(&block[before..before + head.len()]);
    }
    stream.fill(tail);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn content(source: ContentSource, total: u64) -> Content {
        Content { source, layout: Layout::new(total, 16, 16).unwrap() }
    }

    proptest! {
        #[test]
        fn any_range_of_synthetic_content_is_the_same_as_in_the_whole(start in 0usize..700, length in 0usize..700) {
            let content = content(ContentSource::Synthetic, 1400);
            let whole = content.load(3).unwrap();
            let mut part = vec![0; length];
            content.open(3).unwrap().read_exact_at(start as u64, &mut part).unwrap();
            prop_assert_eq!(&whole[start..start + length], &part[..]);
        }
    }

    #[test]
    fn synthetic_content_depends_on_the_random_seed_and_a_prefix_does_not_on_the_size() {
        let load = |size, seed| content(ContentSource::Synthetic, size).load(seed).unwrap();
        assert_eq!(load(1000, 1)[..], load(2000, 1)[..1000]);
        assert_ne!(load(1000, 1), load(1000, 2));
        let ones: u32 = load(1 << 16, 1).iter().map(|byte| byte.count_ones()).sum();
        assert!(ones.abs_diff(1 << 18) < 2_000, "{ones} ones in half a million bits");
    }

    #[test]
    fn a_file_is_read_from_the_scenarios_folder_and_its_change_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("story.txt"), b"abc").unwrap();
        let (file, size) = ContentFile::inspect("story.txt", folder.path()).unwrap();
        assert_eq!((size, file.sha1[..3].to_vec()), (3, vec![0xa9, 0x99, 0x3e]));
        let content = content(ContentSource::File(file), size);
        assert_eq!((content.name().as_str(), &content.load(1).unwrap()[..]), ("story.txt", &b"abc"[..]));
        let mut tail = [0; 2];
        content.open(1).unwrap().read_exact_at(1, &mut tail).unwrap();
        assert_eq!(&tail, b"bc");
        assert!(content.open(1).unwrap().read_exact_at(2, &mut tail).is_err());
        std::fs::write(folder.path().join("story.txt"), b"a").unwrap();
        assert!(content.load(1).unwrap_err().to_string().contains("has changed"));
        assert!(ContentFile::inspect("nothing.txt", folder.path()).is_err());
        assert!(ContentFile::inspect(".", folder.path()).is_err());
    }
}
