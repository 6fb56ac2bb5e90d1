//! What stands for a remote on the command line: `[NAME=]ADDRESS[,ADDRESS…]`.

use pve::address::{Address, Host};

use crate::failure::Failure;

/// A remote to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What it is called, by the person or after its host.
    pub name: String,
    /// Its endpoints; never empty. The first is the one that is signed in at.
    pub endpoints: Vec<Address>,
}

/// Reads the addresses of a command line.
///
/// # Errors
/// An address that is none, or a name given twice.
pub fn targets(texts: &[String]) -> Result<Vec<Target>, Failure> {
    let mut read = Vec::with_capacity(texts.len());
    for text in texts {
        read.push(target(text)?);
    }
    // Hosts that differ in the port alone are told apart by it.
    let hosts: Vec<String> =
        read.iter().map(|(name, endpoints)| name.clone().unwrap_or_else(|| host(endpoints))).collect();
    let mut targets: Vec<Target> = Vec::with_capacity(read.len());
    for (i, (name, endpoints)) in read.into_iter().enumerate() {
        let short = name.clone().unwrap_or_else(|| host(&endpoints));
        let unique = hosts.iter().enumerate().all(|(j, other)| i == j || *other != short);
        let name = match (name, unique) {
            (Some(name), _) => name,
            (None, true) => short,
            (None, false) => endpoints.first().map(ToString::to_string).unwrap_or_default(),
        };
        if let Some(twin) = targets.iter().find(|t| t.name == name) {
            let sentence = if twin.endpoints == endpoints {
                format!("{name} is given twice.")
            } else {
                format!("Two remotes are called {name}.")
            };
            return Err(Failure::usage(sentence)
                .hint("Give each a name of its own (home=192.0.2.7), or join endpoints of one cluster with a comma."));
        }
        targets.push(Target { name, endpoints });
    }
    Ok(targets)
}

/// The one address of a command that takes one only, `ADDRESS` or `NAME=ADDRESS`, without the name.
///
/// # Errors
/// Several addresses, or a name that is none.
pub fn single(text: &str) -> Result<String, Failure> {
    let rest = match text.split_once('=') {
        Some((name, rest)) if is_name(name) => rest,
        _ => text,
    };
    if !rest.contains(['#', '?']) && rest.contains(',') {
        return Err(Failure::usage(format!("“{text}” is several addresses; this takes one address."))
            .hint("Call it once for each of them."));
    }
    if rest == text {
        // Says what is wrong with a name; what is wrong with an address is said as the first step.
        if let Some((name, _)) =
            text.split_once('=').filter(|(name, _)| !name.contains([':', '/', '#', '?', '[']))
        {
            target(&format!("{name}=localhost"))?;
        }
    }
    Ok(rest.to_owned())
}

fn host(endpoints: &[Address]) -> String {
    match endpoints.first().map(|a| &a.host) {
        Some(Host::Name(name)) => name.clone(),
        Some(other) => other.ip().map(|ip| ip.to_string()).unwrap_or_default(),
        None => String::new(),
    }
}

fn target(text: &str) -> Result<(Option<String>, Vec<Address>), Failure> {
    // A pasted browser address has "=" and "," behind its "#"; a name has neither ":" nor "/".
    let (name, rest) = match text.split_once('=') {
        Some((name, rest)) if is_name(name) => (Some(name.to_owned()), rest),
        Some(("", _)) => return Err(Failure::usage(format!("“{text}” has no name before the =."))),
        Some((name, _)) if !name.contains([':', '/', '#', '?', '[']) => {
            return Err(Failure::usage(format!("“{name}” cannot be the name of a remote."))
                .hint("A name has letters, digits, \".\", \"_\" and \"-\", 64 at most."));
        }
        _ => (None, text),
    };
    let parts: Vec<&str> = if rest.contains(['#', '?']) { vec![rest] } else { rest.split(',').collect() };
    let mut endpoints: Vec<Address> = Vec::with_capacity(parts.len());
    let several = parts.len() > 1;
    for part in parts {
        if several && part.trim().is_empty() {
            return Err(Failure::usage(format!("“{text}” has a comma with no address beside it."))
                .hint("Endpoints of one cluster are separated by commas: home=pve1,pve2."));
        }
        let address = Address::read(part).map_err(|e| Failure::usage(format!("{e}.")))?.address;
        if !endpoints.contains(&address) {
            endpoints.push(address);
        }
    }
    Ok((name, endpoints))
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(texts: &[&str]) -> Result<Vec<(String, Vec<String>)>, String> {
        let texts: Vec<String> = texts.iter().map(|t| (*t).to_owned()).collect();
        targets(&texts)
            .map(|found| {
                found
                    .into_iter()
                    .map(|t| (t.name, t.endpoints.iter().map(ToString::to_string).collect()))
                    .collect()
            })
            .map_err(|f| f.sentence)
    }

    #[test]
    fn names_and_endpoints() {
        for (given, name, endpoints) in [
            ("192.0.2.7", "192.0.2.7", vec!["192.0.2.7:8006"]),
            ("home=192.0.2.7:18006", "home", vec!["192.0.2.7:18006"]),
            ("lab=pve1,pve2:9006,pve1", "lab", vec!["pve1:8006", "pve2:9006"]),
            ("https://pve.example:8006/#v1:0:=qemu%2F100:4:5,6:=x", "pve.example", vec!["pve.example:8006"]),
            ("[2001:db8::7]", "2001:db8::7", vec!["[2001:db8::7]:8006"]),
        ] {
            assert_eq!(
                read(&[given]).unwrap(),
                [(name.to_owned(), endpoints.iter().map(|e| (*e).to_owned()).collect())],
                "{given}"
            );
        }
    }

    #[test]
    fn remotes_are_told_apart() {
        let names = |texts: &[&str]| read(texts).map(|t| t.into_iter().map(|t| t.0).collect::<Vec<_>>());
        assert_eq!(
            names(&["127.0.0.1:1", "127.0.0.1:2", "pve"]).unwrap(),
            ["127.0.0.1:1", "127.0.0.1:2", "pve"]
        );
        assert!(names(&["pve", "pve"]).unwrap_err().contains("given twice"));
        assert!(names(&["a=pve1", "a=pve2"]).unwrap_err().contains("called a"));
        assert!(names(&["=pve1"]).is_err());
        assert!(names(&["root@pve1"]).is_err());
        assert!(names(&["pve1:port"]).is_err());
    }
}
