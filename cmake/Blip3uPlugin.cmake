# blip3u_add_plugin(NAME SOURCE...): a plugin library in the plugin folder, exporting one symbol.
set(BLIP3U_PLUGIN_FOLDER "${PROJECT_BINARY_DIR}/plugins")

function(blip3u_add_plugin name)
  add_library(plugin_${name} MODULE ${ARGN})
  target_link_libraries(plugin_${name} PRIVATE blip3u_core)
  target_link_options(plugin_${name} PRIVATE LINKER:--no-undefined)
  set_target_properties(plugin_${name} PROPERTIES
    PREFIX "" OUTPUT_NAME ${name} LIBRARY_OUTPUT_DIRECTORY "${BLIP3U_PLUGIN_FOLDER}")
  set_property(GLOBAL APPEND PROPERTY BLIP3U_PLUGINS plugin_${name})
endfunction()
