//! A session of a person, for what an API token may not do: making tokens, changing passwords. [`Signed`].

use api::Secret;
use api::session::{Session, SignInRequest};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::{Answer, Client, Method, path};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::open::sign_in::TRIES;
use crate::term::ask::NoAnswer;
use crate::term::shell;
use crate::term::text::safe;

/// Somebody who is signed in with a password.
pub(super) struct Signed {
    /// Who, and what for.
    pub session: Session,
    /// The password that was right.
    pub password: Secret,
    client: Client,
    cookie: Secret,
}

impl Signed {
    /// Signs in; a typed password that is wrong may be typed again.
    ///
    /// # Errors
    /// Rejected, nobody to be asked, or anything that a call can end with.
    pub(super) async fn open(
        client: Client,
        user: Option<&str>,
        given: Option<Secret>,
        context: &mut Context<'_>,
    ) -> Result<Self, Failure> {
        client.connect().await?;
        let name = client.name();
        let nobody = || {
            Failure::new(Exit::Credentials, format!("Not signed in at {name}: no password was given."))
                .hint("Give it with --password-file FILE; or run it in a terminal to be asked.")
        };
        let user = match user {
            Some(user) => user.to_owned(),
            None if !context.ask.present() => return Err(nobody()),
            None => context.ask.line("User", std::env::var("USER").ok().as_deref())?,
        };
        let mut tries = 0;
        loop {
            tries += 1;
            let (password, typed) = match &given {
                Some(password) => (password.clone(), false),
                None => match context.ask.secret(&safe(&format!("Password of {user} at {name}"))) {
                    Ok(text) => (Secret::from(text.as_str()), true),
                    Err(NoAnswer::NoTerminal) => return Err(nobody()),
                    Err(other) => return Err(other.into()),
                },
            };
            let body = SignInRequest { user: user.clone(), password: password.clone(), code: None };
            match client.ask(Method::POST, &path(&["session"]), Some(&body), &[]).await {
                Ok(answer) => {
                    context.ask.judged();
                    let session = read(&answer, &name)?;
                    let cookie = answer.header("set-cookie").and_then(|c| c.split(';').next());
                    return Ok(Self { session, password, client, cookie: cookie.unwrap_or_default().into() });
                }
                Err(failure) if failure.exit == Exit::Credentials && typed && tries < TRIES => {
                    context.ask.tell("That was rejected: a wrong name or password.");
                }
                Err(failure) => {
                    context.ask.judged();
                    return Err(match failure.exit {
                        Exit::Credentials => failure.hint(
                            "Check name and password. An administrator sets a new one: muster user passwd NAME",
                        ),
                        _ => failure,
                    });
                }
            }
        }
    }

    fn headers(&self) -> [(&str, &str); 2] {
        [("cookie", self.cookie.reveal()), (api::CSRF_HEADER, self.session.csrf.reveal())]
    }

    /// A call in this session.
    ///
    /// # Errors
    /// As [`Client::post`].
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let answer = self.client.ask(method, path, Some(body), &self.headers()).await?;
        read(&answer, &self.client.name())
    }

    /// Signs out again. Should that fail, the session ends by itself.
    pub(super) async fn close(self) {
        let _ = self.client.ask(Method::DELETE, &path(&["session"]), None::<&()>, &self.headers()).await;
    }
}

/// Why a token that was just made could not be kept, with what became of the token.
pub(super) fn unkept(failure: Failure, id: &str, taken_back: Result<(), Failure>) -> Failure {
    match taken_back {
        Ok(()) => Failure { sentence: format!("{} The token was taken back.", failure.sentence), ..failure },
        Err(why) => failure
            .detail([format!("The token {id} was made and could not be taken back: {}", why.sentence)])
            .hint(format!("Take it back there: muster token rm {}", shell::word(id))),
    }
}

fn read<T: DeserializeOwned>(answer: &Answer, name: &str) -> Result<T, Failure> {
    let body: &[u8] = if answer.body.is_empty() { b"null" } else { &answer.body };
    serde_json::from_slice(body)
        .map_err(|e| Failure::new(Exit::Failed, format!("The answer of {name} is not understood: {e}.")))
}
