//! `docs/calendarbot.1`, the manual page in the macros of man(7).

use std::fmt::Write;

use super::super::args::{COMMANDS, Opt, options};
use super::super::feed_keys::FEED_KEYS;
use super::super::health_keys::HEALTH_KEYS;
use super::super::help::in_short;
use super::super::key::Key;
use super::super::keys::KEYS;

const BEGINNING: &str = r#".\" Made from the tables in src/config: `BLESS=1 cargo test document`.
.TH CALENDARBOT 1 "2026-11-30" "calendarbot" "User Commands"
.SH NAME
calendarbot \- calendar server for screens around the house
.SH SYNOPSIS
.B calendarbot
.RI [ COMMAND ]
.RI [ OPTION ]...
.SH DESCRIPTION
Fetches calendars, keeps their last good state, and shows what is next: as pages for browsers and
panels, and as JSON.
It is one process with one loop, within a budget of memory that is divided at start.
.PP
Without feeds it shows a demonstration calendar at http://127.0.0.1:8080/.
Feeds stand in the configuration file, since others can read the options of a process:
.PP
.EX
[[feeds]]
name = "work"
url = "https://calendar.example/basic.ics"
.EE
.PP
Options go before variables of the environment, those before
.I .env
beside the configuration file, and that before the file itself.
"#;

const FILES: &str = r#".SH FILES
.TP
.I ~/.config/calendarbot/calendarbot.toml
.TQ
.I /etc/calendarbot/calendarbot.toml
The configuration; the first that is there is read, unless another is named.
Its keys are listed below.
.TP
.I .env
Variables, beside the configuration file.
.TP
.I /var/lib/calendarbot/calendarbot.db
.TQ
.I ~/.local/share/calendarbot/calendarbot.db
The stored calendars, in the data folder: of a service, and of a person.
A damaged one is kept as
.I calendarbot.db.corrupt\-N
and fetched anew.
.TP
.I configurations/
Configurations that have served well, in the data folder;
.B calendarbot config revert
brings one back.
"#;

