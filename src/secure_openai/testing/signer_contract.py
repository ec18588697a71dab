"""What every `Signer` promises; subclass it and provide the fixture `signer`."""

from __future__ import annotations

import json

from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jws

from secure_openai.store.signing import ALGORITHM, CURVE, TYPE, Signer, by_kid


class SignerContract:
    """The promises of `Signer`."""

    async def test_signature_holds(self, signer: Signer) -> None:
        """A signature is a compact JWS that the key it names verifies, and says what it is."""
        payload = json.dumps({"number": 1, "name": "é"}).encode()
        token = await signer.sign(payload)

        header = jws.extract_compact(token.encode()).headers()
        key = by_kid(await signer.public_keys())[header["kid"]]
        assert header == {"alg": ALGORITHM, "kid": key.kid, "typ": TYPE}
        verified = jws.deserialize_compact(token, key, algorithms=[ALGORITHM])
        assert verified.payload == payload

    async def test_keys_are_public(self, signer: Signer) -> None:
        """What a signer hands out is public, on the one curve, and has a name."""
        keys = await signer.public_keys()

        assert keys
        for key in keys:
            assert (key.is_private, key.curve_name, bool(key.kid)) == (False, CURVE, True)
            assert isinstance(key.public_key, ec.EllipticCurvePublicKey)

    async def test_signatures_differ(self, signer: Signer) -> None:
        """Two signatures of one payload differ: who finds its own knows that it wrote it."""
        assert await signer.sign(b"x") != await signer.sign(b"x")
