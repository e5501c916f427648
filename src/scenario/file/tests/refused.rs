//! What is no scenario, and what the user is told about it.

use super::*;

/// The file, where the error is, and what it says.
#[test]
fn a_wrong_file_is_refused_with_place_key_expectation_and_advice() {
    let small = |more: &str| format!("{SMALL}{more}");
    let content = |content: &str| format!("[content]\n{content}\n[peers.a]\ncount = 2\n");
    let cases: &[(String, &[&str])] = &[
        (
            small("[policy]\npikcer = \"random\""),
            &["swarm.toml:6:1", "policy.pikcer: unknown key", "did you mean `picker`?"],
        ),
        (
            small("[policy]\npicker = \"rarest\""),
            &[
                "swarm.toml:6:10",
                r#"policy.picker: unknown value "rarest""#,
                "expected rarest-first, random, sequential or hypercube",
                r#"did you mean "rarest-first"?"#,
            ],
        ),
        (
            small("[polciy]\npicker = \"random\""),
            &["swarm.toml:5:2", "polciy: unknown key", "did you mean `policy`?"],
        ),
        (
            "picker = \"random\"\n".to_owned() + SMALL,
            &["swarm.toml:1:1", "picker: unknown key", "did you mean `policy.picker`?"],
        ),
        (
            small("upload = \"2 Mb/s\""),
            &["swarm.toml:5:10", r#"write "2 Mbit/s" (1,000,000 bits per second) or "2 MB/s""#],
        ),
        (
            small("upload = 180"),
            &["swarm.toml:5:10", r#""180" has no unit"#, "expected a text with a number and a unit"],
        ),
        (small("upload = nan"), &["swarm.toml:5:10", "not finite"]),
        (small("upload = \"-3 B/s\""), &["swarm.toml:5:10", "is negative"]),
        (small("latency = true"), &["swarm.toml:5:11", "peers.leecher.latency: unexpected true"]),
        (
            small("arrival = \"later\""),
            &[
                "swarm.toml:5:11",
                "unknown arrival",
                r#"expected "at start", "over 10 s" or "poisson 2 per min""#,
            ],
        ),
        (small("arrival = \"over 10 m\""), &["can be read in two ways"]),
        (small("arrival = \"poisson 0 per min\""), &["nobody would ever arrive"]),
        (small("on_complete = \"leave after 0 copies\""), &["no whole number of copies"]),
        (small("on_complete = \"leave at share ratio 0\""), &[r#""0" is no share ratio above zero"#]),
        (small("on_complete = \"leave at share ratio 1.2345\""), &["is no share ratio above zero"]),
        (small("on_complete = \"leave after 5 on average\""), &["swarm.toml:5:15", "has no unit"]),
        (small("on_complete = \"leave at noon\""), &["swarm.toml:5:15", r#""leave at 10 min""#]),
        (
            small("behaviour = \"free\""),
            &["swarm.toml:5:13", r#"unknown value "free""#, "expected cooperative or free-rider"],
        ),
        (small("abort = \"often\""), &["swarm.toml:5:9", "peers.leecher.abort"]),
        (small("on_complete = \"vanish\""), &[r#"expected "stay", "leave", "leave after 5 min""#]),
        (small("[peers.leecher.more]\n"), &["peers.leecher.more: unknown key"]),
        (small("[peers.\"a b\"]\ncount = 1"), &["swarm.toml:5:8", "not a name for a cohort"]),
        ("[content]\nsize = \"1 MiB\"\n".to_owned(), &["peers: nobody takes part"]),
        (
            "[content]\nsize = \"1 MiB\"\n[peers.a]\ncount = 0\n".to_owned(),
            &["peers: nobody takes part", "zero peers"],
        ),
        (
            "[content]\nsize = \"1 MiB\"\n[peers.a]\ncount = 1000000000\n".to_owned(),
            &["swarm.toml:4:9", "1000000000 is out of range", "expected a whole number from 0 to 1000000"],
        ),
        (
            "[content]\nsize = \"1 MiB\"\n[peers.a]\ncount = 99999999999999999999999999\n".to_owned(),
            &["swarm.toml:4:9", "out of range"],
        ),
        (
            "[content]\nsize = \"32 GiB\"\n[peers.a]\ncount = 1000000\n".to_owned(),
            &["1000000 peers times 2097152 pieces", "fewer peers or larger pieces"],
        ),
        (
            "[content]\nsize = \"1 MiB\"\n[peers.a]\nstart_with = \"all\"\n".to_owned(),
            &["everybody starts complete"],
        ),
        ("[peers.a]\ncount = 2\n".to_owned(), &["swarm.toml", "content: missing", "write `file ="]),
        (content("file = \"a\"\nsize = \"1 B\""), &["swarm.toml:3:8", "given together with content.file"]),
        (
            content("file = \"no such file\""),
            &["swarm.toml:2:8", "cannot read no such file", "from the scenario's folder"],
        ),
        (content("file = \"src\""), &["it is not a regular file"]),
        (content("file = \"Cargo.toml\"\nsha1 = \"00\""), &["swarm.toml:3:8", "the file has changed"]),
        (content("size = \"0 B\""), &["swarm.toml:2:8", "0 bytes are nothing to distribute"]),
        (
            content("size = \"1 MiB\"\nblock_size = \"0 B\""),
            &["swarm.toml:3:14", "content.block_size: 0 bytes"],
        ),
        (content("size = \"1 MiB\"\nblock_size = \"2 GiB\""), &["expected at most 1 GiB"]),
        (
            content("size = \"1 MiB\"\nblock_size = \"3 KiB\"\npiece_size = \"10 KiB\""),
            &["swarm.toml:4:14", "must be a multiple of the block size", r#"the next multiple is "12 KiB""#],
        ),
        (
            content("size = \"1 TiB\"\nblock_size = \"1 KiB\""),
            &["choose larger pieces", r#"from "512 KiB" on it works"#],
        ),
        (
            small("[policy]\npicker = \"hypercube\"\n[overlay]\nkind = \"full-mesh\""),
            &["swarm.toml:5:1", r#"the hypercube needs one peer that starts with "all""#],
        ),
        (
            small(
                "start_with = \"nothing\"\n[peers.s]\nstart_with = \"all\"\n[policy]\npicker = \"hypercube\"",
            ),
            &[r#"the hypercube needs overlay.kind = "full-mesh""#],
        ),
        (
            small(
                "start_with = \"nothing\"\n[peers.s]\nstart_with = \"all\"\n[peers.more]\n\
                   start_with = \"nothing\"\n[policy]\npicker = \"hypercube\"",
            ),
            &["2, 4, 8, … peers with the server, and there are 5"],
        ),
        (
            small(
                "start_with = \"nothing\"\non_complete = \"leave\"\n[peers.s]\nstart_with = \"all\"\n[policy]\n\
                   picker = \"hypercube\"\n[overlay]\nkind = \"full-mesh\"",
            ),
            &["everybody to upload and to be there from the start to the end"],
        ),
        (small("[overlay]\nkind = \"ring\""), &["swarm.toml:6:8", "expected tracker, full-mesh, star or"]),
        (small("[overlay]\nkind = \"random-regular\""), &["swarm.toml:5:1", "overlay.degree: missing"]),
        (small("[overlay]\ndegree = 2"), &["swarm.toml:6:10", "only for kind = \"random-regular\""]),
        (small("[overlay]\nkind = \"star\"\ndial = 2"), &["swarm.toml:7:8", "only for kind = \"tracker\""]),
        (
            small("[overlay]\nkind = \"random-regular\"\ndegree = 3"),
            &["swarm.toml:5:1", "3 neighbours each are impossible among 3 peers", "at most 2 work"],
        ),
        (
            small("[peers.more]\ncount = 4\n[overlay]\nkind = \"random-regular\"\ndegree = 3"),
            &["7 peers with 3 neighbours each are an odd number of ends", "take an even `degree`"],
        ),
        (small("[overlay]\nkind = \"star\""), &["no cohort starts with \"all\"", "start_with = \"all\""]),
        (
            small("[peers.more]\ncount = 100000\n[overlay]\nkind = \"full-mesh\""),
            &["5000250003 connections are more than 67108864"],
        ),
        (small("[distribution]\nkind = \"fixed\""), &["swarm.toml:5:1", "distribution.pieces: missing"]),
        (small("[distribution]\npieces = 3"), &["swarm.toml:6:10", "only for kind = \"fixed\""]),
        (small("[distribution]\nkind = \"fixed\"\npieces = 3"), &["give each at least 22"]),
        (small("[policy]\nunchoke_slots = 0\noptimistic_slots = 0"), &["nobody would ever be unchoked"]),
        (small("[policy]\nround = \"0 s\""), &["swarm.toml:6:9", "expected more than zero"]),
        ("time_scale = nan\n".to_owned() + SMALL, &["swarm.toml:1:14", "time_scale: NaN is out of range"]),
        ("time_scale = 0\n".to_owned() + SMALL, &["time_scale: 0 is out of range"]),
        ("repeat = 0\n".to_owned() + SMALL, &["repeat: 0 is out of range", "from 1 to 100000"]),
        (
            "driver = \"simulator\"\n".to_owned() + SMALL,
            &[r#"driver: unknown value "simulator""#, "expected sim, tasks or processes"],
        ),
        ("title = \"\\u001b[31m\"\n".to_owned() + SMALL, &["title: too long or not one line"]),
        (
            "repeat = 3\nrepeat = 4\n".to_owned() + SMALL,
            &["swarm.toml:2:1", "this is not TOML", "duplicate key"],
        ),
        ("title = \"open\n".to_owned() + SMALL, &["swarm.toml:1:", "this is not TOML"]),
        (
            small("[compare]\n\"policy.picker\" = \"random\""),
            &["swarm.toml:6:19", "expected a list of values"],
        ),
        (small("[compare]\n\"policy.picker\" = []"), &["no values"]),
        (
            small("[compare]\n\"policy.picker\" = [\"random\", \"random\"]"),
            &["swarm.toml:6:30", "twice the same value"],
        ),
        (
            small("[compare]\n\"policy.round\" = [\"60 s\", \"1 min\"]"),
            &["swarm.toml:6:27", "the same as policy.round = 60 s"],
        ),
        (
            small("[compare]\n\"policy.pikcer\" = [\"random\"]"),
            &["swarm.toml:6:1", "policy.pikcer: unknown key", "did you mean `picker`?"],
        ),
        (
            small("[compare]\n\"policy.picker\" = [\"random\", \"rarest\"]"),
            &["swarm.toml:6:30", r#"unknown value "rarest""#],
        ),
        (
            small("[compare]\n\"peers.lecher.count\" = [1, 2]"),
            &["swarm.toml:6:1", r#"no cohort is named "lecher""#, "did you mean `peers.leecher.count`?"],
        ),
        (
            small("[compare]\n\"title.x\" = [1, 2]\n\"random_seed\" = [1]"),
            &["swarm.toml:7:1", "cannot be compared"],
        ),
        (
            small("[compare]\n\"peers.*.count\" = [1, 2]\n\"peers.leecher.count\" = [3]"),
            &["swarm.toml:7:1", "sets the same key"],
        ),
        (
            small("[compare]\n\"peers.*.count\" = [3, 0]"),
            &["nobody takes part", "in the case peers.*.count = 0"],
        ),
        (small("[[expect]]\nmetric = \"m\"\nrange = \"about 1\""), &["swarm.toml:7:9", "is not a range"]),
        (small("[[expect]]\nrange = \"< 1\""), &["swarm.toml:5:1", "expect.metric: missing"]),
        (
            small("[[expect]]\nmetric = \"m\"\nrange = \"< 1\"\nonly = \"policy.picker=random\""),
            &["swarm.toml:8:8", r#"no axis "policy.picker""#],
        ),
    ];
    for (text, expected) in cases {
        let report = refused(text);
        for part in *expected {
            assert!(report.contains(part), "{part:?} is not in the report on\n{text}\n\n{report}");
        }
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let text = "repeat = 0\n[content]\nsize = \"1 MB\"\n[peers.a]\ncount = -1\nupload = \"fast\"\nlatancy = \"1 s\"\n";
    let error = read_as(text, &Overrides::default()).unwrap_err();
    assert_eq!(error.problems(), 4, "{error}");
}

#[test]
fn a_report_looks_like_this() {
    let report = refused("[content]\nsize = \"1 MiB\"\n[peers.leecher]\ncount = 3\nuplaod = \"2 kB/s\"\n");
    assert_eq!(
        report,
        "\
error: peers.leecher.uplaod: unknown key
 --> swarm.toml:5:1
  |
5 | uplaod = \"2 kB/s\"
  | ^^^^^^ not known
  |
  = help: did you mean `upload`?"
    );
}

#[test]
fn a_wrong_option_is_shown_like_a_wrong_file() {
    let wrong = |overrides: &Overrides| read_as(SMALL, overrides).unwrap_err().to_string();
    let report = wrong(&set(&["tracker.interval=30 s", "policy.picker=rarest"]));
    assert!(report.contains("--> --set:1:15") && report.contains("policy.picker=rarest"), "{report}");
    let report = wrong(&Overrides { driver: Some("sims".to_owned()), ..Overrides::default() });
    assert!(report.contains("--> --driver:1:8") && report.contains(r#"did you mean "sim"?"#), "{report}");
    assert!(wrong(&set(&["picker=random"])).contains("did you mean `policy.picker`?"));
    assert!(wrong(&set(&["policy.picker"])).contains("expected key=value"));
    assert!(wrong(&set(&["peers.x.count=2"])).contains(r#"no cohort is named "x""#));
    assert!(
        wrong(&set(&["title.x=2"])).contains("unexpected")
            || wrong(&set(&["title.x=2"])).contains("not a section")
    );
}

#[test]
fn hostile_files_are_refused_quickly() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let refused = |path: PathBuf| load(&path, &Overrides::default()).unwrap_err().to_string();
    std::fs::File::create(path("large.toml")).unwrap().set_len(100 << 20).unwrap();
    assert!(refused(path("large.toml")).contains("larger than 1 MiB"));
    std::fs::write(path("latin.toml"), b"repeat = 1\ntitle = \"hist\xf3ria\"\n").unwrap();
    assert!(refused(path("latin.toml")).contains("line 2 is not UTF-8"));
    assert!(refused(path("none.toml")).contains("cannot read the scenario"));
    assert!(refused(folder.path().to_owned()).contains("it is a folder"));
    let deep = format!("a = {}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(super::tests::refused(&deep).contains("error"));
    let many: String = (0..50_000).map(|key| format!("k{key} = 1\n")).collect();
    assert!(super::tests::refused(&many).contains("more"));
    let long = format!("{SMALL}[policy]\npicker = \"{}\"\n", "r".repeat(500_000));
    assert!(super::tests::refused(&long).len() < 2_000);
}

/// One cohort of libtorrent, and `more` of it; `top` comes first.
fn foreign(top: &str, more: &str) -> String {
    format!(
        "{top}\n[content]\nsize = \"1 MiB\"\n[peers.seed]\nstart_with = \"all\"\n\
         [peers.other]\nclient = \"libtorrent\"\nstart_with = \"nothing\"\n{more}"
    )
}

#[test]
fn other_clients_are_refused_what_they_cannot_do_in_any_driver() {
    let refused = |top: &str, more: &str| {
        let error =
            from_text(Path::new("swarm.toml"), foreign(top, more), &Overrides::default()).unwrap_err();
        error.to_string()
    };
    let processes = "driver = \"processes\"";
    for (top, more, told) in [
        ("", "", "driver: \"sim\" runs MiniBit's own peers and tracker only"),
        ("driver = \"tasks\"", "", "run it with `--driver processes`"),
        (
            "driver = \"processes\"\ntime_scale = 2",
            "",
            "time_scale: 2 is not the time that other programs keep",
        ),
        (processes, "[overlay]\nkind = \"full-mesh\"", "nobody can tell other clients whom to dial"),
        (processes, "behaviour = \"free-rider\"", "libtorrent behaves as its authors wanted it"),
        (processes, "upload = \"0 B/s\"", "libtorrent cannot be held to less than 1 KiB/s"),
        (processes, "client = \"utorrent\"", "duplicate key"),
        (
            processes,
            "[peers.third]\nclient = \"aria2\"\n[tracker]\nprotocol = \"udp\"",
            "aria2 asks no tracker over UDP while its DHT is off",
        ),
    ] {
        let error = refused(top, more);
        assert!(error.contains(told), "{told}: {error}");
    }
    let tracker = "[content]\nsize = \"1 MiB\"\n[tracker]\nprogram = \"opentracker\"\n[peers.a]\ncount = 2\n";
    let error = from_text(Path::new("swarm.toml"), tracker.to_owned(), &Overrides::default()).unwrap_err();
    assert!(error.to_string().contains("tracker.program is none of MiniBit's"), "{error}");
    let small_blocks = foreign(processes, "").replace("1 MiB\"", "1 MiB\"\nblock_size = \"4 KiB\"");
    let error = from_text(Path::new("swarm.toml"), small_blocks, &Overrides::default()).unwrap_err();
    assert!(error.to_string().contains("16 KiB at a time, not 4 KiB"), "{error}");
}

#[test]
fn other_clients_are_taken_where_they_can_be_and_named_in_the_whole_file() {
    let text = foreign("driver = \"processes\"", "upload = \"1 MiB/s\"\nlatency = \"10 ms\"");
    let file = from_text(Path::new("swarm.toml"), text, &Overrides::default()).unwrap();
    assert_eq!(file.base.foreign_cohorts().map(|cohort| cohort.name.as_str()).collect::<Vec<_>>(), ["other"]);
    assert!(file.base.to_toml().contains("client = \"libtorrent\""));
    // A cohort of nobody needs no client.
    let empty = foreign("", "count = 0\n[peers.leecher]\nstart_with = \"nothing\"");
    assert!(from_text(Path::new("swarm.toml"), empty, &Overrides::default()).is_ok());
}
