//! A session of a person, for what an API token may not do: making tokens, changing passwords. [`Signed`].

use api::Secret;
use api::session::{Session, SignInRequest};
use api::system::System;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cli::SignIn;
use crate::client::{Answer, Client, Method, path};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::open::sign_in::{CODE_REJECTED, TRIES};
use crate::secrets::Means;
use crate::term::ask::NoAnswer;
use crate::term::shell;
use crate::term::text::safe;

/// What the command line gave to sign in with; whatever is missing is asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Given {
    pub(super) password: Option<Secret>,
    /// Of the second factor.
    pub(super) code: Option<Secret>,
}

impl Given {
    /// Reads what the options name.
    ///
    /// # Errors
    /// A secret that cannot be read or is none; standard input wanted twice.
    pub(super) fn read(options: &SignIn) -> Result<Self, Failure> {
        Ok(Self::of(&Means::read(options)?))
    }

    pub(super) fn of(means: &Means) -> Self {
        let secret = |secret: &pve::secret::Secret| Secret::from(secret.expose());
        Self { password: means.password.as_ref().map(secret), code: means.otp.as_ref().map(secret) }
    }
}

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
    /// Signs in; a typed password or code that is wrong may be typed again.
    ///
    /// # Errors
    /// Rejected, nobody to be asked, or anything that a call can end with.
    pub(super) async fn open(
        client: Client,
        user: Option<&str>,
        given: Given,
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
            let (password, typed) = match &given.password {
                Some(password) => (password.clone(), false),
                None => match context.ask.secret(&safe(&format!("Password of {user} at {name}"))) {
                    Ok(text) => (Secret::from(text.as_str()), true),
                    Err(NoAnswer::NoTerminal) => return Err(nobody()),
                    Err(other) => return Err(other.into()),
                },
            };
            let mut body = SignInRequest { user: user.clone(), password: password.clone(), code: None };
            let mut asked = enter(&client, &body).await;
            // Where no second factor is on, no code goes over the wire.
            if asked.as_ref().is_err_and(|failure| failure.exit == Exit::SecondFactor) {
                asked = with_code(&client, &mut body, given.code.as_ref(), context).await;
            }
            match asked {
                Ok(answer) => {
                    context.ask.judged();
                    let session = read(&answer, &name)?;
                    let cookie = answer.header("set-cookie").and_then(|c| c.split(';').next());
                    return Ok(Self { session, password, client, cookie: cookie.unwrap_or_default().into() });
                }
                Err(failure)
                    if failure.exit == Exit::Credentials
                        && failure.cause != Some(WRONG_CODE)
                        && typed
                        && tries < TRIES =>
                {
                    context.ask.tell("That was rejected: a wrong name or password.");
                }
                Err(failure) => {
                    context.ask.judged();
                    return Err(match failure.exit {
                        Exit::Credentials if failure.cause == Some(WRONG_CODE) => failure,
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

/// The cause of a refused code.
const WRONG_CODE: &str = "wrong_code";

async fn enter(client: &Client, body: &SignInRequest) -> Result<Answer, Failure> {
    client.ask(Method::POST, &path(&["session"]), Some(body), &[]).await
}

/// Signs in with a code; a typed one that is wrong may be typed again.
async fn with_code(
    client: &Client,
    body: &mut SignInRequest,
    given: Option<&Secret>,
    context: &mut Context<'_>,
) -> Result<Answer, Failure> {
    let name = client.name();
    let question = format!("Code of the second factor of {} at {name}", body.user);
    let mut tries = 0;
    loop {
        tries += 1;
        let typed = given.is_none();
        let code = match given {
            Some(code) => code.clone(),
            None => {
                match context.ask.secret(&safe(&question)) {
                    Ok(text) => Secret::from(text.as_str()),
                    Err(NoAnswer::NoTerminal) => {
                        return Err(Failure::new(
                        Exit::SecondFactor,
                        format!("{} signs in at {name} with a second factor, and no code was given.", body.user),
                    )
                    .hint("Give it with --otp-file FILE or --otp-fd N; or run it in a terminal to be asked."));
                    }
                    Err(other) => return Err(other.into()),
                }
            }
        };
        body.code = Some(code);
        match enter(client, body).await {
            Err(failure) if failure.cause == Some(WRONG_CODE) && typed && tries < TRIES => {
                context.ask.tell(CODE_REJECTED);
            }
            Err(failure) if failure.cause == Some(WRONG_CODE) => {
                return Err(Failure::new(
                    Exit::Credentials,
                    "The code of the second factor was rejected; the password was right.",
                )
                .hint(
                    "A code works once, and for about a minute. Without the authenticator a recovery code does, \
                     or an administrator turns it off: muster user totp-off NAME",
                )
                .cause(WRONG_CODE));
            }
            asked => return asked,
        }
    }
}

/// Says how to become a user where the caller is none.
///
/// # Errors
/// Over the socket. `what`: what it is that takes one.
pub(super) async fn needs_user(client: &Client, what: &str) -> Result<(), Failure> {
    if !client.is_local() {
        return Ok(());
    }
    // The server's own word where it is reached: another program may listen where it usually is.
    let url = client.get::<System>(&path(&["system"])).await.ok().map(|s| s.reached_at);
    let url = url.filter(|url| !url.is_empty()).unwrap_or_else(|| "URL".to_owned());
    Err(Failure::usage(format!("{what}, and over the socket you are none."))
        .hint(format!("Sign in first, then do it there: muster login {}", shell::word(&url))))
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
