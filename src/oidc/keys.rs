//! The keys with which a provider signs: a JWK set.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::Value;

/// Keys that are read of one set.
const MAX_KEYS: usize = 64;

/// How a word is signed. What is not here is not taken: `none`, and `HS256`, whose key would be our own secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA, PKCS #1.
    Rs256,
    /// The same with SHA-384.
    Rs384,
    /// The same with SHA-512.
    Rs512,
    /// RSA, PSS.
    Ps256,
    /// The same with SHA-384.
    Ps384,
    /// The same with SHA-512.
    Ps512,
    /// ECDSA with P-256.
    Es256,
    /// ECDSA with P-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// By its name in a token's head.
    pub fn from_name(name: &str) -> Option<Algorithm> {
        Some(match name {
            "RS256" => Algorithm::Rs256,
            "RS384" => Algorithm::Rs384,
            "RS512" => Algorithm::Rs512,
            "PS256" => Algorithm::Ps256,
            "PS384" => Algorithm::Ps384,
            "PS512" => Algorithm::Ps512,
            "ES256" => Algorithm::Es256,
            "ES384" => Algorithm::Es384,
            "EdDSA" | "Ed25519" => Algorithm::EdDsa,
            _ => return None,
        })
    }

    fn is_of(self, key: &Material) -> bool {
        match self {
            Algorithm::Es256 => matches!(key, Material::P256(_)),
            Algorithm::Es384 => matches!(key, Material::P384(_)),
            Algorithm::EdDsa => matches!(key, Material::Ed25519(_)),
            _ => matches!(key, Material::Rsa { .. }),
        }
    }
}

/// The keys of a provider.
#[derive(Clone, Debug, Default)]
pub struct Keys(Vec<Key>);

#[derive(Clone, Debug)]
struct Key {
    id: Option<String>,
    /// The only one it signs by, where it says so.
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Clone, Debug)]
enum Material {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Keys {
    /// Reads a JWK set. Keys of other kinds and for other purposes are passed over, as the standard wants.
    pub fn read(json: &[u8]) -> Option<Keys> {
        let set: Value = serde_json::from_slice(json).ok()?;
        let listed = set.get("keys")?.as_array()?;
        let jwks = listed.iter().take(MAX_KEYS).filter_map(|key| Jwk::deserialize(key).ok());
        Some(Keys(jwks.filter_map(key).collect()))
    }

    /// Whether a key has this id; any key will do for a word that names none.
    pub fn knows(&self, id: Option<&str>) -> bool {
        self.0.iter().any(|key| id.is_none() || key.id.as_deref() == id)
    }

    /// Whether one of the keys that it may be signed with did sign it.
    pub fn verify(&self, id: Option<&str>, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        let fits = |key: &&Key| {
            algorithm.is_of(&key.material)
                && key.algorithm.is_none_or(|only| only == algorithm)
                && (id.is_none() || key.id.as_deref() == id)
        };
        self.0.iter().filter(fits).any(|key| verifies(&key.material, algorithm, signed, signature))
    }
}

fn key(jwk: Jwk) -> Option<Key> {
    if jwk.purpose.is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    // A key for an algorithm that is not taken signs nothing that is.
    let algorithm = match &jwk.alg {
        Some(name) => Some(Algorithm::from_name(name)?),
        None => None,
    };
    let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
    let point = |length: usize| {
        let (x, y) = (bytes(&jwk.x)?, bytes(&jwk.y)?);
        // Uncompressed, as SEC 1 writes it.
        (x.len() == length && y.len() == length).then(|| [&[4][..], &x, &y].concat())
    };
    let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => Material::Rsa { modulus: bytes(&jwk.n)?, exponent: bytes(&jwk.e)? },
        ("EC", Some("P-256")) => Material::P256(point(32)?),
        ("EC", Some("P-384")) => Material::P384(point(48)?),
        ("OKP", Some("Ed25519")) => Material::Ed25519(bytes(&jwk.x)?),
        _ => return None,
    };
    Some(Key { id: jwk.kid, algorithm, material })
}

fn verifies(key: &Material, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
    let unparsed = |how, key: &[u8]| UnparsedPublicKey::new(how, key).verify(signed, signature).is_ok();
    match key {
        Material::P256(point) => unparsed(&signature::ECDSA_P256_SHA256_FIXED, point),
        Material::P384(point) => unparsed(&signature::ECDSA_P384_SHA384_FIXED, point),
        Material::Ed25519(point) => {
            UnparsedPublicKey::new(&signature::ED25519, point).verify(signed, signature).is_ok()
        }
        Material::Rsa { modulus, exponent } => {
            let how = match algorithm {
                Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
                Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
                Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
                Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
                Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
                Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
                _ => return false,
            };
            RsaPublicKeyComponents { n: modulus, e: exponent }.verify(how, signed, signature).is_ok()
        }
    }
}
