//! The body of a feed, wherever it comes from.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::failure::Failure;
use crate::feed::fetch;

/// A body: what is left of a text, a file, or a server's answer.
pub(super) enum Body {
    Text(Vec<u8>, usize),
    File(File),
    Server(Box<fetch::Body>),
}

impl Body {
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
            Body::File(file) => file
                .read(buffer)
                .map_err(|error| Failure::passing(format!("cannot read its file: {error}"))),
            Body::Server(body) => Ok(body.read(buffer).await?),
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

/// Opens a regular file and nothing else: a FIFO or a device could keep everybody waiting, at
/// the opening unless that is told not to block.
pub(super) fn open_file(path: &Path) -> Result<File, Failure> {
    let unusable = |error| Failure::passing(format!("cannot open its file: {error}"));
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(unusable)?;
    if !file.metadata().map_err(unusable)?.is_file() {
        return Err(Failure::passing("its file is not a regular file"));
    }
    Ok(file)
}
