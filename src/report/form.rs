//! Two forms of the same text: for a terminal, and as Markdown.

use comfy_table::{LineStyle, Table, presets};

use crate::report::cell::printable;

/// Who reads it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Terminal,
    Markdown,
}

impl Form {
    pub(super) fn table(self) -> Table {
        let mut table = Table::new();
        table.load_style(match self {
            Form::Terminal => presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()),
            Form::Markdown => presets::ASCII_MARKDOWN,
        });
        table
    }

    /// Begins an item of a list.
    pub(super) fn bullet(self) -> &'static str {
        match self {
            Form::Terminal => "  ",
            Form::Markdown => "- ",
        }
    }

    /// Begins a part, an empty line before it.
    pub(super) fn heading(self, title: &str) -> String {
        match self {
            Form::Terminal => format!("\n{title}:\n"),
            Form::Markdown => format!("\n## {title}\n\n"),
        }
    }

    /// Text from a scenario or a file name, made harmless.
    pub(super) fn text(self, text: &str) -> String {
        match self {
            Form::Terminal => printable(text).into_owned(),
            Form::Markdown => escaped(text),
        }
    }
}

/// Text that Markdown must not take for markup.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in printable(text).chars() {
        if matches!(c, '|' | '<' | '>' | '[' | ']' | '`' | '*' | '\\' | '#' | '&') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_names_stays_text() {
        let hostile = "<img src=x onerror=alert(1)> | [a](b) `c` \u{1b}[31m";
        let markdown = Form::Markdown.text(hostile);
        assert_eq!(markdown, r"\<img src=x onerror=alert(1)\> \| \[a\](b) \`c\` \\u{1b}\[31m");
        assert!(!Form::Terminal.text(hostile).contains('\u{1b}'));
    }
}
