#!/usr/bin/env bash
# install.sh CMAKE BUILD TARGET TORCH: installs a build, then moves it to TARGET, where the program must work with the
# LibTorch in TORCH.
set -euo pipefail
cmake=$1 build=$2 target=$3 torch=$4
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
check_origin() {
  local library=$1 folder=$2 used
  used=$(env -i ldd "$target/bin/blip3u" | sed -n "s#.*$library\\.so.* => \(.*\) (.*#\1#p")
  used=$(readlink -f "$used")
  [[ $used == "$(readlink -f "$folder")"/* ]] || { echo "$library is not of $folder: $used"; exit 1; }
}
for library in libblip3u libblip3u_conformance; do check_origin $library "$target"; done
for library in libtorch_cpu libc10; do check_origin $library "$torch"; done
[[ -s $target/share/blip3u/report/report.html ]] || { echo "the template of the report is not installed"; exit 1; }
env -i "$target/bin/blip3u" validate "$target/share/blip3u/recipes/easy_vqa.yaml"
