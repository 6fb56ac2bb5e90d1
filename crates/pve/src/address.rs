//! [`Address`]: where a Proxmox VE host answers, read from any spelling a person may give.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// The port of Proxmox VE's API and web interface.
pub const DEFAULT_PORT: u16 = 8006;
/// Longest part of a refused address that is repeated in the error.
const ECHO_CHARS: usize = 80;

/// A host and a port.
///
/// `FromStr` understands a bare host, `host:port`, a URL with or without scheme and path (also one pasted from
/// a browser, `#` and all), IPv4, IPv6 with or without brackets and zone, upper case, international names and
/// white space around it. `Display` gives the one canonical spelling, `host:port` or `[v6]:port`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The host.
    pub host: Host,
    /// The TCP port; [`DEFAULT_PORT`] where none was given.
    pub port: u16,
}

/// A host by name or by address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A DNS name: lower case, international names in their ASCII form, no trailing dot.
    Name(String),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address.
    V6 {
        /// The address.
        address: Ipv6Addr,
        /// The zone of a link-local address: the name or number of an interface of this machine.
        zone: Option<String>,
    },
}

/// What [`Address::read`] makes of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spelling {
    /// The address.
    pub address: Address,
    /// Whether the text said `http://`. Proxmox VE speaks HTTPS only, so that is what will be spoken.
    pub plain_http: bool,
}

/// Why a text is no address: one sentence, with what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AddressError(String);

impl Address {
    /// An address from its parts.
    pub fn new(host: Host, port: u16) -> Self {
        Self { host, port }
    }

    /// Reads any spelling of an address, and says what was passed over in it.
    pub fn read(text: &str) -> Result<Spelling, AddressError> {
        let trimmed = text.trim().trim_matches(|c| matches!(c, '<' | '>' | '"' | '\'' | '`')).trim();
        if trimmed.is_empty() {
            return Err(AddressError(
                "the address is empty: give a host such as pve.example or 192.0.2.7:8006".to_owned(),
            ));
        }
        let (plain_http, rest) = without_scheme(trimmed)?;
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let authority = rest.get(..end).unwrap_or_default();
        if authority.contains('@') {
            // Not repeated: what stands before the @ may hold a password.
            return Err(AddressError(
                "the address holds a user name: give only the host, and the user separately".to_owned(),
            ));
        }
        if authority.is_empty() {
            return Err(refused(trimmed, "has no host", "give a host such as pve.example or 192.0.2.7:8006"));
        }
        let (host, port) = split_port(authority)?;
        Ok(Spelling {
            address: Self { host: read_host(host)?, port: read_port(authority, port)? },
            plain_http,
        })
    }

    /// The host as a resolver or a socket takes it: without brackets, with its zone.
    pub fn dial_host(&self) -> String {
        match &self.host {
            Host::Name(name) => name.clone(),
            Host::V4(address) => address.to_string(),
            Host::V6 { address, zone: None } => address.to_string(),
            Host::V6 { address, zone: Some(zone) } => format!("{address}%{zone}"),
        }
    }
}

impl Host {
    /// The IP address, if the host is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::V4(address) => Some((*address).into()),
            Self::V6 { address, .. } => Some((*address).into()),
        }
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6 { address, zone: None },
        }
    }
}

/// The text behind `https://` or `http://`, and whether it was the latter.
fn without_scheme(text: &str) -> Result<(bool, &str), AddressError> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Ok((false, text.strip_prefix("//").unwrap_or(text)));
    };
    match scheme.to_ascii_lowercase().as_str() {
        "https" => Ok((false, rest)),
        "http" => Ok((true, rest)),
        // A path may hold "://" too: then what stands before it is no scheme.
        _ if scheme.contains(['/', '?', '#', '\\', '@', ':', '[']) => Ok((false, text)),
        _ => Err(refused(text, "is no web address", "give a host, or a URL that begins with https://")),
    }
}

/// Host and port of `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), AddressError> {
    if let Some(inside) = authority.strip_prefix('[') {
        let Some((host, after)) = inside.split_once(']') else {
            return Err(refused(
                authority,
                "lacks its closing bracket",
                "write IPv6 addresses as [2001:db8::1]:8006",
            ));
        };
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(refused(authority, "has text behind the bracket", "write [2001:db8::1]:8006")),
        };
    }
    match authority.split_once(':') {
        None => Ok((authority, None)),
        Some((host, port)) if !port.contains(':') => Ok((host, Some(port))),
        // More than one colon: an IPv6 address, and a port could not be told from its end.
        Some(_) => Ok((authority, None)),
    }
}

fn read_port(authority: &str, port: Option<&str>) -> Result<u16, AddressError> {
    let Some(port) = port.filter(|p| !p.is_empty()) else {
        return Ok(DEFAULT_PORT);
    };
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(number) if digits && number > 0 => Ok(number),
        _ => Err(refused(authority, "has no usable port", "give one from 1 to 65535, or none for 8006")),
    }
}

