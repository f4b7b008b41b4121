#!/usr/bin/env python3
"""Replay golden transcripts against a cloud sync service (CSS) and its edge nodes (ESS) and report the differences.

A transcript is one JSON file: who sends which request to which node, and what must come back. FORMAT.md, next to this
file, describes every member. Typical use:

    run_transcripts.py --css http://127.0.0.1:8080 --ess http://127.0.0.1:8081 --accounts accounts.json

Exit status: 0 everything that was played agreed, 1 at least one scenario differed, 2 the run could not start.

One long module on purpose: it is copied to wherever the nodes can be reached, and needs nothing beside it but httpx.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import fnmatch
import hashlib
import http.server
import json
import random
import re
import secrets
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx

T = TypeVar("T")
HERE = Path(__file__).resolve().parent
POLL_EVERY = 0.15  # seconds between two tries of an `eventually` or `hold` step
BUSY_TRIES = 20  # a reply 429 that was not expected is tried again this often, as every client does
NO_REPLY = "none"  # the status of a connection that ended without a reply


class TranscriptError(Exception):
    """A scenario, an account or an option is wrong; this says nothing about the service."""


# Templates: {{name}}, {{account.member}}, {{time:+5s}}, {{nanos:-1s}} and, in paths, {{name|url}}

PLACEHOLDER = re.compile(r"\{\{\s*([^{}|]+?)\s*(?:\|\s*(url)\s*)?\}\}")
OFFSET = re.compile(r"([+-]?\d+)([smhd])(?:@([+-])(\d\d):(\d\d))?")
SECONDS_PER_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Names:
    """The values a scenario can mention; captures add to them while it is played."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        function, _, argument = name.partition(":")
        if function == "time":
            return rfc3339(argument)
        if function == "nanos":
            return int(moment(argument).timestamp() * 1_000_000_000)
        raise TranscriptError(f"nothing is called {{{{{name}}}}}")

    def __setitem__(self, name: str, value: Any) -> None:
        self._values[name] = value

    def plus(self, values: dict[str, Any]) -> Names:
        """A copy that knows some more values; the original stays as it is."""
        return Names({**self._values, **self.fill(values)})

    def fill(self, thing: Any) -> Any:
        """Return a copy of `thing` with every placeholder replaced, at any depth and in member names too."""
        if isinstance(thing, dict):
            return {self.fill(key): self.fill(value) for key, value in thing.items()}
        if isinstance(thing, list):
            return [self.fill(item) for item in thing]
        if not isinstance(thing, str):
            return thing
        whole = PLACEHOLDER.fullmatch(thing)
        if whole:  # a lone placeholder keeps the type of its value, so captured numbers stay numbers
            return self._replace(whole)
        return PLACEHOLDER.sub(lambda match: str(self._replace(match)), thing)

    def _replace(self, match: re.Match[str]) -> Any:
        name, filter_name = match.groups()
        value = self[name]
        return quote(str(value), safe="") if filter_name == "url" else value


def moment(offset: str) -> datetime:
    """Now plus an offset such as `+90s` or `-1h`; `+30s@+02:00` is the same instant as `+30s`, written in that zone."""
    match = OFFSET.fullmatch(offset)
    if not match:
        raise TranscriptError(f"{offset!r} is not a time offset")
    amount, unit, sign, hours, minutes = match.groups()
    zone: tzinfo = UTC
    if sign:
        shift = timedelta(hours=int(hours), minutes=int(minutes))
        zone = timezone(shift if sign == "+" else -shift)
    return datetime.now(zone) + timedelta(seconds=int(amount) * SECONDS_PER_UNIT[unit])


def rfc3339(offset: str) -> str:
    return moment(offset).isoformat(timespec="seconds").replace("+00:00", "Z")


# Matching JSON: each function returns a sentence about the first difference, or None when there is none


