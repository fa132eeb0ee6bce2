//! The answer to a push: what became of every ref (gitprotocol-pack, "Report Status").

use super::pkt_line;
use super::push_request::PushRequest;

/// What the client shows beside each ref of a push that the rules refused; git's own words.
const DECLINED: &str = "pre-receive hook declined";

/// The whole answer to a push that is refused before git sees it.
pub(super) fn refusal(request: &PushRequest, reasons: &[String]) -> Vec<u8> {
    let mut report = Vec::new();
    pkt_line::packet(b"unpack ok\n", &mut report);
    for update in &request.updates {
        let line = format!("ng {} {DECLINED}\n", update.name);
        pkt_line::packet(line.as_bytes(), &mut report);
    }
    report.extend_from_slice(pkt_line::FLUSH);

    let mut answer = Vec::new();
    if request.side_band {
        pkt_line::messages(reasons.iter().map(String::as_str), &mut answer);
    }
    finish(request, &report, &mut answer);
    answer
}

/// Appends the report in the form that the client takes, and the end.
pub(super) fn finish(request: &PushRequest, report: &[u8], answer: &mut Vec<u8>) {
    match (request.report_status, request.side_band) {
        (true, true) => pkt_line::side_band(pkt_line::BAND_DATA, report, answer),
        (true, false) => answer.extend_from_slice(report),
        (false, _) => {}
    }
    if request.side_band {
        answer.extend_from_slice(pkt_line::FLUSH);
    }
}

/// The names of the refs that moved, as git reports them; `None` when the report is not
/// complete.
pub(super) fn moved(report: &[u8]) -> Option<Vec<String>> {
    let packets = pkt_line::split(report);
    let (None, lines) = packets.split_last()? else {
        return None;
    };
    let name = |line: &&[u8]| {
        let line = std::str::from_utf8(line).ok()?;
        Some(line.strip_prefix("ok ")?.trim_end_matches('\n').to_owned())
    };
    Some(lines.iter().flatten().filter_map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosting::RefUpdate;

    #[test]
    fn reports_name_what_moved() {
        let mut report = Vec::new();
        for line in [
            "unpack ok\n",
            "ok refs/heads/a\n",
            "ng refs/heads/b why\n",
            "ok refs/tags/c\n",
        ] {
            pkt_line::packet(line.as_bytes(), &mut report);
        }
        assert_eq!(moved(&report), None, "it has no end yet");
        report.extend_from_slice(pkt_line::FLUSH);
        let expected = ["refs/heads/a", "refs/tags/c"].map(str::to_owned).to_vec();
        assert_eq!(moved(&report), Some(expected));
        assert_eq!(moved(b""), None);
    }

    #[test]
    fn a_refusal_suits_the_client() {
        let update = RefUpdate {
            name: "refs/heads/main".to_owned(),
            old: None,
            new: None,
        };
        let answer = |report_status, side_band| {
            let mut request = PushRequest::default();
            request.updates.push(update.clone());
            request.report_status = report_status;
            request.side_band = side_band;
            let answer = refusal(&request, &["No.".to_owned()]);
            String::from_utf8(answer).expect("text")
        };
        let report = "000eunpack ok\n0031ng refs/heads/main pre-receive hook declined\n0000";
        assert_eq!(answer(true, false), report);
        assert_eq!(
            answer(true, true),
            format!("0009\x02No.\n0048\x01{report}0000")
        );
        assert_eq!(answer(false, true), "0009\x02No.\n0000");
        assert_eq!(answer(false, false), "");
    }
}
