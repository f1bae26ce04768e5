"""What stands in for a service: `child` has a child, `stubborn` ignores SIGTERM, `dying` ends at once.

`store PORT` answers requests that have the key, as a store does; `store PORT open` answers all. `store PORT robbed`
ends when it runs for the first time, after another program, which lives on, took its port; with `beside` that took
Flower's port, and the store serves. The file `robbed` names the port.

The child ties itself to its parent, as the children of the workers do.
"""

import http.server
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

# By its path: the package around it would take a second to import.
GUARDED = Path(__file__).parents[2] / "lookalike" / "system" / "process_guard.py"

kind = sys.argv[1]
if kind == "child":
    subprocess.Popen([sys.executable, __file__, "tied", str(os.getpid())])
if kind == "tied":
    runpy.run_path(str(GUARDED))["die_with_parent"](signal.SIGKILL, int(sys.argv[2]))
if kind == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
sys.stderr.write(f"{kind} began\n")
if kind == "store":
    lost = {"robbed": int(sys.argv[2]), "beside": urlsplit(os.environ["LOOKALIKE_FLOWER_URL"]).port}
    port = lost.get("".join(sys.argv[3:]))
    if port is not None and not (taken := Path("robbed")).exists():
        thief = (
            "import os, pathlib, socket\n"
            f"taker = socket.create_server(('127.0.0.1', {port}))\n"
            f"pathlib.Path('robbing').write_text('{port}')\n"
            "os.rename('robbing', 'robbed')\n"
            "while True: taker.accept()[0].close()\n"
        )
        subprocess.Popen([sys.executable, "-c", thief], start_new_session=True)
        while not taken.exists():
            time.sleep(0.01)
        if port == int(sys.argv[2]):
            sys.exit(1)
    key = None if sys.argv[3:] == ["open"] else os.environ["QDRANT__SERVICE__API_KEY"]

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if key is None or self.headers["api-key"] == key else 401)
            self.end_headers()

    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Answer).serve_forever()
while kind != "dying":
    time.sleep(1)
