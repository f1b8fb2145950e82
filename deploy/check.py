#!/usr/bin/env python3
"""Holds what is deployed beside the exchange against the exchange: promtool checks Prometheus's
configuration, the alert rules and their tests; then a real Prometheus scrapes a running exchange, by
the name that it has in docker-compose.yml, and is asked every query of Grafana's dashboard and every
alert. What finds nothing fails.

    deploy/check.py [--tools FOLDER] PROGRAM

PROGRAM is the built `shardbook`; FOLDER holds `prometheus` and `promtool`, where they are not on the
path."""

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

DEPLOY = Path(__file__).resolve().parent
PATIENCE_SECONDS = 90

# Grafana's variables, as it would fill them in.
VARIABLES = {"$__rate_interval": "10s", "$__range": "5m", "$instrument": ".*"}

# Shown only while messages come from Binance itself.
LIVE_ONLY = {"feed_lag_seconds"}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--tools", type=Path)
    arguments.add_argument("program", type=Path)
    arguments = arguments.parse_args()
    promtool, prometheus = (tool(name, arguments.tools) for name in ("promtool", "prometheus"))
    for check in (["check", "config", "prometheus.yml"], ["test", "rules", "alerts_test.yml"]):
        subprocess.run([promtool, *check], cwd=DEPLOY / "prometheus", check=True, stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as folder:
        with Exchange(arguments.program.resolve(), Path(folder)) as exchange:
            with Prometheus(prometheus, Path(folder), exchange) as server:
                exchange.trade()
                mistakes = ask_dashboard(server) + ask_alerts(server)
    for mistake in mistakes:
        print(mistake, file=sys.stderr)
    sys.exit(1 if mistakes else 0)


def tool(name, folder):
    found = shutil.which(name, path=folder and str(folder))
    return found or sys.exit(f"there is no {name}; Debian's package prometheus has it")


def ask_dashboard(server):
    """What each query of the dashboard that gives nothing is."""
    dashboard = json.loads((DEPLOY / "grafana/dashboards/shardbook.json").read_text(encoding="utf-8"))
    queries = [
        (panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel.get("targets", [])
    ]
    assert len(queries) > 20, "the dashboard's queries were not found"
    waiting = [query for query in queries if query[1] not in LIVE_ONLY]
    until = time.monotonic() + PATIENCE_SECONDS
    while waiting and time.monotonic() < until:
        waiting = [(title, query) for title, query in waiting if not has_number(server.query(filled_in(query)))]
        time.sleep(0.5)
    print(f"{len(queries)} queries of the dashboard, {len(waiting)} without data")
    return [f"the dashboard's {title!r} gives nothing: {query}" for title, query in waiting]


def ask_alerts(server):
    """What is wrong with the alerts: one that can't be evaluated, or is not what this exchange asks for."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        groups = server.get("/api/v1/rules")["groups"]
        rules = {rule["name"]: rule for group in groups for rule in group["rules"]}
        firing = {name for name, rule in rules.items() if rule["state"] == "firing"}
        if "ShardRestarted" in firing or time.monotonic() > until:
            break
        time.sleep(0.5)
    print(f"{len(rules)} alerts, firing: {', '.join(sorted(firing)) or 'none'}")
    mistakes = [f"{name}: {rule['lastError']}" for name, rule in rules.items() if rule["health"] != "ok"]
    if firing != {"ShardRestarted"}:
        mistakes.append("a shard was restarted and nothing else is wrong; ShardRestarted alone should fire")
    return mistakes


def filled_in(query):
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    assert "$" not in query, f"a variable that is not known: {query}"
    return query


def has_number(result):
    return any(series["value"][1] != "NaN" for series in result)


class Server:
    """A process that answers HTTP on loopback."""

    def __init__(self, command, log, environment=None):
        self.log = log
        with log.open("w") as out:
            self.process = subprocess.Popen(
                [str(part) for part in command], stdout=out, stderr=subprocess.STDOUT, env=environment
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def until(self, what):
        """Waits for `what` to be something, and returns it."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            try:
                if found := what():
                    return found
            except urllib.error.URLError:
                pass
            time.sleep(0.1)
        sys.exit(f"{self.process.args[0]} did not come up:\n{self.log.read_text()}")

    def fetch(self, path, body=None):
        request = urllib.request.Request(self.address + path, method="GET" if body is None else "POST")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()


class Exchange(Server):
    """The program as docker-compose.yml sets it up, but for where it listens and what feeds it."""

    def __init__(self, program, folder):
        settings = {
            "SHARDBOOK_LISTEN": "127.0.0.1:0",
            "SHARDBOOK_OPEN_TO_EVERYONE": "true",
            "SHARDBOOK_ALLOWED_HOSTS": "shardbook",
            "SHARDBOOK_FEED": "simulated",
            "SHARDBOOK_FAULT_INJECTION": "true",
            "SHARDBOOK_DATA_DIR": str(folder / "data"),
            "RUST_LOG": "error",
        }
        super().__init__([program, "serve"], folder / "exchange.log", os.environ | settings)
        listening = re.compile(r"^listening on (http://\S+)$", re.MULTILINE)
        self.address = self.until(lambda: listening.search(self.log.read_text())).group(1)
        self.stream = None

    def trade(self):
        """Gives every panel something to show: orders taken, refused and cancelled, one who watches, trades
        of the feed that are skipped, and a shard that panics."""
        self.stream = urllib.request.urlopen(self.address + "/events", timeout=30)
        self.fetch("/admin/instruments/SOL-USD/halt", {})
        self.fetch("/admin/faults/panic", {"instrument": "ETH-USD"})
        for _ in range(40):
            for instrument in ("BTC-USD", "ETH-USD", "SOL-USD"):
                order = {"client_id": "alice", "instrument": instrument, "side": "buy", "type": "limit", "price": 1}
                try:
                    self.fetch("/orders", order | {"quantity": 1})
                except urllib.error.HTTPError as refused:
                    assert refused.code == 503, refused
            time.sleep(0.1)

    def __exit__(self, *_):
        if self.stream:
            self.stream.close()
        super().__exit__()


class Prometheus(Server):
    """Prometheus with the committed configuration, but for its pace, and the exchange as the proxy to
    itself: so it is asked for its name in docker-compose.yml, which resolves nowhere else."""

    def __init__(self, program, folder, exchange):
        configuration = (DEPLOY / "prometheus/prometheus.yml").read_text(encoding="utf-8")
        configuration, paces = re.subn(r"_interval: 5s", "_interval: 500ms", configuration)
        assert paces == 2
        job = "  - job_name: shardbook\n"
        assert job in configuration
        configuration = configuration.replace(job, f"{job}    proxy_url: {exchange.address}\n")
        (folder / "prometheus.yml").write_text(configuration)
        shutil.copy(DEPLOY / "prometheus/alerts.yml", folder)
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{unused.getsockname()[1]}"
        self.address = f"http://{address}"
        command = [
            program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/metrics",
            f"--web.listen-address={address}",
        ]
        super().__init__(command, folder / "prometheus.log")
        self.until(lambda: self.query('up{job="shardbook"} == 1'))

    def query(self, query):
        return self.get("/api/v1/query?" + urllib.parse.urlencode({"query": query}))["result"]

    def get(self, path):
        return json.loads(self.fetch(path))["data"]


if __name__ == "__main__":
    main()
