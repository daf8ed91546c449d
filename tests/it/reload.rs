//! What a reload takes over, and what it refuses.

use calendarbot::budget::{FeedLimits, Plan};

use crate::feed_server::run;
use crate::rig::{Rig, configure, folder};

/// A larger budget takes effect at the next start, so it makes no room for more feeds before that.
#[test]
fn as_many_feeds_are_taken_over_as_the_running_budget_holds() {
    let fit = |feeds: &usize| Plan::new(8 << 20, *feeds, FeedLimits::default()).is_ok();
    let most = (1..32).take_while(fit).last().expect("one fits");
    run(|executor| async move {
        let folder = folder();
        let configured = |budget: &str, feeds: usize| {
            let feed = |n| format!("[[feeds]]\nname = \"{n}\"\nfile = \"/nowhere/{n}.ics\"\n");
            let feeds: String = (0..feeds).map(feed).collect();
            configure(folder.path(), &format!("memory_budget = \"{budget}\"\n{feeds}"))
        };
        let rig = Rig::start(&executor, configured("8MiB", 1));
        let generation = rig.feeds.settings_generation();
        rig.reload(configured("16MiB", most + 1)).await;
        rig.reload(configured("16MiB", most)).await;
        rig.until(|rig| rig.feeds.settings_generation() > generation).await;
        assert_eq!(rig.feeds.list().len(), most);
    });
}