def json_difference(want: Any, got: Any, at: str = "body") -> str | None:
    """Compare a decoded value with a pattern: plain values match exactly, {"$operator": …} as FORMAT.md says."""
    operator = operator_of(want)
    if operator:
        return OPERATORS[operator](want[operator], got, at)
    if isinstance(want, dict):
        if not isinstance(got, dict):
            return f"{at}: expected an object, got {brief(got)}"
        if want.keys() != got.keys():
            return f"{at}: missing members {sorted(want.keys() - got.keys())}, extra {sorted(got.keys() - want.keys())}"
        return first(json_difference(want[name], got[name], f"{at}/{name}") for name in want)
    if isinstance(want, list):
        if not isinstance(got, list) or len(want) != len(got):
            return f"{at}: expected a list of {len(want)}, got {brief(got)}"
        return first(json_difference(w, g, f"{at}/{i}") for i, (w, g) in enumerate(zip(want, got, strict=True)))
    if isinstance(want, bool) != isinstance(got, bool) or want != got:
        return f"{at}: expected {brief(want)}, got {brief(got)}"
    return None


def operator_of(want: Any) -> str | None:
    """The operator of a pattern such as {"$any": "int"}, None for a plain value."""
    if not isinstance(want, dict) or len(want) != 1:
        return None
    (name,) = want
    if name.startswith("$") and name not in OPERATORS:
        raise TranscriptError(f"unknown operator {name}")
    return name if name in OPERATORS else None


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


