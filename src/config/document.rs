//! What is made from the tables of keys, options and commands: `docs/CONFIGURATION.md`, the manual
//! page and completions for shells. `BLESS=1` writes them.

mod completions;
mod manual;

use std::fmt::Write;
use std::path::Path;

use super::environment::WITHOUT_EFFECT;
use super::feed_keys::FEED_KEYS;
use super::health_keys::HEALTH_KEYS;
use super::key::Key;
use super::keys::KEYS;

const INTRODUCTION: &str = "\
# Configuration

<!-- Made from the tables of keys in src/config: `BLESS=1 cargo test document`. -->

Nothing needs to be configured: without feeds, a demonstration calendar is shown. A file with two
calendars, `~/.config/calendarbot/calendarbot.toml` or `/etc/calendarbot/calendarbot.toml`:

```toml
time_zone = \"Europe/Berlin\"

[[feeds]]
name = \"work\"
url = \"https://calendar.example/ada/basic.ics\"
color = \"#3366cc\"

[[feeds]]
name = \"family\"
url_file = \"family.url\"
interval = \"15m\"
```

Each value comes from the first of these that gives one:

1. options of the command line;
2. variables of the environment; one that is empty counts as not set;
3. variables in a file `.env` beside the configuration file (`NAME=value` lines, quotes and `#`
   comments as in a shell, nothing expanded);
4. the configuration file, [TOML](https://toml.io) of at most 256 KiB;
5. the default.

`calendarbot check` says what is wrong, all of it at once, with file and line; the program does
not start with a wrong configuration and exits with status 78. An unknown key, a wrong type, a
value out of range and settings that contradict each other are wrong; nothing is rounded or
ignored. Only an unknown variable of the environment is a mere warning, since an environment is
shared with others.

Relative paths in the file start from its folder; in variables and options, from the folder that
the program was started in.

The URL of a feed is a secret: whoever knows it reads the calendar. It is therefore no option,
no message shows it, and `url_file` and `credential` keep it out of the file. The same goes for
passwords, tokens and header fields. In the log a feed is its name, or its host and four digits:
`calendar.example#1f0a`.
";

const HEALTH: &str = "
## Health

When people are told, what is done against what is scarce, and when a part that does harm is
switched off. These keys are read in the file only.
";

const FEEDS: &str = "
## Feeds

Each `[[feeds]]` table is one feed. It has exactly one of `url`, `url_file`, `credential` and
`file`.

A feed's address is looked up and checked at each connection: private, loopback and link-local
addresses are refused unless `allow_private_address` (for one feed) or `allow_private_feeds`
(for all) is true.

With `CALENDARBOT_ICS_URL` in the environment, the feed behind it is the only one, named
`calendar`; the file's feeds are not used. Its own origin may have a private address, a redirect
elsewhere may not.
";

const OTHERS: &str = "
## Variables without effect

Earlier programs read these. They are known, so nothing warns of them, and they do nothing:
";

fn document() -> String {
    let mut text = format!("{INTRODUCTION}\n## Settings\n");
    sections(KEYS, &mut text);
    text.push_str(HEALTH);
    sections(HEALTH_KEYS, &mut text);
    text.push_str(FEEDS);
    sections(FEED_KEYS, &mut text);
    text.push_str(OTHERS);
    let names: Vec<String> = WITHOUT_EFFECT
        .iter()
        .map(|name| if name.ends_with('_') { format!("`{name}*`") } else { format!("`{name}`") })
        .collect();
    let _ = writeln!(text, "{}.", names.join(", "));
    text
}

fn sections<T>(keys: &[Key<T>], text: &mut String) {
    for key in keys {
        let _ = write!(text, "\n### {}\n\n{}", key.title(), key.describe());
    }
}

#[test]
fn the_documents_are_current() {
    for (path, text) in [
        ("docs/CONFIGURATION.md", document()),
        ("docs/calendarbot.1", manual::document()),
        ("cross/completions/calendarbot.bash", completions::bash()),
        ("cross/completions/_calendarbot", completions::zsh()),
        ("cross/completions/calendarbot.fish", completions::fish()),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        if std::env::var_os("BLESS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == text, "{}: BLESS=1 cargo test document", path.display());
    }
}
