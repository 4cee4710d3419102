#!/usr/bin/env bash
# Keeps the environments that a payctl makes, for the tests of later versions: keep.sh BINARY
set -euo pipefail
binary=$(realpath "${1:?usage: keep.sh BINARY}")
cd "$(dirname "$0")/../.."
folder="$PWD/tests/upgrade/$(git rev-parse --short HEAD)"
if [ -e "$folder" ]; then
  echo "$folder is there already" >&2
  exit 1
fi
ground=$(mktemp -d)
trap 'rm -rf "$ground"' EXIT
secured=config/examples/serverless-secured
git archive HEAD config/base.toml config/dev.toml "$secured/base.toml" "$secured/staging.toml" functions |
  tar -x -C "$ground"
printf '%s\n' 'dev config' "staging $secured" >"$ground/environments"
cd "$ground"
while read -r env config; do
  env -i HOME="$ground" "$binary" apply --env "$env" --config-dir "$config" --sandbox --auto-approve
done <environments
mkdir "$folder"
mv config functions environments "$folder"
rm .payctl/sandbox/lock
mv .payctl/sandbox "$folder/sandbox"
chmod 644 "$folder"/sandbox/*
printf '%s\n' '# What later versions show: ENV ACTION ADDRESS FIELD: REASON' >"$folder/announced"