KINDS: dict[str, Callable[[Any], bool]] = {
    "anything": lambda value: True,
    "int": lambda value: is_number(value) and isinstance(value, int),
    "number": is_number,
    "string": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "list": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def match_any(kind: str, got: Any, at: str) -> str | None:
    return None if KINDS[kind](got) else f"{at}: expected any {kind}, got {brief(got)}"


def match_subset(want: dict[str, Any], got: Any, at: str) -> str | None:
    """The named members must match, others may be there; {"$absent": true} wants a member not to be there."""
    if not isinstance(got, dict):
        return f"{at}: expected an object, got {brief(got)}"
    for name, pattern in want.items():
        if pattern == {"$absent": True}:
            if name in got:
                return f"{at}/{name}: must be absent, got {brief(got[name])}"
        elif name not in got:
            return f"{at}/{name}: missing"
        elif difference := json_difference(pattern, got[name], f"{at}/{name}"):
            return difference
    return None


def match_contains(want: list[Any], got: Any, at: str) -> str | None:
    """Each pattern needs an item of its own; order and further items do not matter."""
    if not isinstance(got, list):
        return f"{at}: expected a list, got {brief(got)}"
    left = list(got)
    for pattern in want:
        found = next((i for i, item in enumerate(left) if json_difference(pattern, item) is None), None)
        if found is None:
            return f"{at}: no item matches {brief(pattern)} in {brief(got)}"
        del left[found]
    return None


def match_unordered(want: list[Any], got: Any, at: str) -> str | None:
    if not isinstance(got, list) or len(got) != len(want):
        return f"{at}: expected {len(want)} items in any order, got {brief(got)}"
    return match_contains(want, got, at)


def match_lacks(want: Any, got: Any, at: str) -> str | None:
    """No item of the list may match the pattern."""
    if not isinstance(got, list):
        return f"{at}: expected a list, got {brief(got)}"
    unwanted = [item for item in got if json_difference(want, item) is None]
    return f"{at}: must not list {brief(unwanted[0])}" if unwanted else None


def match_each(want: Any, got: Any, at: str) -> str | None:
    if not isinstance(got, list):
        return f"{at}: expected a list, got {brief(got)}"
    return first(json_difference(want, item, f"{at}/{i}") for i, item in enumerate(got))


def match_one_of(want: list[Any], got: Any, at: str) -> str | None:
    if any(json_difference(pattern, got, at) is None for pattern in want):
        return None
    return f"{at}: expected one of {brief(want)}, got {brief(got)}"


def match_not(want: Any, got: Any, at: str) -> str | None:
    return f"{at}: must not be {brief(got)}" if json_difference(want, got, at) is None else None


def match_regex(want: str, got: Any, at: str) -> str | None:
    if isinstance(got, str) and re.search(want, got):
        return None
    return f"{at}: expected text matching /{want}/, got {brief(got)}"


def match_greater(want: float, got: Any, at: str) -> str | None:
    return None if is_number(got) and got > want else f"{at}: expected more than {want}, got {brief(got)}"


def match_time_between(want: list[str], got: Any, at: str) -> str | None:
    try:
        low, instant, high = (datetime.fromisoformat(text) for text in (want[0], got, want[1]))
        inside = low <= instant <= high
    except (TypeError, ValueError):
        inside = False
    return None if inside else f"{at}: expected a time from {want[0]} to {want[1]}, got {brief(got)}"


OPERATORS: dict[str, Callable[[Any, Any, str], str | None]] = {
    "$any": match_any,
    "$subset": match_subset,
    "$contains": match_contains,
    "$unordered": match_unordered,
    "$lacks": match_lacks,
    "$each": match_each,
    "$one_of": match_one_of,
    "$not": match_not,
    "$regex": match_regex,
    "$gt": match_greater,
    "$time_between": match_time_between,
}


def first(differences: Iterable[T | None]) -> T | None:
    return next((difference for difference in differences if difference), None)


def brief(value: Any, limit: int = 160) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else text[: limit - 1] + "…"


# Replies and what they were expected to be

NAMED_EXPECTATIONS: dict[str, dict[str, Any]] = {
    "done": {"status": 204, "body": "empty"},
    "gone": {"status": 404, "body": "empty"},
    "denied": {"status": 403, "body": {"text": "Unauthorized"}},
    "refused": {"status": 400, "body": "some"},
    "not allowed": {"status": 405},
}


@dataclass(frozen=True)
class Reply:
    status: int | str
    headers: httpx.Headers
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace")

    def pick(self, what: str) -> Any:
        """The part of a reply to capture: `status`, `body`, or a JSON pointer such as `/0/instanceID`."""
        if what == "status":
            return self.status
        if what == "body":
            return self.text
        value = json.loads(self.body)
        for part in what.strip("/").split("/"):
            value = value[int(part)] if isinstance(value, list) else value[part]
        return value


def reply_difference(expect: Any, reply: Reply) -> str | None:
    """Compare a reply with an expectation, or with a list of acceptable ones."""
    if isinstance(expect, list):
        differences = [reply_difference(option, reply) for option in expect]
        return None if None in differences else " / ".join(str(difference) for difference in differences)
    if isinstance(expect, str):
        expect = NAMED_EXPECTATIONS[expect]
    statuses = expect["status"] if isinstance(expect["status"], list) else [expect["status"]]
    if reply.status not in statuses:
        wanted = " or ".join(str(status) for status in statuses)
        return f"status: expected {wanted}, got {reply.status} {brief(reply.text, 100)}"
    for name, want in expect.get("headers", {}).items():  # null: the header must not be there
        if difference := json_difference(want, reply.headers.get(name), f"header {name}"):
            return difference
    return body_difference(expect["body"], reply) if "body" in expect else None


def body_difference(want: str | dict[str, Any], reply: Reply) -> str | None:
    if want == "empty":
        return f"body: expected none, got {brief(reply.text)}" if reply.body else None
    if want == "some":
        return None if reply.body.strip() else "body: expected some text, got none"
    if not isinstance(want, dict):
        raise TranscriptError(f"unknown body pattern {want!r}")
    ((kind, pattern),) = want.items()
    if kind == "json":
        try:
            content = json.loads(reply.body)
        except ValueError:
            return f"body: expected JSON, got {brief(reply.text)}"
        return json_difference(pattern, content)
    if kind == "text":
        return json_difference(pattern, reply.text)
    if kind == "base64":
        return None if reply.body == base64.b64decode(pattern) else f"body: other bytes, starting {reply.body[:40]!r}"
    if kind == "size":
        return json_difference(pattern, len(reply.body), "body size")
    if kind == "sha256":
        return json_difference(pattern, hashlib.sha256(reply.body).hexdigest(), "body SHA-256")
    raise TranscriptError(f"unknown body pattern {kind!r}")


# Scenarios and their steps, as the files have them

NODES_NEEDED = {"css": ["css"], "ess": ["ess"], "pair": ["css", "ess"], "trio": ["css", "ess", "ess2"]}
VERDICTS = ("preserve", "fix", "either")


@dataclass(frozen=True)
class Step:
    """A request with its expectation, or several requests to be sent at the same time."""

    actor: str | list[str] | None = None
    node: str = ""
    method: str = ""
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    note: str = ""
    when: str | None = None
    only_if: dict[str, Any] = field(default_factory=dict)
    each: dict[str, list[Any]] = field(default_factory=dict)
    expect: Any = None
    expect_reference: Any = None
    capture: dict[str, str] = field(default_factory=dict)
    eventually: float = 0.0
    hold: float = 0.0
    parallel: list[Step] = field(default_factory=list)

    @classmethod
    def read(cls, content: dict[str, Any]) -> Step:
        return cls(**{**content, "parallel": [cls.read(part) for part in content.get("parallel", [])]})

    def requests(self) -> Iterator[Request]:
        """The requests of the step: one for each actor and each row of values, or those of all parallel steps."""
        if self.parallel:
            for part in self.parallel:
                yield from part.requests()
            return
        for actor in self.actor if isinstance(self.actor, list) else [self.actor]:
            if not self.each:
                yield Request(self, actor, {})
            for spelled, rows in self.each.items():
                variables = spelled.split(", ")
                for row in rows:
                    yield Request(self, actor, dict(zip(variables, row if len(variables) > 1 else [row], strict=True)))


@dataclass(frozen=True)
class Request:
    """One request of a step: as one actor, with one row of the values of `each`."""

    step: Step
    actor: str | None
    values: dict[str, Any]

    def describe(self, names: Names) -> str:
        target = f"{self.step.method} {self.step.path}"
        with contextlib.suppress(TranscriptError):
            target = names.fill(target)
        return f"{self.actor or 'nobody'} → {self.step.node}: {target}"


@dataclass(frozen=True)
class Scenario:
    name: str
    area: str
    purpose: str
    source: str
    verdict: str
    needs: dict[str, Any]
    steps: list[Step]
    fix: dict[str, str] = field(default_factory=dict)
    validated: bool = True
    exclusive: bool = False
    vars: dict[str, str] = field(default_factory=dict)
    cleanup: list[Step] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Scenario:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            steps = {part: [Step.read(step) for step in content.get(part, [])] for part in ("steps", "cleanup")}
            scenario = cls(**{**content, **steps})
            scenario.check(path.stem)
        except (TypeError, ValueError, KeyError, TranscriptError) as problem:
            raise TranscriptError(f"{path.name}: {problem}") from problem
        return scenario

    def check(self, file_name: str) -> None:
        if self.name != file_name:
            raise TranscriptError("the name must equal the file name")
        if self.verdict not in VERDICTS or self.needs["nodes"] not in NODES_NEEDED:
            raise TranscriptError("unknown verdict or nodes")
        if (self.verdict == "fix") != (self.fix.keys() == {"reference", "expected"}):
            raise TranscriptError("scenarios of verdict fix, and only they, say what they fix")
        requests = [request for step in self.steps for request in step.requests()]
        for request in requests:
            if request.step.expect is None:
                raise TranscriptError(f"no expectation: {request.step.method} {request.step.path}")
        requests += [request for step in self.cleanup for request in step.requests()]
        used = {request.actor for request in requests if request.actor}
        if used != set(self.needs["accounts"]):
            raise TranscriptError(f"needs.accounts must be exactly {sorted(used)}")

    def missing_from(self, world: World) -> list[str]:
        """What this scenario needs and the run does not offer."""
        if world.reference and not self.validated:
            return ["a reference that can do it"]
        missing = [node for node in NODES_NEEDED[self.needs["nodes"]] if node not in world.nodes]
        return missing + [account for account in self.needs["accounts"] if account not in world.accounts]


# The world: nodes to talk to, accounts to talk as, and a listener for webhooks


class Node:
    """A service under test, reached over TCP or a Unix socket."""

    def __init__(self, address: str, verify: ssl.SSLContext | bool, timeout: float) -> None:
        transport, url = None, address
        scheme, _, rest = address.partition(":")
        if scheme in ("unix", "secure-unix"):
            transport = httpx.HTTPTransport(uds=rest, verify=verify)
            url = "http://localhost" if scheme == "unix" else "https://localhost"
        self._base = url.rstrip("/")
        limits = httpx.Limits(max_keepalive_connections=0)  # a fresh connection each time: none to go stale
        self._client = httpx.Client(verify=verify, timeout=timeout, transport=transport, limits=limits, trust_env=False)

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes | Iterator[bytes] | None) -> Reply:
        # The target goes out as the transcript writes it: no dot segments folded, nothing escaped twice.
        printable = "".join(map(chr, range(0x21, 0x7F)))
        target = quote(urlsplit(self._base).path + path, safe=printable).encode()
        request = self._client.build_request(
            method, self._base + "/", headers=headers, content=body, extensions={"target": target}
        )
        try:
            response = self._client.send(request)
        except httpx.TransportError as problem:
            return Reply(NO_REPLY, httpx.Headers(), f"{type(problem).__name__}: {problem}".encode())
        return Reply(response.status_code, response.headers, response.content)


