//! Running other programs so that a failure is one line: what failed, which command, how to fix it.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::{paths, ui};

/// How often a long silent installation says where it is.
const HEARTBEAT: Duration = Duration::from_secs(20);

/// A command to run, with a word on how to fix what makes it fail.
pub struct Cmd {
    command: Command,
    fix: Option<String>,
}

impl Cmd {
    /// A command in the root of the repository.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.current_dir(paths::root());
        Self { command, fix: None }
    }

    /// npm, whose name differs on Windows.
    pub fn npm() -> Self {
        Self::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
    }

    /// Adds one argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Takes an environment variable away.
    pub fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Puts folders before the others on PATH.
    pub fn path_first(self, folders: &[PathBuf]) -> Result<Self> {
        let old = std::env::var_os("PATH").unwrap_or_default();
        let all = folders.iter().cloned().chain(std::env::split_paths(&old));
        let joined = std::env::join_paths(all).context("a tool's folder cannot be put on PATH")?;
        Ok(self.env("PATH", joined))
    }

    /// Runs the command in `folder`.
    pub fn dir(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Throws away what the command says beside its output.
    pub fn quiet(mut self) -> Self {
        self.command.stderr(Stdio::null());
        self
    }

    /// Says what helps when the command fails.
    pub fn fix(mut self, advice: impl Into<String>) -> Self {
        self.fix = Some(advice.into());
        self
    }

    /// Runs the command with this terminal as its own.
    pub fn run(mut self) -> Result<()> {
        let status = self.command.status().map_err(|error| self.not_started(&error))?;
        self.judge(status, None)
    }

    /// Runs the command quietly and returns what it wrote to standard output.
    pub fn output(mut self) -> Result<String> {
        let output = self.command.stdin(Stdio::null()).output().map_err(|error| self.not_started(&error))?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        self.judge(output.status, telling_line(complaint.lines()))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Runs a long command with its output in the log `name`; prints a sign of life now and then.
    pub fn logged(mut self, name: &str) -> Result<()> {
        let log_path = paths::logs()?.join(format!("{name}.log"));
        fs::create_dir_all(paths::logs()?)
            .with_context(|| format!("cannot create the log folder of {}", log_path.display()))?;
        let log = File::create(&log_path)
            .with_context(|| format!("cannot write the log {}", log_path.display()))?;
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().map_err(|error| self.not_started(&error))?;
        let record = Mutex::new(Record { log, tail: VecDeque::new() });
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let status = thread::scope(|scope| {
            scope.spawn(|| record_lines(stdout, &record));
            scope.spawn(|| record_lines(stderr, &record));
            let started = Instant::now();
            let mut next = HEARTBEAT;
            loop {
                if let Some(status) = child.try_wait()? {
                    return Ok::<_, std::io::Error>(status);
                }
                thread::sleep(Duration::from_millis(100));
                if started.elapsed() >= next {
                    next += HEARTBEAT;
                    let tail = record.lock().expect("no reader panics");
                    let now = tail.tail.back().map_or("", |line| line.trim());
                    ui::line(format_args!("  ...       {name}: {now} ({})", ui::seconds(started.elapsed())));
                }
            }
        })
        .with_context(|| format!("lost sight of `{}`", self.describe()))?;
        let record = record.into_inner().expect("no reader panics");
        let told = telling_line(record.tail.iter().map(String::as_str));
        self.judge(status, told).map_err(|error| anyhow!("{error:#}; log: {}", log_path.display()))
    }

    /// Starts the command with its standard output piped to the caller, who must wait for it.
    pub fn spawn_piped(mut self) -> Result<(std::process::Child, Self)> {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped());
        let child = self.command.spawn().map_err(|error| self.not_started(&error))?;
        Ok((child, self))
    }

    /// Turns an exit status into a one-line error; `told` is the program's own complaint.
    pub fn judge(&self, status: ExitStatus, told: Option<String>) -> Result<()> {
        if status.success() {
            return Ok(());
        }
        let told = told.map_or(String::new(), |line| format!(" ({line})"));
        bail!("`{}` failed with {status}{told}{}", self.describe(), self.advice())
    }

    fn not_started(&self, error: &std::io::Error) -> anyhow::Error {
        anyhow!("`{}` could not be started ({error}){}", self.describe(), self.advice())
    }

    fn advice(&self) -> String {
        self.fix.as_ref().map_or(String::new(), |fix| format!("; {fix}"))
    }

    fn describe(&self) -> String {
        let program = Path::new(self.command.get_program());
        let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
        let args = self.command.get_args().map(|arg| arg.to_string_lossy().into_owned());
        std::iter::once(name).chain(args).collect::<Vec<_>>().join(" ")
    }
}

struct Record {
    log: File,
    tail: VecDeque<String>,
}

fn record_lines(from: Option<impl Read>, record: &Mutex<Record>) {
    let Some(from) = from else { return };
    for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let mut record = record.lock().expect("no reader panics");
        // A full disk must not stop the installation that is being logged.
        let _ = writeln!(record.log, "{line}");
        if !line.is_empty() {
            record.tail.push_back(line);
        }
        if record.tail.len() > 60 {
            record.tail.pop_front();
        }
    }
}

/// The line of a program's output that says best why it failed: the first error, or the last line.
fn telling_line<'a>(lines: impl Iterator<Item = &'a str>) -> Option<String> {
    let lines: Vec<&str> = lines.map(str::trim).filter(|line| !line.is_empty()).collect();
    let is_error =
        |line: &&&str| ["error", "E: ", "npm error", "npm ERR!"].iter().any(|p| line.starts_with(p));
    let line = lines.iter().find(is_error).or(lines.last())?;
    Some(line.chars().take(300).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_tells_most() {
        let output = "Updating index\nerror: no such crate\nCaused by: nothing\n";
        assert_eq!(telling_line(output.lines()).as_deref(), Some("error: no such crate"));
        assert_eq!(telling_line("a\nlast\n\n".lines()).as_deref(), Some("last"));
        assert_eq!(telling_line("".lines()), None);
    }

    #[test]
    fn a_failure_names_the_command_and_the_fix_in_one_line() {
        let error = Cmd::new("cargo").args(["no-such-verb"]).fix("try another").output().unwrap_err();
        let text = format!("{error:#}");
        assert!(text.starts_with("`cargo no-such-verb` failed"), "{text}");
        assert!(text.ends_with("; try another"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }

    #[test]
    fn a_missing_program_is_an_error_and_no_panic() {
        let error = Cmd::new("soli-no-such-program").fix("install it").run().unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("could not be started") && text.ends_with("; install it"), "{text}");
    }
}
