//! From bytes to [`Metainfo`]: which keys are read, and what makes their values acceptable.

use super::{BLOCK_SIZE_KEY, File, MAX_BLOCK_SIZE, MAX_BYTES, MAX_FILES, MAX_PIECE_SIZE};
use super::{Metainfo, MetainfoError, check_name};
use crate::id::InfoHash;
use crate::torrent::bencode::{Dict, List, MAX_DEPTH, Value};
use crate::torrent::hash::PieceHash;
use crate::torrent::layout::Layout;

pub(super) fn parse(bytes: &[u8]) -> Result<Metainfo, MetainfoError> {
    if bytes.len() > MAX_BYTES {
        return Err(MetainfoError::TooLarge { bytes: bytes.len() });
    }
    let top = Value::parse(bytes)?.as_dict().ok_or(MetainfoError::NotADictionary)?;
    let [info, block_size, url, list] = top.pick(["info", BLOCK_SIZE_KEY, "announce", "announce-list"])?;
    let info = info.ok_or(MetainfoError::Missing { key: "info" })?;
    let info = info.as_dict().ok_or(wrong("info", "a dictionary"))?;

    let [pieces, tree] = info.pick(["pieces", "file tree"])?;
    let listed = match (pieces, tree) {
        (Some(pieces), _) => pieces.as_bytes().ok_or(wrong("pieces", "a string"))?,
        (None, Some(_)) => return Err(MetainfoError::V2Only),
        (None, None) => return Err(MetainfoError::Missing { key: "pieces" }),
    };
    let [name, single, several] = info.pick(["name", "length", "files"])?;
    let name = text(name, "name")?;
    check_name(name)?;
    let files = match (single, several) {
        (Some(_), None) => vec![File { path: name.to_owned(), length: length(single)?, padding: false }],
        (None, Some(several)) => several_files(several.as_list().ok_or(wrong("files", "a list"))?, name)?,
        _ => return Err(MetainfoError::LengthOrFiles),
    };
    let [piece_size, private] = info.pick(["piece length", "private"])?;
    let layout = layout(&files, piece_size, block_size)?;
    Ok(Metainfo {
        info_hash: InfoHash(PieceHash::of([info.raw()]).0),
        name: name.to_owned(),
        files,
        layout,
        piece_hashes: piece_hashes(listed, layout.pieces())?,
        announce: announce(url, list)?,
        private: private == Some(Value::Integer(1)),
    })
}

fn wrong(key: &'static str, expected: &'static str) -> MetainfoError {
    MetainfoError::Wrong { key, expected }
}

fn text<'a>(value: Option<Value<'a>>, key: &'static str) -> Result<&'a str, MetainfoError> {
    let value = value.ok_or(MetainfoError::Missing { key })?;
    let bytes = value.as_bytes().ok_or(wrong(key, "a string"))?;
    std::str::from_utf8(bytes).map_err(|_| wrong(key, "UTF-8 text"))
}

fn length(value: Option<Value<'_>>) -> Result<u64, MetainfoError> {
    let value = value.ok_or(MetainfoError::Missing { key: "length" })?;
    let number = value.as_integer().ok_or(wrong("length", "an integer"))?;
    u64::try_from(number).map_err(|_| wrong("length", "zero or more"))
}

/// A size in bytes from 1 to `most`.
fn size(value: Value<'_>, most: u32) -> Option<u32> {
    let size = u32::try_from(value.as_integer()?).ok()?;
    (1..=most).contains(&size).then_some(size)
}

fn layout(
    files: &[File],
    piece_size: Option<Value<'_>>,
    block_size: Option<Value<'_>>,
) -> Result<Layout, MetainfoError> {
    let total = files.iter().try_fold(0u64, |sum, file| sum.checked_add(file.length));
    let total = total.filter(|total| i64::try_from(*total).is_ok()).ok_or(wrong("length", "less in all"))?;
    let piece_size = piece_size.ok_or(MetainfoError::Missing { key: "piece length" })?;
    let piece_size = size(piece_size, MAX_PIECE_SIZE)
        .ok_or(wrong("piece length", "from 1 byte to 512 MiB (536870912)"))?;
    let block_size = match block_size {
        Some(value) => size(value, MAX_BLOCK_SIZE.min(piece_size))
            .ok_or(wrong(BLOCK_SIZE_KEY, "from 1 byte to a piece, and at most 16 MiB (16777216)"))?,
        None => Layout::STANDARD_BLOCK.min(piece_size),
    };
    Ok(Layout::any_piece_size(total, piece_size, block_size)?)
}

