//! The recordings of a real server, as they lie beside the checkout.

use std::fs;
use std::path::PathBuf;

/// Where the recordings are.
pub struct Corpus(pub PathBuf);

/// The recordings, unless they are not there: said aloud, and a failure where they must be.
pub fn corpus() -> Option<Corpus> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/pve");
    let path = std::env::var_os("PVE_CORPUS").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    if path.join("wire").is_dir() {
        return Some(Corpus(path));
    }
    let words = format!("skipped: there are no recordings under {}", path.display());
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{words}");
    println!("{words}");
    None
}

impl Corpus {
    /// All exchanges, by their path below `wire`.
    pub fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        for (folder, prefix) in [("wire", ""), ("wire/sweep", "sweep/")] {
            for entry in fs::read_dir(self.0.join(folder)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                if name.ends_with(".txt") {
                    files.push(format!("{prefix}{name}"));
                }
            }
        }
        files.sort();
        files
    }
}

/// A request and the answer that a real server gave.
#[derive(Debug)]
pub struct Exchange {
    pub method: String,
    /// With the query, as sent.
    pub target: String,
    pub protocol: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub status: u16,
    pub reason: String,
    pub answer_headers: Vec<(String, String)>,
    pub answer: String,
}

impl Exchange {
    pub fn read(corpus: &Corpus, file: &str) -> Self {
        let bytes = fs::read(corpus.0.join("wire").join(file)).unwrap();
        let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
        let (request, response) = if file.starts_with("sweep/") {
            let (request, response) = text.split_once("\n<<<\n").unwrap();
            (sweep_request(request), response.to_owned())
        } else {
            let (request, response) = text.split_once("\n<<< RESPONSE").unwrap();
            let request = request.split_once(">>> REQUEST\n").unwrap().1;
            (request.to_owned(), response.split_once('\n').unwrap().1.to_owned())
        };
        let (head, body) = request.split_once("\n\n").unwrap_or((&request, ""));
        let (line, headers) = head.split_once('\n').unwrap_or((head, ""));
        let mut words = line.splitn(3, ' ');
        let mut next = || words.next().unwrap_or_default().to_owned();
        let (method, target, protocol) = (next(), next(), next());
        let (answer_head, answer) = response.split_once("\n\n").unwrap_or((&response, ""));
        let (status_line, answer_headers) = answer_head.split_once('\n').unwrap_or((answer_head, ""));
        let mut words = status_line.splitn(3, ' ').skip(1);
        let status = words.next().unwrap().parse().unwrap();
        Self {
            method,
            target,
            protocol,
            headers: header_lines(headers),
            body: body.trim_end_matches('\n').to_owned(),
            status,
            reason: words.next().unwrap_or_default().to_owned(),
            answer_headers: header_lines(answer_headers),
            answer: answer.trim_end_matches('\n').to_owned(),
        }
    }

    /// The path after `/api2/FORMAT`, without query.
    pub fn path(&self) -> &str {
        let path = self.target.split('?').next().unwrap();
        path.strip_prefix("/api2/").and_then(|rest| rest.find('/').map(|at| &rest[at..])).unwrap_or(path)
    }
}

fn header_lines(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
}

/// A swept exchange is written down in one line: method, path, parameters as JSON.
fn sweep_request(text: &str) -> String {
    let line = text.strip_prefix(">>> ").unwrap();
    let mut words = line.splitn(3, ' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let mut query = String::new();
    if let Some(json) = words.next() {
        let params: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json).unwrap();
        for (key, value) in params {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            query += if query.is_empty() { "?" } else { "&" };
            query += &format!("{key}={value}");
        }
    }
    let cookie = "Cookie: PVEAuthCookie=PVE:root@pam:00000000::x";
    format!("{method} /api2/json{path}{query} HTTP/1.1\nHost: x\nConnection: close\n{cookie}")
}
