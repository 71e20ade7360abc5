#!/usr/bin/env bash
# new_plugin.sh CMAKE INSTALLED KIND FOLDER: the walk of docs/writing-a-plugin.md for one kind, up to the run.
set -euo pipefail
cmake=$1 installed=$2 kind=$3 folder=$4
blip3u=$installed/bin/blip3u
rm -rf "$folder"
mkdir -p "${folder%/*}"
"$blip3u" plugins new "$folder" --kind "$kind" --name acme/mine
"$cmake" -S "$folder" -B "$folder/build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$installed" >"$folder.log" 2>&1 ||
  { cat "$folder.log"; exit 1; }
"$cmake" --build "$folder/build" >"$folder.log" 2>&1 || { cat "$folder.log"; exit 1; }
if grep -q 'warning:' "$folder.log"; then cat "$folder.log"; exit 1; fi
(cd "$folder/build" && "${cmake%cmake}ctest" --output-on-failure)
exported=$(nm -D --defined-only "$folder/build/acme.so" | awk '{print $3}')
[[ $exported == blip3u_plugin ]] || { echo "exports more than the entry symbol: $exported"; exit 1; }
"$blip3u" --plugins "$folder/build" plugins inspect acme/mine
"$blip3u" --plugins "$folder/build" validate "$folder/recipe.yaml"
