//! Large pages of memory for large swarms.
//!
//! What a swarm of thousands touches next lies anywhere, and where that is in the machine tell tables that have an entry for
//! every page: with pages of 4 KiB they lie in no cache either, and one wait becomes several. The system gives pages of
//! 2 MiB to whoever asks. glibc asks, if its environment said so when the process began: so it becomes itself again.

use crate::scenario::{DriverKind, Scenario};

/// From so many peers on.
const WORTHWHILE: u32 = 2_000;

/// Whether runs of these scenarios are quicker so: all are in virtual time, whose process has no children to pass
/// it on to, and one is large.
pub fn are_worthwhile<'a>(scenarios: impl IntoIterator<Item = &'a Scenario>) -> bool {
    let mut large = false;
    for scenario in scenarios {
        if scenario.driver != DriverKind::Sim {
            return false;
        }
        large |= scenario.peers() >= WORTHWHILE;
    }
    large
}

/// Becomes the same program again, with the same arguments, in large pages. Returns where that has been done, somebody has
/// tuned glibc otherwise, or there is none: then large swarms take longer, and nothing else is different.
pub fn enter() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    become_again_with("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn become_again_with(variable: &str, value: &str) {
    use std::os::unix::process::CommandExt;
    if std::env::var_os(variable).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let mut again = std::process::Command::new(program);
    again.arg0(arguments.next().unwrap_or_default()).args(arguments).env(variable, value);
    // It returns only where that cannot be, which is no reason not to go on.
    let _ = again.exec();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::testing;

    #[test]
    fn large_swarms_in_virtual_time_are_worth_it_and_no_others() {
        let of = |peers, driver| {
            let mut scenario = testing::scenario(vec![testing::cohort("leecher", peers)]);
            scenario.driver = driver;
            scenario
        };
        let (large, small) = (of(2_000, DriverKind::Sim), of(1_999, DriverKind::Sim));
        assert!(are_worthwhile([&small, &large]) && !are_worthwhile([&small]));
        assert!(!are_worthwhile([&large, &of(5, DriverKind::Processes)]), "their children would have it too");
    }
}
