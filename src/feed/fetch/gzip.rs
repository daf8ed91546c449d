//! A gzip stream to the bytes in it, a little at a time (RFC 1952).
//!
//! The inflating is miniz_oxide's, by way of flate2. What is ours is what a feed needs around it:
//! output no larger than the room for it, a checksum that must be right, and an end that must be
//! there.

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::message::Malformed;

/// One gzip stream, decoded as it arrives.
pub(super) struct Gzip {
    state: State,
    inflate: Decompress,
    crc: Crc,
}

/// Where in the stream the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The ten bytes that every header has: how many were seen, and which parts follow them.
    Head(usize, u8),
    /// The length of the extra field, two bytes, the low one first.
    ExtraLength(Option<u8>, u8),
    /// So much of the extra field is left.
    Extra(u16, u8),
    /// A text that ends with a zero: the file's name, then a comment.
    Text(u8),
    /// So much of the header's own checksum is left, which nobody checks.
    HeadCrc(u8),
    Deflate,
    /// CRC and length of what was decoded: what was seen of them.
    Trailer([u8; 8], usize),
    End,
}

/// The parts of a header that may be there (RFC 1952 section 2.3.1).
const HEAD_CRC: u8 = 0b0000_0010;
const EXTRA: u8 = 0b0000_0100;
const NAME: u8 = 0b0000_1000;
const COMMENT: u8 = 0b0001_0000;
const RESERVED: u8 = 0b1110_0000;

impl Gzip {
    pub(super) fn new() -> Self {
        Self { state: State::Head(0, 0), inflate: Decompress::new(false), crc: Crc::new() }
    }

    /// Decodes from `bytes` into `out`: how many were taken and how many were made. Nothing taken
    /// and nothing made means that it wants more bytes, or has ended.
    ///
    /// # Errors
    /// When it is no gzip stream, its checksum is wrong, or bytes follow it.
    pub(super) fn decode(
        &mut self,
        bytes: &[u8],
        out: &mut [u8],
    ) -> Result<(usize, usize), Malformed> {
        let mut taken = 0;
        loop {
            if self.state == State::Deflate {
                let (used, made) = self.inflate(&bytes[taken..], out)?;
                taken += used;
                if made > 0 || self.state == State::Deflate {
                    return Ok((taken, made));
                }
            }
            let Some(&byte) = bytes.get(taken) else { return Ok((taken, 0)) };
            taken += 1;
            self.state = self.step(byte)?;
        }
    }

    /// Whether the stream is complete and was sound.
    pub(super) fn has_ended(&self) -> bool {
        self.state == State::End
    }

    fn inflate(&mut self, bytes: &[u8], out: &mut [u8]) -> Result<(usize, usize), Malformed> {
        let (taken, made) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(bytes, out, FlushDecompress::None)
            .map_err(|_| Malformed("the gzip body is damaged"))?;
        let taken = (self.inflate.total_in() - taken) as usize;
        let made = (self.inflate.total_out() - made) as usize;
        self.crc.update(&out[..made]);
        if status == Status::StreamEnd {
            self.state = State::Trailer([0; 8], 0);
        }
        Ok((taken, made))
    }

    /// A byte of the header or the trailer.
    fn step(&self, byte: u8) -> Result<State, Malformed> {
        const NO_GZIP: Malformed = Malformed("the body is not gzip, as its Content-Encoding says");
        Ok(match self.state {
            State::Head(at, flags) => match (at, byte) {
                (0, 0x1F) | (1, 0x8B) | (2, 8) => State::Head(at + 1, flags),
                (3, flags) if flags & RESERVED == 0 => State::Head(at + 1, flags),
                (0..=3, _) => return Err(NO_GZIP),
                (4..=8, _) => State::Head(at + 1, flags),
                _ => after_head(flags),
            },
            State::ExtraLength(None, flags) => State::ExtraLength(Some(byte), flags),
            State::ExtraLength(Some(low), flags) => match u16::from_le_bytes([low, byte]) {
                0 => after_head(flags & !EXTRA),
                length => State::Extra(length, flags),
            },
            State::Extra(1, flags) => after_head(flags & !EXTRA),
            State::Extra(left, flags) => State::Extra(left - 1, flags),
            State::Text(flags) => match byte {
                0 if flags & NAME != 0 => after_head(flags & !NAME),
                0 => after_head(flags & !COMMENT),
                _ => State::Text(flags),
            },
            State::HeadCrc(1) => State::Deflate,
            State::HeadCrc(left) => State::HeadCrc(left - 1),
            State::Trailer(mut seen, at) => {
                seen[at] = byte;
                if at + 1 < seen.len() {
                    State::Trailer(seen, at + 1)
                } else {
                    let [crc, length] = [&seen[..4], &seen[4..]]
                        .map(|part| part.iter().rev().fold(0, |sum, &b| sum << 8 | u32::from(b)));
                    if (crc, length) != (self.crc.sum(), self.crc.amount()) {
                        return Err(Malformed("the gzip body's checksum is wrong"));
                    }
                    State::End
                }
            }
            // More members may follow by RFC 1952; no server of calendars sends any, and bytes
            // that nobody expects are an error.
            State::End => return Err(Malformed("bytes follow the gzip body")),
            State::Deflate => State::Deflate,
        })
    }
}

