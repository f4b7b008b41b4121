"""What the `hzn mms` command does to a cloud, request by request as it sends them, on each engine.

Status, a signed publication in chunks, the list with its empty filters and the details of each object, a download that
verifies, the types, a deletion, and how each of them is told "not found".
"""

from __future__ import annotations

import base64
import hashlib
import random
import time
from collections.abc import Iterator

import httpx
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils

from tests.support.apps import wait_until
from tests.support.deployment import ORG
from tests.support.fleet import Fleet

TYPE, ID = "mms-model", "resnet"
OBJECT = f"/api/v1/objects/{ORG}/{TYPE}/{ID}"

#: `hzn mms object list` names every filter, those not asked for with an empty value.
FILTERS = (
    "objectType",
    "objectID",
    "destinationPolicy",
    "dpService",
    "dpPropertyName",
    "since",
    "destinationType",
    "destinationID",
    "noData",
    "expirationTimeBefore",
    "deleted",
)

#: Smaller than the 50 MiB it uses, to the same effect: several chunks, and a shorter one at the end.
CHUNK_BYTES = 1 << 20
DATA = random.Random(8).randbytes(3 * CHUNK_BYTES + 12_345)


@pytest.fixture(scope="module")
def hzn(fleet: Fleet) -> Iterator[httpx.Client]:
    """The command's HTTP client: Basic credentials, and a JSON Accept header on everything."""
    cloud = fleet.deployed.cloud
    with httpx.Client(
        base_url=cloud.base_url,
        transport=cloud.transport(),
        auth=cloud.credentials,
        headers={"Accept": "application/json", "User-Agent": "Go-http-client/1.1"},
        timeout=30,
    ) as client:
        yield client


def listed(hzn: httpx.Client, **filters: str) -> httpx.Response:
    parameters = {"filters": "true", **dict.fromkeys(FILTERS, ""), **filters}
    return hzn.get(f"/api/v1/objects/{ORG}", params=parameters)


def signed(key: rsa.RSAPrivateKey) -> dict[str, str]:
    digest = hashlib.sha256(DATA).digest()
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.MAX_LENGTH)
    signature = key.sign(digest, pss, utils.Prehashed(hashes.SHA256()))
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return {
        "hashAlgorithm": "SHA256",
        "publicKey": base64.b64encode(public).decode(),
        "signature": base64.b64encode(signature).decode(),
    }


def test_a_session_from_status_to_deletion(hzn: httpx.Client, fleet: Fleet) -> None:
    _status(hzn)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    integrity = signed(key)

    _publish_metadata(hzn, integrity)
    _publish_chunks(hzn)
    assert _status_word_after_polling(hzn) == "ready"
    wait_until(lambda: fleet.apps["g1"].updated(TYPE))

    _list(hzn, integrity)
    assert TYPE in hzn.get(f"/api/v1/objects/{ORG}", params={"list_object_type": "true"}).json()
    _download(hzn, key.public_key())

    assert hzn.delete(OBJECT).status_code == 204
    wait_until(lambda: hzn.delete(OBJECT).status_code == 404)


def test_what_is_not_there_is_not_found(hzn: httpx.Client) -> None:
    missing = f"/api/v1/objects/{ORG}/{TYPE}-missing/x"

    assert listed(hzn, objectType=f"{TYPE}-missing").status_code == 404
    assert hzn.get(missing).status_code == 404
    assert hzn.get(f"{missing}/data").status_code == 404
    assert hzn.delete(missing).status_code == 404


def _status(hzn: httpx.Client) -> None:
    health = hzn.get("/api/v1/health")
    assert health.status_code == 200
    assert health.json()["general"]["healthStatus"] == "green"
    assert set(health.json()["dbHealth"]) >= {"dbStatus", "disconnectedFromDB", "dbReadFailures", "dbWriteFailures"}


def _publish_metadata(hzn: httpx.Client, integrity: dict[str, str]) -> None:
    meta = {
        "objectID": ID,
        "objectType": TYPE,
        "destinationOrgID": ORG,
        "destinationID": "",
        "destinationType": "gateway",
        "destinationsList": None,
        "destinationPolicy": None,
        "expiration": "",
        "version": "2.1.0",
        "description": "image model",
        "activationTime": "",
        "doNotSend": False,
        "deleted": False,
        "consumers": 1,
        **integrity,
    }
    assert hzn.put(OBJECT, json={"meta": meta}).status_code == 204


def _publish_chunks(hzn: httpx.Client) -> None:
    for start in range(0, len(DATA), CHUNK_BYTES):
        chunk = DATA[start : start + CHUNK_BYTES]
        content_range = f"bytes {start}-{start + len(chunk) - 1}/{len(DATA)}"
        headers = {"Content-Type": "application/octet-stream", "Content-Range": content_range}
        answer = hzn.put(f"{OBJECT}/data", content=chunk, headers=headers)
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["MMS-Upload-Owner"]


def _status_word_after_polling(hzn: httpx.Client) -> str:
    for _ in range(150):
        word = hzn.get(f"{OBJECT}/status").text
        if word in ("ready", "verificationFailed"):
            return word
        time.sleep(0.1)
    return "neither"


def _list(hzn: httpx.Client, integrity: dict[str, str]) -> None:
    everything = listed(hzn)
    assert everything.status_code == 200
    entry = next(each for each in everything.json() if each["objectID"] == ID)
    assert entry["objectSize"] == len(DATA)
    assert {name: entry[name] for name in integrity} == integrity
    narrowed = listed(hzn, objectType=TYPE, objectID=ID, noData="false", deleted="false", destinationType="gateway")
    assert [each["objectID"] for each in narrowed.json()] == [ID]
    destinations = hzn.get(f"{OBJECT}/destinations").json()
    assert {each["destinationID"] for each in destinations} == {"g1"}
    assert hzn.get(f"{OBJECT}/status").text == "ready"


def _download(hzn: httpx.Client, public_key: rsa.RSAPublicKey) -> None:
    meta = hzn.get(OBJECT).json()
    whole = hzn.get(f"{OBJECT}/data")
    assert (whole.status_code, len(whole.content)) == (200, meta["objectSize"])
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO)
    public_key.verify(base64.b64decode(meta["signature"]), whole.content, pss, hashes.SHA256())
    part = hzn.get(f"{OBJECT}/data", headers={"Range": f"bytes=0-{CHUNK_BYTES - 1}"})
    assert (part.status_code, part.content) == (206, DATA[:CHUNK_BYTES])
    exact = hzn.get(f"{OBJECT}/data", headers={"Range": f"bytes=0-{len(DATA) - 1}"})
    assert (exact.status_code, len(exact.content)) == (200, len(DATA))
