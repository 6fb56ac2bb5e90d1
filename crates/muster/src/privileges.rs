//! The smallest roles with which Muster can do its work, as `pveum` commands: [`commands`].

use std::fmt::Write;

use fleet::onboard::rights;

/// A major version of Proxmox VE whose privilege names are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Major {
    /// 7.x
    #[value(name = "7")]
    Seven,
    /// 8.x
    #[value(name = "8")]
    Eight,
    /// 9.x
    #[value(name = "9")]
    Nine,
}

impl Major {
    /// The number.
    pub fn number(self) -> u16 {
        rights::Major::from(self).number()
    }
}

impl From<Major> for rights::Major {
    fn from(major: Major) -> Self {
        match major {
            Major::Seven => Self::Seven,
            Major::Eight => Self::Eight,
            Major::Nine => Self::Nine,
        }
    }
}

/// How much Muster shall be able to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Rights {
    /// See everything, change nothing.
    Look,
    /// See everything; start, stop and otherwise switch guests.
    Operate,
}

/// Who the commands are for.
#[derive(Debug, Clone)]
pub struct Account<'a> {
    /// The user that the token belongs to, `muster@pve`.
    pub user: &'a str,
    /// The token's name.
    pub token: &'a str,
}

impl From<Rights> for rights::Rights {
    fn from(rights: Rights) -> Self {
        match rights {
            Rights::Look => Self::Look,
            Rights::Operate => Self::Operate,
        }
    }
}

impl Rights {
    /// The role's name on the Proxmox VE side.
    pub fn role(self) -> &'static str {
        rights::role(self.into()).unwrap_or_default()
    }

    /// The privileges of the role, on `/`: the same that onboarding gives to a token of Muster's.
    pub fn privileges(self, major: Major) -> Vec<&'static str> {
        rights::privileges(self.into(), major.into())
    }

    fn purpose(self) -> &'static str {
        rights::purpose(self.into())
    }
}

/// The commands, ready to be pasted into a root shell on any node, with what each privilege is for.
pub fn commands(major: Major, rights: Rights, account: &Account<'_>) -> String {
    let (role, user, token) = (rights.role(), account.user, account.token);
    let privileges = rights.privileges(major).join(" ");
    let number = major.number();
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "# Proxmox VE {number}: {role} {}.
# Run these as root on one node. \"pveum user token add\" prints the token's secret, once.
pveum role add {role} --privs \"{privileges}\"
pveum user add {user} --comment \"Muster\"
pveum acl modify / --users {user} --roles {role}
pveum user token add {user} {token} --privsep 1 --comment \"Muster\"
pveum acl modify / --tokens '{user}!{token}' --roles {role}
",
        rights.purpose()
    );
    let note = match (major, rights) {
        (Major::Nine, _) => None,
        (_, Rights::Look) => Some(format!(
            "# Addresses inside VMs stay unknown with this role: until Proxmox VE 8 reading them takes VM.Monitor,
# which also lets its holder run programs in VMs. If that is fine for you, add it:
#   pveum role modify {role} --append 1 --privs VM.Monitor"
        )),
        (_, Rights::Operate) => Some(format!(
            "# VM.Monitor is there for the addresses inside VMs alone; it also lets its holder run programs in VMs.
# To do without both:
#   pveum role modify {role} --privs \"{}\"",
            rights.privileges(major).into_iter().filter(|p| *p != "VM.Monitor").collect::<Vec<_>>().join(" ")
        )),
    };
    if let Some(note) = note {
        out.push_str(&note);
        out.push('\n');
    }
    let _ = writeln!(
        out,
        "# Role there already, from another version? Replace \"role add\" by \"role modify\".
# Then put  {user}!{token}=SECRET  on the one line of a file only you can read, and:
#   muster remote add ADDRESS --token-file FILE
# or, without a server:
#   muster at ADDRESS --token-file FILE ls"
    );
    out
}
