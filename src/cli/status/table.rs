//! The rows for people, or as one JSON object.

use std::io::Write;

use comfy_table::{CellAlignment, Table, presets};

use super::rows::{PeerRow, Swarm};
use crate::report::printable;

pub(super) fn show(swarm: &Swarm, json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    if json {
        writeln!(out, "{}", serde_json::to_string(swarm)?)?;
        return Ok(());
    }
    match &swarm.tracker {
        Some(tracker) => {
            let place = tracker.listens.join(" ");
            writeln!(out, "tracker {place} (pid {}): {}", tracker.pid, printable(&tracker.state))?;
        }
        None => writeln!(out, "tracker: none was started here; the peers ask {}", swarm.announce.join(" "))?,
    }
    if swarm.peers.is_empty() {
        writeln!(out, "no peers were started yet: minibit start peers")?;
        return Ok(());
    }
    writeln!(out, "{}", table(&swarm.peers))?;
    let complete = swarm.peers.iter().filter(|peer| peer.complete).count();
    writeln!(out, "{complete} of {} peers have the whole file", swarm.peers.len())?;
    if swarm.peers.iter().any(|peer| !peer.well) {
        writeln!(out, "`minibit logs PEER` tells what happened; `minibit stop` ends the others")?;
    }
    Ok(())
}

fn table(peers: &[PeerRow]) -> Table {
    let mut table = Table::new();
    let header = ["peer", "pieces", "%", "down", "up", "connected", "unchoked", "state"];
    table.load_style(presets::NOTHING).set_header(header);
    for peer in peers {
        let (pieces, of) = (peer.pieces.unwrap_or(0), peer.pieces_in_all.unwrap_or(0));
        let known = peer.pieces.is_some();
        let unchoked: Vec<String> = peer
            .unchoked
            .iter()
            .map(|unchoked| format!("{}{}", unchoked.peer, if unchoked.optimistic { "*" } else { "" }))
            .collect();
        table.add_row([
            peer.name.clone(),
            if known { format!("{pieces}/{of}") } else { "–".to_owned() },
            if known { percent(pieces, of) } else { "–".to_owned() },
            rate(peer.download_bytes_per_s),
            rate(peer.upload_bytes_per_s),
            peer.connections.to_string(),
            if unchoked.is_empty() { "–".to_owned() } else { unchoked.join(" ") },
            printable(&peer.state).into_owned(),
        ]);
    }
    table
        .column_iter_mut()
        .skip(1)
        .take(5)
        .for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    table
}

/// Rounded down: 100 is everything.
fn percent(part: u32, of: u32) -> String {
    (u64::from(part) * 100).checked_div(of.into()).unwrap_or(100).to_string()
}

/// For people: one decimal in the unit that fits.
fn rate(bytes_per_second: f64) -> String {
    let units = ["B/s", "KiB/s", "MiB/s", "GiB/s"];
    let (mut rate, mut unit) = (bytes_per_second, 0);
    while rate >= 1024.0 && unit + 1 < units.len() {
        rate /= 1024.0;
        unit += 1;
    }
    let unit = units[unit];
    if rate == 0.0 { "0".to_owned() } else { format!("{rate:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_shares_are_rounded_for_people() {
        assert_eq!([rate(0.0), rate(512.0), rate(1536.0)], ["0", "512.0 B/s", "1.5 KiB/s"]);
        assert_eq!(rate(5.0 * 1024f64.powi(4)), "5120.0 GiB/s");
        assert_eq!([percent(49, 50), percent(50, 50), percent(999, 1000)], ["98", "100", "99"]);
    }
}
