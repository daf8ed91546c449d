//! What cannot change while the program runs.

use super::Config;

impl Config {
    /// The keys whose values here take effect at the next start, since the program has been started
    /// with others.
    pub fn at_next_start(&self, start: &Self) -> Vec<&'static str> {
        let keys = [
            ("host", self.host == start.host),
            ("port", self.port == start.port),
            ("unix_socket", self.unix_socket == start.unix_socket),
            ("server_names", self.server_names == start.server_names),
            ("base_path", self.base_path == start.base_path),
            ("trusted_proxies", self.trusted_proxies == start.trusted_proxies),
            ("rate_limit", self.rate_limit == start.rate_limit),
            ("access_log", self.access_log == start.access_log),
            ("display.frame_ancestors", self.frame_ancestors == start.frame_ancestors),
            ("data_dir", self.data_dir == start.data_dir),
            ("pid_file", self.pid_file == start.pid_file),
            ("ca_file", self.ca_file == start.ca_file),
            ("memory_budget", self.memory_budget == start.memory_budget),
            ("the size of a pool or of the cache", self.ceilings == start.ceilings),
            ("past_days", self.past_days == start.past_days),
            ("future_days", self.future_days == start.future_days),
        ];
        keys.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect()
    }
}
