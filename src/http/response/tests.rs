//! How answers are put together and sent.

use super::*;

fn sent(answer: Answer, manner: Manner) -> String {
    let now = "2026-11-23T20:01:02Z".parse().unwrap();
    let mut socket = Vec::new();
    let date = DateField::at(now);
    let mut outgoing = Outgoing::new(Rc::new(answer), date, manner, Series::NONE);
    assert_eq!(outgoing.send(&mut socket).unwrap(), Sent::Done);
    assert_eq!(socket.len(), outgoing.total_bytes());
    String::from_utf8(socket).unwrap()
}

const MANNER: Manner =
    Manner { head_only: false, unchanged: false, keep_alive: true, is_1_0: false };

#[test]
fn a_full_answer_has_date_length_tag_and_body() {
    let text = sent(Answer::ok(media::JSON, b"{}"), MANNER);
    assert!(text.starts_with("HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 20:01:02 GMT\r\n"));
    assert!(text.contains("\r\nContent-Length: 2\r\n"));
    assert!(text.contains("\r\nETag: \""));
    assert!(text.ends_with("\r\n\r\n{}"));
}

#[test]
fn head_has_the_length_and_no_body() {
    let text = sent(Answer::ok(media::JSON, b"{}"), Manner { head_only: true, ..MANNER });
    assert!(text.contains("\r\nContent-Length: 2\r\n") && text.ends_with("\r\n\r\n"));
}

#[test]
fn unchanged_is_a_304_without_content() {
    let text = sent(Answer::ok(media::JSON, b"{}"), Manner { unchanged: true, ..MANNER });
    assert!(text.starts_with("HTTP/1.1 304 Not Modified\r\n"));
    assert!(text.contains("ETag: \"") && !text.contains("Content-Length"));
}

#[test]
fn the_connection_field_says_what_differs_from_the_version_s_default() {
    for (keep_alive, is_1_0, expected) in [
        (true, false, None),
        (false, false, Some("Connection: close")),
        (true, true, Some("Connection: keep-alive")),
        (false, true, Some("Connection: close")),
    ] {
        let answer = Answer::ok(media::TEXT, b"x");
        let text = sent(answer, Manner { keep_alive, is_1_0, ..MANNER });
        let found = text.lines().find(|line| line.starts_with("Connection:"));
        assert_eq!(found, expected);
    }
}

#[test]
fn who_holds_an_answer_together_bears_it_together() {
    let cached = Rc::new(Answer::ok(media::TEXT, b"x"));
    let date = DateField::at(Timestamp::UNIX_EPOCH);
    let holders: Vec<_> =
        (0..3).map(|_| Outgoing::new(Rc::clone(&cached), date, MANNER, Series::NONE)).collect();
    let held: Vec<_> = holders.iter().map(Outgoing::share_bytes).collect();
    assert_eq!(held, [cached.weight_bytes() / 3; 3]);
    let mut holders = holders.into_iter();
    let last = holders.next_back().unwrap();
    drop((holders, cached.clone()));
    assert_eq!(last.share_bytes(), cached.weight_bytes());
}

#[test]
fn entity_tags_are_compared_weakly_and_in_lists() {
    let answer = Answer::ok(media::TEXT, b"x");
    let tag = answer.entity_tag.to_string();
    for (sent, known) in [
        (tag.clone(), true),
        (format!("W/{tag}"), true),
        (format!("\"other\", {tag}"), true),
        ("*".into(), true),
        ("\"other\"".into(), false),
        (String::new(), false),
        (tag.trim_matches('"').into(), false),
    ] {
        assert_eq!(answer.is_known_by(sent.as_bytes()), known, "{sent}");
    }
}

#[test]
fn a_socket_that_takes_one_byte_at_a_time_gets_every_byte_once() {
    struct Drip(Vec<u8>, bool);
    impl Write for Drip {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.0.extend(bytes.first());
            Ok(bytes.len().min(1))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let date = DateField::at(Timestamp::UNIX_EPOCH);
    let answer = Rc::new(Answer::ok(media::TEXT, b"body"));
    let mut outgoing = Outgoing::new(answer, date, MANNER, Series::NONE);
    let mut socket = Drip(Vec::new(), false);
    let total = outgoing.total_bytes();
    let turns = (0..3 * total).take_while(|_| outgoing.send(&mut socket).unwrap() != Sent::Done);
    assert!(turns.count() >= total - 1);
    assert_eq!(socket.0.len(), total);
    assert!(socket.0.ends_with(b"\r\n\r\nbody"));
}
