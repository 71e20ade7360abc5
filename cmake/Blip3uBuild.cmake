# Flags, the build stamp and the precompiled header that all targets share.

option(BLIP3U_WARNINGS_AS_ERRORS "Treat warnings as errors" OFF)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")  # the arithmetic is LibTorch's; -O3 only costs compile time
set(BLIP3U_SANITIZE "" CACHE STRING "Sanitizers, e.g. address,undefined")

add_compile_options(-Wall -Wextra -Wno-missing-field-initializers)  # designated initialisers leave defaults out
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  add_compile_options(-Wno-stringop-overflow -Wno-restrict -Wno-array-bounds)  # false alarms on std::string in GCC 12 (bug 105329)
endif()
if(BLIP3U_WARNINGS_AS_ERRORS)
  add_compile_options(-Werror)
endif()
if(BLIP3U_SANITIZE)
  # No vptr check: it compares type information by address, but plugins keep theirs to themselves and LibTorch exports
  # only some of its own.
  add_compile_options(-fsanitize=${BLIP3U_SANITIZE} -fno-sanitize=vptr -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${BLIP3U_SANITIZE})
endif()

find_program(BLIP3U_CCACHE ccache)
if(BLIP3U_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
    CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_PCH_EXTSUM=1 ${BLIP3U_CCACHE})
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
endif()
find_program(BLIP3U_MOLD mold)
if(BLIP3U_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# Precompiled headers, each compiled once with the flags of all targets:
#   torch  <torch/torch.h>, for plugins, the tests of their parts and the conformance kit; takes seconds to load itself
#   plain  what all else includes most, and of LibTorch only the tensor
#   cli    the same and the command line
set(_standard_headers <algorithm> <filesystem> <fstream> <functional> <map> <memory> <optional> <set> <string> <vector>)
set(_torch_headers <torch/torch.h>)
set(_plain_headers <ATen/core/Tensor.h> <fmt/format.h> <nlohmann/json.hpp>)
set(_cli_headers ${_plain_headers} <CLI/CLI.hpp>)
file(WRITE "${PROJECT_BINARY_DIR}/pch/empty.cpp.in" "// Carries a precompiled header.\n")
configure_file("${PROJECT_BINARY_DIR}/pch/empty.cpp.in" "${PROJECT_BINARY_DIR}/pch/empty.cpp" COPYONLY)
foreach(kind torch plain cli)
  add_library(blip3u_precompiled_${kind} OBJECT "${PROJECT_BINARY_DIR}/pch/empty.cpp")
  target_link_libraries(blip3u_precompiled_${kind} PRIVATE
    blip3u::torch fmt::fmt-header-only nlohmann_json::nlohmann_json)
  target_precompile_headers(blip3u_precompiled_${kind} PRIVATE ${_standard_headers} ${_${kind}_headers})
endforeach()

# blip3u_use_precompiled(TARGET torch|plain|cli)
function(blip3u_use_precompiled target kind)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL EXECUTABLE)  # the header was compiled with -fPIC, and would be refused by -fPIE
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${target} PRIVATE -fPIC)
    if(BLIP3U_SANITIZE)
      target_sources(${target} PRIVATE "${PROJECT_SOURCE_DIR}/cmake/sanitizer_options.cpp")
    endif()
  endif()
  target_precompile_headers(${target} REUSE_FROM blip3u_precompiled_${kind})
endfunction()
