//! Network interfaces and addresses inside guests.

use std::collections::HashSet;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::decode::{Cx, Decode, Kind, Members, Unfit, object_value, reply};

reply! {
    /// A network interface inside a guest: one row of `GET /nodes/{node}/lxc/{vmid}/interfaces`, or of the
    /// result of `GET /nodes/{node}/qemu/{vmid}/agent/network-get-interfaces`.
    pub struct Interface {
        /// Its name in the guest.
        pub name: Option<String> = "name",
        /// Its MAC address.
        pub hardware_address: Option<String> = "hardware-address",
        /// Its MAC address, under the name that containers also use.
        pub hwaddr: Option<String> = "hwaddr",
        /// A container's IPv4 address with prefix length.
        pub inet: Option<String> = "inet",
        /// A container's IPv6 address with prefix length.
        pub inet6: Option<String> = "inet6",
        /// All its addresses.
        pub ip_addresses: Option<Vec<IpAddress>> = "ip-addresses",
        /// Counters, by name; from the guest agent only.
        pub statistics: Option<Value> = "statistics",
    }

    /// One address of an [`Interface`].
    pub struct IpAddress {
        /// The address.
        pub address: Option<String> = "ip-address",
        /// `ipv4` or `ipv6`; containers say `inet` or `inet6`.
        pub kind: Option<String> = "ip-address-type",
        /// The length of its network's prefix, in bits.
        pub prefix: Option<u64> = "prefix",
    }

    /// `GET /nodes/{node}/qemu/{vmid}/agent/network-get-interfaces`.
    pub struct AgentInterfaces {
        /// What the agent answered.
        pub result: Option<AgentResult> = "result",
    }

    /// The agent's reason for not answering.
    pub struct AgentError {
        /// The kind of error, such as `Unsupported`.
        pub class: Option<String> = "class",
        /// Its words.
        pub desc: Option<String> = "desc",
    }
}

/// What a guest agent answered: the guest's interfaces, or that it cannot say.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentResult {
    /// The interfaces.
    Interfaces(Vec<Interface>),
    /// The agent's error.
    Error(AgentError),
}

impl AgentInterfaces {
    /// The interfaces; none if the agent answered with an error.
    pub fn interfaces(&self) -> &[Interface] {
        match &self.result {
            Some(AgentResult::Interfaces(interfaces)) => interfaces,
            _ => &[],
        }
    }

    /// The agent's error, if it answered with one.
    pub fn error(&self) -> Option<&AgentError> {
        match &self.result {
            Some(AgentResult::Error(error)) => Some(error),
            _ => None,
        }
    }
}

impl Interface {
    /// The MAC address, under whichever name it came.
    pub fn mac(&self) -> Option<&str> {
        self.hardware_address.as_deref().or(self.hwaddr.as_deref())
    }

    /// Every address as `address/prefix`, or as the address alone where no prefix was told; without repeats.
    pub fn addresses(&self) -> Vec<String> {
        let listed = self.ip_addresses.iter().flatten().filter_map(|a| {
            let address = a.address.as_deref()?;
            Some(a.prefix.map_or_else(|| address.to_owned(), |prefix| format!("{address}/{prefix}")))
        });
        let own = [&self.inet, &self.inet6].into_iter().flatten().cloned();
        let mut seen = HashSet::new();
        listed.chain(own).filter(|address| !address.is_empty() && seen.insert(address.clone())).collect()
    }
}

impl Decode for AgentResult {
    const KIND: Kind = Kind::AgentResult;

    fn decode(raw: &str, cx: &mut Cx<'_>) -> Result<Self, Unfit> {
        let Some(mut members) = Members::of(raw) else {
            return Vec::decode(raw, cx).map(Self::Interfaces);
        };
        let error = members.find(|(key, _)| key == "error").ok_or_else(Unfit::default)?.1;
        object_value(error, cx).map(Self::Error)
    }
}

impl Serialize for AgentResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        match self {
            Self::Interfaces(interfaces) => interfaces.serialize(serializer),
            Self::Error(error) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("error", error)?;
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode;
    use crate::drift::Drift;

    fn read(json: &str) -> (AgentInterfaces, Drift) {
        let mut drift = Drift::default();
        (decode::object(decode::check(json.as_bytes()).unwrap(), &mut drift).unwrap(), drift)
    }

    #[test]
    fn an_agent_answers_with_interfaces_or_with_an_error() {
        let (told, drift) = read(
            r#"{"result":[{"name":"eth0","hardware-address":"02:00:00:00:00:01","ip-addresses":
               [{"ip-address":"192.0.2.7","prefix":24,"ip-address-type":"ipv4"},{"ip-address":"::1"}]}]}"#,
        );
        assert!(drift.is_empty());
        assert_eq!(told.interfaces()[0].addresses(), ["192.0.2.7/24", "::1"]);
        assert_eq!(told.interfaces()[0].mac(), Some("02:00:00:00:00:01"));
        let (refused, drift) = read(r#"{"result":{"error":{"class":"Unsupported","desc":"not supported"}}}"#);
        assert!(drift.is_empty() && refused.interfaces().is_empty());
        assert_eq!(refused.error().unwrap().desc.as_deref(), Some("not supported"));
        let (odd, drift) = read(r#"{"result":"none"}"#);
        assert!(odd.result.is_none());
        assert_eq!(drift.records[0].field, "result");
    }

    #[test]
    fn addresses_of_a_container_are_not_repeated() {
        let mut drift = Drift::default();
        let data = r#"{"name":"eth0","inet":"192.0.2.7/24","inet6":"","ip-addresses":
            [{"ip-address":"192.0.2.7","prefix":"24"}]}"#;
        let interface: Interface =
            decode::object(decode::check(data.as_bytes()).unwrap(), &mut drift).unwrap();
        assert_eq!(interface.addresses(), ["192.0.2.7/24"]);
        assert!(drift.is_empty());
    }
}
