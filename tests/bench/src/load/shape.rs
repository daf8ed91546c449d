//! Where an answer ends: learnt from one, checked against those that look like it.

use std::ops::Range;

const HEAD_END: &[u8] = b"\r\n\r\n";
const LENGTH: &[u8] = b"\r\ncontent-length:";

/// The head of the last answer that was read whole.
#[derive(Default)]
pub(super) struct Shape {
    head_bytes: usize,
    /// Where the digits of `Content-Length` are, and what they were.
    digits_at: Range<usize>,
    digits: Vec<u8>,
    total_bytes: usize,
}

impl Shape {
    /// True when these bytes are a whole answer. One without a length never is.
    pub(super) fn is_whole(&mut self, bytes: &[u8]) -> bool {
        if !self.is_like(bytes) && self.learn(bytes).is_none() {
            return false;
        }
        bytes.len() >= self.total_bytes
    }

    fn is_like(&self, bytes: &[u8]) -> bool {
        self.head_bytes > 0
            && bytes.get(..self.head_bytes).is_some_and(|head| head.ends_with(HEAD_END))
            && bytes[self.digits_at.clone()] == self.digits
    }

    fn learn(&mut self, bytes: &[u8]) -> Option<()> {
        let head_bytes = bytes.windows(HEAD_END.len()).position(|at| at == HEAD_END)? + 4;
        let head = bytes[..head_bytes].to_ascii_lowercase();
        let field = head.windows(LENGTH.len()).position(|at| at == LENGTH)? + LENGTH.len();
        let start = field + head[field..].iter().position(u8::is_ascii_digit)?;
        let end = start + head[start..].iter().position(|byte| !byte.is_ascii_digit())?;
        let digits = head[start..end].to_vec();
        let length: usize = str::from_utf8(&digits).ok()?.parse().ok()?;
        *self =
            Self { head_bytes, digits_at: start..end, digits, total_bytes: head_bytes + length };
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_length_says() {
        let short = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        let longer = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789";
        let mut shape = Shape::default();
        for answer in [&short[..], longer, short] {
            for end in 0..answer.len() {
                assert!(!shape.is_whole(&answer[..end]), "{end} of {}", answer.len());
            }
            assert!(shape.is_whole(answer));
        }
    }
}
