#!/usr/bin/env python3
"""Measures the exchange on this machine, and prints each figure beside its goal.

`./dev bench` builds what this needs and calls it. Everything runs on this machine, the load
generator beside the exchange, and every order is durable before it is answered. A goal is for a
machine of 2 cores; the ratio to a baseline measured in the same run should hold anywhere.

    ./dev bench                      everything, some 20 minutes
    ./dev bench --seconds 5 http     one part, in short; parts are told by --help
"""

import argparse
import contextlib
import datetime
import json
import os
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONNECTIONS = 64
# A batch is one request and a WebSocket holds many: fewer connections keep the machine as busy.
PIPELINED_CONNECTIONS = 8
# Orders a second of the open loop.
OPEN_LOOP_RATE = 2_000


class Bench:
    """Where programs are, how long to run, and the figures so far."""

    def __init__(self, arguments, scratch):
        self.programs = arguments.programs
        self.seconds = arguments.seconds
        self.out = arguments.out
        self.scratch = scratch
        self.rows = []
        # The exchange that was started last.
        self.server = None

    def program(self, name):
        return str(self.programs / name)

    def example(self, name, *arguments):
        """An example's output, also shown."""
        print(f"== {name} {' '.join(arguments)}", flush=True)
        command = [self.program(f"examples/{name}"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=self.scratch)
        print(done.stdout, end="", flush=True)
        return done.stdout

    def figure(self, what, measured, goal, *, ratio=None, ratio_goal=None, met=None):
        """Puts a row down: texts, and whether the goal is met, told by `met`."""
        self.rows.append((what, measured, goal, ratio or "", ratio_goal or "", "yes" if met else "no"))

    def orders(self, name, *arguments):
        """A file of generated orders."""
        path = self.scratch / f"{name}.jsonl"
        generator = [sys.executable, str(ROOT / "fixtures/gen_orders.py"), "--out", str(path), *arguments]
        subprocess.run(generator, check=True)
        return path

    @contextlib.contextmanager
    def exchange(self, *arguments, config=None):
        """An exchange of its own on a free port, with an empty data directory."""
        address = free_address()
        with tempfile.TemporaryDirectory(dir=self.scratch) as data:
            # Without a limit of how much one client may do: that is not what is measured.
            command = [
                self.program("shardbook"), "serve", "--listen", address, "--data-dir", data,
                "--feed", "off", "--requests-per-second", "0",
            ]
            if config is not None:
                path = Path(data) / "shardbook.toml"
                path.write_text(config, encoding="utf-8")
                command += ["--config", str(path)]
            with open(self.scratch / "exchange.log", "w", encoding="utf-8") as log:
                environment = os.environ | {"RUST_LOG": "warn"}
                server = subprocess.Popen([*command, *arguments], stderr=log, stdout=log, env=environment)
                self.server = server
                try:
                    wait_until_it_listens(address, server)
                    yield address
                finally:
                    server.terminate()
                    server.wait(timeout=120)

    @contextlib.contextmanager
    def bare(self):
        """The servers that do nothing: addresses of HTTP's and of WebSockets'."""
        http, websocket = free_address(), free_address()
        server = subprocess.Popen([self.program("examples/bare"), http, websocket])
        try:
            wait_until_it_listens(http, server)
            wait_until_it_listens(websocket, server)
            yield http, websocket
        finally:
            server.kill()
            server.wait()

    def load(self, name, target, orders, *arguments, seconds=None):
        """Runs the load generator and returns its report; the report is kept under `name`."""
        folder = self.out / name
        command = [
            self.program("shardbook-load-test"), "--target", target, "--orders", str(orders),
            "--seconds", str(seconds or self.seconds), "--report", str(folder), *arguments,
        ]
        print(f"== {name}", flush=True)
        # A run in which something failed says so in its report too.
        subprocess.run(command, check=False)
        return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def core(bench):
    """The core without I/O: the book, its cost against depth, the shard, replay."""
    rate = r": ([\d.]+) million commands/s"
    told = bench.example("core_speed")
    book = float(re.search(r"^book" + rate, told, re.M)[1])
    bench.figure("book alone, mixed commands", f"{book:.1f} M/s", "25 M/s", met=book >= 25)
    for part in ("book", "shard"):
        costs = re.findall(rf"in the {part} a cancel [^(]*\(([\d.]+)[^)]*\), a match [^(]*\(([\d.]+)", told)
        cancel, hit = (max(float(cost) for cost in kind) for kind in zip(*costs))
        bench.figure(
            f"cost in the {part} against depth, 10^2 to 10^6: a cancel, a match",
            f"{cancel:.2f}, {hit:.2f} times", "1.3 times", met=max(cancel, hit) <= 1.3,
        )
    shard = float(re.search(r"^shard" + rate, told, re.M)[1])
    bench.figure("shard core, records encoded", f"{shard:.2f} M/s", "2 M/s", met=shard >= 2)
    replay = float(re.search(r"^replay" + rate, told, re.M)[1])
    bench.figure("replay", f"{replay:.2f} M/s", "1 M/s", met=replay >= 1)
    compare(bench)


def compare(bench):
    """The book beside a naive one and that of the crate orderbook-rs, which is built here alone."""
    build = ["cargo", "build", "--release", "--locked", "--quiet"]
    folder = bench.programs.parent / "compare"
    build += ["--manifest-path", str(ROOT / "load-test/compare/Cargo.toml"), "--target-dir", str(folder)]
    what = "book alone, beside the crate orderbook-rs"
    if subprocess.run(build, check=False).returncode != 0:
        bench.figure(what, "could not be built here", "", ratio_goal="40 times", met=False)
        return
    told = subprocess.run([folder / "release/shardbook-compare"], capture_output=True, text=True, check=True).stdout
    print(f"== shardbook-compare\n{told}", end="", flush=True)
    naive, theirs = (float(re.search(rf"^{name}: .*, ([\d.]+) times", told, re.M)[1]) for name in ("naive", "orderbook-rs"))
    bench.figure(
        what, f"{naive:.0f} times a naive book", "", ratio=f"{theirs:.0f} times orderbook-rs", ratio_goal="40 times",
        met=theirs >= 40,
    )


def journal(bench):
    """The journal beside bare write and fdatasync."""
    told = bench.example("journal_speed", str(bench.scratch))
    row = re.search(r"^ *128 \| +(\d+) .*\| +([\d.]+)$", told, re.M)
    rate, ratio = int(row[1]), float(row[2])
    bench.figure(
        "journal, 200-byte records, batches of 128", f"{rate:,}/s", "450,000/s",
        ratio=f"{ratio:.2f} of bare", ratio_goal="0.8", met=ratio >= 0.8 and rate >= 450_000,
    )


def projector(bench):
    """The projector on both databases."""
    for kind, goal in (("sqlite", 40_000), ("postgres", 25_000)):
        told = bench.example("projector_speed", kind, "200000")
        rate = int(re.search(r": (\d+) orders/s", told)[1])
        bench.figure(f"projector, {kind}", f"{rate:,} orders/s", f"{goal:,}", met=rate >= goal)


def start(bench):
    """A start with a million resting orders."""
    told = bench.example("start_speed", "1000000")
    rest = re.search(r"^1000000 orders rest; (\d+) MB", told, re.M)
    bench.figure("memory with 1,000,000 resting orders", f"{rest[1]} MB", "400 MB", met=int(rest[1]) <= 400)
    after = re.search(r"rest after ([\d.]+)(m?s), 0 records replayed", told)
    seconds = float(after[1]) / (1_000 if after[2] == "ms" else 1)
    bench.figure("start from a checkpoint of 1,000,000", f"{seconds:.2f} s", "2 s", met=seconds <= 2)


def http(bench):
    """Single orders over HTTP in a closed loop, beside the bare handler."""
    orders = bench.orders("orders", "--crossing", "30")
    arguments = ("--closed", "--connections", str(CONNECTIONS))
    with bench.bare() as (bare, _):
        bare_rate = bench.load("http-bare", bare, orders, *arguments)["answered_per_second"]
    with bench.exchange() as address:
        report = bench.load("http", address, orders, *arguments)
        lag = projection_lag(address)
    rate, p99 = report["answered_per_second"], report["latency"]["p99"]
    ratio = rate / bare_rate
    bench.figure(
        f"HTTP, single orders, {CONNECTIONS} connections, closed loop",
        f"{rate:,.0f}/s, p99 {p99} ms, lag {lag:,}", "25,000/s, p99 8 ms",
        ratio=f"{ratio:.2f} of the bare handler's {bare_rate:,.0f}", ratio_goal="0.55",
        met=rate >= 25_000 and p99 <= 8 and ratio >= 0.55,
    )


def open_loop(bench):
    """2,000 orders a second, and how long each took; beside the bare handler and bare flushes at that rate."""
    orders = bench.orders("orders", "--crossing", "30")
    arguments = ("--rate", str(OPEN_LOOP_RATE), "--connections", str(CONNECTIONS))
    flushes = bare_flushes(bench.scratch / "flushes", min(bench.seconds, 10))
    with bench.bare() as (bare, _):
        handler = bench.load("open-loop-bare", bare, orders, *arguments, seconds=min(bench.seconds, 10))["latency"]
    with bench.exchange() as address:
        report = bench.load("open-loop", address, orders, *arguments)
    latency = report["latency"]
    bench.figure(
        "2,000 orders/s, open loop",
        f"p50 {latency['p50']}, p99 {latency['p99']}, p99.9 {latency['p99.9']} ms",
        "p50 0.8, p99 3, p99.9 10 ms",
        ratio=f"bare handler: p99 {handler['p99']}, p99.9 {handler['p99.9']} ms; "
        f"bare flushes: p99 {flushes[0.99]:.1f}, p99.9 {flushes[0.999]:.1f} ms",
        met=latency["p50"] <= 0.8 and latency["p99"] <= 3 and latency["p99.9"] <= 10 and not report["failures"],
    )


def batch(bench):
    """Batches of 100 over HTTP."""
    orders = bench.orders("orders", "--crossing", "30")
    with bench.exchange() as address:
        report = bench.load(
            "batch", address, orders, "--protocol", "batch", "--closed",
            "--connections", str(PIPELINED_CONNECTIONS),
        )
        lag = projection_lag(address)
    rate = report["answered_per_second"]
    bench.figure(
        "HTTP, batches of 100", f"{rate:,.0f} orders/s, lag {lag:,}", "150,000 orders/s", met=rate >= 150_000
    )


def websocket(bench):
    """Pipelined orders over WebSockets, beside the bare server."""
    orders = bench.orders("orders", "--crossing", "30")
    arguments = ("--protocol", "websocket", "--closed", "--connections", str(PIPELINED_CONNECTIONS))
    with bench.bare() as (_, bare):
        bare_rate = bench.load("websocket-bare", bare, orders, *arguments)["answered_per_second"]
    with bench.exchange() as address:
        report = bench.load("websocket", address, orders, *arguments)
        lag = projection_lag(address)
    rate = report["answered_per_second"]
    ratio = rate / bare_rate
    bench.figure(
        "WebSocket, pipelined", f"{rate:,.0f} orders/s, lag {lag:,}", "250,000 orders/s",
        ratio=f"{ratio:.2f} of the bare server's {bare_rate:,.0f}", ratio_goal="0.35",
        met=rate >= 250_000 and ratio >= 0.35,
    )


def instruments(bench):
    """Single orders over HTTP against the number of instruments."""
    rates = {}
    for count in (1, 1_000):
        names = [f"I{number}-USD" for number in range(count)]
        config = "".join(
            f'[[instruments]]\nsymbol = "{name}"\ntick_size = "0.01"\nlot_size = "0.001"\n' for name in names
        )
        generated = [f"{name}:150:0.01:0.001" for name in names]
        orders = bench.orders(f"orders-{count}", "--crossing", "30", "--instruments", *generated)
        with bench.exchange(config=config) as address:
            report = bench.load(
                f"instruments-{count}", address, orders, "--closed", "--connections", str(CONNECTIONS)
            )
        rates[count] = report["answered_per_second"]
    ratio = rates[1_000] / rates[1]
    bench.figure(
        "HTTP, single orders, 1,000 instruments", f"{rates[1_000]:,.0f}/s", "",
        ratio=f"{ratio:.2f} of one instrument's {rates[1]:,.0f}", ratio_goal="0.85", met=ratio >= 0.85,
    )


def fan_out(bench):
    """1,000 subscribers while 200 orders a second come in.

    The subscribers are a process of their own: otherwise an answer would also wait for them to read.
    """
    generated = ("--crossing", "30", "--instruments", "BTC-USD:70000:0.01:0.00001")
    orders = bench.orders("orders-watched", *generated)
    others = bench.orders("orders-of-the-subscribers", "--seed", "2", *generated)
    seconds = max(10, bench.seconds // 2)
    arguments = ("--rate", "200", "--connections", "16")
    folder = bench.out / "fan-out-subscribers"
    with bench.exchange() as address:
        without = bench.load("fan-out-0", address, orders, *arguments, seconds=seconds)["latency"]
        watching = subprocess.Popen([
            bench.program("shardbook-load-test"), "--target", address, "--orders", str(others), "--rate", "1",
            "--connections", "1", "--subscribers", "1000", "--seconds", str(seconds + 10), "--report", str(folder),
        ])
        wait_for_subscribers(address, 1_000)
        beside = bench.load("fan-out-1000", address, orders, *arguments, seconds=seconds)["latency"]
        watching.wait(timeout=120)
    watched = json.loads((folder / "report.json").read_text(encoding="utf-8"))["subscribers"]
    whole = watched["least"] == watched["most"] and watched["most"]["gaps"] == 0
    ratio = beside["p99"] / without["p99"]
    bench.figure(
        "fan-out to 1,000 subscribers, 200 orders/s",
        f"{'every frame delivered' if whole else 'frames missing'}, p50 {beside['p50']}, p99 {beside['p99']} ms",
        "every frame", ratio=f"{ratio:.2f} times the p99 without; p50 {without['p50']}, p99 {without['p99']} ms",
        ratio_goal="2", met=whole and ratio <= 2,
    )


IDLE_SUBSCRIBERS = 10_000


def idle(bench):
    """10,000 subscribers to whom nothing happens while orders come in."""
    # Each is a file of the exchange and one of the load generator.
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    orders = bench.orders("orders", "--crossing", "30", "--instruments", "BTC-USD:70000:0.01:0.00001")
    p99, cost, memory = {}, {}, {}
    for subscribers in (0, IDLE_SUBSCRIBERS):
        with bench.exchange() as address:
            before = cpu_seconds(bench.server.pid)
            report = bench.load(
                f"idle-{subscribers}", address, orders, "--rate", "2000", "--connections", str(CONNECTIONS),
                "--subscribers", str(subscribers), "--watched", "ETH-USD", seconds=max(10, bench.seconds // 2),
            )
            cost[subscribers] = cpu_seconds(bench.server.pid) - before
            memory[subscribers] = peak_memory(bench.server.pid)
        p99[subscribers] = report["latency"]["p99"]
    each = (memory[IDLE_SUBSCRIBERS] - memory[0]) / IDLE_SUBSCRIBERS
    ratio = p99[IDLE_SUBSCRIBERS] / p99[0]
    more = cost[IDLE_SUBSCRIBERS] - cost[0]
    bench.figure(
        f"2,000 orders/s beside {IDLE_SUBSCRIBERS:,} idle subscribers",
        f"p99 {p99[IDLE_SUBSCRIBERS]} ms, {each / 1024:.0f} KiB each, {more:.1f} s of CPU more with connecting", "",
        ratio=f"{ratio:.2f} times the p99 without", ratio_goal="2", met=ratio <= 2,
    )


# Runs with the log of orders and without it, by turns, so that what else the machine does meets both.
LOG_RUNS = 3


def log(bench):
    """What the log of orders costs an order, at full load, in CPU time of the whole exchange."""
    orders = bench.orders("orders", "--crossing", "30")
    loads = {
        "HTTP, single orders": ("--closed", "--connections", str(CONNECTIONS)),
        "WebSocket, pipelined": (
            "--protocol", "websocket", "--closed", "--connections", str(PIPELINED_CONNECTIONS)
        ),
    }
    for what, arguments in loads.items():
        costs, rates = {"info": [], "off": []}, {"info": [], "off": []}
        for run in range(LOG_RUNS):
            for level in costs:
                with bench.exchange("--log-filter", f"warn,shardbook::orders={level}") as address:
                    before = cpu_seconds(bench.server.pid)
                    report = bench.load(
                        f"log-{level}-{run}", address, orders, *arguments, seconds=max(3, bench.seconds // 12)
                    )
                    wait_until_projected(address)
                    spent = cpu_seconds(bench.server.pid) - before
                costs[level].append(spent / report["answered"] * 1e6)
                rates[level].append(report["answered_per_second"])
                print(f"   {what}, orders={level}: {costs[level][-1]:.2f} µs of CPU an order", flush=True)
        told, untold = (statistics.median(costs[level]) for level in ("info", "off"))
        rate = statistics.median(rates["info"])
        bench.figure(
            f"CPU time of an order with its lines in the log, {what}",
            f"{told:.1f} µs at {rate:,.0f} orders/s", "",
            ratio=f"{told / untold:.2f} of {untold:.1f} µs without", ratio_goal="1.15", met=told <= untold * 1.15,
        )


PARTS = {
    "core": core, "journal": journal, "projector": projector, "start": start, "http": http,
    "open-loop": open_loop, "batch": batch, "websocket": websocket, "instruments": instruments,
    "fan-out": fan_out, "idle": idle, "log": log,
}


def bare_flushes(path, seconds):
    """How long it takes to write some 700 bytes and flush them to a file that has its size, one at a
    time at the open loop's rate: milliseconds from when each was due, by percentile."""
    count = seconds * OPEN_LOOP_RATE
    latencies = []
    with open(path, "wb", buffering=0) as file:
        for _ in range(count * 700 // (1 << 20) + 1):
            file.write(bytes(1 << 20))
        os.fsync(file)
        due = time.monotonic()
        for number in range(count):
            due += 1 / OPEN_LOOP_RATE
            time.sleep(max(0, due - time.monotonic()))
            os.pwrite(file.fileno(), b"x" * 700, number * 700)
            os.fdatasync(file)
            latencies.append((time.monotonic() - due) * 1_000)
    latencies.sort()
    return {part: latencies[int(count * part)] for part in (0.5, 0.99, 0.999)}


def free_address():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


def wait_until_it_listens(address, server):
    host, port = address.split(":")
    for _ in range(600):
        if server.poll() is not None:
            raise SystemExit(f"{server.args[0]} ended with {server.returncode}")
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return
        time.sleep(0.1)
    raise SystemExit(f"{server.args[0]} does not listen at {address}")


def cpu_seconds(pid):
    """What a process has spent, in its own code and in the kernel for it."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    user, system = int(fields[11]), int(fields[12])
    return (user + system) / os.sysconf("SC_CLK_TCK")


def peak_memory(pid):
    """The most bytes that a process had in memory."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.M)[1]) * 1024


def wait_until_projected(address):
    """Until the database has all: what an order costs has been spent by then."""
    for _ in range(3_000):
        if not projection_lag(address):
            return
        time.sleep(0.1)
    raise SystemExit(f"the database of the exchange at {address} does not catch up")


def wait_for_subscribers(address, count):
    for _ in range(600):
        with urllib.request.urlopen(f"http://{address}/metrics") as answer:
            subscribed = re.search(r"^stream_subscribers(?:{[^}]*})? (\d+)", answer.read().decode(), re.M)
        if subscribed and int(subscribed[1]) >= count:
            return
        time.sleep(0.1)
    raise SystemExit(f"there are not {count} subscribers at {address}")


def projection_lag(address):
    """How many records the database is behind, right after a run."""
    with urllib.request.urlopen(f"http://{address}/healthz") as answer:
        return json.load(answer)["database"]["lag_records"]


def machine():
    names = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.M)
    load = ", ".join(f"{minutes:.1f}" for minutes in os.getloadavg())
    return f"{os.cpu_count()} cores of {names[0] if names else 'an unnamed processor'}, load average before: {load}"


def table(rows, on):
    """The figures as Markdown."""
    lines = [
        f"Measured on {datetime.date.today().isoformat()}, on {on}.", "",
        "| what | measured | goal | beside its baseline | goal | met |", "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all unless told")
    parser.add_argument("--seconds", type=int, default=60, metavar="N", help="of each load; default 60")
    parser.add_argument("--programs", type=Path, default=ROOT / "target/release", metavar="FOLDER")
    parser.add_argument("--out", type=Path, default=ROOT / "target/bench", metavar="FOLDER", help="for the reports")
    arguments = parser.parse_args()
    unknown = [part for part in arguments.parts if part not in PARTS]
    if unknown:
        parser.error(f"{unknown[0]!r} is none of {', '.join(PARTS)}")
    arguments.programs, arguments.out = arguments.programs.resolve(), arguments.out.resolve()
    return arguments


def main():
    arguments = parse()
    on = machine()
    arguments.out.mkdir(parents=True, exist_ok=True)
    # Beside the reports, and so on a disk: the figures are those of durable orders.
    with tempfile.TemporaryDirectory(dir=arguments.out) as scratch:
        bench = Bench(arguments, Path(scratch))
        for name, part in PARTS.items():
            if not arguments.parts or name in arguments.parts:
                part(bench)
    told = table(bench.rows, on)
    (arguments.out / "figures.md").write_text(told, encoding="utf-8")
    print(f"\n{told}\nKept with each run's report and plot in {arguments.out}")


if __name__ == "__main__":
    main()
