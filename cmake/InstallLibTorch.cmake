# Run by `cmake --install`: puts blip3u_deps/torch and blip3u_deps/nvidia below the prefix as lib/blip3u/torch and
# lib/blip3u/nvidia, side by side as LibTorch's own search paths want them.
foreach(folder torch nvidia)
  file(GLOB_RECURSE files RELATIVE "${blip3u_deps}" "${blip3u_deps}/${folder}/*")
  set(target "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/lib/blip3u")
  message(STATUS "Installing: ${target}/${folder}")
  foreach(file IN LISTS files)
    get_filename_component(parent "${target}/${file}" DIRECTORY)
    file(MAKE_DIRECTORY "${parent}")
    file(REMOVE "${target}/${file}")
    file(CREATE_LINK "${blip3u_deps}/${file}" "${target}/${file}" COPY_ON_ERROR)
  endforeach()
endforeach()
