"""Load: what clients say, as scripts for wrk.

A script sends requests in turn, as its schedule says. A request is fixed, or the next link of a chain: made of what
an earlier answer gave, as refreshing needs the token that the last refresh returned. Each chain has more links at hand
than there are connections, so that one is always free.
"""

import json
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import msgspec

from tests.bench.servers import Server

_STOPPED = "stopped\n"
_SCRIPT = """
local turn, sent, position, owned = 0, 0, {}, {}
for _, chain in pairs(chains) do
  for _, link in ipairs(chain.links) do owned[link[1]] = chain end
end

local function filled(text, link)
  return (text:gsub("@(%d)@", function(n) return link[tonumber(n)] end))
end

function request()
  sent = sent + 1
  if sent == stop_after then
    wrk.thread:stop()
    io.write(STOPPED)
    io.flush()
  end
  turn = turn % #schedule + 1
  local name = schedule[turn]
  local chain = chains[name]
  if chain then
    local link = table.remove(chain.links, 1)
    local body = filled(chain.body, link)
    return filled(chain.head, link) .. "Content-Length: " .. #body .. "\\r\\n\\r\\n" .. body
  end
  position[name] = (position[name] or 0) % #fixed[name] + 1
  return fixed[name][position[name]]
end

if next(chains) then
  function response(status, headers, body)
    for _, chain in pairs(chains) do
      local link = {body:match(chain.answer)}
      if #link > 0 and (chain.takes_all or owned[link[1]] == chain) then table.insert(chain.links, link) end
    end
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('\\n{"requests":%d,"seconds":%f,"errors":%d,"p50":%f,"p99":%f}\\n',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


@dataclass(frozen=True, slots=True)
class Chain:
    """Requests that follow from answers: `@1@` and `@2@` are what the pattern of the answer found."""

    head: str
    body: str
    answer: str
    links: list[list[str]]
    takes_all: bool = False
    """Whether links may come from answers to other requests too."""


@dataclass(frozen=True, slots=True)
class Script:
    """What clients say, over and over."""

    schedule: Sequence[str]
    fixed: Mapping[str, Sequence[str]]
    chains: Mapping[str, Chain]

    def text(self, stop_after: int) -> str:
        """Return it as wrk reads it."""
        values = asdict(self) | {"stop_after": stop_after, "STOPPED": _STOPPED}
        return "".join(f"{name} = {_lua(value)}\n" for name, value in values.items()) + _SCRIPT


class Outcome(msgspec.Struct):
    """What wrk saw; latencies in milliseconds."""

    requests: int
    seconds: float
    errors: int
    p50: float
    p99: float


def load(server: Server, script: Script, *, connections: int, seconds: float = 3600, stop_after: int = -1) -> Outcome:
    """Send requests for some seconds, or so many, of which the last ones are not awaited; return what came of it."""
    wrk = shutil.which("wrk")
    assert wrk is not None
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script.text(stop_after))
        file.flush()
        options = ["-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s", "-s", file.name]
        command = [wrk, *options, f"http://127.0.0.1:{server.port}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - found above
            assert process.stdout is not None
            last = ""
            for line in process.stdout:
                last = line
                if line == _STOPPED:
                    # Its thread has stopped; the process would sleep on.
                    process.send_signal(signal.SIGINT)
    return msgspec.json.decode(last, type=Outcome)


def _lua(value: object) -> str:
    match value:
        case str():
            return json.dumps(value)
        case bool():
            return str(value).lower()
        case Mapping():
            return "{" + ", ".join(f"[{_lua(key)}] = {_lua(each)}" for key, each in value.items()) + "}"
        case Sequence():
            return "{" + ", ".join(map(_lua, value)) + "}"
        case _:
            return str(value)
