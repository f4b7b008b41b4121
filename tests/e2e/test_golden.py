"""The golden transcripts that this version has to play: a cloud and two edges as processes, on each engine."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.golden_trio import ORG, running_trio

_GOLDEN = Path(__file__).resolve().parents[1] / "golden"

#: The others need what this version does not have: access lists, webhooks, policies, organizations, filters, resend,
#: shutdown, changed destinations, expiration, activation, autodelete, signatures and public objects.
SCENARIOS = frozenset(
    """
    chunks-malformed-range chunks-on-every-store chunks-reach-the-edge chunks-upload-in-order
    chunks-whole-upload-afterwards
    data-byte-for-byte data-range-longer-than-object data-range-malformed data-range-parts data-range-short-header
    delivery-cloud-to-edge delivery-copy-is-read-only delivery-data-after-metadata delivery-delete delivery-large-object
    delivery-last-of-many-updates-wins delivery-two-consumers-consume delivery-two-consumers-receive
    delivery-unlimited-consumers delivery-update-brings-it-back delivery-without-data
    destinations-broadcast destinations-by-type destinations-by-type-and-id destinations-dropped-by-an-unready-update
    destinations-registered-nodes
    health-of-an-edge health-of-the-cloud
    http-head http-receiver-operations-on-own-object http-tolerance http-unknown-addresses
    isolation-accounts-on-an-edge isolation-destinations-from-outside isolation-names-that-join-alike
    isolation-organization-in-the-body isolation-same-names isolation-writing
    lists-repeat-until-received lists-updates-empty
    names-encoded-slash names-long names-punctuation names-punctuation-travels
    objects-create-read-delete objects-delete-missing objects-metadata-only-keeps-size objects-metadata-only-update
    objects-metadata-then-data objects-normalised-members objects-sync-admin-in-any-org objects-without-data
    races-creation races-data-uploads races-reading-while-writing races-receivers
    services-open-objects services-store-objects
    upstream-consumed-in-the-cloud upstream-deleted-on-the-edge upstream-edge-to-cloud
    upstream-other-edges-do-not-see-it upstream-refused-on-existing-cloud-object upstream-several-transfer-chunks
    upstream-without-data
    validation-identity validation-json-malformed validation-on-an-edge validation-parsed-before-authentication
    validation-unknown-destination
    """.split()  # noqa: SIM905 - names to be read, not data
)


@pytest.mark.timeout(300)
def test_golden_transcripts_are_played_without_a_difference(database_url: str | None) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="edgesync-") as directory,
        running_trio(Path(directory), database_url) as trio,
    ):
        report_path = Path(directory) / "report.json"
        urls = {"--css": trio.css, "--ess": trio.ess, "--ess2": trio.ess2}
        subprocess.run(
            [
                sys.executable,
                str(_GOLDEN / "run_transcripts.py"),
                *(part for option, service in urls.items() for part in (option, service.base_url)),
                *("--accounts", str(_GOLDEN / "accounts.reference.json")),
                *("--org", ORG),
                *("--jobs", "4"),
                *("--patience", "3"),
                *("--json", str(report_path)),
                *(part for name in sorted(SCENARIOS) for part in ("--only", name)),
            ],
            check=False,
            timeout=240,
        )
        played = json.loads(report_path.read_text())["scenarios"]

    different = [
        f"{s['name']}, step {s['step']}: {s['request']}: {s['difference']}" for s in played if s["result"] != "pass"
    ]
    assert different == []
    assert {scenario["name"] for scenario in played} == SCENARIOS
