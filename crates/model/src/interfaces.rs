//! The network interfaces of a guest, as they are held in memory.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::rows::Interface;

/// The interfaces of a guest with their addresses, in one piece of memory: kept as lists of lists, the addresses of
/// a hundred thousand guests would take as much room as all else that is known of them. Written and read as a list of
/// [`Interface`].
///
/// Inside it is one text, word after word: a letter for what the word is (`n`ame, which begins an interface, `m` for
/// its hardware address, `a` for one of its addresses), its length in bytes, a colon, the word:
/// `n4:eth0m17:AA:BB:CC:00:11:22a11:10.0.0.5/24`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Interfaces(Box<str>);

/// One word of what a guest says of its interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word<'a> {
    /// An interface begins: its name inside the guest.
    Name(&'a str),
    /// Its hardware address.
    Mac(&'a str),
    /// One of its IP addresses.
    Address(&'a str),
}

impl Interfaces {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Word by word, interface after interface.
    pub fn words(&self) -> impl Iterator<Item = Word<'_>> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            let (head, tail) = rest.split_once(':')?;
            let (what, length) = head.split_at_checked(1)?;
            let (word, behind) = tail.split_at_checked(length.parse().ok()?)?;
            rest = behind;
            Some(match what {
                "n" => Word::Name(word),
                "m" => Word::Mac(word),
                _ => Word::Address(word),
            })
        })
    }

    /// All IP addresses, of whichever interface.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.words().filter_map(|word| if let Word::Address(text) = word { Some(text) } else { None })
    }

    /// All hardware addresses.
    pub fn macs(&self) -> impl Iterator<Item = &str> {
        self.words().filter_map(|word| if let Word::Mac(text) = word { Some(text) } else { None })
    }

    /// As a list.
    #[must_use]
    pub fn to_vec(&self) -> Vec<Interface> {
        let mut list: Vec<Interface> = Vec::new();
        for word in self.words() {
            match (word, list.last_mut()) {
                (Word::Name(name), _) => {
                    list.push(Interface { name: name.into(), mac: None, addresses: Vec::new() });
                }
                (Word::Mac(mac), Some(last)) => last.mac = Some(mac.into()),
                (Word::Address(address), Some(last)) => last.addresses.push(address.into()),
                // Nothing stands before the first name.
                (Word::Mac(_) | Word::Address(_), None) => {}
            }
        }
        list
    }
}

impl From<&[Interface]> for Interfaces {
    fn from(list: &[Interface]) -> Self {
        let mut all = String::new();
        let mut add = |what: char, word: &str| {
            all.push(what);
            all.push_str(&word.len().to_string());
            all.push(':');
            all.push_str(word);
        };
        for interface in list {
            add('n', &interface.name);
            if let Some(mac) = &interface.mac {
                add('m', mac);
            }
            for address in &interface.addresses {
                add('a', address);
            }
        }
        Self(all.into())
    }
}

impl fmt::Debug for Interfaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.words()).finish()
    }
}

impl Serialize for Interfaces {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.to_vec().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Interfaces {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Vec::<Interface>::deserialize(from).map(|list| Self::from(list.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, mac: Option<&str>, addresses: &[&str]) -> Interface {
        let addresses = addresses.iter().copied().map(Into::into).collect();
        Interface { name: name.into(), mac: mac.map(Into::into), addresses }
    }

    #[test]
    fn whatever_a_guest_calls_its_interfaces_is_told_back_to_the_letter() {
        let list = [
            one("lo", Some("00:00:00:00:00:00"), &["127.0.0.1/8", "::1/128"]),
            one("", None, &[]),
            one("a3:x", None, &["", "m1:ß", "fe80::1%eth0/64"]),
            one("größe\n\u{0}", Some(""), &[]),
        ];
        let packed = Interfaces::from(list.as_slice());
        assert_eq!(packed.to_vec(), list);
        let all: Vec<&str> = packed.addresses().collect();
        assert_eq!(all, ["127.0.0.1/8", "::1/128", "", "m1:ß", "fe80::1%eth0/64"]);
        assert_eq!(packed.macs().collect::<Vec<_>>(), ["00:00:00:00:00:00", ""]);
        let text = serde_json::to_string(&packed).unwrap();
        assert_eq!(text, serde_json::to_string(&list).unwrap());
        assert_eq!(serde_json::from_str::<Interfaces>(&text).unwrap(), packed);
    }

    #[test]
    fn none_is_none() {
        let none = Interfaces::from([].as_slice());
        assert!(none.is_empty() && none == Interfaces::default() && none.to_vec().is_empty());
    }
}
