//! Tables over the pages of some days.
