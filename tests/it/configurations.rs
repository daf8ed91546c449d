//! The configuration while the program runs, and the way back from a wrong one.

use std::fs;
use std::path::Path;
use std::time::Duration;

use calendarbot::config::history::{History, Standing};
use calendarbot::config::{Inputs, load, parse};
use calendarbot::flags::switches::By;
use jiff::Timestamp;

use crate::feed_server::{Script, run};
use crate::process::{self, Process};
use crate::rig::{Rig, configure, fed, folder, toml};
use crate::routes::WORK;

/// More than a configuration has to serve before it is kept.
const LONG: Duration = Duration::from_secs(301);

fn kept(folder: &Path) -> Vec<(String, Standing)> {
    let history = History::of(folder);
    let versions = history.versions().expect("a list");
    let text = |version| (history.text(version).expect("a text"), version.standing);
    versions.iter().map(text).collect()
}

#[test]
fn a_configuration_is_kept_once_it_has_served_well() {
    run(|executor| async move {
        let (rig, server, config, folder) = fed(&executor, Script::new().ics("/a.ics", WORK)).await;
        let path = config.path.clone().expect("a file");
        let first = fs::read_to_string(&path).expect("read");
        assert_eq!(kept(folder.path()), []);
        rig.advance(LONG);
        rig.until(|_| !kept(folder.path()).is_empty()).await;
        assert_eq!(kept(folder.path()), [(first.clone(), Standing::Good)]);
        let second = toml(&[("a", server.url("/a.ics"))]) + "private = true\n";
        rig.reload(configure(folder.path(), &second)).await;
        rig.until(|rig| rig.feeds.list()[0].status(rig.clock.wall()).private).await;
        // What the file holds by the end of that time is not what has served.
        fs::write(&path, "port = 80\n").expect("written");
        rig.advance(LONG);
        assert_eq!(rig.get("/healthz").await.status, 200);
        assert_eq!(kept(folder.path()).len(), 1);
        let generation = rig.feeds.settings_generation();
        rig.reload(configure(folder.path(), &second)).await;
        rig.until(|rig| rig.feeds.settings_generation() > generation).await;
        assert_eq!(rig.get("/healthz").await.status, 200);
        rig.advance(LONG);
        rig.until(|_| kept(folder.path()).len() > 1).await;
        assert_eq!(kept(folder.path())[0], (second, Standing::Good));
        rig.stop().await;
    });
}

/// Every answer fails, and nobody has to come.
#[test]
fn a_configuration_that_makes_answers_fail_gives_way_to_the_last_good_one() {
    run(|executor| async move {
        let (rig, server, config, folder) = fed(&executor, Script::new().ics("/a.ics", WORK)).await;
        let path = config.path.clone().expect("a file");
        let good = fs::read_to_string(&path).expect("read");
        rig.advance(LONG);
        rig.until(|_| !kept(folder.path()).is_empty()).await;
        let bad = toml(&[("b", server.url("/nowhere.ics"))]);
        let generation = rig.feeds.settings_generation();
        rig.reload(configure(folder.path(), &bad)).await;
        rig.until(|rig| rig.feeds.settings_generation() > generation).await;
        assert_eq!(rig.get("/api/v1/next").await.status, 503);
        for _ in 0..900 {
            if rig.metrics.rollback_reverts.get() > 0 {
                break;
            }
            rig.advance(Duration::from_secs(1));
            rig.get("/api/v1/next").await;
            // It has nothing to show, which is no fault: this stands for one.
            rig.metrics.http_failed.count();
        }
        rig.until(|rig| rig.feeds.settings_generation() > generation + 1).await;
        rig.until(|_| fs::read_to_string(&path).expect("read") == good).await;
        rig.until(|rig| rig.feeds.has_data()).await;
        assert_eq!(rig.get("/api/v1/next").await.status, 200);
        assert_eq!(kept(folder.path()), [(bad, Standing::Replaced), (good, Standing::Good)]);
        rig.stop().await;
    });
}

/// A few answers and one that has failed say nothing against a configuration; two do.
#[test]
fn one_failure_is_none() {
    run(|executor| async move {
        let (rig, _server, _, folder) = fed(&executor, Script::new().ics("/a.ics", WORK)).await;
        for failures in [2, 1] {
            assert_eq!(kept(folder.path()), []);
            (0..failures).for_each(|_| rig.metrics.http_failed.count());
            rig.advance(LONG);
            assert_eq!(rig.get("/healthz").await.status, 200);
        }
        rig.until(|_| kept(folder.path()).len() == 1).await;
        rig.stop().await;
    });
}

