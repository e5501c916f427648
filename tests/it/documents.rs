//! What the documents say is so.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::Folder;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(repository().join(name)).unwrap()
}

/// The Markdown files of the repository that people wrote.
fn documents() -> Vec<PathBuf> {
    let folders = ["", "docs", "results", "benches", "scenarios"].map(|folder| repository().join(folder));
    let folders = folders.iter().filter(|folder| folder.is_dir());
    let entries = folders.flat_map(|folder| fs::read_dir(folder).unwrap());
    let files = entries.map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

#[test]
fn the_run_that_the_readme_shows_looks_like_that() {
    let readme = read("README.md");
    let (_, block) = readme.split_once("\n$ minibit ").expect("the README shows a run");
    let (command, shown) = block.split_once('\n').unwrap();
    let (shown, _) = shown.split_once("\n```").expect("the block ends");

    let folder = Folder::new();
    let scenario = |word: &str| repository().join(word).to_str().unwrap().to_owned();
    let words = command.split_whitespace();
    let words: Vec<String> =
        words.map(|word| if word.ends_with(".toml") { scenario(word) } else { word.to_owned() }).collect();
    let ran = folder.minibit(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let printed: Vec<String> = ran.stdout().lines().map(|line| line.trim_end().to_owned()).collect();
    let printed = printed.join("\n");
    assert!(
        printed.starts_with(shown),
        "if this is meant, put it into README.md:\n{printed}\nit shows:\n{shown}"
    );
}

#[test]
fn links_lead_to_files() {
    let documents = documents();
    assert!(documents.len() >= 5, "{documents:?}");
    let mut links = 0;
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap();
            if !file.is_empty() && !file.contains("://") {
                links += 1;
                assert!(document.parent().unwrap().join(file).exists(), "{}: {link}", document.display());
            }
        }
    }
    assert!(links >= 10, "{links} links were found");
}

#[test]
fn the_architecture_lists_the_modules_in_their_order() {
    let lib = read("src/lib.rs");
    let modules = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let architecture = read("ARCHITECTURE.md");
    let (_, table) = architecture.split_once("| module | what it is |").expect("there is a table of modules");
    let (table, _) = table.split_once("\n\n").unwrap();
    let cells = table.lines().filter_map(|row| row.strip_prefix("| `")?.split(" | ").next());
    let listed = cells.flat_map(|cell| cell.split(", ").map(|name| name.trim_matches('`')));
    assert_eq!(listed.collect::<Vec<_>>(), modules.collect::<Vec<_>>());
}

#[test]
fn the_architecture_names_modules_that_exist() {
    let architecture = read("ARCHITECTURE.md");
    let quoted = architecture.split('`').skip(1).step_by(2).filter(|quoted| quoted.contains("::"));
    // A method or a field, `Options::nothing_waits`, names no module.
    let quoted = quoted.filter(|quoted| quoted.starts_with(char::is_lowercase));
    let mut modules = 0;
    for path in quoted {
        let names = path.split("::").take_while(|name| name.starts_with(char::is_lowercase));
        let module: PathBuf = repository().join("src").join(names.collect::<PathBuf>());
        assert!(module.with_extension("rs").exists() || module.join("mod.rs").exists(), "there is no {path}");
        modules += 1;
    }
    assert!(modules >= 10, "{modules} modules were found");
}

/// The rows `| `key` | default | …` of the page on scenarios, by section: `("policy", "picker", "\"rarest-first\"")`.
fn documented_keys() -> Vec<(String, String, String)> {
    let mut section = String::new();
    let mut keys = Vec::new();
    for line in read("docs/scenario.md").lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading.trim_matches(['`', '[', ']']).to_owned();
        } else if line.starts_with("`[policy.pipeline]`") {
            section = "policy.pipeline".to_owned();
        } else if let Some((key, rest)) = line.strip_prefix("| `").and_then(|row| row.split_once("` | ")) {
            let default = rest.split('|').next().unwrap().trim().trim_matches('`');
            keys.push((section.clone(), key.to_owned(), default.to_owned()));
        }
    }
    keys
}

#[test]
fn the_page_on_scenarios_has_every_key_and_its_default() {
    let folder = Folder::new();
    folder.file("small.toml", "[content]\nsize = \"1 MiB\"\n[peers.NAME]\ncount = 2\n");
    let shown = folder.minibit(&["scenario", "show", "small.toml"]).done();
    let documented = documented_keys();
    let mut section = "The whole file";
    let mut checked = 0;
    for line in shown.lines() {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
        } else if let Some((key, value)) = line.split_once(" = ") {
            let row =
                documented.iter().find(|(of, named, _)| (of.as_str(), named.as_str()) == (section, key));
            let (_, _, default) = row.unwrap_or_else(|| panic!("{section}.{key} is not in docs/scenario.md"));
            // The two that the file has, and two defaults that are another key's value or the file's name.
            if !["count", "size", "piece_size", "title"].contains(&key) {
                assert_eq!(value, default, "{section}.{key}");
                checked += 1;
            }
        }
    }
    assert!(checked > 35, "{checked} defaults");
}
