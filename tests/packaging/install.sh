#!/usr/bin/env bash
# install.sh CMAKE BUILD TARGET: installs a build, then moves it to TARGET, where the program must work.
set -euo pipefail
cmake=$1 build=$2 target=$3
rm -rf "$target" "$target.before"
mkdir -p "${target%/*}"
"$cmake" --install "$build" --prefix "$target.before" >/dev/null
mv "$target.before" "$target"

list=$(env -i "$target/bin/blip3u" plugins list)
echo "$list"
if grep -q FAILED <<<"$list"; then exit 1; fi
while read -r library; do
  [[ $library == "$target"/* ]] || { echo "a plugin is not of the installed tree: $library"; exit 1; }
done < <(sed -n 's/.*(\(.*\))$/\1/p' <<<"$list")
for library in libblip3u libblip3u_conformance libtorch_cpu libc10; do
  used=$(env -i ldd "$target/bin/blip3u" | sed -n "s#.*$library\\.so.* => \(.*\) (.*#\1#p")
  used=$(readlink -f "$used")
  [[ $used == "$(readlink -f "$target")"/* ]] || { echo "$library is not of the installed tree: $used"; exit 1; }
done
env -i "$target/bin/blip3u" validate "$target/share/blip3u/recipes/easy_vqa.yaml"
