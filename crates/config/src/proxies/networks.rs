//! The addresses of trusted proxies: `WSGITrustedProxies`.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

/// Networks whose peers may say on whose behalf they ask.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Networks(Vec<IpNet>);

/// An address or network that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Neither an address nor a network.
    #[error("not an address or network")]
    Malformed,
    /// All addresses there are: whoever means that names no proxies.
    #[error("a network of all addresses protects nothing")]
    Everything,
}

impl Networks {
    /// Reads one address or network: `10.0.0.5`, `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, the first bytes
    /// of an address (`10.1`), `2001:db8::1`, `2001:db8::/32`. Bits behind the mask are not looked at, as in
    /// Apache's own `Require ip`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let network = network(text).ok_or(NetworkError::Malformed)?;
        if network.prefix_len() == 0 {
            return Err(NetworkError::Everything);
        }
        Ok(Self(vec![unmapped(network.trunc())]))
    }

    /// Adds those of another line.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Whether the address is in one of them. An IPv4 address may be written as an IPv6 one.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// As [`Self::contains`], for an address as text; what is no address is in none.
    pub fn contains_text(&self, address: &[u8]) -> bool {
        let address = std::str::from_utf8(address).ok().and_then(|text| text.parse().ok());
        address.is_some_and(|address| self.contains(address))
    }
}

fn network(text: &str) -> Option<IpNet> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.into());
    }
    if let Ok(network) = text.parse::<IpNet>() {
        return Some(network);
    }
    if let Some((address, mask)) = text.split_once('/') {
        let mask: Ipv4Addr = mask.parse().ok()?;
        return Ipv4Net::with_netmask(address.parse().ok()?, mask).ok().map(IpNet::V4);
    }
    first_bytes(text)
}

/// `10.1` for `10.1.0.0/16`.
fn first_bytes(text: &str) -> Option<IpNet> {
    let parts: Vec<u8> = text.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let mut bytes = [0; 4];
    bytes.get_mut(..parts.len()).filter(|_| parts.len() < 4)?.copy_from_slice(&parts);
    let bits = u8::try_from(parts.len() * 8).ok()?;
    Ipv4Net::new(bytes.into(), bits).ok().map(IpNet::V4)
}

/// `::ffff:10.0.0.0/104` as `10.0.0.0/8`: addresses are compared in their canonical form.
fn unmapped(network: IpNet) -> IpNet {
    let IpNet::V6(six) = network else { return network };
    let four = six.addr().to_ipv4_mapped().zip(six.prefix_len().checked_sub(96));
    let four = four.and_then(|(address, bits)| Ipv4Net::new(address, bits).ok());
    four.map_or(network, IpNet::V4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn holds(network: &str, address: &str) -> bool {
        Networks::parse(network).unwrap().contains_text(address.as_bytes())
    }

    #[test]
    fn addresses_and_networks_of_both_kinds() {
        for (network, inside, outside) in [
            ("10.0.0.5", "10.0.0.5", "10.0.0.6"),
            ("10.0.0.0/8", "10.255.1.2", "11.0.0.0"),
            ("10.1.2.3/16", "10.1.9.9", "10.2.0.0"),
            ("10.0.0.0/255.255.0.0", "10.0.3.4", "10.1.0.0"),
            ("10", "10.9.9.9", "11.0.0.1"),
            ("10.1", "10.1.255.255", "10.2.0.0"),
            ("10.1.2", "10.1.2.3", "10.1.3.0"),
            ("2001:db8::1", "2001:db8:0::1", "2001:db8::2"),
            ("2001:db8::/32", "2001:db8:ffff::", "2001:db9::"),
            ("10.0.0.0/8", "::ffff:10.0.0.1", "::10.0.0.1"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.1.2.3"),
            ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"),
        ] {
            assert!(holds(network, inside), "{network} {inside}");
            assert!(!holds(network, outside), "{network} {outside}");
        }
    }

    #[test]
    fn what_is_no_address_is_nowhere() {
        for text in ["", "unknown", "10.0.0.1:80", " 10.0.0.1", "10.0.0.1\0", "\u{e9}", "010.0.0.1"]
        {
            assert!(!holds("10.0.0.0/8", text), "{text:?}");
        }
        assert!(!Networks::parse("10.0.0.0/8").unwrap().contains_text(b"\xff"));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "localhost",
            "*",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/a",
            "::1/129",
            "[::1]",
            "1.2.3.4:80",
            "10.0.0.300",
            "10.1/16",
            "10.0.0.0/0.0.0.255",
            "10.",
            ".10",
            "10..1",
            "1.2.3.4.5",
            "10.0.0.1,10.0.0.2",
            "fe80::1%eth0",
            "10.0.0.1 10.0.0.2",
        ] {
            assert_eq!(Networks::parse(text), Err(NetworkError::Malformed), "{text:?}");
        }
        for text in ["0.0.0.0/0", "::/0", "1.2.3.4/0", "0.0.0.0/0.0.0.0"] {
            assert_eq!(Networks::parse(text), Err(NetworkError::Everything), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(network in "[0-9a-f:./]{0,20}|.{0,12}", address in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(networks) = Networks::parse(&network) {
                networks.contains_text(&address);
            }
        }

        #[test]
        fn a_network_holds_its_own_addresses(address: u32, bits in 1_u8..=32) {
            let address = Ipv4Addr::from(address);
            let text = format!("{}/{}", address, bits);
            prop_assert!(Networks::parse(&text).unwrap().contains(address.into()));
        }
    }
}
