//! The named formats and patterns that parameters must have, as far as a caller can tell the difference.

/// How high the numbers of indexed options go: `ide9` is not an option although `ide3` is.
const INDEXED: [(&str, u32); 15] = [
    ("ide", 4),
    ("sata", 6),
    ("scsi", 31),
    ("virtio", 16),
    ("net", 32),
    ("mp", 256),
    ("dev", 256),
    ("unused", 256),
    ("usb", 14),
    ("hostpci", 16),
    ("serial", 4),
    ("parallel", 3),
    ("ipconfig", 32),
    ("numa", 8),
    ("virtiofs", 10),
];

/// Whether an indexed name stays within its bounds; a name without index always does.
pub(crate) fn index_in_range(name: &str) -> bool {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let index = name.get(stem.len()..).unwrap_or_default();
    if index.is_empty() {
        return true;
    }
    INDEXED
        .iter()
        .find(|(known, _)| *known == stem)
        .is_none_or(|(_, count)| index.parse::<u32>().is_ok_and(|index| index < *count))
}

/// Whether a text has one of the patterns that a caller may meet in this part of the API. A pattern that is
/// not known here lets everything pass.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    match pattern {
        // Token names and realms.
        r"(?^:[A-Za-z][A-Za-z0-9\.\-_]+)" => is_name(text, 2),
        r"(?^:[A-Za-z0-9\.\-_]+)" => !text.is_empty() && text.chars().all(is_name_char),
        r"\S+" => !text.is_empty() && !text.chars().any(char::is_whitespace),
        _ => true,
    }
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
}

fn is_name(text: &str, least: usize) -> bool {
    text.len() >= least
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(is_name_char)
}

/// `name@realm`.
pub(crate) fn is_userid(text: &str) -> bool {
    text.len() <= 64
        && text.rsplit_once('@').is_some_and(|(name, realm)| {
            !name.is_empty()
                && !name.chars().any(|c| c.is_whitespace() || matches!(c, ':' | '/'))
                && is_name(realm, 2)
        })
}

fn is_vmid(text: &str) -> bool {
    text.len() <= 9
        && text.starts_with(|c: char| ('1'..='9').contains(&c))
        && text.parse::<u32>().is_ok_and(|id| id >= 100)
}

fn is_host_label(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 63
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

fn is_dns_name(text: &str) -> bool {
    text.split('.').all(is_host_label)
}

/// `storage:volume`.
fn is_volume(text: &str) -> bool {
    text.split_once(':').is_some_and(|(storage, volume)| is_name(storage, 2) && !volume.is_empty())
}

fn is_email(text: &str) -> bool {
    text.is_empty()
        || text.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty() && !host.is_empty() && !text.chars().any(char::is_whitespace)
        })
}

fn is_mac_prefix(text: &str) -> bool {
    let mut bytes = text
        .trim_end_matches(':')
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16).ok().filter(|_| byte.len() == 2));
    bytes.next().flatten().is_some_and(|first| first & 1 == 0) && bytes.all(|byte| byte.is_some())
}

/// Checks a text against a named format; the words are the server's. Formats not known here let everything
/// pass: they never come from the calls that are simulated, or the handler looks at them itself.
pub(crate) fn check(format: &str, text: &str) -> Result<(), String> {
    if let Some(single) = format.strip_suffix("-list") {
        let single = match single {
            "pve-ha-node" | "pve-ha-group-node" => "pve-ha-node",
            other => other,
        };
        return super::verify::split_list(text).iter().try_for_each(|word| check(single, word));
    }
    let fail = |fits: bool, words: &str| if fits { Ok(()) } else { Err(words.to_owned()) };
    match format {
        "pve-vmid" => fail(is_vmid(text), "value does not look like a valid VM ID"),
        "pve-node" => fail(is_host_label(text), "value does not look like a valid node name"),
        "pve-userid" => {
            fail(is_userid(text), &format!("value '{text}' does not look like a valid user name"))
        }
        "pve-configid" => fail(is_name(text, 2), &format!("invalid configuration ID '{text}'")),
        "pve-storage-id" => fail(is_name(text, 2), &format!("invalid storage ID '{text}'")),
        "pve-storage-content" => fail(
            matches!(
                text,
                "images" | "rootdir" | "vztmpl" | "iso" | "backup" | "snippets" | "none" | "import"
            ),
            &format!("invalid content type '{text}'\n"),
        ),
        "dns-name" => fail(is_dns_name(text), "value does not look like a valid DNS name"),
        "email-opt" => fail(is_email(text), "value does not look like a valid email address"),
        "pve-realm" => fail(is_name(text, 2), "value does not look like a valid realm"),
        "pve-roleid" => fail(
            !text.is_empty() && text.chars().all(is_name_char),
            "value does not look like a valid role name",
        ),
        "pve-groupid" => fail(
            !text.is_empty() && text.chars().all(is_name_char),
            &format!("group name '{text}' contains invalid characters"),
        ),
        "pve-priv" => fail(super::facts::bit(text) != 0, &format!("invalid privilege '{text}'")),
        "pve-tokenid" => fail(
            text.split_once('!').is_some_and(|(user, name)| is_userid(user) && is_name(name, 2)),
            &format!("value '{text}' does not look like a valid token ID"),
        ),
        "pve-volume-id" => fail(is_volume(text), &format!("unable to parse volume ID '{text}'\n")),
        "pve-volume-id-or-qm-path" | "pve-volume-id-or-absolute-path" => fail(
            matches!(text, "none" | "cdrom") || text.starts_with('/') || is_volume(text),
            &format!("unable to parse volume ID '{text}'\n"),
        ),
        "pve-lxc-mp-string" => fail(
            text.starts_with('/') && !text.split('/').any(|part| part == ".."),
            "unable to parse LXC mount point string",
        ),
        "mac-addr" => fail(
            text.split(':').count() == 6 && is_mac_prefix(text),
            "value does not look like a valid unicast MAC address\n",
        ),
        "mac-prefix" => fail(is_mac_prefix(text), "value is not a valid unicast MAC address prefix"),
        "pve-tag" => fail(
            !text.is_empty()
                && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '.')),
            &format!("invalid characters in tag '{text}'"),
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_say_no_in_proxmoxs_words() {
        assert!(check("pve-vmid", "101").is_ok());
        for bad in ["0101", "99", "x", "", "1000000000"] {
            assert!(check("pve-vmid", bad).is_err(), "{bad}");
        }
        assert_eq!(
            check("pve-userid", "al ice").unwrap_err(),
            "value 'al ice' does not look like a valid user name"
        );
        assert!(check("dns-name", "bad_host!").is_err());
        assert!(check("email-opt", "nomail").is_err());
        assert!(check("mac-prefix", "BC:24:11").is_ok());
        assert!(check("mac-prefix", "zz").is_err());
        assert!(check("pve-userid-list", "a@pam;b@pve").is_ok());
    }

    #[test]
    fn indexed_options_end_where_the_real_ones_do() {
        for good in ["ide3", "scsi30", "net31", "memory", "mp255"] {
            assert!(index_in_range(good), "{good}");
        }
        for bad in ["ide9", "ide4", "scsi31", "sata6", "net32"] {
            assert!(!index_in_range(bad), "{bad}");
        }
    }
}
