//! `cargo xtask serve`: the page on this machine, `www/` at `/` and `pkg/` at `/pkg/`.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::thread;

use anyhow::{Context, Result, anyhow};
use axum::Router;
use axum::http::{HeaderValue, header};
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::{page, paths, ui, wasm};

/// Where to serve.
#[derive(clap::Args)]
pub struct Port {
    /// Port to serve at; 0 takes any free one.
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
}

/// Runs `cargo xtask serve`.
///
/// # Errors
/// When the port is taken, or something that the page loads is missing.
pub fn run(args: &Port) -> Result<()> {
    let site = Site::start(args.port)?;
    wasm::check_page()?;
    page::run()?;
    site.announce_and_wait()
}

/// The page, served by a thread in the background as long as the process lives.
pub struct Site {
    server: thread::JoinHandle<std::io::Result<()>>,
    /// Where the page is: `http://127.0.0.1:PORT/`.
    pub url: String,
}

impl Site {
    /// Starts to serve the repository's page to this machine only.
    ///
    /// # Errors
    /// When the port is taken or not allowed.
    pub fn start(port: u16) -> Result<Self> {
        Self::of(paths::root(), port)
    }

    fn of(root: &Path, port: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| {
            anyhow!("cannot serve at port {port} ({error}); choose another with --port, or 0 for any")
        })?;
        let address = listener.local_addr().context("the server got no address")?;
        listener.set_nonblocking(true).context("cannot prepare the server's socket")?;
        // A page that is being worked on must never be an old one.
        let fresh =
            SetResponseHeaderLayer::overriding(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        let router = Router::new()
            .nest_service("/pkg", ServeDir::new(root.join("pkg")))
            .fallback_service(ServeDir::new(root.join("www")))
            .layer(fresh);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .context("cannot start the server")?;
        let server = thread::spawn(move || {
            runtime
                .block_on(async { axum::serve(tokio::net::TcpListener::from_std(listener)?, router).await })
        });
        Ok(Self { server, url: format!("http://{address}/") })
    }

    /// Prints the address and serves until the process is ended.
    ///
    /// # Errors
    /// When the server stops by itself.
    pub fn announce_and_wait(self) -> Result<()> {
        ui::line(format_args!("\nThe page: {}   (Ctrl-C ends)", self.url));
        self.server.join().map_err(|_| anyhow!("the server stopped"))?.context("the server stopped")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    fn fixture() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("secret", "no"),
            ("www/index.html", "<p>page"),
            ("www/a b.js", "1"),
            ("pkg/wasm/soli_bg.wasm", "\0asm"),
        ] {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        // Large enough to be sent in parts: the page's progress needs the length all the same.
        fs::write(folder.path().join("www/large.safetensors"), vec![7; 100_000]).unwrap();
        folder
    }

    fn ask(site: &Site, method: &str, path: &str) -> String {
        let address = site.url.trim_start_matches("http://").trim_end_matches('/');
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        String::from_utf8_lossy(&reply).into_owned()
    }

    #[test]
    fn files_come_with_their_type_and_length() {
        let folder = fixture();
        let site = Site::of(folder.path(), 0).unwrap();
        for (path, media, length) in [
            ("/", "text/html", 7),
            ("/index.html?x=1", "text/html", 7),
            ("/a%20b.js", "text/javascript", 1),
            ("/pkg/wasm/soli_bg.wasm", "application/wasm", 4),
            ("/large.safetensors", "application/octet-stream", 100_000),
        ] {
            for method in ["GET", "HEAD"] {
                let reply = ask(&site, method, path);
                assert!(reply.starts_with("HTTP/1.1 200"), "{method} {path}: {reply:.200}");
                assert!(reply.contains(&format!("content-type: {media}")), "{path}: {reply:.300}");
                assert!(reply.contains(&format!("content-length: {length}\r\n")), "{path}: {reply:.300}");
                assert!(reply.contains("cache-control: no-cache\r\n"), "{path}: {reply:.300}");
            }
        }
    }

    #[test]
    fn nothing_outside_the_site_is_served() {
        let folder = fixture();
        let site = Site::of(folder.path(), 0).unwrap();
        for path in [
            "/../secret",
            "/%2e%2e/secret",
            "/pkg/../secret",
            "/pkg/..%2fsecret",
            "/pkg/..%5csecret",
            "//etc/passwd",
            "/%2fetc/passwd",
            "/%00",
            "/%zz",
            "/%",
            "/secret",
            "/pkg",
        ] {
            let reply = ask(&site, "GET", path);
            assert!(reply.starts_with("HTTP/1.1 404"), "{path}: {reply:.200}");
        }
        assert!(ask(&site, "POST", "/").starts_with("HTTP/1.1 405"));
    }

    #[test]
    fn a_taken_port_is_told_in_one_line() {
        let folder = fixture();
        let site = Site::of(folder.path(), 0).unwrap();
        let port = site.url.trim_end_matches('/').rsplit(':').next().unwrap().parse().unwrap();
        let error = Site::of(folder.path(), port).err().expect("the port is taken").to_string();
        assert!(error.starts_with(&format!("cannot serve at port {port}")), "{error}");
        assert!(error.contains("--port") && error.lines().count() == 1, "{error}");
    }
}
