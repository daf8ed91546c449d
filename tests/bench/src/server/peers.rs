//! The servers that are compared, and how each is told to answer the same bytes.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use super::{Setting, installed};
use crate::Result;
use crate::answer::{self, FIELDS};

/// A server program and how it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The product, with the demo calendar.
    Calendarbot,
    /// nginx, answering from its configuration.
    NginxReturn,
    /// nginx, answering from a file.
    NginxFile,
    /// lighttpd, answering from a file.
    LighttpdFile,
    /// hyper on tokio.
    Hyper,
    /// The least that a server can do.
    RawEpoll,
}

impl Kind {
    /// All of them; the product first.
    pub const ALL: [Self; 6] = [
        Self::Calendarbot,
        Self::NginxReturn,
        Self::NginxFile,
        Self::LighttpdFile,
        Self::Hyper,
        Self::RawEpoll,
    ];

    /// What the report calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Calendarbot => "calendarbot",
            Self::NginxReturn => "nginx `return 200`",
            Self::NginxFile => "nginx, static file",
            Self::LighttpdFile => "lighttpd, static file",
            Self::Hyper => "hyper 1, tokio",
            Self::RawEpoll => "raw epoll",
        }
    }

    /// False when it must be installed first.
    pub fn is_there(self) -> bool {
        match self {
            Self::NginxReturn | Self::NginxFile => installed("nginx").is_some(),
            Self::LighttpdFile => installed("lighttpd").is_some(),
            Self::Calendarbot | Self::Hyper | Self::RawEpoll => true,
        }
    }

    /// Its command line. What it reads is written into its folder.
    pub(super) fn command(
        self,
        setting: &Setting,
        address: SocketAddr,
        folder: &Path,
    ) -> Result<Vec<String>> {
        let own = |name: &str| {
            let program = text(&setting.own_binaries.join(name));
            Ok(vec![program, address.to_string(), setting.body_bytes.to_string()])
        };
        match self {
            Self::RawEpoll => own("raw-epoll"),
            Self::Hyper => own("hyper-peer"),
            Self::Calendarbot => Ok(setting.command(None, address, folder)),
            Self::NginxReturn => {
                let body = String::from_utf8(answer::body(setting.body_bytes))?;
                // The media type is the configuration's.
                let fields: String = FIELDS[1..]
                    .iter()
                    .map(|(name, value)| format!("add_header {name} '{value}';\n"))
                    .collect();
                nginx(address, folder, &format!("{fields}return 200 '{body}';"))
            }
            Self::NginxFile => {
                let root = document_root(setting, folder)?;
                nginx(address, folder, &format!("root {root};"))
            }
            Self::LighttpdFile => lighttpd(address, folder, &document_root(setting, folder)?),
        }
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn program(name: &str) -> Result<String> {
    Ok(text(&installed(name).ok_or_else(|| format!("{name} is not installed"))?))
}

/// A folder in which the path that is asked for is a file.
fn document_root(setting: &Setting, folder: &Path) -> Result<String> {
    let root = folder.join("root");
    let path = setting.path.split('?').next().unwrap_or_default();
    let file = root.join(path.trim_start_matches('/'));
    fs::create_dir_all(file.parent().unwrap_or(&root))?;
    fs::write(file, answer::body(setting.body_bytes))?;
    Ok(root.display().to_string())
}

/// One process without a master, so that what it costs is what the one pid has cost. The code
/// that serves is the worker's.
fn nginx(address: SocketAddr, folder: &Path, location: &str) -> Result<Vec<String>> {
    let program = program("nginx")?;
    let configuration = text(&folder.join("nginx.conf"));
    let (log, folder) = (text(&folder.join("error.log")), text(folder));
    let directives = format!(
        "daemon off;
master_process off;
pid {folder}/pid;
error_log {log} crit;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    keepalive_timeout 60s;
    default_type application/json;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {address} backlog=1024;
        location / {{ {location} }}
    }}
}}
"
    );
    fs::write(&configuration, directives)?;
    let words = [&*program, "-p", &folder, "-c", &configuration, "-e", &log];
    Ok(words.map(str::to_owned).into())
}

/// One process, as is its default; 65,535 requests a connection are the most it can be told.
fn lighttpd(address: SocketAddr, folder: &Path, root: &str) -> Result<Vec<String>> {
    let program = program("lighttpd")?;
    let configuration = text(&folder.join("lighttpd.conf"));
    let (ip, port) = (address.ip(), address.port());
    let settings = format!(
        "server.document-root = \"{root}\"
server.bind = \"{ip}\"
server.port = {port}
server.max-keep-alive-requests = 65535
server.max-keep-alive-idle = 60
mimetype.assign = ( \"\" => \"application/json\" )
"
    );
    fs::write(&configuration, settings)?;
    Ok([&*program, "-D", "-f", &configuration].map(str::to_owned).into())
}
