//! Puts the built console (`web/dist`), if there is one, into the binary. Nothing of it is read when that runs.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

fn main() -> io::Result<()> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("../..");
    let dist = root.join("web/dist");
    println!("cargo::rerun-if-changed=build.rs");
    let mut files = Vec::new();
    // What is not there cannot be watched but by building each time, nor the folder that it will be in but with all that
    // lies there: where it is built for the first time, `scripts/console` touches this file.
    if dist.is_dir() {
        println!("cargo::rerun-if-changed={}", dist.display());
    }
    if dist.join("index.html").is_file() {
        collect(&dist, "", &mut files)?;
    }
    files.sort();
    let mut code = String::from("[\n");
    for (name, path) in &files {
        // What a panic or a debugger might show is a path, but none that is read.
        writeln!(code, "    ({name:?}, include_bytes!({:?}).as_slice()),", path.display())
            .map_err(io::Error::other)?;
    }
    code.push_str("]\n");
    // Written only when changed: what is made of it is older than nothing new then.
    let out = PathBuf::from(variable("OUT_DIR")?).join("console.rs");
    if fs::read_to_string(&out).ok().as_deref() != Some(&code) {
        fs::write(out, code)?;
    }
    println!("cargo::rustc-env=MUSTER_CONSOLE={}", if files.is_empty() { "none" } else { "built in" });
    Ok(())
}

fn variable(name: &str) -> io::Result<String> {
    std::env::var(name).map_err(|e| io::Error::other(format!("{name}: {e}")))
}

/// The files below a folder with their paths from there, but for hidden ones. Maps are for whoever debugs the build, and
/// larger than it.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry
            .file_name()
            .into_string()
            .map_err(|name| io::Error::other(format!("{name:?} is no text")))?;
        let path = format!("{prefix}{name}");
        if name.starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{path}/"), files)?;
        } else if ![".map", ".map.gz", ".map.br"].iter().any(|ending| name.ends_with(ending)) {
            files.push((path, entry.path().canonicalize()?));
        }
    }
    Ok(())
}
