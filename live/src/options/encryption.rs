//! What an address says about TLS: `sslmode` and `sslrootcert`, as libpq understands them. The
//! client library knows only a part of that, so both are taken out of the address before it reads
//! the rest.

use percent_encoding::percent_decode_str;
use std::path::PathBuf;

/// What connections to the database must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// No TLS.
    #[default]
    Disable,
    /// TLS where the server has it; nothing is checked.
    Prefer,
    /// TLS. The certificate is checked where a root certificate is given.
    Require,
    /// TLS, with a certificate that a root certificate vouches for.
    VerifyCa,
    /// The same, and the certificate is that of the host.
    VerifyFull,
}

/// The value of `sslrootcert` that means the certificates that the system trusts.
const SYSTEM: &str = "system";

/// The mode, and what certificates are checked with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encryption {
    pub mode: Mode,
    /// File of root certificates (PEM); `None` means those of the system.
    pub roots: Option<PathBuf>,
}

impl Encryption {
    /// Whether TLS is used where the server has it.
    pub fn is_wanted(&self) -> bool {
        self.mode != Mode::Disable
    }

    /// Whether there is no connection without TLS.
    pub fn is_demanded(&self) -> bool {
        !matches!(self.mode, Mode::Disable | Mode::Prefer)
    }

    /// Whether somebody has to vouch for the server's certificate.
    pub fn checks_certificate(&self) -> bool {
        match self.mode {
            Mode::Disable | Mode::Prefer => false,
            Mode::Require => self.roots.is_some(),
            Mode::VerifyCa | Mode::VerifyFull => true,
        }
    }
}

/// The parameters about TLS as they stand in an address. An empty value is none.
#[derive(Default)]
pub struct Given {
    mode: Option<Mode>,
    roots: Option<String>,
}

impl Given {
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "sslmode" => self.mode = Some(mode(value)?),
            _ => self.roots = Some(value.to_owned()).filter(|value| !value.is_empty()),
        }
        Ok(())
    }

    /// What they mean. As in libpq, the certificates that the system trusts serve only where the
    /// name of the host is checked too: anybody can get such a certificate for a name of their own.
    ///
    /// # Errors
    /// That they do not go together.
    pub fn meaning(self) -> Result<Encryption, String> {
        let is_system = self.roots.as_deref() == Some(SYSTEM);
        let mode = match (self.mode, is_system) {
            (None, true) => Mode::VerifyFull,
            (None, false) => Mode::Prefer,
            (Some(mode), true) if mode != Mode::VerifyFull => {
                return Err("sslrootcert=system needs sslmode=verify-full".to_owned());
            }
            (Some(mode), _) => mode,
        };
        let roots = self.roots.filter(|_| !is_system).map(PathBuf::from);
        if mode == Mode::VerifyCa && roots.is_none() {
            let why = "sslmode=verify-ca needs a file of root certificates: name it by sslrootcert, \
                       or set sslmode=verify-full";
            return Err(why.to_owned());
        }
        Ok(Encryption { mode, roots })
    }
}

fn mode(value: &str) -> Result<Mode, String> {
    Ok(match value {
        "disable" => Mode::Disable,
        "prefer" => Mode::Prefer,
        "require" => Mode::Require,
        "verify-ca" => Mode::VerifyCa,
        "verify-full" => Mode::VerifyFull,
        _ => {
            return Err(
                "sslmode takes disable, prefer, require, verify-ca or verify-full".to_owned(),
            );
        }
    })
}

fn is_taken(name: &str) -> bool {
    ["sslmode", "sslrootcert"].contains(&name)
}

/// The address without the parameters about TLS, and these. Where they say nothing, TLS is used if
/// the server has it.
///
/// # Errors
/// That one has a value that it does not take.
pub fn take_parameters(address: &str) -> Result<(String, Given), String> {
    let mut given = Given::default();
    let is_url = ["postgresql://", "postgres://"]
        .iter()
        .any(|scheme| address.starts_with(scheme));
    let rest = match is_url {
        true => take_from_url(address, &mut given)?,
        false => take_from_pairs(address, &mut given)?,
    };
    Ok((rest, given))
}

fn take_from_url(url: &str, given: &mut Given) -> Result<String, String> {
    let Some((base, query)) = url.split_once('?') else {
        return Ok(url.to_owned());
    };
    let mut kept = Vec::new();
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some((name, value)) if is_taken(name) => {
                let value = percent_decode_str(value).decode_utf8();
                given.set(name, &value.map_err(|_| format!("{name} is not UTF-8"))?)?;
            }
            _ => kept.push(pair),
        }
    }
    Ok(match kept.is_empty() {
        true => base.to_owned(),
        false => format!("{base}?{}", kept.join("&")),
    })
}

