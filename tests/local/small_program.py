"""What stands in for a service: `child` has a child of its own, `stubborn` ignores SIGTERM, `dying` ends at once."""

import signal
import subprocess
import sys
import time

kind = sys.argv[1]
if kind == "child":
    subprocess.Popen([sys.executable, __file__, "sleeper"])
if kind == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
sys.stderr.write(f"{kind} began\n")
while kind != "dying":
    time.sleep(1)