fn piece_hashes(listed: &[u8], pieces: u32) -> Result<Vec<PieceHash>, MetainfoError> {
    let (hashes, rest) = listed.as_chunks::<20>();
    if !rest.is_empty() {
        return Err(wrong("pieces", "20 bytes for each piece"));
    }
    if hashes.len() != pieces as usize {
        return Err(MetainfoError::PieceCount { listed: hashes.len(), pieces });
    }
    Ok(hashes.iter().copied().map(PieceHash).collect())
}

fn several_files(list: List<'_>, name: &str) -> Result<Vec<File>, MetainfoError> {
    let items = list.items()?;
    if items.is_empty() || items.len() > MAX_FILES {
        return Err(wrong("files", "a list of 1 to 100000 files"));
    }
    let mut files = Vec::with_capacity(items.len());
    for item in items {
        let dict = item.as_dict().ok_or(wrong("files", "a list of dictionaries"))?;
        files.push(one_of_several(dict, name)?);
    }
    check_paths_are_apart(&files)?;
    Ok(files)
}

fn one_of_several(dict: Dict<'_>, name: &str) -> Result<File, MetainfoError> {
    let [elements, bytes, attributes] = dict.pick(["path", "length", "attr"])?;
    let elements = elements.ok_or(MetainfoError::Missing { key: "path" })?;
    let elements = elements.as_list().ok_or(wrong("path", "a list"))?.items()?;
    if elements.is_empty() || elements.len() > MAX_DEPTH {
        return Err(wrong("path", "a list of 1 to 64 names"));
    }
    let mut path = name.to_owned();
    for element in elements {
        let element = text(Some(element), "path")?;
        check_name(element)?;
        path.push('/');
        path.push_str(element);
    }
    // BEP 47: `p` is padding, `l` a symbolic link, `x` executable, `h` hidden.
    let attributes = attributes.and_then(Value::as_bytes).unwrap_or_default();
    if attributes.contains(&b'l') {
        return Err(MetainfoError::SymbolicLink { path });
    }
    Ok(File { path, length: length(bytes)?, padding: attributes.contains(&b'p') })
}

/// Refuses paths that could not stand side by side. Case is ignored: two names that some file system takes for one
/// would overwrite each other there.
fn check_paths_are_apart(files: &[File]) -> Result<(), MetainfoError> {
    // No name contains NUL, so with it as the separator a folder's contents sort directly behind the folder's name.
    let folded = |file: &File| file.path.to_lowercase().replace('/', "\0");
    let mut paths: Vec<String> = files.iter().filter(|file| !file.padding).map(folded).collect();
    paths.sort_unstable();
    for pair in paths.windows(2) {
        let rest = pair[1].strip_prefix(&*pair[0]);
        if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('\0')) {
            return Err(MetainfoError::PathTaken { path: pair[0].replace('\0', "/") });
        }
    }
    Ok(())
}

fn announce(url: Option<Value<'_>>, list: Option<Value<'_>>) -> Result<Vec<Vec<String>>, MetainfoError> {
    let not_tiers = || wrong("announce-list", "a list of lists");
    let mut tiers = Vec::new();
    if let Some(list) = list {
        for tier in list.as_list().ok_or_else(not_tiers)?.items()? {
            let urls = tier.as_list().ok_or_else(not_tiers)?.items()?;
            let urls = urls.into_iter().map(|url| text(Some(url), "announce-list").map(str::to_owned));
            tiers.push(urls.collect::<Result<Vec<String>, _>>()?);
        }
    }
    // BEP 12: where there is a list, `announce` is not read.
    if url.is_some() && tiers.iter().flatten().all(String::is_empty) {
        tiers = vec![vec![text(url, "announce")?.to_owned()]];
    }
    tiers.iter_mut().for_each(|tier| tier.retain(|url| !url.is_empty()));
    tiers.retain(|tier| !tier.is_empty());
    Ok(tiers)
}

#[cfg(test)]
mod tests;
