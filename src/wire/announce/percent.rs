//! Percent-encoding of raw bytes (RFC 3986). An info hash is no text, so nothing here is UTF-8, and `+` is no space.

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Appends `bytes`, escaping all but RFC 3986's unreserved characters.
pub fn encode(bytes: &[u8], out: &mut String) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

/// The raw bytes; `None` where a `%` has no two hexadecimal digits, of either case, after it.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                bytes.push(digit(*high)? << 4 | digit(*low)?);
                tail
            }
            (b'%', _) => return None,
            (plain, tail) => {
                bytes.push(*plain);
                tail
            }
        };
    }
    Some(bytes)
}

fn digit(hex: u8) -> Option<u8> {
    char::from(hex).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn traps_of_other_trackers_are_read_right() {
        assert_eq!(decode(b"%25%2b+%aF%Af"), Some(b"%++\xAF\xAF".to_vec()));
        assert_eq!(decode(b"raw\xFFbytes"), Some(b"raw\xFFbytes".to_vec()));
        for broken in [&b"%"[..], b"%4", b"a%", b"%g0", b"%0g", b"%%41", b"%+1"] {
            assert_eq!(decode(broken), None, "{}", broken.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn every_byte_string_round_trips_as_plain_ascii(bytes: Vec<u8>) {
            let mut text = String::new();
            encode(&bytes, &mut text);
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'&' && byte != b'='));
            prop_assert_eq!(decode(text.as_bytes()), Some(bytes));
        }

        #[test]
        fn lower_case_means_the_same(bytes: Vec<u8>) {
            let text: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
            prop_assert_eq!(decode(text.as_bytes()), Some(bytes));
        }
    }
}
