"""An issuer of web identity tokens: its keys, its documents, and files of tokens for the load generator."""

import json
import pathlib
import time
import uuid

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

import questions

ALGORITHMS = ("RS256", "ES384")
TOKENS = 200  # of each algorithm
LIFETIME = 900  # seconds; the service accepts no older tokens


class Issuer:
    """The URL is that of the server with the documents."""

    def __init__(self, url, directory):
        self.url = url
        # As AWS names them.
        self.keys = {"RS256": RSAKey.generate_key(2048, {"kid": "RSA_0", "use": "sig"}),
                     "ES384": ECKey.generate_key("P-384", {"kid": "EC384_0", "use": "sig"})}
        self.files = {algorithm: pathlib.Path(directory, f"{algorithm}.tokens") for algorithm in ALGORITHMS}

    def documents(self):
        """Discovery and keys, as JSON."""
        discovery = {
            "issuer": self.url, "jwks_uri": f"{self.url}/keys", "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ALGORITHMS,
        }
        return json.dumps(discovery), json.dumps(KeySet(list(self.keys.values())).as_dict(private=False))

    def write_tokens(self):
        """Replaces the tokens with new ones."""
        for algorithm, file in self.files.items():
            tokens = [self._token(algorithm) for _ in range(TOKENS)]
            file.write_text("".join(f"{token}\n" for token in tokens))

    def _token(self, algorithm):
        key, now = self.keys[algorithm], int(time.time())
        claims = {
            "aud": questions.AUDIENCE,
            "sub": questions.PRINCIPAL,
            "https://sts.amazonaws.com/": {
                "aws_account": questions.ACCOUNT, "original_session_exp": "2030-01-01T00:00:00Z", "source_region": "us-east-1",
                "principal_id": questions.PRINCIPAL, "org_id": "o-abc1234567",
                "ou_path": ["o-abc1234567/r-ab12/ou-ab12-11111111/"],
            },
            "iss": self.url, "exp": now + LIFETIME, "iat": now, "jti": str(uuid.uuid4()),
        }
        head = {"kid": key.kid, "typ": "JWT", "alg": algorithm}
        return jwt.encode(head, claims, key, algorithms=[algorithm])
