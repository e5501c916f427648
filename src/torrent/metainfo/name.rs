//! Which names may become files. One rule on every system, so that a torrent made on one can be used on all: a name
//! that some system would take for a way out of the folder, for a device or for another name is refused.

/// Why a name from metainfo must not become a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name {name:?} {problem}")]
pub struct NameError {
    /// At most the first 60 characters.
    name: String,
    problem: &'static str,
}

/// Most file systems' bound.
const MAX_NAME_BYTES: usize = 255;

/// Names that Windows gives to devices, whatever extension follows.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
const NUMBERED_DEVICES: [&str; 2] = ["com", "lpt"];

/// Whether `name`, one element of a path, can safely be joined to a folder and kept there as it is.
pub fn check_name(name: &str) -> Result<(), NameError> {
    let problem = if name.is_empty() {
        "is empty"
    } else if name.len() > MAX_NAME_BYTES {
        "is longer than 255 bytes"
    } else if name == "." || name == ".." {
        "leads to another folder"
    } else if name.contains(['/', '\\']) {
        "contains a path separator"
    } else if name.contains(':') {
        "contains a colon, which names a drive or a stream on Windows"
    } else if name.contains(char::is_control) {
        "contains a control character"
    } else if name.ends_with(['.', ' ']) {
        "ends in a dot or a space, which Windows drops"
    } else if is_device(name) {
        "is a device on Windows"
    } else {
        return Ok(());
    };
    Err(NameError { name: name.chars().take(60).collect(), problem })
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_lowercase();
    let number = NUMBERED_DEVICES.iter().find_map(|device| stem.strip_prefix(device));
    let numbered = number.is_some_and(|rest| {
        matches!(rest, "¹" | "²" | "³") || (rest.len() == 1 && rest.as_bytes()[0].is_ascii_digit())
    });
    numbered || DEVICES.contains(&stem.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass() {
        let long = "ã".repeat(127);
        for name in [
            "historia.txt",
            "a b",
            "História ção.txt",
            "日本語",
            ".hidden",
            "...x",
            "console",
            "com10",
            &long,
        ] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn names_that_leave_the_folder_or_turn_into_something_else_are_refused() {
        let too_long = "x".repeat(256);
        let wrong = [
            "",
            ".",
            "..",
            "/",
            "/etc/passwd",
            "a/b",
            "..\\x",
            "C:",
            "C:x",
            "a\0b",
            "a\nb",
            "\u{1b}[2J",
            "\u{85}",
            "x.",
            "x ",
            "...",
            "CON",
            "con.txt",
            "Nul .x",
            "COM1",
            "lpt9.tar.gz",
            "COM³",
            &too_long,
        ];
        for name in wrong {
            assert!(check_name(name).is_err(), "{name:?} passes");
        }
    }

    #[test]
    fn the_message_shows_hostile_names_escaped_and_short() {
        let message = check_name(&"\u{1b}".repeat(1000)).unwrap_err().to_string();
        assert!(
            message.contains("\\u{1b}") && !message.contains('\u{1b}') && message.len() < 500,
            "{message}"
        );
    }
}
