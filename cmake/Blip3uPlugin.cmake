# blip3u_add_plugin(NAME SOURCES SOURCE...): the plugin library NAME.so, built by the target plugin_NAME. It exports one
# symbol and leaves none undefined, is installed into the plugin folder of the toolkit that it is built against, and,
# outside the toolkit's own tree, is checked by the test NAME.verify. Part of the package that is installed, too.
set(BLIP3U_CMAKE_FOLDER "${CMAKE_CURRENT_LIST_DIR}")

function(blip3u_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 plugin "" "" "SOURCES")
  if(NOT name MATCHES "^[a-z][a-z0-9_]*$")
    message(FATAL_ERROR "blip3u_add_plugin: the name `${name}` is not well formed; use lower-case letters, digits and "
                        "underscores, a letter first")
  endif()
  if(NOT plugin_SOURCES OR plugin_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "blip3u_add_plugin: write blip3u_add_plugin(${name} SOURCES file.cpp ...)")
  endif()
  set(target plugin_${name})
  add_library(${target} MODULE ${plugin_SOURCES})
  target_link_libraries(${target} PRIVATE blip3u::core)
  target_link_options(${target} PRIVATE
    LINKER:--no-undefined "LINKER:--version-script=${BLIP3U_CMAKE_FOLDER}/plugin.map")
  set_target_properties(${target} PROPERTIES
    PREFIX "" OUTPUT_NAME ${name}
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON POSITION_INDEPENDENT_CODE ON
    INSTALL_RPATH "$ORIGIN/../..:$ORIGIN/../torch/lib")
  install(TARGETS ${target} LIBRARY DESTINATION "${BLIP3U_INSTALL_PLUGIN_FOLDER}")
  if(BLIP3U_IN_TREE)
    set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${BLIP3U_PLUGIN_FOLDER}")
    set_property(GLOBAL APPEND PROPERTY BLIP3U_PLUGINS ${target})
  else()
    # What is built is what is installed, so that runs with the one are runs with the other.
    set_target_properties(${target} PROPERTIES BUILD_WITH_INSTALL_RPATH ON)
    enable_testing()
    add_test(NAME ${name}.verify COMMAND blip3u::program plugins verify $<TARGET_FILE:${target}>)
  endif()
endfunction()