class Listener:
    """Receives webhook calls. Asked as the node "listener", it answers with the calls recorded for a path."""

    def __init__(self, host: str, port: int) -> None:
        self._calls: dict[str, list[dict[str, Any]]] = {}
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                listener._record(self)
                wanted = re.match(r"/status-(\d+)/", self.path)
                self.send_response(int(wanted[1]) if wanted else 204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_PUT = do_POST

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer((host, port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _record(self, request: http.server.BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        try:
            content = json.loads(body)
        except ValueError:
            content = body.decode("utf-8", errors="replace")
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = {"method": request.command, "headers": headers, "body": content}
        self._calls.setdefault(request.path, []).append(call)

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes | Iterator[bytes] | None) -> Reply:
        return Reply(200, httpx.Headers(), json.dumps(self._calls.get(path, [])).encode())


@dataclass(frozen=True)
class World:
    nodes: dict[str, Node | Listener]
    accounts: dict[str, dict[str, str]]
    names: dict[str, Any]
    reference: bool
    patience: float

    def send(self, request: Request, names: Names) -> Reply:
        step, body = request.step, names.fill(request.step.body)
        headers = {"Accept-Encoding": "identity", **names.fill(step.headers)}
        if body and "json" in body:
            headers.setdefault("Content-Type", "application/json")
        if request.actor:
            account = self.accounts[request.actor]
            pair = f"{account['key']}:{account['secret']}".encode()
            headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
        node = self.nodes[step.node]
        return node.send(names.fill(step.method), names.fill(step.path), headers, request_body(body))


def request_body(body: dict[str, Any] | None) -> bytes | Iterator[bytes] | None:
    """The bytes to send; with `chunked` they go out in chunked transfer coding, without a length."""
    if body is None:
        return None
    if "json" in body:
        content = json.dumps(body["json"], ensure_ascii=False).encode()
    elif "base64" in body:
        content = base64.b64decode(body["base64"])
    else:
        content = body["text"].encode() * body.get("times", 1)
    if body.get("chunked"):
        return (content[start : start + 1000] for start in range(0, len(content), 1000))
    return content


@dataclass(frozen=True)
class Difference:
    request: str
    text: str


@dataclass
class Outcome:
    name: str
    area: str
    verdict: str
    result: str = "pass"  # or fail, or skip
    seconds: float = 0.0
    step: int | None = None  # number of the first differing step, from 1
    request: str = ""
    difference: str = ""


def play(scenario: Scenario, world: World) -> Outcome:
    """Play one scenario to its end or to its first difference, then clean up."""
    outcome = Outcome(scenario.name, scenario.area, scenario.verdict)
    if missing := scenario.missing_from(world):
        outcome.result, outcome.difference = "skip", "needs " + ", ".join(missing)
        return outcome
    names = Names({**world.names, "uniq": secrets.token_hex(4)})
    started = time.monotonic()
    try:
        for name, value in scenario.vars.items():
            names[name] = names.fill(value)
        for number, step in enumerate(scenario.steps, start=1):
            outcome.step = number
            if difference := play_step(step, names, world):
                outcome.result, outcome.request, outcome.difference = "fail", difference.request, difference.text
                break
        else:
            outcome.step = None
    except TranscriptError as problem:
        outcome.result, outcome.difference = "fail", f"the transcript is wrong: {problem}"
    clean_up(scenario.cleanup, names, world)
    outcome.seconds = round(time.monotonic() - started, 2)
    return outcome


def play_all(scenarios: list[Scenario], world: World, jobs: int) -> Iterator[Outcome]:
    """Several at a time where asked for; scenarios that touch shared state come last, one by one."""
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        yield from pool.map(lambda scenario: play(scenario, world), [s for s in scenarios if not s.exclusive])
    yield from (play(scenario, world) for scenario in scenarios if scenario.exclusive)


def play_step(step: Step, names: Names, world: World) -> Difference | None:
    if step.when and step.when != ("reference" if world.reference else "expected"):
        return None
    if any(names[name] != value for name, value in step.only_if.items()):
        return None
    requests = list(step.requests())
    if step.parallel:
        with ThreadPoolExecutor(max_workers=len(requests)) as pool:
            return first(list(pool.map(lambda request: play_request(request, names, world), requests)))
    return first(play_request(request, names, world) for request in requests)


def play_request(request: Request, names: Names, world: World) -> Difference | None:
    """Send one request until its step is satisfied or its time is up, and capture what the step wants to keep."""
    step, local = request.step, names.plus(request.values)
    expect = step.expect_reference if world.reference and step.expect_reference is not None else step.expect
    started = time.monotonic()
    until = started + (step.hold or step.eventually * world.patience)
    try:
        while True:
            reply, difference = exchange(request, expect, local, world)
            settled = difference is not None if step.hold else difference is None
            if settled or time.monotonic() >= until:
                break
            time.sleep(POLL_EVERY)
        if difference is None:
            for name, what in step.capture.items():
                names[name] = reply.pick(what)
            return None
    except (KeyError, IndexError, ValueError) as problem:
        difference = f"{type(problem).__name__}: {problem}"
    if step.eventually or step.hold:
        difference += f" (after {time.monotonic() - started:.1f} s)"
    return Difference(request.describe(local), difference)


def exchange(request: Request, expect: Any, names: Names, world: World) -> tuple[Reply, str | None]:
    """Send a request and compare the reply; one that is told to come back later does so a few times."""
    for _ in range(BUSY_TRIES):
        reply = world.send(request, names)
        difference = reply_difference(names.fill(expect), reply)
        if difference is None or reply.status != 429:
            return reply, difference
        time.sleep(POLL_EVERY)
    reply = world.send(request, names)
    return reply, reply_difference(names.fill(expect), reply)


def clean_up(steps: list[Step], names: Names, world: World) -> None:
    """Best effort: what a scenario leaves behind must not hide its result."""
    for request in (request for step in steps for request in step.requests()):
        with contextlib.suppress(TranscriptError):  # a name that was to be captured on the way
            world.send(request, names.plus(request.values))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    nodes = parser.add_argument_group("nodes (URL, or for an edge node unix:PATH or secure-unix:PATH)")
    nodes.add_argument("--css", metavar="URL", help="the cloud service")
    nodes.add_argument("--ess", metavar="URL", help="an edge node of it")
    nodes.add_argument("--ess2", metavar="URL", help="a second edge node of the same type, for the trios")
    nodes.add_argument("--ess-node", default="edge:n1", metavar="TYPE:ID", help="identity of --ess (%(default)s)")
    nodes.add_argument("--ess2-node", default="edge:n2", metavar="TYPE:ID", help="identity of --ess2 (%(default)s)")
    nodes.add_argument("--ca", metavar="FILE", help="certificate to trust for https")
    nodes.add_argument("--insecure", action="store_true", help="do not check https certificates")
    nodes.add_argument("--listener", default="127.0.0.1:0", metavar="HOST:PORT", help="where nodes can call webhooks")
    nodes.add_argument("--accounts", type=Path, metavar="FILE", help="account names with keys and secrets")
    nodes.add_argument("--org", metavar="ORG", help="organization of the edge nodes, instead of the accounts file's")
    choice = parser.add_argument_group("scenarios")
    choice.add_argument("--scenarios", type=Path, action="append", metavar="DIR", help="folder to read; repeatable")
    choice.add_argument("--only", action="append", default=[], metavar="PATTERN", help="names, areas or verdicts")
    choice.add_argument("--skip", action="append", default=[], metavar="PATTERN", help="the same, to leave out")
    choice.add_argument("--shuffle", type=int, metavar="SEED", help="play in an order drawn from SEED")
    choice.add_argument("--list", action="store_true", help="list the chosen scenarios and stop")
    run = parser.add_argument_group("run")
    run.add_argument("--reference", action="store_true", help="judge the reference implementation itself")
    run.add_argument("--jobs", type=int, default=1, metavar="N", help="scenarios to play at the same time")
    run.add_argument("--patience", type=float, default=1.0, metavar="N", help="multiply the deadlines by N")
    run.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS", help="limit of one request")
    run.add_argument("--json", type=Path, metavar="FILE", help="also write a report there")
    return parser.parse_args()


def read_scenarios(folders: list[Path]) -> list[Scenario]:
    scenarios = [Scenario.read(path) for folder in folders for path in sorted(folder.glob("*.json"))]
    twice = [name for name, count in Counter(scenario.name for scenario in scenarios).items() if count > 1]
    if twice:
        raise TranscriptError(f"scenario names used twice: {twice}")
    return scenarios


def choose(scenarios: list[Scenario], options: argparse.Namespace) -> list[Scenario]:
    def named(scenario: Scenario, patterns: list[str]) -> bool:
        labels = (scenario.name, scenario.area, scenario.verdict)
        return any(fnmatch.fnmatch(label, pattern) for pattern in patterns for label in labels)

    chosen = [s for s in scenarios if (not options.only or named(s, options.only)) and not named(s, options.skip)]
    if options.shuffle is not None:
        random.Random(options.shuffle).shuffle(chosen)
    return chosen


def build_world(options: argparse.Namespace) -> World:
    if not options.accounts:
        raise TranscriptError("--accounts is needed")
    content = json.loads(options.accounts.read_text(encoding="utf-8"))
    names: dict[str, Any] = {**content["orgs"], **({"org": options.org} if options.org else {})}
    accounts = Names(names).fill(content["accounts"])
    for account, members in accounts.items():
        names.update({f"{account}.{member}": value for member, value in members.items()})

    verify: ssl.SSLContext | bool = not options.insecure
    if options.ca and not options.insecure:
        verify = ssl.create_default_context(cafile=options.ca)
    addresses = {"css": options.css, "ess": options.ess, "ess2": options.ess2}
    nodes: dict[str, Node | Listener] = {
        name: Node(address, verify, options.timeout) for name, address in addresses.items() if address
    }
    for node, identity in (("ess", options.ess_node), ("ess2", options.ess2_node)):
        names[node] = identity
        names[f"{node}.type"], _, names[f"{node}.id"] = identity.partition(":")

    host, _, port = options.listener.rpartition(":")
    listener = nodes["listener"] = Listener(host, int(port))
    names["listener"] = f"http://{host}:{listener.port}"
    return World(nodes, accounts, names, options.reference, options.patience)


def wait_until_ready(world: World) -> None:
    """Nodes may just have been started: wait until each answers and the cloud knows its edge nodes."""
    readers = {"css": "css-admin", "ess": "ess-app", "ess2": "ess-app"}
    steps = [
        Step(reader, node, "GET", "/api/v1/health", expect={"status": 200}, eventually=30)
        for node, reader in readers.items()
        if node in world.nodes
    ]
    for node in {"ess", "ess2"} & world.nodes.keys() if "css" in world.nodes else ():
        known = {"$subset": {"destinationType": f"{{{{{node}.type}}}}", "destinationID": f"{{{{{node}.id}}}}"}}
        expect = {"status": 200, "body": {"json": {"$contains": [known]}}}
        steps.append(Step("css-admin", "css", "GET", "/api/v1/destinations/{{org}}", expect=expect, eventually=60))
    for step in steps:
        if difference := play_step(step, Names(world.names), world):
            raise TranscriptError(f"{difference.request}: {difference.text}")


def print_outcome(outcome: Outcome, width: int) -> None:
    print(f"{outcome.result:5} {outcome.verdict:9} {outcome.name:{width}} {outcome.seconds:6.2f} s", end="")
    if outcome.result == "fail":
        print(f"  step {outcome.step}, {outcome.request}\n{'':16}{outcome.difference}", end="")
    elif outcome.result == "skip":
        print(f"  {outcome.difference}", end="")
    print(flush=True)


def print_summary(outcomes: list[Outcome], seconds: float) -> None:
    print(f"\n{'area':16}{'pass':>6}{'fail':>6}{'skip':>6}")
    for area in [*sorted({outcome.area for outcome in outcomes}), "all"]:
        counts = Counter(outcome.result for outcome in outcomes if area in (outcome.area, "all"))
        print(f"{area:16}{counts['pass']:6}{counts['fail']:6}{counts['skip']:6}")
    print(f"\n{len(outcomes)} scenarios in {seconds:.0f} s")


def write_report(path: Path, outcomes: list[Outcome], seconds: float) -> None:
    counts = Counter(outcome.result for outcome in outcomes)
    report = {"summary": {**counts, "seconds": round(seconds, 1)}, "scenarios": [asdict(o) for o in outcomes]}
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> int:
    options = parse_arguments()
    try:
        scenarios = choose(read_scenarios(options.scenarios or [HERE / "scenarios"]), options)
        if options.list:
            for s in scenarios:
                print(f"{s.area:14} {s.verdict:9} {s.needs['nodes']:5} {s.name:44} {s.purpose}")
            return 0
        world = build_world(options)
        wait_until_ready(world)
    except (TranscriptError, OSError, KeyError, ValueError) as problem:
        print(f"cannot start: {problem}", file=sys.stderr)
        return 2

    started = time.monotonic()
    width = max((len(scenario.name) for scenario in scenarios), default=0)
    outcomes = []
    for outcome in play_all(scenarios, world, options.jobs):
        outcomes.append(outcome)
        print_outcome(outcome, width)
    seconds = time.monotonic() - started
    print_summary(outcomes, seconds)
    if options.json:
        write_report(options.json, outcomes, seconds)
    return 1 if any(outcome.result == "fail" for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