/// What fails now has served well before: the fault is elsewhere, and another one no cure.
#[test]
fn a_good_configuration_makes_room_for_no_other() {
    run(|executor| async move {
        let (rig, _server, config, folder) =
            fed(&executor, Script::new().ics("/a.ics", WORK)).await;
        let path = config.path.clone().expect("a file");
        let good = fs::read_to_string(&path).expect("read");
        rig.advance(LONG);
        rig.until(|_| !kept(folder.path()).is_empty()).await;
        let other = good.clone() + "private = true\n";
        let history = History::of(folder.path());
        history.keep(&path, &other, Standing::Good, Timestamp::UNIX_EPOCH).expect("kept");
        for _ in 0..300 {
            rig.advance(Duration::from_secs(1));
            rig.get("/api/v1/next").await;
            rig.metrics.http_failed.count();
        }
        assert_eq!(rig.metrics.rollback_reverts.get(), 0);
        assert_eq!(fs::read_to_string(&path).expect("read"), good);
        rig.stop().await;
    });
}

#[test]
fn a_configuration_without_data_is_not_kept() {
    run(|executor| async move {
        let folder = folder();
        let feed = "[[feeds]]\nname = \"a\"\nfile = \"/nowhere/a.ics\"\n";
        let rig = Rig::start(&executor, configure(folder.path(), feed));
        rig.failed(1).await;
        rig.advance(LONG);
        assert_eq!(rig.get("/readyz").await.status, 503);
        assert_eq!(kept(folder.path()), []);
        rig.stop().await;
    });
}

/// `config revert` from a file that a start refuses, and back again.
#[test]
fn one_command_brings_back_what_has_served_and_one_undoes_it() {
    let folder = folder();
    let data = folder.path().join("data");
    let (good, bad) = ("time_zone = \"Asia/Tokyo\"\n", "time_zone = \"Asia/Tokyo\"\nprot = 80\n");
    let path = folder.path().join("c.toml");
    let name = path.to_str().expect("UTF-8");
    let at: Timestamp = "2026-01-05T08:00:00Z".parse().expect("a time");
    fs::write(&path, bad).expect("written");
    let call = |arguments: &[&str]| {
        let output = process::output(folder.path(), &[arguments, &["-c", name]].concat());
        let said = process::text(&output.stdout) + &process::text(&output.stderr);
        (output.status.code(), said)
    };
    let (code, said) = call(&["config", "revert"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("no configuration has been kept"), "{said}");
    let (code, said) = call(&["serve", "--port", "0"]);
    assert!(code == Some(78) && !said.contains("revert"), "{said}");
    History::of(&data).keep(&path, good, Standing::Good, at).expect("kept");
    let (code, said) = call(&["serve", "--port", "0"]);
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("c.toml:2: unknown key `prot`; did you mean `port`?"), "{said}");
    let command = format!("calendarbot config revert -c {name} --data-dir {}", data.display());
    assert!(said.contains("2026-01-05T08:00:00Z") && said.contains(&command), "{said}");

    let (code, said) = call(&["config", "revert"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("config revert 1` undoes this"), "{said}");
    assert!(said.contains("no server was found running"), "{said}");
    assert_eq!(fs::read_to_string(&path).expect("read"), good);
    let (_, said) = call(&["config", "history"]);
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("1  ") && lines[0].contains("  replaced  "), "{said}");
    assert!(lines[1].starts_with("2  2026-01-05T08:00:00Z  good"), "{said}");
    assert!(lines[1].ends_with(", in the file now"), "{said}");

    let (code, said) = call(&["config", "revert", "1"]);
    assert_eq!(code, Some(78), "it could not start: {said}");
    assert!(said.contains("unknown key `prot`"), "{said}");
    assert_eq!(fs::read_to_string(&path).expect("read"), good);
    fs::remove_file(&path).expect("removed");
    assert_eq!(call(&["config", "revert"]).0, Some(0));
    assert_eq!(fs::read_to_string(&path).expect("read"), good);
    assert_eq!(call(&["config", "revert", "9"]).0, Some(2));
    assert_eq!(call(&["config", "revert", "x"]).0, Some(2));
    assert_eq!(call(&["config", "reverse"]).0, Some(2));
}

#[test]
fn the_running_server_takes_over_what_was_brought_back() {
    run(|_| async {
        let folder = folder();
        let path = folder.path().join("c.toml");
        let name = path.to_str().expect("UTF-8");
        let at = Timestamp::UNIX_EPOCH;
        let data = folder.path().join("data");
        fs::write(&path, "time_zone = \"Europe/Berlin\"\n").expect("written");
        let old = "time_zone = \"Asia/Tokyo\"\n";
        History::of(&data).keep(&path, old, Standing::Good, at).expect("kept");
        let process = Process::start(folder.path(), &["-c", name]);
        process.until("/api/v1/next", "\"zone\":\"Europe/Berlin\"").await;
        let output = process::output(folder.path(), &["config", "revert", "-c", name]);
        let said = process::text(&output.stdout);
        assert!(said.contains(&format!("process {}, was told", process.child.id())), "{said}");
        process.until("/api/v1/next", "\"zone\":\"Asia/Tokyo\"").await;
    });
}

