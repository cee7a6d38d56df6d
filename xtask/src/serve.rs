//! `cargo xtask serve`: the page on this machine, `www/` at `/` and `pkg/` at `/pkg/`.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::thread;

use anyhow::{Result, anyhow};
use tiny_http::{Header, Method, Request, Response, Server};

use crate::{paths, ui, wasm};

/// Threads that answer requests: a page asks for a handful of files at once.
const WORKERS: usize = 4;

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
    site.announce_and_wait()
}

/// The page, served by threads in the background as long as the process lives.
pub struct Site {
    server: Arc<Server>,
    workers: Vec<thread::JoinHandle<()>>,
    /// Where the page is: `http://127.0.0.1:PORT/`.
    pub url: String,
}

impl Site {
    /// Starts to serve the repository's page to this machine only.
    ///
    /// # Errors
    /// When the port is taken or not allowed.
    pub fn start(port: u16) -> Result<Self> {
        Self::of(paths::root().to_owned(), port)
    }

    fn of(root: PathBuf, port: u16) -> Result<Self> {
        let server = Server::http(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).map_err(|error| {
            anyhow!("cannot serve at port {port} ({error}); choose another with --port, or 0 for any")
        })?;
        let address = server.server_addr().to_ip().ok_or_else(|| anyhow!("the server got no address"))?;
        let server = Arc::new(server);
        let workers = (0..WORKERS)
            .map(|_| {
                let (server, root) = (Arc::clone(&server), root.clone());
                thread::spawn(move || {
                    for request in server.incoming_requests() {
                        // A browser that went away is nobody's error.
                        let _ = answer(request, &root);
                    }
                })
            })
            .collect();
        Ok(Self { server, workers, url: format!("http://{address}/") })
    }

    /// Prints the address and serves until the process is ended.
    ///
    /// # Errors
    /// When the server stops by itself.
    pub fn announce_and_wait(self) -> Result<()> {
        ui::line(format_args!("\nThe page: {}   (Ctrl-C ends)", self.url));
        for worker in self.workers {
            worker.join().map_err(|_| anyhow!("the server stopped"))?;
        }
        drop(self.server);
        Ok(())
    }
}

fn answer(request: Request, root: &Path) -> std::io::Result<()> {
    if !matches!(request.method(), Method::Get | Method::Head) {
        return request.respond(Response::from_string("only GET and HEAD\n").with_status_code(405));
    }
    let found = locate(root, request.url()).and_then(|path| Some((File::open(&path).ok()?, path)));
    let Some((file, path)) = found.filter(|(_, path)| path.is_file()) else {
        return request.respond(Response::from_string("not found\n").with_status_code(404));
    };
    // Never in chunks: the page shows its progress by the Content-Length.
    let mut response = Response::from_file(file).with_chunked_threshold(usize::MAX);
    for (name, value) in [
        ("Content-Type", media_type(&path)),
        ("Cache-Control", "no-cache"),
        ("X-Content-Type-Options", "nosniff"),
    ] {
        response.add_header(Header::from_bytes(name, value).expect("a constant header is valid"));
    }
    request.respond(response)
}

/// The file behind the path of a URL; nothing if the path leaves the site.
fn locate(root: &Path, url: &str) -> Option<PathBuf> {
    let path = url.split(['?', '#']).next()?;
    let path = decode(path.strip_prefix('/')?)?;
    let path = Path::new(&path);
    // Only plain names: no `..`, no drive, no second root.
    path.components().all(|part| matches!(part, Component::Normal(_))).then_some(())?;
    let file = if path.starts_with("pkg") { root.join(path) } else { root.join("www").join(path) };
    Some(if file.is_dir() { file.join("index.html") } else { file })
}

/// Resolves the percent escapes of a URL's path.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    // A backslash separates folders on Windows, a NUL ends names: neither is part of a file's name here.
    let text = String::from_utf8(bytes).ok()?;
    (!text.contains(['\\', '\0'])).then_some(text)
}

fn media_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "md" | "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
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
        // Larger than the size from which tiny_http sends chunks.
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
        let site = Site::of(folder.path().to_owned(), 0).unwrap();
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
                assert!(reply.contains(&format!("Content-Type: {media}")), "{path}: {reply:.300}");
                assert!(reply.contains(&format!("Content-Length: {length}\r\n")), "{path}: {reply:.300}");
            }
        }
    }

    #[test]
    fn nothing_outside_the_site_is_served() {
        let folder = fixture();
        let site = Site::of(folder.path().to_owned(), 0).unwrap();
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
        let site = Site::of(folder.path().to_owned(), 0).unwrap();
        let port = site.url.trim_end_matches('/').rsplit(':').next().unwrap().parse().unwrap();
        let error = Site::of(folder.path().to_owned(), port).err().expect("the port is taken").to_string();
        assert!(error.starts_with(&format!("cannot serve at port {port}")), "{error}");
        assert!(error.contains("--port") && error.lines().count() == 1, "{error}");
    }
}
