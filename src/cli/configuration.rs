//! `config`: what is in force and where it is from, and the way back to what was.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::calendar::text::harmless;
use crate::clock::Clock;
use crate::config::history::{History, Standing, Version, read_file, write_file};
use crate::config::{self, Action, Arguments, Config, Inputs, Value};
use crate::daemon::ask_to_reload;
use crate::error::{Error, Result};

/// Does what was asked, and returns what there is to say.
pub(super) fn run(action: Action, arguments: &Arguments, inputs: &Inputs) -> Result<String> {
    match action {
        Action::Show => Ok(show(&config::load(arguments, inputs)?)),
        Action::Check => super::check(&config::load(arguments, inputs)?),
        Action::History => Place::find(arguments, inputs).list(),
        Action::Revert(number) => Place::find(arguments, inputs).revert(number, arguments, inputs),
    }
}

/// The error of a start, with what brings the program back, if anything does.
pub(super) fn with_way_back(error: Error, arguments: &Arguments, inputs: &Inputs) -> Error {
    let place = Place::find(arguments, inputs);
    let good = place.history.last_good(place.text().ok().flatten().as_deref());
    match good {
        Ok(Some(version)) if error.is_config() => {
            let path = place.path.as_ref().unwrap_or(&version.path);
            let (path, data_dir, at) = (path.display(), place.data_dir.display(), version.at);
            Error::config(format!(
                "{error}\nback to the configuration of {at}, which has served well:\n\
                 calendarbot config revert -c {path} --data-dir {data_dir}"
            ))
        }
        _ => error,
    }
}

fn show(config: &Config) -> String {
    let file = match &config.path {
        Some(path) => format!("the configuration file is {}\n", path.display()),
        None => "there is no configuration file\n".to_owned(),
    };
    let mut text = file + "\n";
    table(&config.values(), &mut text);
    for (name, values) in config.feed_values() {
        let _ = writeln!(text, "\nfeed `{name}`");
        table(&values, &mut text);
    }
    text.chars().map(|c| if c == '\n' { c } else { harmless(c) }).collect()
}

/// Columns of names, values and sources; a long value pushes its own source out only.
fn table(values: &[Value], text: &mut String) {
    const SHOWN_WIDTH: usize = 30;
    let width = values.iter().map(|value| value.name.len()).max().unwrap_or_default();
    for Value { name, shown, source } in values {
        let _ = writeln!(text, "{name:<width$}  {shown:<SHOWN_WIDTH$}  {source}");
    }
}

/// Where the configuration is, whether or not it can be used.
struct Place {
    path: Option<PathBuf>,
    data_dir: PathBuf,
    history: History,
}

impl Place {
    fn find(arguments: &Arguments, inputs: &Inputs) -> Self {
        let (path, data_dir) = config::locate(arguments, inputs);
        Self { path, history: History::of(&data_dir), data_dir }
    }

    /// What the file holds now; `None` when there is none.
    fn text(&self) -> Result<Option<String>> {
        self.path.as_deref().map_or(Ok(None), read_file)
    }

    fn list(&self) -> Result<String> {
        let versions = self.history.versions()?;
        if versions.is_empty() {
            return Ok(format!("{}\n", self.none()));
        }
        let now = self.text()?;
        let mut text = String::new();
        for (number, version) in (1..).zip(&versions) {
            let Version { at, program, standing, path, .. } = version;
            let is_now = now.as_ref() == Some(&self.history.text(version)?);
            let mark = if is_now { ", in the file now" } else { "" };
            let (standing, path) = (standing.name(), path.display());
            let _ = writeln!(text, "{number}  {at}  {standing:<8}  by {program}, {path}{mark}");
        }
        Ok(text)
    }

    /// Writes a version back, and has the server that is running take it over.
    fn revert(
        &self,
        number: Option<usize>,
        arguments: &Arguments,
        inputs: &Inputs,
    ) -> Result<String> {
        let now = self.text().map_err(|error| {
            Error::config(format!("{error}; move it away, and nothing of it is lost"))
        })?;
        let version = self.wanted(number, now.as_deref())?;
        let text = self.history.text(&version)?;
        // A file that was found where it usually is may be gone.
        let path = self.path.as_ref().unwrap_or(&version.path);
        if now.as_ref() == Some(&text) {
            return Ok(format!("{} is as of {} already\n", path.display(), version.at));
        }
        config::load_text(arguments, inputs, path, &text).map_err(|error| {
            let at = version.at;
            Error::config(format!("the configuration of {at} cannot be used any more:\n{error}"))
        })?;
        if let Some(now) = &now {
            self.history.keep(path, now, Standing::Replaced, Clock::system(None).wall())?;
        }
        write_file(path, &text)?;
        let mut said = format!("{} is as of {} again\n", path.display(), version.at);
        if now.is_some() {
            said += "`calendarbot config revert 1` undoes this\n";
        }
        said += &match ask_to_reload(&self.data_dir) {
            Some(process) => format!("the server, process {process}, was told to read it\n"),
            None => "no server was found running; otherwise: systemctl reload calendarbot\n".into(),
        };
        Ok(said)
    }

    fn wanted(&self, number: Option<usize>, now: Option<&str>) -> Result<Version> {
        let Some(number) = number else {
            return self.history.last_good(now)?.ok_or_else(|| {
                let hint = "see calendarbot config history, and name one by its number";
                let none = format!("no other configuration has served well; {hint}");
                Error::system(if self.has_versions() { none } else { self.none() })
            });
        };
        let mut versions = self.history.versions()?;
        if number > versions.len() {
            let (count, none) = (versions.len(), self.none());
            let there_are = format!("there is no version {number}; there are {count}");
            return Err(Error::usage(if count == 0 { none } else { there_are }));
        }
        Ok(versions.swap_remove(number - 1))
    }

    fn has_versions(&self) -> bool {
        self.history.versions().is_ok_and(|versions| !versions.is_empty())
    }

    fn none(&self) -> String {
        format!(
            "no configuration has been kept in {} yet; one is after five minutes of good service \
             (--data-dir names another folder)",
            self.data_dir.display()
        )
    }
}
