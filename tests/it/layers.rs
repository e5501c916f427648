//! The layers: imports point only to modules that `src/lib.rs` lists earlier, siblings do not know each other, and no
//! group of files depends on itself in a circle. `src/lib.rs` is the one home of the order: a blank line there starts
//! a new layer, and modules without a blank line between them are siblings.
//!
//! Paths are read from the token stream, so comments, strings and macro bodies are treated as the compiler would.
//! A file's own ancestors (`super::Type`) are not counted: a folder's `mod.rs` holds the words its files share. Modules
//! called `tests` are not either: a test may compare what must not know each other.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Modules below the top level that must not know each other either.
const SIBLINGS: &[(&str, &str)] = &[
    ("driver::sim", "driver::real_time"),
    ("driver::sim", "driver::tasks"),
    ("driver::sim", "driver::processes"),
    ("driver::tasks", "driver::processes"),
];

/// Modules of this name are left out.
const TESTS: &str = "tests";

/// A module path from the crate's root: `["peer", "picker"]`.
type ModulePath = Vec<String>;

struct File {
    module: ModulePath,
    text: String,
}

#[test]
fn imports_point_down_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let lib = fs::read_to_string(src.join("lib.rs")).unwrap();
    let mut files = Vec::new();
    collect(&src, &[], &mut files);
    assert!(files.len() > 20, "the files of the package are found: {}", files.len());

    let found = violations(&lib, &files);
    assert!(found.is_empty(), "layers broken:\n  {}", found.join("\n  "));
}

#[test]
fn planted_violations_are_caught() {
    let lib = "pub mod time;\n\npub mod peer;\npub mod tracker;\n\npub mod driver;\n";
    let check = |planted: &[(&str, &str)]| {
        let files: Vec<File> = planted
            .iter()
            .map(|(module, text)| File {
                module: module.split("::").map(str::to_owned).collect(),
                text: (*text).to_owned(),
            })
            .collect();
        violations(lib, &files)
    };

    assert_eq!(
        check(&[("driver", "use crate::{peer::{self, Peer}, time::Time};"), ("peer", "mod picker;")]),
        [""; 0]
    );
    assert_eq!(check(&[("time", "use crate::peer::Peer;")]), ["time imports peer, which is a later layer"]);
    assert_eq!(
        check(&[("time", "fn f() { assert!(vec![crate::driver::run()].is_empty()); }")]),
        ["time imports driver, which is a later layer"],
    );
    assert_eq!(check(&[("tracker", "use super::peer::Peer;")]), ["tracker imports its sibling peer"]);
    assert_eq!(
        check(&[("peer", "use crate::gossip::Rumour;")]),
        ["peer imports gossip, which src/lib.rs does not list"]
    );
    assert_eq!(check(&[("gossip", "")]), ["gossip is not listed in src/lib.rs"]);
    assert_eq!(
        check(&[("driver::sim", "use super::tasks::Shaper;"), ("driver::tasks", "")]),
        ["driver::sim imports its sibling driver::tasks"],
    );
    assert_eq!(
        check(&[
            ("peer::picker", "use crate::peer::choker::Slots;"),
            ("peer::choker", "use super::rates::Rate;"),
            ("peer::rates", "mod inner { use super::super::picker::Picker; }"),
        ]),
        ["a circle: peer::choker → peer::rates → peer::picker → peer::choker"],
    );
    assert_eq!(check(&[("time", "mod tests { use crate::peer::Peer; }")]), [""; 0]);
    assert_eq!(
        check(&[("time", "// crate::peer\nconst A: &str = \"crate::peer::Peer\"; use super::time;")]),
        [""; 0]
    );
}

/// Everything in `files` that the order of `lib` forbids, one sentence each.
fn violations(lib: &str, files: &[File]) -> Vec<String> {
    let layers = layers(lib);
    let layer_of = |name: &str| layers.iter().position(|layer| layer.iter().any(|module| module == name));
    let known: BTreeSet<&ModulePath> = files.iter().map(|file| &file.module).collect();
    let mut found = BTreeSet::new();
    let mut imports: Vec<(ModulePath, ModulePath)> = Vec::new();

    for file in files {
        let (from, top) = (file.module.join("::"), &file.module[0]);
        let Some(layer) = layer_of(top) else {
            found.insert(format!("{top} is not listed in src/lib.rs"));
            continue;
        };
        for path in paths(&file.module, &file.text) {
            match layer_of(&path[0]) {
                None => found.insert(format!("{from} imports {}, which src/lib.rs does not list", path[0])),
                Some(other) if other > layer => {
                    found.insert(format!("{from} imports {}, which is a later layer", path[0]))
                }
                Some(other) if other == layer && path[0] != *top => {
                    found.insert(format!("{from} imports its sibling {}", path[0]))
                }
                Some(_) => false,
            };
            for (a, b) in SIBLINGS {
                for (one, other) in [(a, b), (b, a)] {
                    if within(&file.module, one) && within(&path, other) {
                        found.insert(format!("{from} imports its sibling {other}"));
                    }
                }
            }
            let target = (1..=path.len())
                .rev()
                .map(|length| path[..length].to_vec())
                .find(|prefix| known.contains(prefix));
            if let Some(target) = target.filter(|target| !file.module.starts_with(target)) {
                imports.push((file.module.clone(), target));
            }
        }
    }
    found.extend(circle(&imports));
    found.into_iter().collect()
}

