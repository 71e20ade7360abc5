// Part of every program of the preset `asan`, so that it needs no environment: the build runs the tests' programs too,
// to list them. LibTorch keeps memory until the process ends, which is no leak of ours.
extern "C" __attribute__((visibility("default"), used)) const char* __asan_default_options() {  // NOLINT: ASan's name
  return "detect_leaks=0";
}

extern "C" __attribute__((visibility("default"), used)) const char* __ubsan_default_options() {  // NOLINT: likewise
  return "print_stacktrace=1";
}