#[test]
fn what_is_in_force_is_shown_with_its_source_and_without_a_secret() {
    let folder = folder();
    let path = process::configure(
        folder.path(),
        "https://ada:canary@calendar.example/canary.ics",
        "time_zone = \"Asia/Tokyo\"",
    );
    let output = process::output(folder.path(), &["config", "show", "-c", &path, "--port", "81"]);
    let said = process::text(&output.stdout);
    assert!(output.status.success(), "{}", process::text(&output.stderr));
    for (name, value, source) in [
        ("port", "81", "command line, --port"),
        ("time_zone", "\"Asia/Tokyo\"", "calendarbot.toml:1"),
        ("rate_limit", "50", "default"),
        ("url", "(hidden)", "calendarbot.toml:4"),
        ("allow_private_address", "true", "calendarbot.toml:5"),
    ] {
        let line = said.lines().find(|line| line.starts_with(name)).expect(name);
        assert!(line.contains(&format!(" {value} ")) && line.ends_with(source), "{line}");
    }
    assert!(!said.contains("canary"), "{said}");
    let check = process::output(folder.path(), &["config", "check", &path]);
    assert!(process::text(&check.stdout).contains("is good"), "{check:?}");
}

/// A wrong variable in the file beside the configuration: what runs goes on, and the log says why.
#[test]
fn a_wrong_environment_changes_nothing() {
    run(|_| async {
        let folder = folder();
        let [path, variables] = ["c.toml", ".env"].map(|name| folder.path().join(name));
        fs::write(&path, "time_zone = \"Europe/Berlin\"\n").expect("written");
        let name = path.to_str().expect("UTF-8");
        let mut process = Process::start(folder.path(), &["-c", name]);
        process.until("/api/v1/next", "\"zone\":\"Europe/Berlin\"").await;
        let wrong = "CALENDARBOT_DEFAULT_TIMEZONE=Asia/Tokyo\nPHASE_2A_ROLLOUT=some\n";
        fs::write(&variables, wrong).expect("written");
        process.signal("-HUP");
        let said = process.until_logged("reload");
        let why = ".env:2: PHASE_2A_ROLLOUT is \"some\"; allowed: disabled, canary, gradual";
        assert!(said.contains(why) && said.contains("the old configuration stays"), "{said}");
        assert!(process.get("/api/v1/next").contains("\"zone\":\"Europe/Berlin\""));
        fs::write(&variables, "CALENDARBOT_DEFAULT_TIMEZONE=Asia/Tokyo\n").expect("written");
        process.signal("-HUP");
        process.until("/api/v1/next", "\"zone\":\"Asia/Tokyo\"").await;
    });
}

#[test]
fn a_later_source_s_word_on_the_rollout_counts_whether_a_stage_or_a_percentage() {
    let (stage, percentage) = ("PHASE_2A_ROLLOUT", "PHASE_2A_ROLLOUT_PERCENTAGE");
    for (file, dotenv, env, expected) in [
        ("rollout_percentage = 100", "", (stage, "disabled"), (0, By::Environment)),
        ("rollout = 'disabled'", "", (percentage, "10"), (10, By::Environment)),
        ("rollout_percentage = 100", "PHASE_2A_ROLLOUT=canary", ("", ""), (5, By::Environment)),
        ("", "PHASE_2A_ROLLOUT_PERCENTAGE=10", (stage, "gradual"), (25, By::Environment)),
        ("", "PHASE_2A_ROLLOUT=canary", (percentage, "10"), (10, By::Environment)),
        ("rollout = 'full'\nrollout_percentage = 30", "", ("", ""), (30, By::File)),
        ("", "", ("", ""), (100, By::Default)),
    ] {
        let folder = folder();
        let path = folder.path().join("c.toml");
        fs::write(&path, format!("[flags]\n{file}\n")).expect("written");
        fs::write(folder.path().join(".env"), dotenv).expect("written");
        let folder = folder.path().to_str().expect("UTF-8");
        let arguments = ["-c", path.to_str().expect("UTF-8"), "--data-dir", folder];
        let inputs = Inputs {
            args: arguments.map(Into::into).into(),
            env: [env].map(|(name, value)| (name.into(), value.into())).into(),
            default_budget: 16 << 20,
        };
        let config = load(&parse(&inputs).expect("understood"), &inputs);
        assert_eq!(config.expect("valid").rollout, expected, "{file} {dotenv} {env:?}");
    }
}
