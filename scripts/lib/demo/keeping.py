"""What to try while the demo keeps running."""

from __future__ import annotations

import shlex
from pathlib import Path

from scripts.lib.demo.api import ObjectName
from scripts.lib.demo.service import Credentials
from scripts.lib.demo.site import CAMERAS, ORGANIZATION, Cloud, Edge, Site

_NOTE = ObjectName("note", "hello")
_NOTE_META = f'{{"meta": {{"objectType": "{_NOTE.type}", "objectID": "{_NOTE.id}", "destinationType": "{CAMERAS}"}}}}'
_NOTE_TEXT = "hello, cameras"


def hints(site: Site, model: ObjectName, directory: Path) -> str:
    """Commands for a shell, with the credentials of this demo in them."""
    cloud, edge = site.cloud, site.edges[0]
    objects = f"objects/{ORGANIZATION}"
    pids = " ".join(str(service.pid) for service in site.services)
    return f"""
Everything keeps running. Commands to try:

  # the nodes, and what became of the file
  {_at_cloud(cloud, f"destinations/{ORGANIZATION}")}
  {_at_cloud(cloud, f"{objects}/{model}/destinations")}

  # publish a note to every {CAMERAS}: metadata, then data
  {_at_cloud(cloud, f"{objects}/{_NOTE}", "-X", "PUT", "-d", _NOTE_META)}
  {_at_cloud(cloud, f"{objects}/{_NOTE}/data", "-X", "PUT", "--data-binary", _NOTE_TEXT)}

  # see it on {edge.id}, read it, consume it
  {_at_edge(edge, f"objects/{_NOTE.type}")}
  {_at_edge(edge, f"objects/{_NOTE}/data")}
  {_at_edge(edge, f"objects/{_NOTE}/consumed", "-X", "PUT")}

  # and back in the cloud
  {_at_cloud(cloud, f"{objects}/{_NOTE}/destinations")}

Data and logs: {directory}
To stop and clean up:

  kill {pids}; sleep 3; rm -r {shlex.quote(str(directory))}
"""


def _at_cloud(cloud: Cloud, path: str, *options: str) -> str:
    return _curl(cloud.admin, f"{cloud.url}/api/v1/{path}", *options)


def _at_edge(edge: Edge, path: str, *options: str) -> str:
    return _curl(edge.application, f"{edge.url}/api/v1/{path}", "--cacert", str(edge.certificate), *options)


def _curl(credentials: Credentials, url: str, *options: str) -> str:
    return shlex.join(["curl", "-u", f"{credentials.app_key}:{credentials.secret}", *options, url])
