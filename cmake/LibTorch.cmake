# Imported target blip3u::torch over the LibTorch libraries. Part of the package that is installed, too.
#
# find_package(Torch) is not used: the wheel's configuration pulls in the CUDA toolkit. Only the CPU libraries are
# linked; the program loads libtorch_cuda.so itself where a driver is present (core/src/pipeline/device.cpp).
if(NOT EXISTS "${BLIP3U_LIBTORCH}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "No LibTorch in ${BLIP3U_LIBTORCH}. Run ./blip3u once, which installs it there, "
                      "or give -DBLIP3U_LIBTORCH=/path/to/torch")
endif()

file(STRINGS "${BLIP3U_LIBTORCH}/include/torch/headeronly/version.h" _torch_version
     REGEX "#define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
string(REGEX REPLACE "[^0-9;]" "" _torch_version "${_torch_version}")
string(REPLACE ";" "." BLIP3U_TORCH_VERSION "${_torch_version}")
if(NOT BLIP3U_TORCH_VERSION VERSION_EQUAL 2.11.0)
  message(FATAL_ERROR "LibTorch in ${BLIP3U_LIBTORCH} is ${BLIP3U_TORCH_VERSION}; this toolkit is written for 2.11.0")
endif()

# libtorch_cpu.so of the CUDA wheel needs libraries of this folder at link time.
set(_cuda_libraries "${BLIP3U_LIBTORCH}/../nvidia/cu13/lib")

add_library(blip3u::torch INTERFACE IMPORTED)
target_include_directories(blip3u::torch SYSTEM INTERFACE
  "${BLIP3U_LIBTORCH}/include" "${BLIP3U_LIBTORCH}/include/torch/csrc/api/include")
target_link_libraries(blip3u::torch INTERFACE
  "${BLIP3U_LIBTORCH}/lib/libtorch_cpu.so" "${BLIP3U_LIBTORCH}/lib/libc10.so")
target_link_options(blip3u::torch INTERFACE "LINKER:-rpath-link,${_cuda_libraries}:${BLIP3U_LIBTORCH}/lib")