const SIGNALS: &str = r#".SH SIGNALS
.TP
.BR SIGTERM ", " SIGINT
Answer who is still there, close the database and end.
A second one ends at once, with status 1.
.TP
.B SIGHUP
Read the configuration again.
A wrong one changes nothing; the log says what is wrong with it.
.SH EXIT STATUS
.TP
.B 0
Done; stopped by a signal.
.TP
.B 1
Failed: a port in use, a folder that cannot be written.
Trying again may help.
.TP
.B 2
The command line is wrong.
.TP
.B 78
The configuration is wrong.
Trying again does not help; a service manager should not.
.SH EXAMPLES
.TP
.B calendarbot
Serve at http://127.0.0.1:8080/.
.TP
.B calendarbot \-\-host 0.0.0.0 \-\-port 80
Show the calendars to the network.
.TP
.B calendarbot \-\-daemon \-\-pid\-file /run/calendarbot.pid 2>>/var/log/calendarbot.log
Serve in the background, where no service manager does that; without a file to write it to, the log
is dropped.
.TP
.B calendarbot check \-c /etc/calendarbot/calendarbot.toml
Say what is wrong with a configuration.
.TP
.B calendarbot next \-\-count 3 \-\-json
Show the next three events.
.TP
.B calendarbot explain work \(dqstand\-up\(dq
Say why these events are shown as they are.
.SH SEE ALSO
.BR systemctl (1),
.BR journalctl (1),
.BR sd_notify (3),
.BR systemd.service (5)
"#;

pub(super) fn document() -> String {
    let mut text = BEGINNING.to_owned();
    text.push_str(".SH COMMANDS\n");
    for (name, arguments, help) in COMMANDS {
        let title = match *arguments {
            "" => format!(".B {name}"),
            arguments => format!(".BI \"{name} \" \"{}\"", plain(arguments)),
        };
        let _ = writeln!(text, ".TP\n{title}\n{}", sentence(help));
    }
    text.push_str(".SH OPTIONS\n");
    options().for_each(|option| describe_option(&option, &mut text));
    text.push_str(FILES);
    text.push_str(".SH CONFIGURATION\nThe keys of the file, in brief;\n.B calendarbot help KEY\nhas all about one.\n");
    keys(KEYS, &mut text);
    text.push_str(".SS Health, in the file only\n");
    keys(HEALTH_KEYS, &mut text);
    text.push_str(".SS In each [[feeds]] table\n");
    keys(FEED_KEYS, &mut text);
    text.push_str(".SH ENVIRONMENT\nOne that is empty counts as not set.\n");
    variables(KEYS, &mut text);
    text.push_str(".SS Of a single feed, in the place of those in the file\n");
    variables(FEED_KEYS, &mut text);
    text.push_str(".SS Of the system\n");
    for (name, help) in SYSTEM {
        let _ = writeln!(text, ".TP\n.B {name}\n{help}");
    }
    text.push_str(SIGNALS);
    text.lines().map(wrapped).collect()
}

const SYSTEM: &[(&str, &str)] = &[
    ("STATE_DIRECTORY, XDG_DATA_HOME, HOME", "Where the data folder is."),
    ("XDG_CONFIG_HOME", "Where the configuration is looked for first."),
    ("RUNTIME_DIRECTORY, XDG_RUNTIME_DIR", "Where a pid_file without a folder is."),
    ("CREDENTIALS_DIRECTORY", "Where the credentials of feeds are."),
    ("LISTEN_FDS, LISTEN_PID", "Sockets that a service manager hands over."),
    (
        "NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID",
        "Where a service manager is told how the program fares, and how often it wants to hear of it.",
    ),
    ("JOURNAL_STREAM", "The log has priorities in front when it goes to the journal."),
    ("NO_COLOR", "No colours in a terminal."),
];

fn describe_option(option: &Opt, text: &mut String) {
    let name = plain(option.name);
    let letter = option.letter.map(|letter| format!("\\-{letter}\\fR, \\fB")).unwrap_or_default();
    let value = if option.value.is_empty() { "" } else { &format!(" \\fI{}\\fR", option.value) };
    let _ = writeln!(text, ".TP\n\\fB{letter}\\-\\-{name}\\fR{value}\n{}", sentence(option.help));
}

fn keys<T>(keys: &[Key<T>], text: &mut String) {
    for key in keys.iter().filter(|key| !key.name.is_empty()) {
        let _ = writeln!(text, ".TP\n.B {}\n{}", plain(key.name), sentence(&in_short(key.help)));
    }
}

fn variables<T>(keys: &[Key<T>], text: &mut String) {
    for key in keys.iter().filter(|key| !key.env.is_empty()) {
        let names = key.env.join("\\fR, \\fB");
        // What has a name in the file is described there.
        let help = match key.name {
            "" => sentence(&in_short(key.help)),
            name => format!("The same as \\fB{}\\fR.", plain(name)),
        };
        let _ = writeln!(text, ".TP\n\\fB{names}\\fR\n{help}");
    }
}

/// A help text as a sentence of its own, each sentence on its own line.
fn sentence(help: &str) -> String {
    let mut letters = help.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    let text: String = first.chain(letters).collect();
    let text = plain(text.trim_end_matches('.')) + ".";
    text.replace(". ", ".\n")
}

/// A line of text as several short ones; one that is a command stays whole.
fn wrapped(line: &str) -> String {
    const COLUMNS_MAX: usize = 80;
    let (mut out, mut column) = (String::new(), 0);
    for word in line.split(' ') {
        let fits = column + 1 + word.len() <= COLUMNS_MAX || line.starts_with('.');
        match column {
            0 => {}
            _ if fits => out.push(' '),
            _ => out.push('\n'),
        }
        column = word.len() + if fits && column > 0 { column + 1 } else { 0 };
        out.push_str(word);
    }
    out + "\n"
}

/// Text in which nothing is a command: hyphens are those that people type, and what is code is bold.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut is_code = false;
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            '"' => out.push_str("\\(dq"),
            '\'' => out.push_str("\\(aq"),
            '`' => {
                is_code = !is_code;
                out.push_str(if is_code { "\\fB" } else { "\\fR" });
            }
            c if c.is_ascii() => out.push(c),
            c => _ = write!(out, "\\[u{:04X}]", u32::from(c)),
        }
    }
    out
}
