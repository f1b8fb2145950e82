#!/usr/bin/env python3
"""Opens Swagger UI in a headless Chromium and does what a newcomer would: with "Try it out" and
"Execute", as everything is filled in, places an order, reads it and cancels it; then the same with
keys on, after "Authorize".

    openapi/swagger_ui_test.py PROGRAM [PICTURE]

PROGRAM is the built `shardbook`; a PICTURE of the page is written to that PNG. Chromium is spoken to
over its DevTools pipe, which needs nothing beyond it. Where there is none the exit code is 75."""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NOT_CHECKED = 75
PATIENCE_SECONDS = 90

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--window-size=1280,1600", "--remote-debugging-pipe",
]


def main():
    program = Path(sys.argv[1]).resolve()
    picture = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        print("there is no Chromium", file=sys.stderr)
        sys.exit(NOT_CHECKED)
    with tempfile.TemporaryDirectory() as folder, Chromium(chromium, Path(folder) / "profile") as page:
        with Exchange(program, Path(folder) / "open") as exchange:
            try_it_out(page, exchange, key=None)
            if picture is not None:
                page.evaluate("window.scrollTo(0, 0)")
                picture.write_bytes(page.picture())
        key = subprocess.run(
            [program, "keys", "create", "--role", "admin", "--data-dir", Path(folder) / "keys"],
            check=True, capture_output=True, text=True,
        ).stdout.strip()
        with Exchange(program, Path(folder) / "keys", "--auth", "on") as exchange:
            try_it_out(page, exchange, key)
    print("Swagger UI places, reads and cancels an order, with keys off and on")


def try_it_out(page, exchange, key):
    page.open(exchange.address + "/docs")
    page.until("document.querySelectorAll('.opblock').length > 15")
    if key is not None:
        expect(execute(page, "place_order"), 401, "code", "unauthenticated")
        authorize(page, key)
    placed = execute(page, "place_order")
    expect(placed, 201, "status", "open")
    expect(execute(page, "get_order"), 200, "order_id", placed[1]["order_id"])
    expect(execute(page, "get_orderbook"), 200, "sequence", placed[1]["sequence"])
    expect(execute(page, "cancel_order"), 200, "status", "cancelled")
    expect(execute(page, "get_orders"), 200, 0, None)
    expect(execute(page, "get_order"), 200, "reason", "requested")


def expect(answer, status, field, value):
    code, body = answer
    assert code == status, f"{code}, expected {status}: {body}"
    assert value is None or body[field] == value, f"{field} is not {value}: {body}"
    assert body, f"there is nothing in {body}"


def authorize(page, key):
    page.click(".auth-wrapper .authorize")
    page.until("document.querySelector('.modal-ux input')")
    # As typing does: React listens for the event.
    page.evaluate(
        """(() => {
            const input = document.querySelector('.modal-ux input');
            Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(input, KEY);
            input.dispatchEvent(new Event('input', {bubbles: true}));
        })()""".replace("KEY", json.dumps(key))
    )
    page.click(".modal-ux .auth-btn-wrapper .authorize")
    page.until("document.querySelector('.modal-ux .auth-btn-wrapper').innerText.includes('Logout')")
    page.click(".modal-ux .btn-done")


def execute(page, operation):
    """Presses "Try it out" and "Execute" of a call; the status and the body that the page shows."""
    block = f"[id$='-{operation}']"
    page.until(f"document.querySelector(\"{block}\")")
    if not page.evaluate(f"document.querySelector(\"{block}\").classList.contains('is-open')"):
        page.click(f"{block} .opblock-summary-control")
    page.until(f"document.querySelector(\"{block} .try-out__btn\")")
    if not page.evaluate(f"document.querySelector(\"{block} .execute\") !== null"):
        page.click(f"{block} .try-out__btn")
    page.until(f"document.querySelector(\"{block} .execute\")")
    if page.evaluate(f"document.querySelector(\"{block} .btn-clear\") !== null"):
        page.click(f"{block} .btn-clear")
        page.until(f"!document.querySelector(\"{block} .live-responses-table\")")
    page.click(f"{block} .execute")
    table = f"{block} .live-responses-table .response"
    page.until(f"document.querySelector(\"{table} .response-col_status\")")
    status = page.evaluate(f"document.querySelector(\"{table} .response-col_status\").innerText")
    body = page.evaluate(f"document.querySelector(\"{table} .highlight-code code\").innerText")
    return int(status.split()[0]), json.loads(body)


class Exchange:
    """The program on a free port."""

    def __init__(self, program, data, *arguments):
        self.process = subprocess.Popen(
            [program, "serve", "--listen", "127.0.0.1:0", "--feed", "off", "--data-dir", data, *arguments],
            stdout=subprocess.PIPE, text=True, env=os.environ | {"RUST_LOG": "error"},
        )
        line = self.process.stdout.readline()
        assert line.startswith("listening on "), f"it does not serve: {line!r}"
        self.address = line.removeprefix("listening on ").strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Chromium:
    """One page, spoken to by the DevTools protocol: JSON messages that end with a zero byte."""

    def __init__(self, program, profile):
        from_us, self.to_it = os.pipe()
        self.from_it, to_us = os.pipe()
        # Chromium reads from 3 and writes to 4.
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" 3<&{from_us} 4>&{to_us} 2>/dev/null', program, *FLAGS,
             f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(from_us, to_us),
        )
        os.close(from_us)
        os.close(to_us)
        self.unread = b""
        self.count = 0
        self.session = None
        targets = self.call("Target.getTargets")["targetInfos"]
        target = next(it["targetId"] for it in targets if it["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def call(self, method, **params):
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if self.session is not None:
            message["sessionId"] = self.session
        os.write(self.to_it, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.count:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def receive(self):
        until = time.monotonic() + PATIENCE_SECONDS
        while b"\0" not in self.unread:
            ready, _, _ = select.select([self.from_it], [], [], max(0, until - time.monotonic()))
            assert ready, "Chromium says nothing"
            part = os.read(self.from_it, 1 << 20)
            assert part, "Chromium has ended"
            self.unread += part
        message, self.unread = self.unread.split(b"\0", 1)
        return json.loads(message)

    def open(self, address):
        self.call("Page.navigate", url=address)

    def evaluate(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, f"{expression}: {answer['exceptionDetails']}"
        return answer["result"].get("value")

    def until(self, condition):
        """Looks again until the page is so; it can't say by itself when it is."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not self.evaluate(f"Boolean({condition})"):
            assert time.monotonic() < end, f"never: {condition}\n{self.evaluate('document.body.innerText')[:2000]}"
            time.sleep(0.05)

    def click(self, selector):
        self.until(f"document.querySelector({json.dumps(selector)})")
        self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")

    def picture(self):
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])


if __name__ == "__main__":
    main()
