//! The build script: compresses the files in this folder that pages are made of, so that the
//! program need not, and has the release build linked without what it never reads.

use std::io::Write;
use std::path::Path;
use std::{env, fs, io};

use flate2::{Compression, GzBuilder};

const FILES: &[&str] = &[
    "page.css",
    "calendar.css",
    "dark.css",
    "eink.css",
    "page.js",
    "favicon.svg",
    "openapi.json",
    "dashboard.css",
    "dashboard.js",
    "setup.js",
    "forms.css",
    "forms.js",
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
    let is = |name, value: &str| env::var(name).is_ok_and(|found| found == value);
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") {
        link_small(is("CARGO_CFG_TARGET_ENV", "gnu"));
    }
    Ok(())
}

/// Tables for unwinding go, since a panic aborts. For glibc, which knows of that from 2.36 on, relative
/// relocations are packed: a bit each instead of 24 bytes.
fn link_small(for_glibc: bool) {
    const SCRIPT: &str = "src/no-unwinding.ld";
    println!("cargo::rerun-if-changed={SCRIPT}");
    let folder = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    println!("cargo::rustc-link-arg-bins=-Wl,-T,{folder}/{SCRIPT}");
    if for_glibc {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
