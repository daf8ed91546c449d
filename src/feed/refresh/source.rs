//! The body of a feed, wherever it comes from.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use super::failure::Failure;
use crate::budget::RefreshLimits;
use crate::clock::{Clock, Moment};
use crate::connections::outbound::Outbound;
use crate::feed::fetch;

/// A body: what is left of a text, a file, or a server's answer.
pub(super) enum Body<'r> {
    Text(Vec<u8>, usize),
    File(FileBody<'r>),
    Server(Box<fetch::Body>),
}

impl Body<'_> {
    /// Reads the next piece; 0 is the complete end.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        match self {
            Body::Text(text, at) => {
                let rest = &text[*at..];
                let count = rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                *at += count;
                Ok(count)
            }
            Body::File(file) => file.read(buffer).await,
            Body::Server(body) => Ok(body.read(buffer).await?),
        }
    }

    /// What it takes in memory.
    pub(super) fn weight_bytes(&self) -> usize {
        match self {
            Body::Text(text, _) => text.capacity(),
            Body::File(body) => body.file.as_ref().map_or(0, |(_, piece)| piece.capacity()),
            Body::Server(body) => body.weight_bytes(),
        }
    }

    pub(super) fn etag(&self) -> Option<String> {
        match self {
            Body::Server(body) => body.etag.clone(),
            _ => None,
        }
    }

    pub(super) fn last_modified(&self) -> Option<String> {
        match self {
            Body::Server(body) => body.last_modified.clone(),
            _ => None,
        }
    }
}

/// A file. It is read on the thread that looks up names: its disk may be at the other end of a
/// network that is gone, and then whoever reads it waits until that comes back.
pub(super) struct FileBody<'r> {
    outbound: &'r Outbound,
    deadline: Moment,
    /// With the buffer of that thread; `None` while it reads.
    file: Option<(File, Vec<u8>)>,
}

impl<'r> FileBody<'r> {
    /// Opens it. As much time as for the body of a server's answer is left to read it.
    pub(super) async fn open(
        path: &Path,
        outbound: &'r Outbound,
        clock: &Clock,
        limits: &RefreshLimits,
    ) -> Result<Self, Failure> {
        let path = path.to_owned();
        let opened = outbound.block(clock.now() + limits.first_byte_time, move || open(&path));
        let unusable = |error| Failure::passing(format!("cannot open its file: {error}"));
        let opened = opened.await.ok_or_else(late)?.map_err(unusable)?;
        let (file, length) =
            opened.ok_or_else(|| Failure::passing("its file is not a regular file"))?;
        let earned = Duration::from_secs(length / limits.body_bytes_per_second_min as u64);
        let deadline = clock.now() + limits.body_time + earned;
        Ok(Self { outbound, deadline, file: Some((file, Vec::new())) })
    }

    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let (mut file, mut piece) = self.file.take().ok_or_else(late)?;
        piece.resize(buffer.len(), 0);
        let read = self.outbound.block(self.deadline, move || {
            let count = file.read(&mut piece)?;
            Ok((file, piece, count))
        });
        let unreadable = |error| Failure::passing(format!("cannot read its file: {error}"));
        let (file, piece, count) = read.await.ok_or_else(late)?.map_err(unreadable)?;
        buffer[..count].copy_from_slice(&piece[..count]);
        self.file = Some((file, piece));
        Ok(count)
    }
}

fn late() -> Failure {
    Failure::passing("its file could not be read in time")
}

/// Opens a regular file and nothing else, and tells its length: a FIFO or a device could keep
/// everybody waiting, at the opening unless that is told not to block.
fn open(path: &Path) -> io::Result<Option<(File, u64)>> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    Ok(metadata.is_file().then_some((file, metadata.len())))
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::sync::mpsc;

    use smol::future;

    use super::*;
    use crate::budget::{FeedLimits, Plan};
    use crate::metrics::Metrics;

    /// The thread hangs in another file, as it does with one whose server is gone.
    #[test]
    fn a_file_that_hangs_holds_nobody_but_those_who_read_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ics");
        std::fs::write(&path, "a calendar").unwrap();
        let limits = Plan::divide(16 << 20, 1, FeedLimits::default()).limits.refresh;
        let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        let outbound = Outbound::new(clock.clone(), &limits, Rc::new(Metrics::default()));
        let (release, gate) = mpsc::channel::<()>();
        smol::block_on(async {
            let hanging = outbound.block(clock.now() + limits.body_time, move || {
                gate.recv().map_err(io::Error::other)
            });
            let mut hanging = Box::pin(hanging);
            assert!(future::poll_once(&mut hanging).await.is_none());
            for is_late in [true, false] {
                let mut opening = Box::pin(FileBody::open(&path, &outbound, &clock, &limits));
                assert!(future::poll_once(&mut opening).await.is_none());
                if is_late {
                    clock.advance(limits.first_byte_time);
                    let Err(failure) = opening.await else { panic!("it was read") };
                    assert_eq!(failure.text, "its file could not be read in time");
                    continue;
                }
                release.send(()).unwrap();
                let Ok(mut body) = opening.await else { panic!("it is there") };
                let mut buffer = [0; 6];
                let mut text = Vec::new();
                while let Ok(count @ 1..) = body.read(&mut buffer).await {
                    text.extend_from_slice(&buffer[..count]);
                }
                assert_eq!(text, b"a calendar");
            }
        });
    }
}
