//! The build script: compresses the files in this folder that pages are made of, so that the
//! program need not.

use std::io::Write;
use std::path::Path;
use std::{env, fs, io};

use flate2::{Compression, GzBuilder};

const FILES: &[&str] = &[
    "page.css",
    "calendar.css",
    "page.js",
    "favicon.svg",
    "openapi.json",
    "dashboard.html",
    "dashboard.css",
    "dashboard.js",
    "setup.html",
    "setup.js",
    "forms.css",
    "settings.html",
    "settings.js",
];

fn main() -> io::Result<()> {
    let out = env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    for name in FILES {
        let path = Path::new("src/display/assets").join(name);
        println!("cargo::rerun-if-changed={}", path.display());
        // Without name and time, so that the same text always gives the same bytes.
        let mut gzip = GzBuilder::new().write(Vec::new(), Compression::best());
        gzip.write_all(&fs::read(&path)?)?;
        fs::write(Path::new(&out).join(name).with_added_extension("gz"), gzip.finish()?)?;
    }
    Ok(())
}
