//! The command line that all benchmarks have in common, and how they end.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lexopt::prelude::*;
use nanoserde::SerJson;

use crate::Result;
use crate::report::publish;
use crate::server::Setting;

/// What every benchmark is told.
pub struct Options {
    /// The product's release binary.
    pub product: PathBuf,
    /// The folder of the reports.
    pub out: PathBuf,
    /// The document that has a section of each.
    pub docs: Option<PathBuf>,
}

impl Options {
    /// Reads the command line. `further` takes what only this benchmark has, by its name, and says
    /// whether it has it.
    ///
    /// # Errors
    /// When something is unknown or wrong, or there is no product.
    pub fn read(
        usage: &str,
        mut further: impl FnMut(&str, &mut lexopt::Parser) -> Result<bool>,
    ) -> Result<Self> {
        let usage = || format!("{usage} --product FILE [--out FOLDER] [--docs FILE]");
        let mut options = Self { product: PathBuf::new(), out: PathBuf::from("."), docs: None };
        let mut arguments = lexopt::Parser::from_env();
        while let Some(argument) = arguments.next()? {
            let Long(name) = argument else { return Err(usage().into()) };
            match name {
                "product" => options.product = arguments.value()?.into(),
                "out" => options.out = arguments.value()?.into(),
                "docs" => options.docs = Some(arguments.value()?.into()),
                _ => {
                    let name = name.to_owned();
                    if !further(&name, &mut arguments)? {
                        return Err(usage().into());
                    }
                }
            }
        }
        options.product = fs::canonicalize(&options.product).map_err(|_| usage())?;
        Ok(options)
    }

    /// The product with this budget, and a view to ask for.
    ///
    /// # Errors
    /// When this program is nowhere.
    pub fn setting(&self, path: &str, budget: &'static str) -> Result<Setting> {
        let own_binaries = std::env::current_exe()?.parent().map(Path::to_path_buf);
        Ok(Setting {
            product: self.product.clone(),
            own_binaries: own_binaries.ok_or("a program without a folder")?,
            path: path.to_owned(),
            body_bytes: 0,
            budget,
        })
    }

    /// Writes a report where it belongs, and prints it.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn publish(&self, report: &(impl Display + SerJson), name: &str) -> Result<()> {
        publish(report, name, &self.out, self.docs.as_deref())?;
        println!("{report}");
        Ok(())
    }
}

/// Ends a benchmark with what became of it.
pub fn end(name: &str, outcome: Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}
