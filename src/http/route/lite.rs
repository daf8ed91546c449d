//! The routes of calendarbot_lite.

use super::table::{allowed, routes};
use super::{Endpoint, Figures, Skipping, skips, view};
use crate::pipeline::key::{View, lite};

routes! { (path, query)
    "/api/skip":
        Post => skips(Skipping::LiteSkip, String::new()),
        Delete => skips(Skipping::LiteClear, String::new());
    "/api/clear_skips": Get => skips(Skipping::LiteClearAndRefresh, String::new());
    "/api/whats-next": Get => view(View::Lite(lite::View::Next));
    "/api/health": Get => Endpoint::Figures(Figures::LiteHealth);
}
