//! Bearer tokens: JSON Web Tokens, signed with HMAC-SHA-256 (RFC 7519, RFC 7515 §A.1).
//!
//! jsonwebtoken makes and checks signatures. It would compare dates with the system's clock: here they are compared with the
//! host's.

use std::time::Duration;

use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, crypto, decode, encode};
use serde::{Deserialize, Serialize};

/// `{"alg":"HS256","typ":"JWT"}`, in the order that most libraries write it.
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
/// `{"alg":"none","typ":"JWT"}`: a token that nobody has signed (RFC 7519 §6).
const UNSIGNED: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";

/// What a token says of whoever holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    /// Who.
    pub(super) sub: String,
    /// In which role.
    pub(super) role: String,
    /// From when on, in seconds since 1970.
    pub(super) iat: u64,
    /// Until when.
    pub(super) exp: u64,
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// It is none.
    #[error("The token cannot be read")]
    Malformed,
    /// It is signed in another way than this server's are, or not at all.
    #[error("The token is not signed with HS256")]
    Algorithm,
    /// What it says is not what was signed.
    #[error("The signature does not match")]
    Signature,
    /// Its time is over.
    #[error("The token has expired")]
    Expired,
}

/// A token that says this.
///
/// # Errors
/// The library's, which has no reason for any.
pub(super) fn issue(claims: &Claims, secret: &str) -> Result<String, Error> {
    let message = format!("{HEADER}.{}", payload(claims)?);
    let signature = crypto::sign(message.as_bytes(), &EncodingKey::from_secret(secret.as_bytes()), Algorithm::HS256)?;
    Ok(format!("{message}.{signature}"))
}

/// What a token says, if it is genuine and `date` (since 1970) is within its time.
///
/// # Errors
/// Why it is refused.
pub(super) fn check(token: &str, secret: &str, date: Duration) -> Result<Claims, Refusal> {
    let mut validation = Validation::new(Algorithm::HS256);
    // The dates are looked at below: no clock but the host's is asked.
    validation.validate_exp = false;
    validation.required_spec_claims.clear();
    let read = decode::<Claims>(token, &DecodingKey::from_secret(secret.as_bytes()), &validation);
    let claims = read.map_err(|error| refusal(token, error.kind()))?.claims;
    if claims.exp <= date.as_secs() { Err(Refusal::Expired) } else { Ok(claims) }
}

fn refusal(token: &str, kind: &ErrorKind) -> Refusal {
    match kind {
        ErrorKind::InvalidSignature => Refusal::Signature,
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => Refusal::Algorithm,
        // The library does not know `none`, not even by name.
        _ if token.starts_with(UNSIGNED) => Refusal::Algorithm,
        _ => Refusal::Malformed,
    }
}

/// The same token, but for the role that it speaks of: its signature is still that of the other.
pub(super) fn forged(token: &str, role: &str) -> Option<String> {
    let mut claims: Claims = jsonwebtoken::dangerous::insecure_decode_claims(token).ok()?;
    role.clone_into(&mut claims.role);
    let (header, rest) = token.split_once('.')?;
    let (_, signature) = rest.split_once('.')?;
    Some(format!("{header}.{}.{signature}", payload(&claims).ok()?))
}

/// A token for that role which claims that it needs no signature.
pub(super) fn unsigned(token: &str, role: &str) -> Option<String> {
    let forged = forged(token, role)?;
    let payload = forged.split('.').nth(1)?;
    Some(format!("{UNSIGNED}.{payload}."))
}

/// The claims as they stand in a token.
fn payload(claims: &Claims) -> Result<String, Error> {
    let whole = encode(&Header::default(), claims, &EncodingKey::from_secret(b""))?;
    Ok(whole.split('.').nth(1).unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: Duration = Duration::from_secs(1_767_225_600);

    fn alice() -> Claims {
        Claims { sub: "alice".into(), role: "user".into(), iat: DATE.as_secs(), exp: DATE.as_secs() + 3600 }
    }

    #[test]
    fn a_token_says_who_until_its_time_is_over() {
        let token = issue(&alice(), "secret").expect("it is signed");
        assert!(token.starts_with("eyJhbGciOiJIUzI1NiIs"), "{token}");
        assert_eq!(check(&token, "secret", DATE), Ok(alice()));
        assert_eq!(check(&token, "secret", DATE + Duration::from_secs(3599)), Ok(alice()));
        assert_eq!(check(&token, "secret", DATE + Duration::from_secs(3600)), Err(Refusal::Expired));
    }

    #[test]
    fn what_was_not_signed_with_the_secret_is_refused() {
        let token = issue(&alice(), "secret").expect("it is signed");
        let forged = forged(&token, "admin").expect("it is a token");
        assert_eq!(check(&forged, "secret", DATE), Err(Refusal::Signature));
        assert_eq!(check(&token, "another", DATE), Err(Refusal::Signature));
        let unsigned = unsigned(&token, "admin").expect("it is a token");
        assert_eq!(check(&unsigned, "secret", DATE), Err(Refusal::Algorithm));
        for none in ["", ".", "..", "a.b.c", "eyJhbGciOiJIUzI1NiIs..."] {
            assert_eq!(check(none, "secret", DATE), Err(Refusal::Malformed), "{none}");
        }
    }
}