/// Of `name=value name='a value'`, where a backslash takes the next letter as it is.
fn take_from_pairs(pairs: &str, given: &mut Given) -> Result<String, String> {
    let mut kept = String::new();
    let mut rest = pairs.trim_start();
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim();
        let (value, length) = value_of(after);
        if is_taken(name) {
            given.set(name, &value)?;
        } else {
            kept += &format!("{name}={} ", &after[..length]);
        }
        rest = after[length..].trim_start();
    }
    // What is left is no pair; the library says what is wrong with it.
    Ok(kept + rest)
}

/// The value at the beginning of a text, and how many bytes it takes there.
fn value_of(text: &str) -> (String, usize) {
    let start = text.len() - text.trim_start().len();
    let is_quoted = text[start..].starts_with('\'');
    let mut value = String::new();
    let mut letters = text[start..].char_indices().skip(usize::from(is_quoted));
    while let Some((place, letter)) = letters.next() {
        match letter {
            '\\' => value.extend(letters.next().map(|(_, escaped)| escaped)),
            '\'' if is_quoted => return (value, start + place + 1),
            _ if letter.is_whitespace() && !is_quoted => return (value, start + place),
            _ => value.push(letter),
        }
    }
    (value, text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_tls_is_taken_out_of_the_address_and_nothing_else() {
        let roots = |path: &str| Some(PathBuf::from(path));
        for (address, rest, mode, file) in [
            (
                "postgresql://u:p%3D@h/d",
                "postgresql://u:p%3D@h/d",
                Mode::Prefer,
                None,
            ),
            (
                "postgres://u@h/d?sslmode=verify-full&sslrootcert=%2Fetc%2Fmy%20ca.pem",
                "postgres://u@h/d",
                Mode::VerifyFull,
                roots("/etc/my ca.pem"),
            ),
            (
                "postgresql://u@h/d?connect_timeout=3&sslmode=require&keepalives=1",
                "postgresql://u@h/d?connect_timeout=3&keepalives=1",
                Mode::Require,
                None,
            ),
            (
                "postgresql://u@h/d?sslmode=verify-full&sslrootcert=system",
                "postgresql://u@h/d",
                Mode::VerifyFull,
                None,
            ),
            (
                "sslrootcert=system host=h",
                "host=h ",
                Mode::VerifyFull,
                None,
            ),
            (
                "sslmode=verify-ca sslrootcert=/ca host=h",
                "host=h ",
                Mode::VerifyCa,
                roots("/ca"),
            ),
            (
                "host=h password='a \\'b sslmode=x' sslmode = disable user=u",
                "host=h password='a \\'b sslmode=x' user=u ",
                Mode::Disable,
                None,
            ),
            (
                "sslrootcert='/a b/c' host=h",
                "host=h ",
                Mode::Prefer,
                roots("/a b/c"),
            ),
        ] {
            let (kept, given) = take_parameters(address).expect(address);
            let encryption = given.meaning().expect(address);
            assert_eq!(kept, rest);
            assert_eq!(encryption.mode, mode, "{address}");
            assert_eq!(encryption.roots, file, "{address}");
        }
        for (refused, why) in [
            ("host=h sslmode=often", "sslmode takes"),
            ("host=h sslmode=verify-ca", "name it by sslrootcert"),
            ("host=h sslmode=verify-ca sslrootcert=''", "name it by"),
            (
                "postgres://u@h?sslmode=verify-ca&sslrootcert=system",
                "needs sslmode=verify-full",
            ),
            (
                "postgres://u@h?sslrootcert=system&sslmode=require",
                "needs sslmode=verify-full",
            ),
        ] {
            let meaning = take_parameters(refused).and_then(|(_, given)| given.meaning());
            let message = meaning.expect_err(refused);
            assert!(message.contains(why), "{refused}: {message}");
        }
    }

    #[test]
    fn a_root_certificate_makes_require_check_as_in_libpq() {
        let given = |mode, roots: Option<&str>| {
            let roots = roots.map(PathBuf::from);
            Encryption { mode, roots }.checks_certificate()
        };
        assert!(!given(Mode::Require, None));
        assert!(given(Mode::Require, Some("/ca")));
        assert!(!given(Mode::Prefer, Some("/ca")));
        assert!(given(Mode::VerifyCa, None));
    }
}
