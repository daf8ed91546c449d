//! `cross/completions/`: what bash, zsh and fish offer behind `calendarbot`.

use std::fmt::Write;

use super::super::args::{BELONGING, COMMANDS, Opt, options};
use super::super::help::{in_short, topics};
use super::super::keys::KEYS;

const NOTE: &str = "# Made from the tables in src/config: `BLESS=1 cargo test document`.\n";

/// Lists the names of the feeds, one a line.
const FEEDS: &str = "calendarbot check 2>/dev/null | sed -n 's/^feed `\\(.*\\)`: .*/\\1/p'";
const ZONES: &str = "timedatectl list-timezones 2>/dev/null";

/// The options, without those that do nothing.
fn offered() -> Vec<Opt> {
    options().filter(|option| !option.help.starts_with("accepted")).collect()
}

/// The commands that have this option; `None` when all do.
fn owners(option: &Opt) -> Option<&'static [&'static str]> {
    BELONGING.iter().find(|(name, _)| *name == option.name).map(|(_, owners)| *owners)
}

/// The words that a key with a list of them allows: "off, error or warn".
fn words(option: &Opt) -> Vec<String> {
    let key = KEYS.iter().find(|key| key.option == option.name);
    let allowed = key.map(|key| key.kind.allowed()).unwrap_or_default();
    allowed.split([',', ' ']).filter(|word| !["", "or"].contains(word)).map(str::to_owned).collect()
}

/// The words after `config`.
fn actions() -> Vec<&'static str> {
    let config = COMMANDS.iter().find(|(name, ..)| *name == "config");
    let verbs = config.map(|(_, arguments, _)| *arguments).unwrap_or_default().split(" | ");
    verbs.filter_map(|verb| verb.split(' ').next()).collect()
}

fn names() -> Vec<&'static str> {
    COMMANDS.iter().map(|(name, ..)| *name).collect()
}

fn all_topics() -> String {
    let mut topics: Vec<_> = topics().collect();
    topics.sort_unstable();
    topics.dedup();
    topics.join(" ")
}

pub(super) fn bash() -> String {
    let mut text = format!("# bash completion for calendarbot\n{NOTE}");
    text.push_str(
        r#"_calendarbot() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} cmd= word own=
    # `--option=value` comes as three words.
    if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi
    COMPREPLY=()
    case $prev in
"#,
    );
    for option in offered().iter().filter(|option| !option.value.is_empty()) {
        let letter = option.letter.map(|letter| format!("-{letter}|")).unwrap_or_default();
        let action = match option.value {
            "FILE" | "PATH" => FILES.to_owned(),
            "DIR" => {
                "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")".to_owned()
            }
            "LEVEL" => bash_words(&words(option).join(" ")),
            "ZONE" => bash_words(&format!("$({ZONES})")),
            "NAME" => bash_words(&format!("$({FEEDS})")),
            _ => ":".to_owned(),
        };
        let _ = writeln!(text, "        {letter}--{}) {action}; return ;;", option.name);
    }
    let commands = names();
    let _ = write!(
        text,
        "    esac\n    for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do\n        \
         case $word in {}) cmd=$word; break ;; esac\n    done\n    case $cmd in\n",
        commands.join("|")
    );
    let own = |command: &str| {
        let own = offered()
            .into_iter()
            .filter(|option| owners(option).is_some_and(|owners| owners.contains(&command)));
        own.map(|option| format!("--{}", option.name)).collect::<Vec<_>>().join(" ")
    };
    for command in commands.iter().filter(|command| !own(command).is_empty()) {
        let none = if *command == "serve" { "|''" } else { "" };
        let _ = writeln!(text, "        {command}{none}) own='{}' ;;", own(command));
    }
    let common: Vec<_> =
        offered().iter().filter(|option| owners(option).is_none()).map(flags).collect();
    let _ = write!(
        text,
        "    esac\n    case $cmd,$cur in\n        *,-*) {} ;;\n        ,*) {} ;;\n        \
         config,*) if [[ $prev == check ]]; then {}; else {}; fi ;;\n        explain,*|export,*) {} ;;\n        \
         help,*) {} ;;\n    esac\n}}\ncomplete -F _calendarbot calendarbot\n",
        bash_words(&format!("{} $own", common.join(" "))),
        bash_words(&commands.join(" ")),
        FILES,
        bash_words(&actions().join(" ")),
        bash_words(&format!("$({FEEDS})")),
        bash_words(&all_topics()),
    );
    text
}

const FILES: &str = "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")";

/// `-c --config`
fn flags(option: &Opt) -> String {
    let letter = option.letter.map(|letter| format!("-{letter} ")).unwrap_or_default();
    format!("{letter}--{}", option.name)
}

fn bash_words(words: &str) -> String {
    format!("mapfile -t COMPREPLY < <(compgen -W \"{words}\" -- \"$cur\")")
}

