//! A memory cgroup around the program: what the kernel counts is everything, the pages of the
//! binary and of files, socket buffers and page tables with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::process::{BINARY, Process};

/// A cgroup of either version; it goes when it is dropped, and must be empty then.
pub(crate) struct Cgroup {
    pub(crate) folder: PathBuf,
    names: &'static Names,
}

/// What the two versions call the same.
struct Names {
    root: &'static str,
    limit: &'static str,
    peak: &'static str,
    events: &'static str,
    used: &'static str,
    /// Pages of files, and those of them that are mapped.
    files: [&'static str; 2],
    /// Where socket buffers are counted by themselves.
    sockets: Option<[&'static str; 2]>,
}

const VERSIONS: [Names; 2] = [
    Names {
        root: "/sys/fs/cgroup",
        limit: "memory.max",
        peak: "memory.peak",
        events: "memory.events",
        used: "memory.current",
        files: ["file", "file_mapped"],
        sockets: None,
    },
    Names {
        root: "/sys/fs/cgroup/memory",
        limit: "memory.limit_in_bytes",
        peak: "memory.max_usage_in_bytes",
        events: "memory.oom_control",
        used: "memory.usage_in_bytes",
        files: ["total_cache", "total_mapped_file"],
        sockets: Some(["memory.kmem.tcp.limit_in_bytes", "memory.kmem.tcp.usage_in_bytes"]),
    },
];

impl Cgroup {
    /// An empty one with a limit in bytes.
    ///
    /// # Errors
    /// In words, when none can be made here: it takes root and a memory controller.
    pub(crate) fn new(limit_bytes: u64) -> Result<Self, String> {
        let unified = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
        let names = &VERSIONS[usize::from(!unified)];
        let root = Path::new(names.root);
        if unified {
            fs::write(root.join("cgroup.subtree_control"), "+memory")
                .map_err(|error| format!("memory cannot be delegated: {error}"))?;
        }
        let folder = root.join(format!("calendarbot-{}", std::process::id()));
        fs::create_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let group = Self { folder, names };
        let limits = [Some(names.limit), names.sockets.map(|[limit, _]| limit)];
        for limit in limits.into_iter().flatten() {
            fs::write(group.folder.join(limit), limit_bytes.to_string())
                .map_err(|error| format!("{limit}: {error}"))?;
        }
        Ok(group)
    }

    /// Starts the program inside, on a free port. The shell enters the cgroup and becomes the
    /// program: nothing else is in it. A file that is in the page cache already is charged to
    /// whoever read it first, so it gets a copy.
    pub(crate) fn start(&self, folder: &Path, arguments: &[&str]) -> Process {
        let enter = "echo $$ > \"$1\"/cgroup.procs; cp \"$2\" \"$3\"; shift 2; exec \"$@\"";
        let mut command = Command::new("sh");
        command.args(["-c", enter, "sh"]).arg(&self.folder).arg(BINARY);
        command.arg(folder.join("calendarbot")).args(["--port", "0"]).args(arguments);
        command.arg("--data-dir").arg(folder.join("data")).stderr(Stdio::piped());
        Process::of(command)
    }

    /// Bytes that cannot be had back: everything but the pages of files that nobody has mapped.
    pub(crate) fn held_bytes(&self) -> u64 {
        let [files, mapped] = self.names.files.map(|name| self.counted("memory.stat", name));
        let sockets = self.names.sockets.map_or(0, |[_, used]| self.number(used));
        (self.number(self.names.used) + sockets + mapped).saturating_sub(files)
    }

    /// Most bytes that it has held, pages of files included.
    pub(crate) fn peak_bytes(&self) -> u64 {
        self.number(self.names.peak)
    }

    /// Processes that the kernel has killed for want of memory.
    pub(crate) fn kills(&self) -> u64 {
        self.counted(self.names.events, "oom_kill")
    }

    fn number(&self, file: &str) -> u64 {
        let text = fs::read_to_string(self.folder.join(file)).expect("a figure");
        text.trim().parse().expect("a number")
    }

    fn counted(&self, file: &str, name: &str) -> u64 {
        let text = fs::read_to_string(self.folder.join(file)).expect("figures");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.expect("the figure").parse().expect("a number")
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // One that is left over holds nothing.
        let _ = fs::remove_dir(&self.folder);
    }
}
