# Writes a secret for the nodes of a cluster into a folder, unless there is one. Only they can read it: user 1000 of the image.
set -eu
[ -s "$1/secret" ] && exit 0
umask 077
rm -f "$1/secret.new" # of a start that was interrupted
head -c 32 /dev/urandom | base64 > "$1/secret.new"
chown 1000:1000 "$1/secret.new"
mv "$1/secret.new" "$1/secret"