/// The groups of `mod` lines of `src/lib.rs`, in their order.
fn layers(lib: &str) -> Vec<Vec<String>> {
    let mut layers = vec![Vec::new()];
    for line in lib.lines().map(str::trim) {
        if let Some(module) = line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')) {
            layers.last_mut().expect("starts with one").push(module.to_owned());
        } else if line.is_empty() {
            layers.push(Vec::new());
        }
    }
    layers.retain(|layer| !layer.is_empty());
    layers
}

/// Every `.rs` file under `folder` but `lib.rs`, `main.rs` and tests.
fn collect(folder: &Path, parent: &[String], files: &mut Vec<File>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let module: ModulePath = parent.iter().chain([&stem]).cloned().collect();
        if stem == TESTS {
            continue;
        }
        if path.is_dir() {
            collect(&path, &module, files);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && stem != "lib"
            && stem != "main"
        {
            let module = if stem == "mod" { parent.to_vec() } else { module };
            files.push(File { module, text: fs::read_to_string(&path).unwrap() });
        }
    }
}

/// Every path in `text` that starts at `crate`, `self` or `super`, resolved to the crate's root; never empty ones.
fn paths(module: &[String], text: &str) -> BTreeSet<ModulePath> {
    let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{}: {error}", module.join("::")));
    let mut found = BTreeSet::new();
    scan(module, tokens, &mut found);
    found.retain(|path| !path.is_empty());
    found
}

fn scan(module: &[String], tokens: TokenStream, found: &mut BTreeSet<ModulePath>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Ident(word) if !follows_colons(&tokens, at) && leads_path(&tokens, at) => {
                let start = match word.to_string().as_str() {
                    "crate" => Some(Vec::new()),
                    "self" => Some(module.to_vec()),
                    "super" => Some(parent(module)),
                    _ => None,
                };
                if let Some(start) = start {
                    follow(start, &tokens[at + 3..], found);
                }
            }
            TokenTree::Group(group) => match inline_module(&tokens[..at]) {
                Some(name) if name == TESTS => {}
                Some(name) => scan(&[module, &[name]].concat(), group.stream(), found),
                None => scan(module, group.stream(), found),
            },
            _ => {}
        }
        at += 1;
    }
}

/// Follows a path or a tree of paths, starting after a `::`.
fn follow(mut path: ModulePath, tokens: &[TokenTree], found: &mut BTreeSet<ModulePath>) {
    match tokens.first() {
        Some(TokenTree::Ident(word)) => {
            match word.to_string().as_str() {
                "super" => path = parent(&path),
                "self" => {}
                name => path.push(name.to_owned()),
            }
            if leads_path(tokens, 0) {
                follow(path, &tokens[3..], found);
            } else {
                found.insert(path);
            }
        }
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            let branches: Vec<TokenTree> = group.stream().into_iter().collect();
            for branch in branches.split(|token| is_punct(token, ',')).filter(|branch| !branch.is_empty()) {
                follow(path.clone(), branch, found);
            }
        }
        _ => {
            found.insert(path);
        }
    }
}

fn parent(module: &[String]) -> ModulePath {
    module[..module.len().saturating_sub(1)].to_vec()
}

fn within(module: &[String], ancestor: &str) -> bool {
    module.join("::") == ancestor || module.join("::").starts_with(&format!("{ancestor}::"))
}

fn is_punct(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

/// Whether `::` follows the token at `at`.
fn leads_path(tokens: &[TokenTree], at: usize) -> bool {
    tokens.get(at + 1..at + 3).is_some_and(|next| next.iter().all(|token| is_punct(token, ':')))
}

/// Whether the token at `at` is the continuation of a path that was followed already.
fn follows_colons(tokens: &[TokenTree], at: usize) -> bool {
    at >= 2 && is_punct(&tokens[at - 1], ':') && is_punct(&tokens[at - 2], ':')
}

/// The name in a trailing `mod name`.
fn inline_module(before: &[TokenTree]) -> Option<String> {
    match before {
        [.., TokenTree::Ident(keyword), TokenTree::Ident(name)] if keyword == "mod" => Some(name.to_string()),
        _ => None,
    }
}

/// One circle of imports, if there is any, starting at its alphabetically first module.
fn circle(imports: &[(ModulePath, ModulePath)]) -> Option<String> {
    let starts: BTreeSet<&ModulePath> = imports.iter().map(|(from, _)| from).collect();
    starts.into_iter().find_map(|start| {
        let way = way_back(imports, start, start, &mut BTreeSet::new())?;
        let names: Vec<String> = way.iter().rev().map(|module| module.join("::")).collect();
        Some(format!("a circle: {}", names.join(" → ")))
    })
}

/// The modules from `end` back to `from`, last first, or `None` when `end` cannot be reached.
fn way_back<'a>(
    imports: &'a [(ModulePath, ModulePath)],
    from: &'a ModulePath,
    end: &'a ModulePath,
    seen: &mut BTreeSet<&'a ModulePath>,
) -> Option<Vec<&'a ModulePath>> {
    for (_, to) in imports.iter().filter(|(module, _)| module == from) {
        if to == end {
            return Some(vec![end, from]);
        }
        if seen.insert(to)
            && let Some(mut way) = way_back(imports, to, end, seen)
        {
            way.push(from);
            return Some(way);
        }
    }
    None
}
