//! Where the configuration is found.

use std::path::{Path, PathBuf};

use super::environment::Variables;
use super::problems::Problems;
use super::{Arguments, Inputs, file, given};

/// The configuration file and its text. It need not exist unless it was named.
pub(super) fn file_with_text(
    arguments: &Arguments,
    inputs: &Inputs,
    problems: &mut Problems,
) -> Option<(PathBuf, String)> {
    let named = arguments
        .setting("config")
        .map(|path| ("--config", path))
        .or_else(|| Some(("CALENDARBOT_CONFIG", inputs.variable("CALENDARBOT_CONFIG")?)));
    let path = match named {
        Some((_, path)) => PathBuf::from(path),
        None => file::default_places(inputs).find(|path| path.exists())?,
    };
    match (file::read(&path), named) {
        (Ok(Some(text)), _) => return Some((path, text)),
        (Err(problem), _) => problems.push(problem),
        (Ok(None), Some((by, _))) => {
            problems.push(format!("{by} is {}; there is no such file", given::path(&path)));
        }
        (Ok(None), None) => {} // It went away since it was found.
    }
    None
}

/// The `.env` file beside the configuration, or where the configuration would be.
pub(super) fn dotenv(
    config: Option<&Path>,
    inputs: &Inputs,
    problems: &mut Problems,
) -> Option<Variables> {
    let path = match config {
        Some(path) => path.with_file_name(".env"),
        None => file::default_places(inputs)
            .map(|path| path.with_file_name(".env"))
            .find(|path| path.exists())?,
    };
    let text = file::read(&path).unwrap_or_else(|problem| {
        problems.push(problem);
        None
    });
    Some(Variables::from_file(path, &text?, problems))
}
