//! Access: version, realms, permissions, users, tokens, roles, the access control list. Tickets are the business of
//! [`crate::auth`].

use catalogue::Method;

use super::{Call, nothing, object, rows};
use crate::decode::Rows;
use crate::reply::{
    AclRow, Domain, Permissions, RolePrivileges, RoleRow, Token, TokenInfo, TokenRow, User, Version,
};

/// The path of one token.
const TOKEN: &str = "/access/users/{userid}/token/{tokenid}";

/// What may be set for an API token; what is `None` is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenOptions {
    /// A text about it.
    pub comment: Option<String>,
    /// When it ends, in Unix seconds; 0: never.
    pub expire: Option<i64>,
    /// Whether it has rights of its own only, cut with its user's. A new token has, unless told otherwise.
    pub privsep: Option<bool>,
}

/// One line of the access control list, to be added or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclChange {
    /// The object, e.g. `/` or `/vms/100`.
    pub path: String,
    /// The role.
    pub role: String,
    /// To whom it is given.
    pub subject: AclSubject,
    /// Whether it holds below the path too; left to the server if `None` (it does).
    pub propagate: Option<bool>,
    /// Remove it instead.
    pub delete: bool,
}

/// To whom a line of the access control list gives its role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AclSubject {
    /// `user@realm`.
    User(String),
    /// A group.
    Group(String),
    /// `user@realm!name`.
    Token(String),
}

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

/// `GET /access/users/{userid}`: an account.
pub fn user(userid: &str) -> Call<User> {
    Call::new(Method::Get, "/access/users/{userid}", &[("userid", userid)], object)
}

/// `GET /access/users/{userid}/token`: the tokens of an account, without their secrets.
pub fn tokens(userid: &str) -> Call<Rows<TokenRow>> {
    Call::new(Method::Get, "/access/users/{userid}/token", &[("userid", userid)], rows)
}

fn of_token<T>(
    method: Method,
    userid: &str,
    tokenid: &str,
    decode: impl Fn(
        &crate::envelope::Envelope<'_>,
        &mut crate::drift::Drift,
    ) -> Result<T, crate::decode::NotUnderstood>
    + Send
    + Sync
    + 'static,
) -> Call<T> {
    Call::new(method, TOKEN, &[("userid", userid), ("tokenid", tokenid)], decode)
}

fn with_options<T>(call: Call<T>, options: &TokenOptions) -> Call<T> {
    call.with("comment", options.comment.as_deref())
        .with("expire", options.expire)
        .with("privsep", options.privsep)
}

/// `GET /access/users/{userid}/token/{tokenid}`: one token, without its secret.
pub fn token(userid: &str, tokenid: &str) -> Call<TokenInfo> {
    of_token(Method::Get, userid, tokenid, object)
}

/// `POST /access/users/{userid}/token/{tokenid}`: makes a token. Its secret is in this answer and in no other.
///
/// A name that is taken is a 400 about `tokenid`.
pub fn token_create(userid: &str, tokenid: &str, options: &TokenOptions) -> Call<Token> {
    with_options(of_token(Method::Post, userid, tokenid, object), options)
}

/// `PUT /access/users/{userid}/token/{tokenid}`: changes what is given.
pub fn token_update(userid: &str, tokenid: &str, options: &TokenOptions) -> Call<TokenInfo> {
    with_options(of_token(Method::Put, userid, tokenid, object), options)
}

/// `DELETE /access/users/{userid}/token/{tokenid}`: the token is worth nothing from then on.
pub fn token_delete(userid: &str, tokenid: &str) -> Call<()> {
    of_token(Method::Delete, userid, tokenid, nothing)
}

/// `GET /access/roles`: every role with its privileges.
pub fn roles() -> Call<Rows<RoleRow>> {
    Call::new(Method::Get, "/access/roles", &[], rows)
}

/// `GET /access/roles/{roleid}`: the privileges of one role.
pub fn role(roleid: &str) -> Call<RolePrivileges> {
    Call::new(Method::Get, "/access/roles/{roleid}", &[("roleid", roleid)], object)
}

/// `POST /access/roles`: makes a role.
pub fn role_create(roleid: &str, privileges: &[&str]) -> Call<()> {
    Call::new(Method::Post, "/access/roles", &[], nothing)
        .with("roleid", Some(roleid))
        .with("privs", Some(privileges.join(",")))
}

/// `PUT /access/roles/{roleid}`: gives a role other privileges, or with `append` more of them.
pub fn role_update(roleid: &str, privileges: &[&str], append: bool) -> Call<()> {
    Call::new(Method::Put, "/access/roles/{roleid}", &[("roleid", roleid)], nothing)
        .with("privs", Some(privileges.join(",")))
        .with("append", append.then_some(true))
}

/// `DELETE /access/roles/{roleid}`: removes a role, and with it every line of the access control list that gives it.
pub fn role_delete(roleid: &str) -> Call<()> {
    Call::new(Method::Delete, "/access/roles/{roleid}", &[("roleid", roleid)], nothing)
}

/// `GET /access/acl`: the lines of the access control list that one may see.
pub fn acl() -> Call<Rows<AclRow>> {
    Call::new(Method::Get, "/access/acl", &[], rows).listing()
}

/// `PUT /access/acl`: adds or removes a line of the access control list.
pub fn acl_change(change: &AclChange) -> Call<()> {
    let (name, subject) = match &change.subject {
        AclSubject::User(user) => ("users", user),
        AclSubject::Group(group) => ("groups", group),
        AclSubject::Token(token) => ("tokens", token),
    };
    Call::new(Method::Put, "/access/acl", &[], nothing)
        .with("path", Some(change.path.as_str()))
        .with("roles", Some(change.role.as_str()))
        .with(name, Some(subject.as_str()))
        .with("propagate", change.propagate)
        .with("delete", change.delete.then_some(true))
}
