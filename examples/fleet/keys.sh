#!/bin/sh
# Makes what a fleet needs beyond one machine, into keys/: an authority, a certificate for each control node, a key for each edge, and keys for the
# API. Needs openssl 3 and freshet. Give more edges as arguments: sh keys.sh edge-1 edge-2 edge-3
set -eu
test $# -gt 0 || set -- edge-1 edge-2
mkdir -p keys
cd keys
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=fleet authority" -keyout ca.key -out ca.pem
for node in control-1 control-2 control-3; do
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$node" \
    -addext "subjectAltName=DNS:$node,DNS:localhost,IP:127.0.0.1" -keyout "$node.key" -out "$node.csr"
  openssl x509 -req -in "$node.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 825 -copy_extensions copy -out "$node.pem"
done
: >../.env
for edge in "$@"; do
  public=$(freshet control new-key --quiet "$edge.seed")
  echo "$(echo "$edge" | tr 'a-z-' 'A-Z_')=$public" >>../.env
done
printf 'FRESHET_CONTROL_ACCESS_KEY_ID=%s\nFRESHET_CONTROL_SECRET_ACCESS_KEY=%s\n' "FLEET$(openssl rand -hex 8)" "$(openssl rand -hex 20)" >api.env
# The program in the image runs as user 65532 and has to read these; ca.key stays with you, off the machines.
chmod 644 ./*.key ./*.seed
chmod 600 ca.key