/// What comes next, of the parts that are still to come.
fn after_head(flags: u8) -> State {
    match flags {
        _ if flags & EXTRA != 0 => State::ExtraLength(None, flags),
        _ if flags & (NAME | COMMENT) != 0 => State::Text(flags),
        _ if flags & HEAD_CRC != 0 => State::HeadCrc(2),
        _ => State::Deflate,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::write::GzEncoder;
    use flate2::{Compression, GzBuilder};

    use super::*;

    fn zipped(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// The text of a stream that comes in pieces, decoded into rooms of this size.
    fn decode(bytes: &[u8], piece: usize, room: usize) -> Result<(Vec<u8>, bool), Malformed> {
        let (mut gzip, mut text) = (Gzip::new(), Vec::new());
        for mut piece in bytes.chunks(piece) {
            let mut out = vec![0; room];
            loop {
                let (taken, made) = gzip.decode(piece, &mut out)?;
                text.extend_from_slice(&out[..made]);
                piece = &piece[taken..];
                if (taken, made) == (0, 0) {
                    break;
                }
            }
        }
        Ok((text, gzip.has_ended()))
    }

    #[test]
    fn however_it_is_cut_the_text_is_the_same() {
        let text: Vec<u8> = (0..20_000u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        for text in [&text[..], b"", b"x"] {
            let bytes = zipped(text);
            for (piece, room) in [(usize::MAX, 1 << 20), (1, 1), (7, 64), (64, 7), (1 << 20, 3)] {
                let piece = piece.min(bytes.len());
                assert_eq!(decode(&bytes, piece, room), Ok((text.to_vec(), true)));
            }
            for cut in (0..bytes.len()).step_by(bytes.len() / 50 + 1) {
                let (_, has_ended) = decode(&bytes[..cut], cut.max(1), 64).unwrap();
                assert!(!has_ended, "cut at {cut}");
            }
        }
    }

    #[test]
    fn a_header_may_hold_more() {
        let builder = || GzBuilder::new().mtime(7);
        for builder in [
            builder().filename("a.ics"),
            builder().comment("a comment"),
            builder().extra(vec![]),
            builder().extra(vec![1; 300]),
            builder().extra(b"ab".to_vec()).filename("a").comment("b"),
        ] {
            let mut encoder = builder.write(Vec::new(), Compression::fast());
            encoder.write_all(b"BEGIN").unwrap();
            let bytes = encoder.finish().unwrap();
            assert_eq!(decode(&bytes, 1, 3), Ok((b"BEGIN".to_vec(), true)));
        }
        let mut with_crc = zipped(b"BEGIN");
        with_crc[3] |= HEAD_CRC;
        with_crc.splice(10..10, [1, 2]);
        assert_eq!(decode(&with_crc, 1, 3), Ok((b"BEGIN".to_vec(), true)));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let good = zipped(b"BEGIN:VCALENDAR");
        let check = |change: &dyn Fn(&mut Vec<u8>), reason: &'static str| {
            let mut bytes = good.clone();
            change(&mut bytes);
            assert_eq!(decode(&bytes, 5, 64), Err(Malformed(reason)));
        };
        let no_gzip = "the body is not gzip, as its Content-Encoding says";
        check(&|bytes| bytes[0] = b'B', no_gzip);
        check(&|bytes| bytes[2] = 9, no_gzip);
        check(&|bytes| bytes[3] = 0x80, no_gzip);
        check(&|bytes| bytes[10] = 0xFF, "the gzip body is damaged");
        check(&|bytes| *bytes.last_mut().unwrap() ^= 1, "the gzip body's checksum is wrong");
        let crc = good.len() - 8;
        check(&|bytes| bytes[crc] ^= 1, "the gzip body's checksum is wrong");
        check(&|bytes| bytes.push(0), "bytes follow the gzip body");
        check(&|bytes| bytes.extend(good.clone()), "bytes follow the gzip body");
    }
}
