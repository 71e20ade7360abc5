#!/usr/bin/env bash
# new_plugin.sh CMAKE INSTALLED KIND FOLDER FLAGS: the walk of docs/writing-a-plugin.md for one kind, without the run.
set -euo pipefail
cmake=$1 installed=$2 kind=$3 folder=$4 flags=$5
library=acme_$kind
blip3u=$installed/bin/blip3u
rm -rf "$folder"
mkdir -p "${folder%/*}"
"$blip3u" plugins new "$folder" --kind "$kind" --name "$library/mine"
"$cmake" -S "$folder" -B "$folder/build" -DCMAKE_PREFIX_PATH="$installed" -DCMAKE_CXX_FLAGS="$flags" \
  >"$folder.log" 2>&1 || { cat "$folder.log"; exit 1; }
"$cmake" --build "$folder/build" >"$folder.log" 2>&1 || { cat "$folder.log"; exit 1; }
if grep -q 'warning:' "$folder.log"; then cat "$folder.log"; exit 1; fi
(cd "$folder/build" && "${cmake%cmake}ctest" --output-on-failure)
exported=$(nm -D --defined-only "$folder/build/$library.so" | awk '{print $3}')
[[ $exported == blip3u_plugin ]] || { echo "exports more than the entry symbol: $exported"; exit 1; }
"$blip3u" --plugins "$folder/build" plugins inspect "$library/mine"
"$blip3u" --plugins "$folder/build" validate "$folder/recipe.yaml"

# Installed, with and without --plugins.
trap 'rm -f "$installed/lib/blip3u/plugins/$library.so"' EXIT
"$cmake" --install "$folder/build" >/dev/null
(cd "$folder/build" && "${cmake%cmake}ctest" --output-on-failure)
"$blip3u" validate "$folder/recipe.yaml"