pub(super) fn zsh() -> String {
    let mut text = format!("#compdef calendarbot\n{NOTE}");
    text.push_str(
        "_calendarbot() {\n    local state line cmd ret=1\n    local -a commands options\n",
    );
    let _ = writeln!(text, "    cmd=${{words[(r)({})]:-serve}}\n    commands=(", names().join("|"));
    for (name, _, help) in COMMANDS {
        let _ = writeln!(text, "        '{name}:{}'", zsh_text(help));
    }
    text.push_str("    )\n    options=(\n");
    for option in offered().iter().filter(|option| owners(option).is_none()) {
        let _ = writeln!(text, "        {}", zsh_option(option));
    }
    text.push_str("    )\n");
    for option in offered() {
        if let Some(owners) = owners(&option) {
            let owners = owners.join("|");
            let _ = writeln!(
                text,
                "    [[ $cmd == ({owners}) ]] && options+=({})",
                zsh_option(&option)
            );
        }
    }
    let _ = write!(
        text,
        "    _arguments -s $options '1:command:->command' '*:argument:->argument' && ret=0\n    \
         case $state,$cmd in\n        command,*) _describe command commands && ret=0 ;;\n        \
         argument,config) if [[ $words[CURRENT-1] == check ]]; then _files; \
         else compadd -- {}; fi && ret=0 ;;\n        \
         argument,(explain|export)) compadd -- ${{(f)\"$({FEEDS})\"}} && ret=0 ;;\n        \
         argument,help) compadd -- {} && ret=0 ;;\n    esac\n    return ret\n}}\n\
         if [[ $funcstack[1] == _calendarbot ]]; then _calendarbot \"$@\"; \
         else compdef _calendarbot calendarbot; fi\n",
        actions().join(" "),
        all_topics(),
    );
    text
}

fn zsh_option(option: &Opt) -> String {
    let (name, help) = (option.name, zsh_text(&in_short(option.help)));
    let value = match option.value {
        "" => String::new(),
        "FILE" | "PATH" => format!(":{}:_files", option.value),
        "DIR" => ":DIR:_files -/".to_owned(),
        "LEVEL" => format!(":LEVEL:({})", words(option).join(" ")),
        "ZONE" => ":ZONE:_time_zone".to_owned(),
        "NAME" => format!(":NAME:{{compadd -- ${{(f)\"$({})\"}}}}", FEEDS.replace('\'', "'\\''")),
        value => format!(":{value}: "),
    };
    let equals = if value.is_empty() { "" } else { "=" };
    match option.letter {
        None => format!("'--{name}{equals}[{help}]{value}'"),
        Some(letter) => {
            let plus = if value.is_empty() { "" } else { "+" };
            let both = format!("(-{letter} --{name})");
            format!(
                "'{both}-{letter}{plus}[{help}]{value}' '{both}--{name}{equals}[{help}]{value}'"
            )
        }
    }
}

/// Text between single quotes and in the brackets of `_arguments`.
fn zsh_text(text: &str) -> String {
    let text = text.replace('\'', "'\\''").replace('[', "\\[").replace(']', "\\]");
    text.replace(':', "\\:")
}

pub(super) fn fish() -> String {
    let mut text = format!("# fish completion for calendarbot\n{NOTE}complete -c calendarbot -f\n");
    for (name, _, help) in COMMANDS {
        let help = fish_text(help);
        let _ = writeln!(
            text,
            "complete -c calendarbot -n __fish_use_subcommand -a {name} -d '{help}'"
        );
    }
    for option in offered() {
        let condition = match owners(&option) {
            None => String::new(),
            Some(["serve"]) => format!(
                " -n 'not __fish_seen_subcommand_from {}'",
                names().into_iter().filter(|name| *name != "serve").collect::<Vec<_>>().join(" ")
            ),
            Some(owners) => format!(" -n '__fish_seen_subcommand_from {}'", owners.join(" ")),
        };
        let letter = option.letter.map(|letter| format!(" -s {letter}")).unwrap_or_default();
        let value = match option.value {
            "" => String::new(),
            "FILE" | "PATH" => " -r -F".to_owned(),
            "DIR" => " -x -a '(__fish_complete_directories)'".to_owned(),
            "LEVEL" => format!(" -x -a '{}'", words(&option).join(" ")),
            "ZONE" => format!(" -x -a '({ZONES})'"),
            "NAME" => format!(" -x -a \"({})\"", FEEDS.replace('\\', "\\\\")),
            _ => " -x".to_owned(),
        };
        let (name, help) = (option.name, fish_text(&in_short(option.help)));
        let _ = writeln!(
            text,
            "complete -c calendarbot{condition}{letter} -l {name}{value} -d '{help}'"
        );
    }
    let seen = |commands: &str| format!("-n '__fish_seen_subcommand_from {commands}'");
    let _ = write!(
        text,
        "complete -c calendarbot {} -a '{}'\n\
         complete -c calendarbot -n '__fish_seen_subcommand_from check' -F\n\
         complete -c calendarbot {} -a \"({})\"\n\
         complete -c calendarbot {} -a '{}'\n",
        seen("config"),
        actions().join(" "),
        seen("explain export"),
        FEEDS.replace('\\', "\\\\"),
        seen("help"),
        all_topics(),
    );
    text
}

fn fish_text(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}
