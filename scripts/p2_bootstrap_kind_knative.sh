#!/bin/sh
# Create the kind cluster of infra/kind-dev/kind-cluster.yaml with Knative Serving and kourier,
# or bring an existing one to that state. Everything is done by vpm; options are passed on:
#   scripts/p2_bootstrap_kind_knative.sh --http-port 8080
set -eu
cd "$(dirname "$0")/.."
vpm=.venv/bin/vpm
[ -x "$vpm" ] || vpm=vpm
exec "$vpm" cluster up --cluster kind "$@"
