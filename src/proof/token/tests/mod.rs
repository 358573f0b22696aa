mod claims;
mod issuers;
mod keys;

use super::*;
use crate::config::Cli;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaEncoding,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use clap::Parser as _;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const AUDIENCE: &str = "verify.example.com";
const NOW: u64 = 1_800_000_000;

/// RSA keys take a while to make.
static RSA: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());

enum Signer {
    Rsa,
    Ec(EcdsaKeyPair),
}

impl Signer {
    fn ec() -> Self {
        Self::Ec(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap())
    }

    fn algorithm(&self) -> &'static str {
        if matches!(self, Self::Rsa) { "RS256" } else { "ES384" }
    }

    fn jwk(&self, id: &str) -> Value {
        match self {
            Self::Rsa => {
                // RSAPublicKey in DER (RFC 8017, A.1.1): a modulus of 2048 bits after nine bytes, the exponent
                // 65537 at the end.
                let der = RSA.public_key().as_ref();
                let (n, e) = (&der[9..265], &der[der.len() - 3..]);
                json!({"kty": "RSA", "use": "sig", "kid": id, "n": BASE64.encode(n), "e": BASE64.encode(e)})
            }
            Self::Ec(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-384", "alg": "ES384", "use": "sig", "kid": id,
                    "x": BASE64.encode(&point[1..49]), "y": BASE64.encode(&point[49..])})
            }
        }
    }

    fn sign(&self, signed: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa => {
                let encoding: &dyn RsaEncoding = &RSA_PKCS1_SHA256;
                let mut signature = vec![0; RSA.public_modulus_len()];
                RSA.sign(encoding, &random, signed, &mut signature).unwrap();
                signature
            }
            Self::Ec(pair) => pair.sign(&random, signed).unwrap().as_ref().to_vec(),
        }
    }

    fn token(&self, head: &str, payload: &str) -> String {
        let signed = format!("{}.{}", BASE64.encode(head), BASE64.encode(payload));
        let signature = BASE64.encode(self.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    fn token_with(&self, claims: &Value) -> String {
        self.token(
            &json!({"alg": self.algorithm(), "kid": "k1", "typ": "JWT"}).to_string(),
            &claims.to_string(),
        )
    }
}

/// An issuer on loopback. It counts the requests for keys, and gives the answers that a test sets.
struct TestIssuer {
    url: String,
    keys: Arc<Mutex<Option<Value>>>,
    discovery: Arc<Mutex<Option<Value>>>,
    key_requests: Arc<AtomicUsize>,
}

impl TestIssuer {
    async fn start(keys: &[Value]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let discovery = json!({"issuer": url, "jwks_uri": format!("{url}/keys")});
        let issuer = Self {
            url,
            keys: Arc::new(Mutex::new(Some(json!({"keys": keys})))),
            discovery: Arc::new(Mutex::new(Some(discovery))),
            key_requests: Arc::default(),
        };
        let (keys, discovery, key_requests) =
            (issuer.keys.clone(), issuer.discovery.clone(), issuer.key_requests.clone());
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let wants_keys = head.starts_with(b"GET /keys ");
                key_requests.fetch_add(usize::from(wants_keys), Ordering::SeqCst);
                let document = if wants_keys { &keys } else { &discovery };
                let document = document.lock().unwrap().clone();
                let status = if document.is_some() { "200 OK" } else { "503 Unavailable" };
                let body = document.map(|document| document.to_string()).unwrap_or_default();
                let answer = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        issuer
    }

    fn set_keys(&self, keys: Option<&[Value]>) {
        *self.keys.lock().unwrap() = keys.map(|keys| json!({"keys": keys}));
    }

    fn key_requests(&self) -> usize {
        self.key_requests.load(Ordering::SeqCst)
    }

    fn claims(&self) -> Value {
        json!({
            "iss": self.url, "aud": AUDIENCE, "sub": "arn:aws:iam::123456789012:role/ci/Deploy",
            "iat": NOW - 10, "exp": NOW + 300, "jti": "a-token-id",
            "https://sts.amazonaws.com/": {
                "aws_account": "123456789012", "principal_id": "arn:aws:iam::123456789012:role/ci/Deploy",
                "org_id": "o-abc1234567", "ou_path": ["o-abc1234567/r-ab12/"],
            },
        })
    }

    /// Verifies tokens at `NOW`.
    async fn verify(&self, verifier: &TokenVerifier, token: &str) -> Result<VerifiedToken, ProofFailure> {
        let now = UNIX_EPOCH + Duration::from_secs(NOW);
        verifier.verify(token, "token", now, Instant::now() + Duration::from_secs(20)).await
    }
}

fn transport() -> Transport {
    let settings = Cli::parse_from(["sts-verify", "--endpoint-url-sts", "http://127.0.0.1:1"])
        .serve
        .sts
        .settings(false)
        .unwrap();
    Transport::new(&settings).unwrap()
}

fn verifier(issuer: &TestIssuer) -> TokenVerifier {
    let settings = TokenSettings {
        audiences: vec!["other.example.com".to_owned(), AUDIENCE.to_owned()],
        issuers: AcceptedIssuers::List(vec![issuer.url.clone()]),
        max_age: Duration::from_mins(15),
        default_partition: "aws".to_owned(),
        timeout: Duration::from_secs(20),
    };
    TokenVerifier::new(settings, transport())
}

fn with(mut claims: Value, changes: &[(&str, Value)]) -> Value {
    for (name, value) in changes {
        let object = claims.as_object_mut().unwrap();
        match name.split_once('>') {
            Some((outer, inner)) => object[outer][inner] = value.clone(),
            None => drop(object.insert((*name).to_owned(), value.clone())),
        }
    }
    claims
}
