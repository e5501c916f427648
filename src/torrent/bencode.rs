//! Strict bencode (BEP 3) from strangers: a borrowed view, checked as a whole before anything is read from it. Knows
//! nothing of what the values mean.
//!
//! Beyond the grammar, keys must be sorted and unique, numbers canonical and within 64 bits, nesting and the number
//! of tokens limited, and nothing may follow the value. Reading allocates at the most for what one dictionary or list
//! really holds, never for a length that the input only claims.

use bendy::decoding::{Decoder, DictDecoder, ListDecoder, Object};
use bendy::state_tracker::Token;

/// How deep values may nest.
pub const MAX_DEPTH: usize = 64;
/// How many values, keys and ends one input may have.
pub const MAX_TOKENS: usize = 3_000_000;

/// One value; it borrows from the checked input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Integer(i64),
    Bytes(&'a [u8]),
    List(List<'a>),
    Dict(Dict<'a>),
}

/// A list by its original bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List<'a>(&'a [u8]);

/// A dictionary by its original bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dict<'a>(&'a [u8]);

/// Why bytes are not bencode that we read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BencodeError {
    #[error("not bencode: {0}")]
    Malformed(String),
    #[error("not bencode: bytes follow the end of the value")]
    Trailing,
    #[error("not bencode: empty")]
    Empty,
    #[error("an integer does not fit 64 bits")]
    IntegerOutOfRange,
    #[error("more than {MAX_TOKENS} values")]
    TooManyTokens,
}

impl From<bendy::decoding::Error> for BencodeError {
    fn from(error: bendy::decoding::Error) -> BencodeError {
        BencodeError::Malformed(error.to_string())
    }
}

impl<'a> Value<'a> {
    /// Checks all of `input` and returns its one value.
    pub fn parse(input: &'a [u8]) -> Result<Value<'a>, BencodeError> {
        check(input)?;
        match decoder(input).next_object()? {
            Some(object) => Value::from_object(object),
            None => Err(BencodeError::Empty),
        }
    }

    fn from_object(object: Object<'_, 'a>) -> Result<Value<'a>, BencodeError> {
        Ok(match object {
            Object::Integer(text) => Value::Integer(integer(text)?),
            Object::Bytes(bytes) => Value::Bytes(bytes),
            Object::List(list) => Value::List(List(ListDecoder::into_raw(list)?)),
            Object::Dict(dict) => Value::Dict(Dict(DictDecoder::into_raw(dict)?)),
        })
    }

    pub fn as_integer(self) -> Option<i64> {
        if let Value::Integer(number) = self { Some(number) } else { None }
    }

    pub fn as_bytes(self) -> Option<&'a [u8]> {
        if let Value::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    pub fn as_list(self) -> Option<List<'a>> {
        if let Value::List(list) = self { Some(list) } else { None }
    }

    pub fn as_dict(self) -> Option<Dict<'a>> {
        if let Value::Dict(dict) = self { Some(dict) } else { None }
    }
}

impl<'a> List<'a> {
    pub fn items(self) -> Result<Vec<Value<'a>>, BencodeError> {
        let mut decoder = decoder(self.0);
        let mut items = Vec::new();
        if let Some(Object::List(mut list)) = decoder.next_object()? {
            while let Some(item) = list.next_object()? {
                items.push(Value::from_object(item)?);
            }
        }
        Ok(items)
    }
}

impl<'a> Dict<'a> {
    /// The dictionary's bytes exactly as they stood in the input, `d` and `e` included.
    pub fn raw(self) -> &'a [u8] {
        self.0
    }

    /// The values of these keys where they are there, without looking at others.
    pub fn pick<const N: usize>(self, keys: [&str; N]) -> Result<[Option<Value<'a>>; N], BencodeError> {
        let mut values = [None; N];
        let mut decoder = decoder(self.0);
        if let Some(Object::Dict(mut dict)) = decoder.next_object()? {
            while let Some((key, value)) = dict.next_pair()? {
                if let Some(at) = keys.iter().position(|wanted| wanted.as_bytes() == key) {
                    values[at] = Some(Value::from_object(value)?);
                }
            }
        }
        Ok(values)
    }

    /// The entries in their order: keys ascending, each once.
    pub fn entries(self) -> Result<Vec<(&'a [u8], Value<'a>)>, BencodeError> {
        let mut decoder = decoder(self.0);
        let mut entries = Vec::new();
        if let Some(Object::Dict(mut dict)) = decoder.next_object()? {
            while let Some((key, value)) = dict.next_pair()? {
                entries.push((key, Value::from_object(value)?));
            }
        }
        Ok(entries)
    }
}

fn decoder(input: &[u8]) -> Decoder<'_> {
    Decoder::new(input).with_max_depth(MAX_DEPTH)
}

