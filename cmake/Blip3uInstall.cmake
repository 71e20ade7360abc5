# `cmake --install`: a tree that works wherever it is moved to. `cmake --install --component` is not split.
#   bin/blip3u  lib/libblip3u.so  lib/blip3u/plugins  lib/blip3u/torch  include/blip3u  lib/cmake/blip3u  share/blip3u
include(CMakePackageConfigHelpers)
set(_package lib/cmake/blip3u)

install(TARGETS blip3u EXPORT blip3uTargets RUNTIME DESTINATION bin)
install(TARGETS blip3u_core blip3u_conformance EXPORT blip3uTargets LIBRARY DESTINATION lib)
install(DIRECTORY core/include/blip3u registry/conformance/include/blip3u "${PROJECT_BINARY_DIR}/core/include/blip3u"
        DESTINATION include
        FILES_MATCHING PATTERN "*.h")
install(DIRECTORY recipes DESTINATION share/blip3u)
install(DIRECTORY plugins/template/ DESTINATION share/blip3u/templates)
install(DIRECTORY eval/templates/ DESTINATION share/blip3u/report)
install(DIRECTORY docs DESTINATION share/blip3u)
install(DIRECTORY models DESTINATION share/blip3u OPTIONAL)
install(FILES LICENSE DESTINATION share/blip3u)

# The LibTorch that ./blip3u fetched goes along, by hard links where the file system allows it (it is a gigabyte).
# One that the user brought stays where it is.
if(BLIP3U_LIBTORCH STREQUAL "${PROJECT_SOURCE_DIR}/.deps/torch")
  set(_installed_torch lib/blip3u/torch)
  set(_torch_libraries "$ORIGIN/../lib/blip3u/torch/lib")
  install(CODE "set(blip3u_deps \"${PROJECT_SOURCE_DIR}/.deps\")")
  install(SCRIPT cmake/InstallLibTorch.cmake)
else()
  set(_installed_torch "${BLIP3U_LIBTORCH}")
  set(_torch_libraries "${BLIP3U_LIBTORCH}/lib")
endif()
set_target_properties(blip3u blip3u_core blip3u_conformance PROPERTIES INSTALL_RPATH "$ORIGIN/../lib:${_torch_libraries}")
set_target_properties(blip3u PROPERTIES EXPORT_NAME program)
set_target_properties(blip3u_core PROPERTIES EXPORT_NAME core)
set_target_properties(blip3u_conformance PROPERTIES EXPORT_NAME conformance)

# The package, for this build tree and for the installed one.
function(_write_package folder prefix LIBTORCH PLUGIN_FOLDER)
  configure_package_config_file(cmake/blip3uConfig.cmake.in "${folder}/blip3uConfig.cmake"
    INSTALL_PREFIX "${prefix}" INSTALL_DESTINATION "${_package}" PATH_VARS LIBTORCH PLUGIN_FOLDER)
  write_basic_package_version_file("${folder}/blip3uConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
endfunction()
_write_package("${PROJECT_BINARY_DIR}/${_package}" "${PROJECT_BINARY_DIR}" "${BLIP3U_LIBTORCH}" "${BLIP3U_PLUGIN_FOLDER}")
foreach(file LibTorch.cmake Blip3uPlugin.cmake plugin.map)
  configure_file("cmake/${file}" "${PROJECT_BINARY_DIR}/${_package}/${file}" COPYONLY)
endforeach()
export(EXPORT blip3uTargets NAMESPACE blip3u:: FILE "${PROJECT_BINARY_DIR}/${_package}/blip3uTargets.cmake")

_write_package("${PROJECT_BINARY_DIR}/install" "${CMAKE_INSTALL_PREFIX}" "${_installed_torch}"
               "${BLIP3U_INSTALL_PLUGIN_FOLDER}")
install(FILES "${PROJECT_BINARY_DIR}/install/blip3uConfig.cmake" "${PROJECT_BINARY_DIR}/install/blip3uConfigVersion.cmake"
              cmake/LibTorch.cmake cmake/Blip3uPlugin.cmake cmake/plugin.map DESTINATION "${_package}")
install(EXPORT blip3uTargets NAMESPACE blip3u:: DESTINATION "${_package}")