fn read_host(host: &str) -> Result<Host, AddressError> {
    if host.contains(':') {
        return read_v6(host);
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    // A name whose last part is a number is an address, or meant as one.
    let last = name.rsplit('.').next().unwrap_or_default();
    if !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()) {
        return name.parse().map(Host::V4).map_err(|_| {
            refused(host, "is no IPv4 address", "write four numbers up to 255, such as 192.0.2.7")
        });
    }
    let unusable = || refused(host, "is no host name", "give a name such as pve.example, or an IP address");
    if name.is_empty() || name.contains('%') {
        return Err(unusable());
    }
    match url::Host::parse(name) {
        Ok(url::Host::Domain(name)) if is_dns_name(&name) => Ok(Host::Name(name)),
        // Full-width digits and the like become an address only here.
        Ok(url::Host::Ipv4(address)) if !name.is_ascii() => Ok(Host::V4(address)),
        _ => Err(unusable()),
    }
}

fn read_v6(host: &str) -> Result<Host, AddressError> {
    let (address, zone) = match host.split_once('%') {
        // In a URL the percent sign of the zone is itself percent-encoded.
        Some((address, zone)) => {
            (address, Some(zone.strip_prefix("25").filter(|z| !z.is_empty()).unwrap_or(zone)))
        }
        None => (host, None),
    };
    let usable = |zone: &str| {
        !zone.is_empty() && zone.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    match address.parse() {
        Ok(address) if zone.is_none_or(usable) => Ok(Host::V6 { address, zone: zone.map(str::to_owned) }),
        _ => Err(refused(host, "is no IPv6 address", "with a port, write it as [2001:db8::1]:8006")),
    }
}

/// Letters, digits, `-` and `_` (which DNS names of hosts should not have, and do) in labels of usable length.
fn is_dns_name(name: &str) -> bool {
    name.len() <= 253
        && name.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

/// One sentence: what was given, what is wrong with it, what to do.
fn refused(given: &str, wrong: &str, remedy: &str) -> AddressError {
    // The authority part of what was given may name a user with a password.
    if given.contains('@') {
        return AddressError(format!("the address {wrong}: {remedy}"));
    }
    let mut shown: String = given.chars().take(ECHO_CHARS).flat_map(char::escape_debug).collect();
    if given.chars().nth(ECHO_CHARS).is_some() {
        shown.push('…');
    }
    AddressError(format!("“{shown}” {wrong}: {remedy}"))
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::read(text).map(|spelling| spelling.address)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V4(address) => write!(f, "{address}"),
            Self::V6 { address, zone: None } => write!(f, "[{address}]"),
            Self::V6 { address, zone: Some(zone) } => write!(f, "[{address}%{zone}]"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn any_spelling_of_an_address() {
        for (given, canonical) in [
            ("pve.example", "pve.example:8006"),
            ("  PVE.Example\t", "pve.example:8006"),
            ("pve.example.", "pve.example:8006"),
            ("pve", "pve:8006"),
            ("pve_1", "pve_1:8006"),
            ("pve.example:443", "pve.example:443"),
            ("pve.example:", "pve.example:8006"),
            ("https://pve.example", "pve.example:8006"),
            ("https://pve.example/", "pve.example:8006"),
            ("HTTPS://pve.example:8006/", "pve.example:8006"),
            ("https://pve.example:8006/#v1:0:18:4::::::", "pve.example:8006"),
            ("https://pve.example:8006/?console=kvm&novnc=1&vmid=100#x", "pve.example:8006"),
            ("pve.example:8006/api2/json/", "pve.example:8006"),
            ("pve.example/?next=https://other.example", "pve.example:8006"),
            ("http://pve.example:8006", "pve.example:8006"),
            ("//pve.example", "pve.example:8006"),
            ("<https://pve.example:8006/>", "pve.example:8006"),
            ("\"pve.example\"", "pve.example:8006"),
            ("192.0.2.7", "192.0.2.7:8006"),
            ("192.0.2.7:18006", "192.0.2.7:18006"),
            ("https://192.0.2.7:8006/", "192.0.2.7:8006"),
            ("2001:db8::1", "[2001:db8::1]:8006"),
            ("2001:DB8:0:0::1", "[2001:db8::1]:8006"),
            ("[2001:db8::1]", "[2001:db8::1]:8006"),
            ("[2001:db8::1]:443", "[2001:db8::1]:443"),
            ("https://[2001:db8::1]:8006/#v1", "[2001:db8::1]:8006"),
            ("https://2001:db8::1/", "[2001:db8::1]:8006"),
            ("fe80::1%eth0", "[fe80::1%eth0]:8006"),
            ("[fe80::1%25eth0]:8006", "[fe80::1%eth0]:8006"),
            ("[fe80::1%2]", "[fe80::1%2]:8006"),
            ("::1", "[::1]:8006"),
            ("::ffff:192.0.2.7", "[::ffff:192.0.2.7]:8006"),
            ("pvé.example", "xn--pv-cja.example:8006"),
            ("XN--PV-CJA.example", "xn--pv-cja.example:8006"),
            ("https://bücher.example:8006/", "xn--bcher-kva.example:8006"),
        ] {
            let read = given.parse::<Address>().unwrap_or_else(|e| panic!("{given}: {e}"));
            assert_eq!(read.to_string(), canonical, "{given}");
        }
    }

    #[test]
    fn plain_http_is_understood_and_said() {
        assert!(Address::read("http://pve.example").unwrap().plain_http);
        assert!(!Address::read("https://pve.example").unwrap().plain_http);
        assert!(!Address::read("pve.example").unwrap().plain_http);
    }

    #[test]
    fn nonsense_gets_one_clear_sentence() {
        for (given, part) in [
            ("", "is empty"),
            ("   ", "is empty"),
            ("https://", "has no host"),
            ("https:///path", "has no host"),
            ("#v1", "has no host"),
            (":8006", "is no host name"),
            ("ftp://pve.example", "no web address"),
            ("ssh://pve.example", "no web address"),
            ("two words", "is no host name"),
            ("pve..example", "is no host name"),
            (".", "is no host name"),
            ("-pve", "is no host name"),
            ("pve%41", "is no host name"),
            ("pve\u{7}", "is no host name"),
            ("a=b", "is no host name"),
            ("192.0.2", "is no IPv4 address"),
            ("192.0.2.300", "is no IPv4 address"),
            ("192.0.2.7.1:8006", "is no IPv4 address"),
            ("8006", "is no IPv4 address"),
            ("pve:0", "no usable port"),
            ("pve:65536", "no usable port"),
            ("pve:+80", "no usable port"),
            ("pve:https", "no usable port"),
            ("[2001:db8::1", "closing bracket"),
            ("[2001:db8::1]8006", "behind the bracket"),
            ("2001:db8::1::2", "is no IPv6 address"),
            ("1:2:3:4:5:6:7:8:8006", "is no IPv6 address"),
            ("fe80::1%", "is no IPv6 address"),
            ("fe80::1%a b", "is no IPv6 address"),
        ] {
            let said = given.parse::<Address>().map(|a| a.to_string()).unwrap_err().to_string();
            assert!(said.contains(part), "{given:?}: {said}");
            assert!(!said.contains('\n') && said.chars().all(|c| !c.is_control()), "{said:?}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_not_repeated() {
        for given in
            ["root:canary@pve", "https://root@pam:canary@pve:8006/", "ftp://root:canary@pve", "[x@canary"]
        {
            let said = given.parse::<Address>().unwrap_err().to_string();
            assert!(!said.contains("canary"), "{said}");
        }
    }

    #[test]
    fn a_long_refused_address_is_cut() {
        let said = "x y".repeat(1000).parse::<Address>().unwrap_err().to_string();
        assert!(said.chars().count() < 200, "{said}");
    }

    #[test]
    fn what_a_socket_is_given() {
        let dial = |text: &str| text.parse::<Address>().unwrap().dial_host();
        assert_eq!(dial("[fe80::1%eth0]:1"), "fe80::1%eth0");
        assert_eq!(dial("PVE"), "pve");
        assert_eq!(dial("192.0.2.7"), "192.0.2.7");
    }

    proptest! {
        #[test]
        fn the_canonical_spelling_is_read_back(
            v6 in any::<[u16; 8]>(), v4 in any::<u32>(), port in 1u16..,
            name in "[a-z]([a-z0-9-]{0,10}[a-z0-9])?(\\.[a-z]{1,8}){0,3}", pick in 0u8..4,
        ) {
            let host = match pick {
                0 => Host::V4(v4.into()),
                1 => Host::V6 { address: v6.into(), zone: None },
                2 => Host::V6 { address: v6.into(), zone: Some("eth0".into()) },
                _ => Host::Name(name),
            };
            let address = Address::new(host, port);
            prop_assert_eq!(address.to_string().parse::<Address>(), Ok(address.clone()));
            prop_assert_eq!(format!(" HTTPS://{address}/#v1:0 ").parse::<Address>(), Ok(address));
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>(), ascii in "[ -~]{0,30}", urlish in "[a-z0-9:/.\\[\\]%@#-]{0,20}") {
            for given in [text, ascii, urlish] {
                if let Ok(address) = given.parse::<Address>() {
                    prop_assert_eq!(address.to_string().parse::<Address>(), Ok(address));
                }
            }
        }
    }
}
