//! Access: version, realms, permissions. Tickets are the business of [`crate::auth`].

use catalogue::Method;

use super::{Call, object, rows};
use crate::decode::Rows;
use crate::reply::{Domain, Permissions, Version};

/// `GET /version`: the version of the endpoint's node. Needs authorisation.
pub fn version() -> Call<Version> {
    Call::new(Method::Get, "/version", &[], object)
}

/// `GET /access/domains`: the realms one may sign in to. The one call that needs no authorisation.
pub fn domains() -> Call<Rows<Domain>> {
    Call::new(Method::Get, "/access/domains", &[], rows).open()
}

/// `GET /access/permissions`: what the credential in use may do, path by path.
pub fn permissions() -> Call<Permissions> {
    Call::new(Method::Get, "/access/permissions", &[], object).listing()
}
