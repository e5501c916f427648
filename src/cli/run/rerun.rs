//! The command that repeats one run of many: what a failure is told with.

use std::fmt::Write as _;

use super::Args;
use crate::experiment::{Plan, PlannedRun};

/// The command that carries out this one run alone, with every check that was on.
pub(super) fn command(args: &Args, plan: &Plan, run: &PlannedRun) -> String {
    let scenario = plan.scenario(run);
    let driver = scenario.driver.name();
    let mut command =
        format!("minibit run {} --driver {driver}", quoted(&args.scenario.display().to_string()));
    let values = plan.axes.iter().zip(&plan.cases[run.case].values);
    let settings = values.map(|(axis, value)| format!("{}={value}", axis.key));
    for setting in args.set.iter().cloned().chain(settings.filter(|setting| !setting.starts_with("driver=")))
    {
        // Writing to a string cannot fail.
        let _ = write!(command, " --set {}", quoted(&setting));
    }
    let _ = write!(command, " --seed {} --repeat 1 --fresh", run.random_seed);
    if args.check { command + " --check" } else { command }
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "./_-=*,:".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;

    use clap::Parser;

    use super::super::read;
    use super::*;

    const SCENARIO: &str = r#"
        repeat = 3
        random_seed = 40
        [content]
        size = "64 KiB"
        block_size = "16 KiB"
        [peers.seed]
        count = 1
        start_with = "all"
        [peers.leecher]
        count = 2
        start_with = "nothing"
        [compare]
        "driver" = ["sim", "tasks"]
        "policy.picker" = ["random", "sequential"]
        "peers.leecher.arrival" = ["at start", "over 10 s"]
    "#;

    #[derive(clap::Parser)]
    struct Run {
        #[command(flatten)]
        args: Args,
    }

    /// The words that a shell makes of a command, without the first two: `minibit run`.
    fn words(command: &str) -> Vec<String> {
        let script = format!("set -- {command}; printf '%s\\n' \"$@\"");
        let output = Command::new("sh").args(["-c", &script]).output().expect("a shell");
        let words = String::from_utf8(output.stdout).expect("words");
        assert!(words.starts_with("minibit\nrun\n"), "{words}");
        words.lines().skip(2).map(str::to_owned).collect()
    }

    #[test]
    fn the_command_of_a_failed_run_plans_exactly_that_run_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("it's one.toml");
        std::fs::write(&file, SCENARIO).unwrap();
        let planned = |words: &[String]| {
            let args = Run::parse_from([&["run".to_owned()], words].concat()).args;
            let file = read(&args).unwrap();
            (Plan::new(file.name, file.axes, file.cases), args)
        };
        let set = "policy.unchoke_slots=3".to_owned();
        let typed = [file.display().to_string(), "--driver".into(), "sim".into(), "--set".into(), set];
        let (plan, args) = planned(&[&typed[..], &["--check".to_owned()]].concat());
        assert_eq!(plan.runs.len(), 12);
        for run in &plan.runs {
            let command = command(&args, &plan, run);
            let (again, args) = planned(&words(&command));
            let ids: Vec<_> = again.runs.iter().map(|run| &run.id).collect();
            assert_eq!(ids, [&run.id], "{command}");
            assert!(args.check && args.fresh, "{command}");
        }
    }
}
