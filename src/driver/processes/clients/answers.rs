//! Reading what clients answer: JSON with a bitfield in one of several spellings.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::id::PieceIndex;
use crate::torrent::bitfield::Bitfield;

/// A number of bytes, as a number or as its digits.
pub(super) fn count(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// An object's members as text.
pub(super) fn as_settings(object: &Value) -> BTreeMap<String, String> {
    let member = |(key, value): (&String, &Value)| {
        (key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    object.as_object().into_iter().flatten().map(member).collect()
}

/// As on the wire: eight pieces an octet, the highest bit first. Fewer octets than needed stand for nothing.
pub(super) fn by_octets(octets: &[u8], pieces: u32) -> Result<Bitfield, String> {
    let mut octets = octets.to_vec();
    octets.resize(pieces.div_ceil(8) as usize, 0);
    Bitfield::from_wire(&octets, pieces).map_err(|error| format!("it tells of its pieces: {error}"))
}

/// Two hexadecimal digits an octet.
pub(super) fn by_hex(digits: &str, pieces: u32) -> Result<Bitfield, String> {
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let octets: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(octet).collect();
    by_octets(&octets.ok_or_else(|| format!("{digits:?} are no hexadecimal digits"))?, pieces)
}

/// Base64 (RFC 4648).
pub(super) fn by_base64(text: &str, pieces: u32) -> Result<Bitfield, String> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut octets, mut bits, mut held) = (Vec::new(), 0u32, 0u32);
    for digit in text.trim_end_matches('=').bytes() {
        let value = ALPHABET.iter().position(|known| *known == digit);
        let value = value.ok_or_else(|| format!("{text:?} is no base64"))?;
        bits = (bits << 6 | value as u32) & 0xFFFF;
        held += 6;
        if held >= 8 {
            held -= 8;
            octets.push((bits >> held) as u8);
        }
    }
    by_octets(&octets, pieces)
}

/// `0110`: one digit a piece.
pub(super) fn by_digits(digits: &str) -> Result<Bitfield, String> {
    let mut field = Bitfield::empty(digits.len() as u32);
    for (piece, digit) in (0..).zip(digits.bytes()) {
        if digit == b'1' {
            field.insert(PieceIndex(piece));
        }
    }
    Ok(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_bitfield_is_the_same_pieces() {
        let octets = [0b1010_0000, 0b0000_0001, 0b1100_0000];
        let field = by_octets(&octets, 19).unwrap();
        assert_eq!(field.iter().map(|piece| piece.0).collect::<Vec<_>>(), [0, 2, 15, 16, 17]);
        assert_eq!(by_hex("a001C0", 19).unwrap(), field);
        assert_eq!(by_base64("oAHA", 19).unwrap(), field);
        assert_eq!(by_digits("1010000000000001110").unwrap(), field);
        assert_eq!(by_base64("gA==", 1).unwrap(), Bitfield::full(1));
    }

    #[test]
    fn nothing_told_is_nothing_there_and_nonsense_is_refused() {
        assert!(by_hex("", 19).unwrap().is_empty());
        assert!(by_hex("zz", 19).is_err() && by_base64("?", 19).is_err() && by_octets(&[1], 3).is_err());
    }

    #[test]
    fn bytes_are_counted_in_digits_too() {
        let object = serde_json::json!({"a": 5, "b": "6", "c": true});
        assert_eq!([count(&object["a"]), count(&object["b"]), count(&object["d"])], [Some(5), Some(6), None]);
        assert_eq!(as_settings(&object)["c"], "true");
    }
}