/// Walks the whole input once, so that what is read later lies in well-formed surroundings.
fn check(input: &[u8]) -> Result<(), BencodeError> {
    let mut depth = 0usize;
    let mut ended = false;
    for (at, token) in decoder(input).tokens().enumerate() {
        if ended {
            return Err(BencodeError::Trailing);
        }
        if at == MAX_TOKENS {
            return Err(BencodeError::TooManyTokens);
        }
        match token? {
            Token::List | Token::Dict => depth += 1,
            Token::End => depth -= 1,
            Token::String(_) => {}
            Token::Num(text) => {
                integer(text)?;
            }
        }
        ended = depth == 0;
    }
    if ended { Ok(()) } else { Err(BencodeError::Empty) }
}

fn integer(text: &str) -> Result<i64, BencodeError> {
    text.parse().map_err(|_| BencodeError::IntegerOutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn walk(value: Value<'_>) -> usize {
        match value {
            Value::Integer(_) | Value::Bytes(_) => 1,
            Value::List(list) => 1 + list.items().unwrap().into_iter().map(walk).sum::<usize>(),
            Value::Dict(dict) => 1 + dict.entries().unwrap().into_iter().map(|(_, v)| walk(v)).sum::<usize>(),
        }
    }

    #[test]
    fn a_dictionary_gives_its_entries_and_its_original_bytes() {
        let input = b"d4:infod1:ai-7e1:bl3:xyzi0eee3:zzzdee";
        let entries = Value::parse(input).unwrap().as_dict().unwrap().entries().unwrap();
        assert_eq!(entries.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [&b"info"[..], b"zzz"]);
        let info = entries[0].1.as_dict().unwrap();
        assert_eq!(info.raw(), b"d1:ai-7e1:bl3:xyzi0eee");
        let inner = info.entries().unwrap();
        assert_eq!(inner[0].1, Value::Integer(-7));
        assert_eq!(info.pick(["b", "c", "a"]).unwrap(), [Some(inner[1].1), None, Some(inner[0].1)]);
        let items = inner[1].1.as_list().unwrap().items().unwrap();
        assert_eq!(items, [Value::Bytes(b"xyz"), Value::Integer(0)]);
    }

    #[test]
    fn what_is_not_canonical_is_refused() {
        let wrong: [&[u8]; 22] = [
            b"",
            b"i-0e",
            b"i00e",
            b"i042e",
            b"ie",
            b"i-e",
            b"i1",
            b"i1.5e",
            b"i+1e",
            b"01:a",
            b"-1:a",
            b"5:abcd",
            b"d1:bi1e1:ai2ee",
            b"d1:ai1e1:ai2ee",
            b"di1e1:ae",
            b"d1:ae",
            b"l",
            b"e",
            b"lee",
            b"i1ei2e",
            b"i1e ",
            b"x",
        ];
        for input in wrong {
            assert!(Value::parse(input).is_err(), "{} is accepted", input.escape_ascii());
        }
        assert_eq!(Value::parse(b"i1ei2e"), Err(BencodeError::Trailing));
        assert_eq!(Value::parse(b""), Err(BencodeError::Empty));
    }

    #[test]
    fn numbers_beyond_64_bits_and_lengths_beyond_the_input_are_refused() {
        let long = format!("i{}e", "9".repeat(30));
        assert_eq!(Value::parse(long.as_bytes()), Err(BencodeError::IntegerOutOfRange));
        assert_eq!(Value::parse(b"i9223372036854775807e"), Ok(Value::Integer(i64::MAX)));
        assert_eq!(Value::parse(b"i-9223372036854775808e"), Ok(Value::Integer(i64::MIN)));
        assert_eq!(Value::parse(b"i9223372036854775808e"), Err(BencodeError::IntegerOutOfRange));
        for length in ["4294967296", "18446744073709551615", "18446744073709551616", &"9".repeat(100_000)] {
            assert!(Value::parse(format!("{length}:abc").as_bytes()).is_err());
        }
    }

    #[test]
    fn a_million_nested_values_are_refused_on_a_small_stack() {
        let deep = |opening: &str| opening.repeat(1_000_000).into_bytes();
        let inputs = [deep("l"), deep("d1:a"), deep("ld1:a")];
        let judged = std::thread::Builder::new()
            .stack_size(256 * 1024)
            .spawn(move || inputs.iter().all(|input| Value::parse(input).is_err()));
        assert!(judged.unwrap().join().unwrap());
        let allowed = ["l".repeat(MAX_DEPTH), "e".repeat(MAX_DEPTH)].concat();
        assert_eq!(walk(Value::parse(allowed.as_bytes()).unwrap()), MAX_DEPTH);
        assert!(Value::parse(format!("l{allowed}e").as_bytes()).is_err());
    }

    #[test]
    fn too_many_values_are_refused() {
        let input = ["l", &"le".repeat(MAX_TOKENS / 2), "e"].concat();
        assert_eq!(Value::parse(input.as_bytes()), Err(BencodeError::TooManyTokens));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(input in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Value::parse(&input).map(walk);
        }

        #[test]
        fn bytes_that_look_like_bencode_never_panic(input in "[dlei0-9:a-]{0,60}") {
            let _ = Value::parse(input.as_bytes()).map(walk);
        }
    }
}
