//! METEOR (Denkowski and Lavie 2014) by its authors' program, over the protocol that pycocoevalcap speaks with it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
};

use super::{MetricError, check, tokenise::tokenise};

/// METEOR of the whole set and of each image.
#[derive(Debug, Clone, PartialEq)]
pub struct Meteor {
    /// Of the whole set, 0 to 1.
    pub corpus: f64,
    /// Of each caption.
    pub each: Vec<f64>,
}

/// Scores one candidate an image (as people write them) with `meteor-1.5.jar` at `jar`, which wants its `data` folder
/// beside it and about 2 GB of memory for its paraphrases.
///
/// # Errors
/// [`MetricError`] if the lists do not fit, the jar or Java is absent, or the program ends or answers with something
/// that is no number.
pub fn score(jar: &Path, candidates: &[String], references: &[Vec<String>]) -> Result<Meteor, MetricError> {
    check(candidates, references)?;
    if !jar.is_file() {
        return Err(MetricError::JarMissing { path: jar.to_owned() });
    }
    let mut child = Command::new("java")
        .args(["-Xmx2G", "-jar"])
        .arg(jar)
        .args(["-", "-", "-stdio", "-l", "en", "-norm"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| MetricError::JavaMissing { source })?;
    let complaints = collect_stderr(&mut child);
    let result = match (child.stdin.take(), child.stdout.take()) {
        (Some(input), Some(output)) => converse(input, BufReader::new(output), candidates, references),
        _ => Err("its standard streams are not there".to_owned()),
    };
    // Its input is closed by now, at which it ends by itself; after a failure it may not.
    if result.is_err() {
        let _ = child.kill();
    }
    let _ = child.wait();
    let complaints = complaints.join().unwrap_or_default();
    result.map_err(|reason| MetricError::Meteor {
        reason: if complaints.trim().is_empty() {
            reason
        } else {
            format!("{reason}; it said: {}", complaints.trim())
        },
    })
}

/// Reads the process's standard error on a thread: a full pipe would stop it.
fn collect_stderr(child: &mut Child) -> thread::JoinHandle<String> {
    let stderr = child.stderr.take();
    thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(mut stderr) = stderr {
            // What was read before an error is still worth showing.
            let _ = stderr.read_to_end(&mut text);
        }
        String::from_utf8_lossy(&text).into_owned()
    })
}

/// Asks for the statistics of each caption (`SCORE`), then for the figures of all of them (`EVAL`).
fn converse(
    mut input: ChildStdin,
    mut output: BufReader<ChildStdout>,
    candidates: &[String],
    references: &[Vec<String>],
) -> Result<Meteor, String> {
    let mut evaluation = "EVAL".to_owned();
    for (candidate, references) in candidates.iter().zip(references) {
        // The bars separate fields. A tokenised caption may hold them as single signs only.
        let references: Vec<String> = references.iter().map(|reference| field(reference)).collect();
        let line = format!("SCORE ||| {} ||| {}\n", references.join(" ||| "), field(candidate));
        input.write_all(line.as_bytes()).and_then(|()| input.flush()).map_err(|error| error.to_string())?;
        evaluation.push_str(" ||| ");
        evaluation.push_str(read_line(&mut output)?.trim());
    }
    evaluation.push('\n');
    input.write_all(evaluation.as_bytes()).and_then(|()| input.flush()).map_err(|error| error.to_string())?;
    let mut figures = Vec::with_capacity(candidates.len() + 1);
    for _ in 0..=candidates.len() {
        let line = read_line(&mut output)?;
        figures.push(line.trim().parse::<f64>().map_err(|_| format!("`{}` is no number", line.trim()))?);
    }
    let corpus = figures.pop().unwrap_or(0.0);
    Ok(Meteor { corpus, each: figures })
}

fn field(caption: &str) -> String {
    tokenise(caption).replace("|||", "")
}

fn read_line(output: &mut impl BufRead) -> Result<String, String> {
    let mut line = String::new();
    match output.read_line(&mut line) {
        Ok(0) => Err("it ended before it had answered".to_owned()),
        Ok(_) => Ok(line),
        Err(error) => Err(error.to_string()),
    }
}
