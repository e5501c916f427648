//! What became of a transfer, as one line or as one JSON object.

use std::path::Path;
use std::time::Duration;

use indicatif::HumanBytes;
use serde_json::{Value, json};

use super::meter::Meter;
use crate::torrent::metainfo::Metainfo;

pub(super) struct Summary<'a> {
    pub torrent: &'a Path,
    /// Where the content is.
    pub file: &'a Path,
    pub metainfo: &'a Metainfo,
    pub meter: &'a Meter,
    /// From the command's start to its end.
    pub took: Duration,
    /// From the command's start to the last piece, where it came meanwhile.
    pub whole_after: Option<Duration>,
}

impl Summary<'_> {
    /// `complete: new/story.txt: 65536 bytes in 1.20 s, 53.33 KiB/s, from 2 peers; sent 0 bytes, ratio 0.00`
    pub(super) fn text(&self) -> String {
        let meter = self.meter;
        let state = if meter.is_complete() { "complete" } else { "incomplete" };
        let (file, downloaded, sent) = (self.file.display(), meter.downloaded(), meter.uploaded());
        let peers = match meter.most_peers() {
            1 => "1 peer".to_owned(),
            peers => format!("{peers} peers"),
        };
        let already = match meter.already() {
            0 => String::new(),
            already => format!("{already} bytes were there, "),
        };
        let missing = match meter.total() - meter.verified() {
            0 => String::new(),
            missing => format!(", {missing} are missing"),
        };
        let took = self.receiving().as_secs_f64();
        let came = if self.is_of_a_seed() {
            format!("{} bytes{missing}", meter.total())
        } else {
            let rate = HumanBytes(self.mean_rate(downloaded, self.receiving()) as u64);
            format!("{already}{downloaded} bytes in {took:.2} s, {rate}/s, with {peers}{missing}")
        };
        let given = if self.is_of_a_seed() {
            let rate = HumanBytes(self.mean_rate(sent, self.took) as u64);
            format!("sent {sent} bytes in {:.2} s, {rate}/s, to {peers}", self.took.as_secs_f64())
        } else {
            format!("sent {sent} bytes")
        };
        format!("{state}: {file}: {came}; {given}, ratio {:.2}", meter.ratio())
    }

    pub(super) fn json(&self) -> String {
        let meter = self.meter;
        let (downloaded, uploaded) = (meter.downloaded(), meter.uploaded());
        let object: Value = json!({
            "file": self.file.to_string_lossy(),
            "torrent": self.torrent.to_string_lossy(),
            "info_hash": self.metainfo.info_hash.to_string(),
            "complete": meter.is_complete(),
            "bytes": meter.total(),
            "verified_bytes": meter.verified(),
            "already_there_bytes": meter.already(),
            "downloaded_bytes": downloaded,
            "uploaded_bytes": uploaded,
            "ratio": meter.ratio(),
            "peers_most": meter.most_peers(),
            "completion_s": self.whole_after.map(|after| after.as_secs_f64()),
            "observed_s": self.took.as_secs_f64(),
            "mean_download_bytes_per_s": self.mean_rate(downloaded, self.receiving()),
            "mean_upload_bytes_per_s": self.mean_rate(uploaded, self.took),
        });
        object.to_string()
    }

    /// Everything was there, and nothing came.
    fn is_of_a_seed(&self) -> bool {
        self.meter.already() == self.meter.total()
    }

    /// How long it took in.
    fn receiving(&self) -> Duration {
        self.whole_after.unwrap_or(self.took)
    }

    fn mean_rate(&self, bytes: u64, over: Duration) -> f64 {
        if over.is_zero() { 0.0 } else { bytes as f64 / over.as_secs_f64() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::meter::tests::{downloaded, metainfo};
    use super::*;
    use crate::event::Event;
    use crate::torrent::bitfield::Bitfield;

    fn told(meter: &Meter, whole_after: Option<Duration>) -> (String, Value) {
        let summary = Summary {
            torrent: Path::new("story.torrent"),
            file: Path::new("new/story"),
            metainfo: &metainfo(),
            meter,
            took: Duration::from_secs(4),
            whole_after,
        };
        (summary.text(), serde_json::from_str(&summary.json()).unwrap())
    }

    #[test]
    fn a_download_says_bytes_time_rate_peers_and_ratio_whether_it_is_whole_or_not() {
        let mut meter = Meter::new(&metainfo(), &Bitfield::empty(3));
        meter.count(&Event::Connected { remote: None });
        downloaded(0, 10).iter().for_each(|event| meter.count(event));
        let (text, json) = told(&meter, None);
        assert_eq!(
            text,
            "incomplete: new/story: 10 bytes in 4.00 s, 2 B/s, with 1 peer, 15 are missing; sent 0 bytes, ratio 0.00"
        );
        assert_eq!((&json["complete"], &json["completion_s"]), (&false.into(), &Value::Null));

        [downloaded(1, 10), downloaded(2, 5)].iter().flatten().for_each(|event| meter.count(event));
        meter.finished();
        let (text, json) = told(&meter, Some(Duration::from_secs(2)));
        assert_eq!(
            text,
            "complete: new/story: 25 bytes in 2.00 s, 12 B/s, with 1 peer; sent 0 bytes, ratio 0.00"
        );
        assert_eq!((&json["downloaded_bytes"], &json["completion_s"]), (&25.into(), &2.0.into()));
    }

    #[test]
    fn a_seed_says_what_it_sent() {
        let (text, _) = told(&Meter::new(&metainfo(), &Bitfield::full(3)), None);
        let sent = "sent 0 bytes in 4.00 s, 0 B/s, to 0 peers, ratio 0.00";
        assert_eq!(text, format!("complete: new/story: 25 bytes; {sent}"));
    }
}
